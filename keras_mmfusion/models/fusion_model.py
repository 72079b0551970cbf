"""What all fusion models share: inputs by name, presets, a default compile."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mmfusion import presets, registry
from keras_mmfusion.data.batches import Batches
from keras_mmfusion.data.checks import check_inputs, check_labels, plain
from keras_mmfusion.models import saved_state
from keras_mmfusion.models.arguments import (
    by_name,
    names_of_layers,
    takes_class_numbers,
)
from keras_mmfusion.models.changed_layers import (
    refuse_lora,
    refuse_quantized,
    warn_of_lora,
)
from keras_mmfusion.models.compiled_steps import CompiledSteps
from keras_mmfusion.models.kept_values import kept_values
from keras_mmfusion.models.sample_weight import (
    check_sample_weight,
    for_every_output,
    refuse_class_weight,
    with_target_axis,
)
from keras_mmfusion.models.weight_manifest import (
    MANIFEST,
    check_manifest,
    write_manifest,
)
from keras_mmfusion.types import Shape


class FusionModel(CompiledSteps, keras.Model):
    """Base of all models: a functional Keras model over a dict of modalities.

    A subclass builds its graph in `__init__`, returns plain JSON from
    `get_config`, and sets `num_classes` (`None` for regression) and
    `num_targets`.

    Padding and missing modalities need no extra inputs: sequences are
    zero-padded at the end, a missing modality is all zeros. NumPy inputs of
    `fit`, `evaluate`, `predict` and the `*_on_batch` methods are checked
    first; what would give a wrong number is a `ValueError`.

    Keras stores weights by position. `.weights.h5` and `.keras` files
    therefore also say what each weight is called: they load only into a model
    of the same modalities, in the same order, and layers; else nothing is
    assigned. Files of earlier versions do not say it, and load by position.
    A `.keras` file keeps which layers are frozen; its dtype policy has to be
    set before it is loaded, else a warning names it. Loaded with
    `compile=False` a model is compiled like a new one. A quantized model is
    not saved as a `.keras` file, but its weights are by `save_weights`. LoRA
    is merged into what is saved, with a warning.

    `keras.models.clone_model` gives a plain functional model, without what a
    class adds to the loss. `Class.from_config(model.get_config())` does not.
    """

    num_classes: int | None = None
    # Numbers in a label that is no class; `None` if not known.
    num_targets: int | None = None

    def __init__(
        self, inputs: Mapping[str, Any], outputs: Any, name: str | None = None
    ) -> None:
        with names_of_layers(inputs):
            super().__init__(inputs=inputs, outputs=outputs, name=name)

    # === Inputs ===

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in the order of the config."""
        return list(self._sample_shapes)

    def _set_sample_shapes(
        self,
        shapes: Mapping[str, Shape],
        axes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Shape of one sample by modality, and what its axes are called."""
        self._sample_shapes = {k: tuple(v) for k, v in shapes.items()}
        self._axes = dict(axes or {})

    def _set_encoders(self, encoders: Mapping[str, Any]) -> None:
        """Encoder by modality, in the order of the config."""
        self.encoders = dict(encoders)
        self._set_sample_shapes(
            {m: e.sample_shape for m, e in encoders.items()},
            {m: e.axes for m, e in encoders.items()},
        )

    @property
    def sample_shapes(self) -> dict[str, Shape]:
        """Modality to the shape of one sample, `None` for any length."""
        return dict(self._sample_shapes)

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        check_inputs(inputs, self._sample_shapes, self._axes)
        return super().call(inputs, training=training, mask=mask)

    # Keras' own arguments, by position or by name, each for its backend.

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        self._check(x, y)
        self._check_range(x, y)
        given = by_name(super().fit, x, y, *args, **kwargs)
        self._check_weights(**given)
        validation = given.get("validation_data")
        if isinstance(validation, tuple | list):
            _, labels, weight = (*validation, None, None)[:3]
            self._check(*validation[:2])
            self._check_weights(weight, y=labels)
        else:
            self._check(validation)
        self._build_optimizer()
        with kept_values(self):
            return super().fit(x, y, *args, **kwargs)

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        self._check(x, y)
        given = by_name(super().evaluate, x, y, *args, **kwargs)
        self._check_weights(**given)
        with kept_values(self):
            return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_inputs(x)
        with kept_values(self):
            return super().predict(x, *args, **kwargs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        self._check(x, y)
        self._check_range(x, y)
        self._check_weights(sample_weight, class_weight, y)
        self._build_optimizer()
        return super().train_on_batch(
            x, y, sample_weight, class_weight, return_dict
        )

    def test_on_batch(
        self, x: Any, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        self._check(x, y)
        given = by_name(super().test_on_batch, x, y, *args, **kwargs)
        self._check_weights(**given)
        return super().test_on_batch(x, y, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        self._check_inputs(x)
        return super().predict_on_batch(x)

    def _check_weights(
        self,
        sample_weight: Any = None,
        class_weight: Any = None,
        y: Any = None,
        **_: Any,
    ) -> None:
        refuse_class_weight(class_weight, self.outputs, self.num_classes)
        check_sample_weight(plain(sample_weight), plain(y))

    def _check_range(self, x: Any, y: Any) -> None:
        """Whether labels to train on can be predicted at all."""

    def _build_optimizer(self) -> None:
        """Makes the optimizer's variables before the first step is traced.

        TensorFlow traces a step twice if variables are made in it.
        """
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)

    def _check(self, x: Any, y: Any = None) -> None:
        """Checks arrays, and whether a data set's labels suit the model."""
        self._check_inputs(x)
        if isinstance(x, Batches):
            self._check_labels(x.split.labels, len(x.split))
        elif isinstance(x, Mapping) and y is not None:
            self._check_labels(plain(y), len(next(iter(x.values()))))

    def _check_inputs(self, x: Any) -> None:
        """Checks arrays; a data set makes its own, which `call` checks."""
        if isinstance(x, Batches):
            return
        if isinstance(x, Mapping | list | tuple) or hasattr(x, "shape"):
            # A list would be taken in Keras' order, whatever is meant.
            check_inputs(plain(x), self._sample_shapes, self._axes)

    def _check_arrays(self, x: Any) -> None:
        """Checks inputs that cannot be batches: those to explain."""
        if not isinstance(x, Mapping):
            check_inputs(x, self._sample_shapes, self._axes)  # Raises.
        self._check_inputs(x)

    def _check_labels(self, y: Any, size: int) -> None:
        """Labels of another width would broadcast, silently."""
        rows = isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] != 1
        loss = getattr(self, "loss", "auto")
        if self.num_classes is None:
            check_labels(y, size, None, self.num_targets)
        elif rows and not takes_class_numbers(loss):
            check_labels(y, size, None, self.num_classes)
        else:
            check_labels(y, size, self.num_classes)

    # === Weights ===

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        refuse_quantized(self)  # Raises before Keras opens the file.
        super().save(filepath, *args, **kwargs)

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        before = self.get_weights()
        try:
            super().load_weights(filepath, *args, **kwargs)
        except Exception:
            # Keras assigns layer by layer and reports at the end.
            self.set_weights(before)
            raise

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        write_manifest(self, store)

    def load_own_variables(self, store: Any) -> None:
        keys = list(store.keys())
        if MANIFEST in keys:
            check_manifest(self, store)
        super().load_own_variables({k: store[k] for k in keys if k != MANIFEST})

    # Keras calls these for a `.keras` file alone, not for one of weights.

    def save_assets(self, dir_path: str) -> None:
        # `keras.saving.save_model` does not call `save`.
        refuse_quantized(self)
        warn_of_lora(self)
        saved_state.write_state(self, dir_path)

    def load_assets(self, dir_path: str | None) -> None:
        saved_state.read_state(self, dir_path)
        # Its variables, which Keras loads next, are those of what trains.
        self._build_optimizer()

    # === Presets ===

    @classmethod
    def presets(cls) -> dict[str, Any]:
        """Names of the built-in presets of this class, with what they are.

        A subclass has those of its parents as well; `FusionModel` itself all,
        by their global names.
        """
        if cls is FusionModel:
            return presets.all_presets()
        return presets.presets_of(*registry.lineage(cls))

    @classmethod
    def from_preset(
        cls, name: str, load_weights: bool = True, **overrides: Any
    ) -> Any:
        """Loads a model of this class: architecture, weights and card.

        A preset of a parent is loaded into this class, if its `__init__`
        takes the same arguments and makes the same weights.

        Args:
            name: A built-in name, `hf://owner/name[@revision]`, or a local
                directory. On `FusionModel` itself, a global name such as
                `msaf_mosei`.
            load_weights: `False` gives the untrained network.
            **overrides: Arguments of the constructor to change. A changed
                head is left untrained, with a warning that names it.

        Returns:
            A compiled model.

        Raises:
            PresetNotFoundError, PresetNotReachableError,
            PresetNotPermittedError: If the preset cannot be had.
            PresetUntrainedError: If no weights are published; the message
                says which data and which command produce them.
            PresetFileError: If a file is damaged or does not fit.
        """
        wanted = None if cls is FusionModel else cls
        return presets.load(wanted, name, load_weights, **overrides)

    def save_to_preset(
        self,
        directory: str | Path,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Saves config, weights and card so that `from_preset` loads them.

        Args:
            directory: Where to write; an older preset there is replaced as a
                whole, also if the process is killed while writing.
            metadata: What the card shall say: `data`, `seeds`, `metrics`, ...
        """
        refuse_quantized(self)
        refuse_lora(self)
        presets.save_preset(self, directory, metadata)

    # === Training ===

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """Keras' `compile`, with defaults that suit the task.

        Args:
            optimizer: "auto" is Adam with a learning rate of 1e-3.
            loss: "auto" is cross-entropy on logits and integer labels, or the
                mean squared error for regression. With a loss that is not
                sparse, labels may be rows of shares (N, num_classes).
            metrics: "auto" is the accuracy, or the mean absolute error.
            **kwargs: As in `keras.Model.compile`. Loops of LSTMs are compiled
                under TensorFlow on a CPU also where `jit_compile` is off.
        """
        settings = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
        if presets.postpone(lambda: self.compile(**settings, **kwargs)):
            return
        if optimizer == "auto":
            optimizer = keras.optimizers.Adam(1e-3)
        if loss == "auto":
            loss = self._default_loss()
        if metrics == "auto":
            metrics = self._default_metrics(loss)
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        y = with_target_axis(y, y_pred)
        sample_weight = for_every_output(sample_weight, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        y = with_target_axis(y, y_pred)
        sample_weight = for_every_output(sample_weight, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _default_loss(self) -> keras.losses.Loss:
        if self.num_classes is None:
            return keras.losses.MeanSquaredError()
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def _default_metrics(self, loss: Any = "auto") -> list[Any]:
        if self.num_classes is None:
            return [keras.metrics.MeanAbsoluteError(name="mae")]
        if not takes_class_numbers(loss):
            return ["accuracy"]  # Keras' choice, by the shape of the labels.
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def compile_from_config(self, config: dict[str, Any]) -> None:
        # Files of earlier versions have here what `load_assets` reads now.
        known = {k: config[k] for k in config if k not in ("frozen", "policy")}
        # Keras skips this for a model with its own `compile`.
        self.compile(**keras.saving.deserialize_keras_object(known))

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> Any:
        return cls(**config)
