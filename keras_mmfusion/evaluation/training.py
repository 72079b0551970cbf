"""Training of one model with one seed, on the train and valid splits only."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data import Split
from keras_mmfusion.data.batches import Batches, Transform
from keras_mmfusion.evaluation.fingerprint import plain

Build = Callable[[int], Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class FitSettings:
    """How every model of a run is trained: the `fit` argument of `run`.

    Attributes:
        epochs: Passes over the training split.
        batch_size: Samples in a batch.
        keep: Whose weights are kept: of the "best" epoch on validation, or of
            the "last", if the number of epochs was chosen before, say by
            cross-validation, and all samples are trained on.
        patience: Stop after so many epochs without a better one.
        buckets: See `Split.batches`, as the next three.
        max_length: Sequences are cut to this many steps, in all splits.
        transform: Changes training batches, such as `ModalityDropout(0.3)`.
        workers: Threads that load the samples of a batch.
        class_weight: Class number to weight, as in Keras' `fit`.
        callbacks: Function of the seed that returns new Keras callbacks.
    """

    epochs: int = 20
    batch_size: int = 32
    keep: Literal["best", "last"] = "best"
    patience: int | None = None
    buckets: int = 8
    max_length: int | None = None
    transform: Transform | None = None
    workers: int = 1
    class_weight: Mapping[int, float] | None = None
    callbacks: Callable[[int], list[Any]] | None = None

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any] | None) -> "FitSettings":
        """Settings from a dict; a `ValueError` names unknown keys."""
        names = [field.name for field in fields(cls)]
        unknown = [key for key in given or {} if key not in names]
        if unknown:
            raise ValueError(
                f"Expected keys of `fit` among {names}. Received: {unknown}"
            )
        settings = cls(**(given or {}))
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(settings, name)
            if value is None and name == "patience":
                continue
            if type(value) is not int or value < 1:
                raise ValueError(
                    f"fit[{name!r}] must be a positive whole number. "
                    f"Received: {value!r}"
                )
        if settings.keep not in ("best", "last"):
            raise ValueError(
                "fit['keep'] must be 'best' or 'last'. "
                f"Received: {settings.keep!r}"
            )
        if settings.callbacks is not None and not callable(settings.callbacks):
            raise ValueError(
                "fit['callbacks'] must be a function of the seed that returns "
                "new callbacks, because callbacks keep state. Received: "
                f"{type(settings.callbacks).__name__}"
            )
        return settings

    def describe(self) -> dict[str, Any]:
        """The settings as plain JSON; workers change no result."""
        names = [f.name for f in fields(self) if f.name != "workers"]
        return {name: plain(getattr(self, name)) for name in names}

    def batches(self, split: Split, shuffled_by: int | None = None) -> Batches:
        """Batches of a split; in order unless a seed shuffles them."""
        training = shuffled_by is not None
        return split.batches(
            self.batch_size,
            shuffle=training,
            seed=shuffled_by or 0,
            buckets=self.buckets,
            max_length=self.max_length,
            transform=self.transform if training else None,
            workers=self.workers,
        )


@dataclass(frozen=True)
class Trained:
    """What training with one seed leaves.

    Attributes:
        weights: Weights of the selected epoch, as `get_weights` gives them.
        history: Quantity to its value after every epoch.
        epoch: Selected epoch, from 1.
        value: The selected quantity there.
        seconds: Time that training took.
    """

    weights: list[NDArray[Any]]
    history: dict[str, list[float]]
    epoch: int
    value: float
    seconds: float


class BestEpoch(keras.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Keeps the weights of the epoch that is best on validation.

    Args:
        select: Key of the logs, such as `val_loss`.
        lower: Whether less is better.
        patience: Epochs without a better one before training stops.
        say: Called with one line per epoch.
        last: Whether every epoch counts as better than the one before.
    """

    def __init__(
        self,
        select: str,
        lower: bool,
        patience: int | None,
        say: Say,
        last: bool = False,
    ) -> None:
        super().__init__()
        self.select = select
        self.lower = lower
        self.patience = patience
        self.say = say
        self.last = last
        self.history: dict[str, list[float]] = {}
        self.weights: list[NDArray[Any]] = []
        self.epoch = 0
        self.value = np.nan
        self._start = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = dict(logs or {})
        if self.select not in logs:
            raise ValueError(
                f"`select` must be one of {sorted(logs)}, which this model "
                f"reports after an epoch. Received: select={self.select!r}"
            )
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        value = float(logs[self.select])
        # Of an accuracy alone one would not see that predictions are NaN.
        loss = float(logs.get("val_loss", 0.0))
        better = bool(np.isfinite(loss)) and self._is_better(value)
        if better:
            self.epoch, self.value = epoch + 1, value
            self.weights = self.model.get_weights()
        seconds = time.monotonic() - self._start
        numbers = "  ".join(f"{k} {float(v):.4f}" for k, v in logs.items())
        mark = " *" if better else "  "
        total = self.params.get("epochs", "?")
        self.say(f"epoch {epoch + 1}/{total}  {numbers}{mark} {seconds:.1f} s")
        waited = epoch + 1 - self.epoch
        if self.patience is not None and waited >= self.patience:
            self.model.stop_training = True

    def _is_better(self, value: float) -> bool:
        if not np.isfinite(value):
            return False
        if self.epoch == 0 or self.last:
            return True
        return value < self.value if self.lower else value > self.value


def train_once(
    model: Any,
    seed: int,
    train: Split,
    valid: Split,
    settings: FitSettings,
    select: str,
    lower: bool,
    say: Say,
    keras_bar: bool,
) -> Trained:
    """Trains a freshly built model and keeps its best epoch.

    The random seeds must have been set before the model was built. The test
    split is not among the arguments, so nothing here can look at it.

    Raises:
        ValueError: If the model does not report `select`, or it and the
            loss on validation are never finite numbers.
    """
    start = time.monotonic()
    best = BestEpoch(
        select, lower, settings.patience, say, settings.keep == "last"
    )
    own = settings.callbacks(seed) if settings.callbacks else []
    model.fit(
        settings.batches(train, shuffled_by=seed),
        validation_data=settings.batches(valid),
        epochs=settings.epochs,
        class_weight=dict(settings.class_weight)
        if settings.class_weight
        else None,
        # The batches shuffle themselves, by the seed.
        shuffle=False,
        callbacks=[*own, best],
        verbose=1 if keras_bar else 0,
    )
    if best.epoch == 0:
        names = dict.fromkeys((select, "val_loss"))
        raise ValueError(
            f"{' or '.join(names)} was not a finite number after any of "
            f"{len(best.history.get(select, []))} epochs with seed {seed}. "
            "Lower the learning rate, or clip the gradients; if the first "
            "epoch failed already, find out for which samples the model "
            "returns NaN."
        )
    seconds = time.monotonic() - start
    return Trained(best.weights, best.history, best.epoch, best.value, seconds)


def predictions(model: Any, batches: Batches, output: str | None) -> Any:
    """Predictions (N, ...) in the order of the split, float32.

    Args:
        model: A Keras model.
        batches: Unshuffled batches.
        output: Which of several outputs; `None` for a model that has one.
    """
    result = chosen_output(model.predict(batches, verbose=0), output)
    return np.asarray(result).astype(np.float32)


def chosen_output(result: Any, output: str | None) -> Any:
    """What is scored of what a model returns.

    Args:
        result: An array or tensor, or a dict of them.
        output: Key of the dict; "sum" for the sum of all, where that is no
            key, which is the output itself if there is one only; `None` if
            it is no dict.

    Raises:
        ValueError: If there is no such output.
    """
    if isinstance(result, Mapping):
        if output in result:
            return result[output]
        if output == "sum":
            return sum(result.values())
        raise ValueError(
            f"The model returns {sorted(result)}. Name the one to score "
            f'with `output`, or "sum". Received: output={output!r}'
        )
    if output not in (None, "sum") or isinstance(result, list | tuple):
        raise ValueError(
            "`output` names an entry of the dict that a model returns. "
            f"Received: output={output!r} for a model that returns "
            f"{type(result).__name__}"
        )
    return result


def input_modalities(model: Any, available: list[str]) -> list[str]:
    """Which of the modalities of a data set a model takes.

    Raises:
        ValueError: If it takes others.
    """
    try:
        structure = model.input
    except (AttributeError, ValueError):
        structure = None
    tensors = getattr(model, "inputs", None)
    if isinstance(structure, Mapping):
        names = list(structure)
    elif tensors:
        names = [tensor.name for tensor in tensors]
    else:
        return available  # A subclassed model does not tell.
    unknown = [name for name in names if name not in available]
    if unknown:
        raise ValueError(
            f"The model takes {names}, but the data set has {available}. "
            "Name the inputs like the modalities."
        )
    return names


def restricted(split: Split, modalities: list[str]) -> Split:
    """The split with these modalities only; columns are shared."""
    if list(split.features) == list(modalities):
        return split
    part = Split(
        {name: split.features[name] for name in modalities},
        split.labels,
        ids=split.ids,
        groups=split.groups,
    )
    part.has_ids = split.has_ids
    return part
