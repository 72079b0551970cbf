"""Batches for `tf.data` and for PyTorch's `DataLoader`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras_mmfusion.data.batches import Batch, Batches

if TYPE_CHECKING:
    from keras_mmfusion.data.split import Split


def to_tf_dataset(split: "Split", batch_size: int, **options: Any) -> Any:
    """`tf.data.Dataset` of batches; see `Split.to_tf_dataset`."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            "tf.data needs TensorFlow: pip install 'keras_mmfusion[tensorflow]'"
        ) from error
    batches = Batches(split, batch_size, **options)

    def epoch() -> Iterator[Batch]:
        for index in range(len(batches)):
            yield batches[index]
        batches.on_epoch_end()

    if len(batches) == 0:
        raise ValueError("The split must hold at least one sample.")
    inputs, labels = batches[0]
    signature = (
        {
            name: tf.TensorSpec(
                (None, *split.features[name].item_shape), values.dtype, name
            )
            for name, values in inputs.items()
        },
        tf.TensorSpec(
            (None, None, *labels.shape[2:])
            if split.per_step
            else (None, *labels.shape[1:]),
            labels.dtype,
        ),
    )
    dataset = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    known = tf.data.experimental.assert_cardinality(len(batches))
    return dataset.apply(known).prefetch(tf.data.AUTOTUNE)


def to_torch(
    split: "Split", batch_size: int, num_workers: int = 0, **options: Any
) -> Any:
    """PyTorch `DataLoader` of batches; see `Split.to_torch`."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "A DataLoader needs PyTorch: pip install 'keras_mmfusion[torch]'"
        ) from error
    batches = Batches(split, batch_size, **options)
    return torch.utils.data.DataLoader(
        _Epochs(batches),
        batch_size=None,
        sampler=_EpochSampler(batches),
        num_workers=num_workers,
        # A forked copy of a process in which JAX or TensorFlow runs may hang.
        multiprocessing_context="spawn" if num_workers else None,
        persistent_workers=num_workers > 0,
    )


class _Epochs:
    """Batches by (epoch, index): worker processes need no shared state."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: tuple[int, int]) -> Any:
        import torch

        inputs, labels = self._batches.batch(*place)
        tensors = {k: torch.from_numpy(values) for k, values in inputs.items()}
        return tensors, torch.from_numpy(labels)


class _EpochSampler:
    """Places of the batches of one epoch; every pass is a new epoch."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self._batches.epoch
        self._batches.on_epoch_end()
        for index in range(len(self._batches)):
            yield epoch, index
