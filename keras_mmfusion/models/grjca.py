"""GRJCA: sequences of all modalities, fused by gated joint cross-attention."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_mmfusion import presets, registry
from keras_mmfusion.data.batches import Batches
from keras_mmfusion.data.checks import plain
from keras_mmfusion.encoders import TCNEncoder
from keras_mmfusion.layers import GatedJointCrossAttention
from keras_mmfusion.losses import ConcordanceLoss
from keras_mmfusion.metrics import ConcordanceCorrelation
from keras_mmfusion.models.arguments import (
    by_name,
    check_modality_names,
    for_each,
    whole_sizes,
)
from keras_mmfusion.models.encoder_dict import (
    encoder_order,
    input_of,
    make_encoder,
)
from keras_mmfusion.models.fusion_model import FusionModel
from keras_mmfusion.models.grjca_graph import encode, grid_steps, make_head
from keras_mmfusion.models.grjca_stream import GRJCAStream
from keras_mmfusion.models.step_labels import (
    check_range,
    check_split_labels,
    check_step_labels,
)
from keras_mmfusion.models.symbolic_shapes import symbolic_shapes
from keras_mmfusion.ops.masking import any_mask
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.types import Shape


@registry.register()
class GRJCA(FusionModel):
    """Gated recursive joint cross-attention over any sequence encoders.

    Every modality runs through its encoder. `GatedJointCrossAttention` fuses
    the sequences, which are then concatenated for the head: dense, batch
    normalisation, leaky ReLU, dense, and tanh for regression. `gate=None` is
    the recursive form without gates (RJCA), with `steps=1` the plain one.

    Args:
        encoders: Modality to its `Encoder`, named like the modality, or to the
            encoder's config (`class_name` and `config`). Each gives a
            sequence with as many steps as its input; with `resample` it may
            shorten time, or give one vector, which is held over the grid.
        num_classes: Number of classes; the outputs are logits. `None` for
            regression.
        num_targets: Number of regression targets, 2 for valence and arousal.
        per_step: Whether there is a prediction for every time step, or one
            for the mean of the fused steps.
        output_range: Regression outputs lie within ± this, as labels to
            train on have to; `None` for outputs without a bound.
        steps: See `GatedJointCrossAttention`, as the next seven.
        gate: "flat", "hierarchical" or `None`.
        temperature: Of the gates.
        dropout: Rate of dropout in the attention.
        temporal_mixing: "conv" or "none" for any length; "dense", the
            published form, for encoders with a fixed number of steps.
        kernel_size: Of the "conv" mixing.
        causal: Whether the fusion at step t sees steps up to t only, as
            streaming needs. The encoders have an argument of their own.
        share_weights: Whether all attention steps have the same weights.
        hidden_units: Width of the head's first layer.
        resample: Modality whose steps, as its encoder gives them, become the
            common time grid, or a fixed number of steps; `None` if all
            modalities have one rate.
        modalities: Order of the modalities; sorted by name if `None`. The
            published order is video, audio.
        name: Name of the model.
        seed: Integer seed of the attention's dropout, or `None`.

    Call arguments:
        inputs: Dict of one float tensor per modality, (B, T, ...) zero-padded
            at the end, or (B, C) if its encoder takes vectors. A missing
            modality is all zeros.

    Returns:
        Float32 tensor (B, T, outputs), zero at padded steps, or (B, outputs).
        With `resample` T is the number of steps of the common grid.

    Raises:
        ValueError: If an argument is out of range, an encoder gives no
            sequence, or lengths differ without `resample`.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    model = mmf.models.GRJCA.from_shapes(
        {"audio": (None, 40), "video": (None, 64)},
        num_targets=2, channels=[16, 16], causal=True,
    )
    x = {
        "audio": np.random.normal(size=(4, 30, 40)).astype("float32"),
        "video": np.random.normal(size=(4, 30, 64)).astype("float32"),
    }
    y = np.random.uniform(-1, 1, size=(4, 30, 2)).astype("float32")
    model.fit(x, y, verbose=0)  # 1 - concordance of valence and arousal
    print(model.predict(x, verbose=0).shape)  # (4, 30, 2)

    stream = model.stream()
    now = stream.step({"audio": x["audio"][:1, 0], "video": x["video"][:1, 0]})
    print(now.shape)  # (1, 2)
    ```

    Reference:
        Praveen et al., arXiv 2503.12261. With the official weights the
        outputs are the official ones on full windows; here padding is masked.
    """

    num_targets: int

    def __init__(
        self,
        encoders: Mapping[str, Any],
        num_classes: int | None = None,
        num_targets: int = 1,
        per_step: bool = True,
        output_range: float | None = 1.0,
        steps: int = 2,
        gate: str | None = "flat",
        temperature: float = 0.1,
        dropout: float = 0.6,
        temporal_mixing: str = "conv",
        kernel_size: int = 5,
        causal: bool = False,
        share_weights: bool = False,
        hidden_units: int = 256,
        resample: str | int | None = None,
        modalities: Sequence[str] | None = None,
        name: str = "grjca",
        seed: int | None = None,
    ) -> None:
        num_classes, num_targets = whole_sizes(num_classes, num_targets)
        # === Layers ===
        order = encoder_order(encoders, modalities)
        built = {m: make_encoder(m, encoders[m]) for m in order}
        fusion = GatedJointCrossAttention(
            steps=steps,
            gate=gate,
            temperature=temperature,
            dropout=dropout,
            temporal_mixing=temporal_mixing,
            kernel_size=kernel_size,
            causal=causal,
            share_weights=share_weights,
            modalities=order,
            seed=seed,
            name="fusion",
        )
        head = make_head(
            num_classes, num_targets, output_range, hidden_units, per_step
        )

        # === Functional Model ===
        inputs = input_of(built)
        features, masks = encode(built, inputs, resample)
        fused, seen = fusion(features, mask=masks, return_attention=True)
        join = keras.layers.Concatenate(name="joined")
        valid = any_mask([masks[m] for m in order])
        outputs = head(join([fused[m] for m in order]), mask=valid)
        super().__init__(inputs=inputs, outputs=outputs, name=name)

        # === Config ===
        self._set_encoders(built)
        self.fusion = fusion
        self.head = head
        self.num_classes, self.num_targets = num_classes, num_targets
        self.per_step, self.output_range = per_step, output_range
        self.resample = resample
        self._seen = seen
        self.compile()

    @classmethod
    def from_shapes(
        cls,
        shapes: Mapping[str, Shape],
        channels: Sequence[int] | Mapping[str, Sequence[int]] = (64, 64),
        encoder_kernel_size: int = 5,
        encoder_dropout: float = 0.1,
        causal: bool = False,
        seed: int | None = None,
        **arguments: Any,
    ) -> "GRJCA":
        """The published form for feature sequences of any widths.

        Args:
            shapes: Modality to the shape of one sample, (`None`, C) or (T, C).
            channels: Widths of the `TCNEncoder` blocks, for all modalities or
                by modality.
            encoder_kernel_size: Of the encoders' convolutions.
            encoder_dropout: Rate of dropout in the encoders.
            causal: Whether encoders and fusion see no future. The published
                encoders are causal, its fusion is not: pass `encoders` to
                `GRJCA(...)` for that.
            seed: Integer seed, or `None`.
            **arguments: Of `GRJCA`.

        Returns:
            A compiled model.
        """
        check_modality_names(shapes)
        widths = for_each(shapes, "channels", channels)
        dropout_rate("encoder_dropout", encoder_dropout)
        encoders = {}
        for m, shape in shapes.items():
            if len(shape) != 2:
                raise ValueError(
                    "GRJCA takes sequences (steps or None, channels). "
                    f"Received: '{m}' of shape {tuple(shape)}. Pass encoders "
                    "to `GRJCA(encoders, ...)` for clips, and for vectors with "
                    "`resample`, which holds them over time."
                )
            encoders[m] = TCNEncoder(
                int(shape[1] or 0),
                widths[m],
                encoder_kernel_size,
                encoder_dropout,
                causal,
                shape[0],
                name=m,
                seed=seed,
            )
        return cls(encoders, causal=causal, seed=seed, **arguments)

    def explain(self, x: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What the gates chose, and what the attention correlated.

        Args:
            x: Inputs as for `predict`.

        Returns:
            A dict of two:

            * `gates`: level to modality to a float32 array (B, T, choices),
              zero at padded steps. The only level of a flat gate is "gate",
              its choices are x^0 (the modality itself), x^1, ... (attended
              features). `keras_mmfusion.plotting.iterate_weights` sums up the
              levels of a hierarchical one.
            * `attention`: "attention1", ... to modality to C_m, the joint
              correlation (B, d_m, d) of its channels with those of the joint
              representation; of the last step if the fusion is causal.
        """
        self._check_arrays(x)
        model = keras.Model(self.inputs, _plain(self._seen))
        return dict(model.predict(dict(x), verbose=0))

    def stream(self, batch_size: int = 1) -> GRJCAStream:
        """Starts a prediction step by step, with what came before as state.

        The outputs are those of the whole sequence so far. It needs
        `causal=True` here and in every encoder: "dense" mixing and the
        correlation of a whole window look ahead, and so does `resample`.

        Args:
            batch_size: Number of sequences that run side by side.

        Raises:
            ValueError: If a part of the model looks ahead; says which. If
                `batch_size` is no whole number of at least 1.
        """
        return GRJCAStream(self, batch_size)

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """As `FusionModel.compile`; concordance for regression per step.

        Args:
            optimizer: "auto" is Adam with a learning rate of 1e-3.
            loss: "auto" is `ConcordanceLoss` for regression per step, else as
                in `FusionModel`.
            metrics: "auto" is `ConcordanceCorrelation` likewise.
            **kwargs: As in `keras.Model.compile`.
        """
        settings = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
        if presets.postpone(lambda: self.compile(**settings, **kwargs)):
            return
        if self.per_step and self.num_classes is None:
            if loss == "auto":
                loss = ConcordanceLoss(outputs=self.num_targets)
            if metrics == "auto":
                metrics = [ConcordanceCorrelation(outputs=self.num_targets)]
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def _check_range(self, x: Any, y: Any) -> None:
        labels = x.split.labels if isinstance(x, Batches) else plain(y)
        bound = None if self.num_classes else self.output_range
        if bound is not None and isinstance(labels, np.ndarray):
            loss = getattr(self, "loss", None)
            check_range(labels, bound, self.per_step, loss)

    def _check(self, x: Any, y: Any = None) -> None:
        if self.per_step:
            self._check_steps(x, y)
        else:
            super()._check(x, y)

    def _check_steps(self, x: Any, y: Any) -> None:
        self._check_inputs(x)
        y = plain(y)
        loss = getattr(self, "loss", None)
        if isinstance(x, Batches):
            check_split_labels(
                x.split, self.num_targets, self.num_classes, loss
            )
        elif isinstance(x, dict) and isinstance(y, np.ndarray):
            lengths = {m: x[m].shape[1] for m in self.modalities}
            steps = grid_steps(self.encoders, self.resample, lengths)
            size = len(x[self.modalities[0]])
            check_step_labels(
                y, (size, steps), self.num_targets, self.num_classes, loss
            )

    def _check_inputs(self, x: Any) -> None:
        super()._check_inputs(x)
        if self.resample is not None or not isinstance(x, dict):
            return
        lengths = {m: x[m].shape[1] for m in self.modalities}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                "All modalities must have the same number of time steps. "
                f"Received: {lengths}. Pad them alike, or build the model "
                "with `resample` if their rates differ."
            )

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.export`; what is on one time grid stays so."""
        given = by_name(super().export, filepath, *args, **kwargs)
        saved_model = given.get("format", "tf_saved_model") == "tf_saved_model"
        own_shapes = given.get("input_signature") is None
        if keras.backend.backend() == "jax" and saved_model and own_shapes:
            shapes = symbolic_shapes(self.sample_shapes, self.resample is None)
            settings = {"polymorphic_shapes": [shapes]}
            kwargs = {"jax2tf_kwargs": settings, **kwargs}
        super().export(filepath, *args, **kwargs)

    def head_weight_names(self) -> list[str]:
        """What a change of the number of outputs leaves untrained."""
        return ["head/output"]

    def get_config(self) -> dict[str, Any]:
        fusion = self.fusion.get_config()
        shared = (
            "steps",
            "gate",
            "temperature",
            "dropout",
            "temporal_mixing",
            "kernel_size",
            "causal",
            "share_weights",
            "seed",
        )
        return {
            "encoders": {
                m: registry.to_config(e) for m, e in self.encoders.items()
            },
            "num_classes": self.num_classes,
            "num_targets": self.num_targets,
            "per_step": self.per_step,
            "output_range": self.output_range,
            **{key: fusion[key] for key in shared},
            "hidden_units": self.head.hidden.units,
            "resample": self.resample,
            "modalities": self.modalities,
            "name": self.name,
        }


def _plain(nested: Any) -> Any:
    """Dicts again of the dicts that Keras made of an attribute."""
    if not isinstance(nested, dict):
        return nested
    return {key: _plain(value) for key, value in nested.items()}
