"""What a fusion must beat: each modality alone, and plain concatenation."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.encoders import DenseEncoder, Encoder, LSTMEncoder
from keras_mmfusion.evaluation.training import Build, restricted
from keras_mmfusion.layers import PaddingMask
from keras_mmfusion.models.arguments import names_of_layers
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.types import Shape

CONCAT = "concat"


def baselines(
    shapes: Mapping[str, Shape],
    num_classes: int | None = None,
    num_targets: int = 1,
    units: int | Mapping[str, int] = 64,
    dropout: float = 0.0,
    learning_rate: float = 1e-3,
) -> dict[str, Build]:
    """Builds of the floors of a fusion model, for `run`.

    The encoders are those of `MSAF.from_shapes`, two LSTMs for a sequence and
    two dense layers for a vector, without any fusion between them: each
    modality alone with a dense head, and all of them concatenated for one.

    Args:
        shapes: Modality to the shape of one sample, `dataset.shapes`.
        num_classes: Number of classes; `None` for regression.
        num_targets: Number of regression targets.
        units: Width of the encoders, for all or by modality.
        dropout: Rate of dropout on encoder inputs and head features.
        learning_rate: Of Adam.

    Returns:
        Name to a function of the seed: one per modality, and "concat" if
        there are two or more.

    Raises:
        ValueError: If a modality is neither a sequence nor a vector, or is
            called "concat".

    Example:

    ```python
    from keras_mmfusion.evaluation import baselines

    shapes = {"audio": (None, 40), "image": (4,)}
    builds = baselines(shapes, num_classes=10, units=8)
    assert list(builds) == ["audio", "image", "concat"]
    print(builds["audio"](0).output_shape)  # (None, 10)
    ```
    """
    if CONCAT in shapes:
        raise ValueError(
            f"A modality must not be called {CONCAT!r}, which names the model "
            "of all modalities."
        )
    dropout = dropout_rate("dropout", dropout)
    names = {name: [name] for name in shapes}
    if len(shapes) > 1:
        names[CONCAT] = list(shapes)
    for name, shape in shapes.items():
        if len(shape) not in (1, 2):
            raise ValueError(
                "Baselines take sequences (None, C) and vectors (C,). "
                f"Received: '{name}' of shape {tuple(shape)}"
            )
    widths = {m: units if isinstance(units, int) else units[m] for m in shapes}
    return {
        name: partial(
            _baseline,
            {m: (shapes[m], widths[m]) for m in used},
            num_classes,
            num_targets,
            dropout,
            learning_rate,
        )
        for name, used in names.items()
    }


def with_only(
    dataset: MultimodalDataset, modalities: Sequence[str]
) -> MultimodalDataset:
    """View of a data set with some of its modalities.

    No split is read before the view's own is: a sealed test split stays so.

    Args:
        dataset: The data set.
        modalities: Names to keep, in this order.

    Returns:
        A data set that shares the columns.

    Raises:
        ValueError: If a modality is unknown.

    Example:

    ```python
    from keras_mmfusion.data import load
    from keras_mmfusion.evaluation import with_only

    audio = with_only(load("av_digits"), ["audio"])
    assert audio.shapes == {"audio": (None, 40)}
    ```
    """
    return _View(dataset, modalities)


class _View(MultimodalDataset):
    """Restricts each split when it is asked for."""

    def __init__(
        self, dataset: MultimodalDataset, modalities: Sequence[str]
    ) -> None:
        # Not the parent's constructor: it reads all splits.
        known = [s for s in (dataset.train, dataset.valid) if s is not None]
        available = (known[0] if known else dataset).modalities
        unknown = [name for name in modalities if name not in available]
        if unknown or not modalities:
            raise ValueError(
                f"Expected one or more modalities among {available}. "
                f"Received: {list(modalities)}"
            )
        self._dataset = dataset
        self._kept = list(modalities)
        self.name = f"{dataset.name} ({', '.join(modalities)} only)"
        self.task = dataset.task
        self.class_names = dataset.class_names
        self.origin = dataset.origin
        self.licence = dataset.licence

    @property
    def train(self) -> Split | None:  # type: ignore[override]
        return self._restricted(self._dataset.train)

    @property
    def valid(self) -> Split | None:  # type: ignore[override]
        return self._restricted(self._dataset.valid)

    @property
    def test(self) -> Split | None:  # type: ignore[override]
        return self._restricted(self._dataset.test)

    def _restricted(self, split: Split | None) -> Split | None:
        return None if split is None else restricted(split, self._kept)


def _baseline(
    shapes: Mapping[str, tuple[Shape, int]],
    num_classes: int | None,
    num_targets: int,
    dropout: float,
    learning_rate: float,
    seed: int,
) -> Any:
    inputs, features = {}, []
    for name, (shape, units) in shapes.items():
        inputs[name] = keras.Input(shape, name=name)
        encoder = _encoder(name, shape, units, dropout, seed)
        mask = PaddingMask(name=f"{name}_mask")(inputs[name])
        features.append(encoder.run(inputs[name], mask, None, None))
    joint = features[0]
    if len(features) > 1:
        joint = keras.layers.Concatenate(name="features")(features)
    joint = keras.layers.Dropout(dropout, seed=seed, name="drop")(joint)
    outputs = keras.layers.Dense(num_classes or num_targets, name="head")(joint)
    with names_of_layers(shapes):
        model = keras.Model(inputs, outputs)
    _compile(model, num_classes, learning_rate)
    return model


def _encoder(
    name: str, shape: Shape, units: int, dropout: float, seed: int
) -> Encoder:
    kind = LSTMEncoder if len(shape) == 2 else DenseEncoder
    return kind(
        features=int(shape[-1] or 0),
        units=units,
        dropout=dropout,
        name=name,
        seed=seed,
    )


def _compile(model: Any, num_classes: int | None, learning_rate: float) -> None:
    optimizer = keras.optimizers.Adam(learning_rate)
    if num_classes is None:
        model.compile(
            optimizer,
            keras.losses.MeanSquaredError(),
            metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
        )
        return
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
