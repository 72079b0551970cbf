"""MEA: modality-exclusive and modality-agnostic representations, fused."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mmfusion import presets, registry
from keras_mmfusion.data.checks import check_inputs, check_labels
from keras_mmfusion.models.arguments import by_name
from keras_mmfusion.models.fusion_model import FusionModel
from keras_mmfusion.models.mea_explain import Explainer
from keras_mmfusion.models.mea_graph import MEAGraph
from keras_mmfusion.models.mea_objective import MEAObjective, signs
from keras_mmfusion.models.mea_settings import MEASettings
from keras_mmfusion.types import Shape, Tensor


@registry.register()
class MEA(FusionModel):
    """Asynchronous sequences split into what is exclusive and what is shared.

    A convolution and a bidirectional LSTM read every modality. The exclusive
    branch runs predictive self-attention inside each modality; the agnostic
    branch runs hierarchical attention between them. Each sequence becomes one
    vector h, the vectors of a branch are fused as a graph, and a head reads
    both. In training

        loss = task + alpha disparity + beta (agnostic + exclusive + importance)

    keeps the branches apart, and discriminators make the agnostic vectors
    alike across modalities. All terms, the norm of the agnostic vectors and
    the spread of both fused vectors are in the logs. The discriminators are
    used by `fit` and `evaluate` alone, never by `predict` or in an export: a
    training loop of your own learns the task alone, unless it calls
    `train_on_batch`.

    Memory: no large attention map is kept, unless `chain="mixed"`: what a step
    needs grows with batch and lengths, not with their squares.
    Measured, 32 clips of 50, 375 and 500 steps with 8 heads take 2.9 GB under
    PyTorch, 4.4 under TensorFlow and 4.2 under JAX, and 64 clips of 50, 500
    and 500 steps with 10 heads 7.8, 7.0 and 5.9 GB
    (`benchmarks/README_mea.md`). On a CPU `mixed_bfloat16` halves what a step
    takes of it; the whole, libraries included, falls by 27, 11 and 9 % or
    more. If that is too much, make the batch smaller; disparity is no mean
    over samples, so accumulating gradients is not the same as a larger batch.
    `explain` holds all maps.

    Args:
        shapes: Modality to the shape of one sample, (`None`, features).
        num_classes: Number of classes; the outputs are logits. `None` for
            regression or binary heads.
        num_targets: Number of regression targets.
        binary_heads: Number of separate yes/no labels, such as 4 emotions.
        form: "stable", or "paper" as printed. In the stable form the
            discriminators see normalised vectors and the disparity is free of
            scale. As printed the reversed gradient can grow the agnostic
            vectors without limit, and the disparity can switch one branch
            off: both happened on UTD-MHAD, see the card of `mea_utd_mhad`.
        width: d, channels of all sequences.
        latent: Width of the vectors h.
        num_heads: Attention heads; must divide `width`.
        kernel_sizes: Taps of the first convolutions, for all or by modality.
        exclusive_layers: Layers of predictive self-attention.
        agnostic_layers: Layers of hierarchical cross-modal attention.
        mix: μ, weight of the predicted attention map.
        mixing: See `PredictiveSelfAttention`.
        self_attention: Ablation: off, the exclusive branch has no attention
            and no weighting.
        chain: See `PredictiveSelfAttention`; `None` predicts no map.
        weighting: See `ModalityWeighting`; `None` weighs nothing.
        weighting_last_only: Weigh after the last layer alone.
        levels: See `HierarchicalCrossModalAttention`; `()` for no attention
            in the agnostic branch.
        low_level_sources: All agnostic layers attend to the extractors'
            outputs rather than to those of the layer before.
        exclusive: Whether there is an exclusive branch.
        agnostic: Whether there is an agnostic branch.
        disparity: "form" for what `form` says; "hsic", "cka" or "orthogonal"
            (see `losses.HSIC`), or `None`.
        adversary: Whether there are discriminators.
        importance: Whether a second one weighs the agnostic term.
        fusion: "graph", or "concat", "add" or "mul".
        self_loops: See `DecoupledGraphFusion`.
        pool: "mean" or "last": how a sequence becomes a vector.
        alpha: Factor of the disparity.
        beta: Factor of the adversarial terms.
        reversal: Scale of the reversed gradient.
        ramp_steps: Training steps until the scale is reached.
        input_dropout: Rate in front of the LSTMs.
        attention_dropout: Rate on attention maps.
        residual_dropout: Rate inside the attention layers.
        head_dropout: Rate in the head.
        modalities: Order of the modalities; sorted by name if `None`.
        name: Name of the model.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        inputs: Dict of one float tensor per modality, (B, T_m, features),
            zero-padded at the end. A missing modality is all zeros.

    Returns:
        Float tensor of logits (B, num_classes) or (B, binary_heads, 2), or
        of values (B, num_targets).

    Raises:
        ValueError: If an argument is out of range or contradicts another.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    model = mmf.models.MEA(
        {"text": (None, 12), "audio": (None, 5)},
        width=8, latent=8, num_heads=2, exclusive_layers=2, agnostic_layers=1,
    )
    x = {
        "text": np.random.normal(size=(8, 4, 12)).astype("float32"),
        "audio": np.random.normal(size=(8, 9, 5)).astype("float32"),
    }
    history = model.fit(x, np.arange(8.0), verbose=0).history
    print(sorted(history)[0], model.predict(x, verbose=0).shape)
    ```

    Reference:
        Yang et al., Asynchronous Multimodal Video Sequence Fusion via
        Learning Modality-Exclusive and -Agnostic Representations, arXiv
        2407.04955. There is no official code. Where the paper is silent we
        chose: pooling by masked means, the pooled form of the weighting, and
        a loss of its own for the importance discriminator. The default form
        is not the paper's; the presets of its data sets have `form="paper"`.
    """

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        num_classes: int | None = None,
        num_targets: int = 1,
        binary_heads: int | None = None,
        form: str = "stable",
        width: int = 40,
        latent: int = 64,
        num_heads: int = 8,
        kernel_sizes: int | Mapping[str, int] = 3,
        exclusive_layers: int = 3,
        agnostic_layers: int = 2,
        mix: float = 0.25,
        mixing: str = "paper",
        self_attention: bool = True,
        chain: str | None = "logits",
        weighting: str | None = "pooled",
        weighting_last_only: bool = False,
        levels: Sequence[str] = ("mixed", "coarse", "fine"),
        low_level_sources: bool = False,
        exclusive: bool = True,
        agnostic: bool = True,
        disparity: str | None = "form",
        adversary: bool = True,
        importance: bool = True,
        fusion: str = "graph",
        self_loops: bool | None = None,
        pool: str = "mean",
        alpha: float = 2e-2,
        beta: float = 3e-2,
        reversal: float = 1.0,
        ramp_steps: int = 0,
        input_dropout: float = 0.2,
        attention_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        head_dropout: float = 0.2,
        modalities: Sequence[str] | None = None,
        name: str = "mea",
        seed: int | None = None,
    ) -> None:
        settings = MEASettings.of(locals())
        graph = MEAGraph(settings)
        super().__init__(graph.inputs, graph.prediction, name=name)
        self.settings = settings
        self.num_classes = settings.num_classes
        self.num_targets = settings.binary_heads or settings.num_targets
        # A model, for `keras.Function` tells layers nothing of training, but
        # out of sight of this one, which has the same layers.
        represent = keras.Model(
            graph.inputs, graph.representations, name="representations"
        )
        self._represent: Any = lambda x, **named: represent(x, **named)
        self._representing = False
        self._explainer = Explainer()
        self.objective = MEAObjective(settings, name="objective")
        order = settings.modalities
        self._set_sample_shapes({m: settings.shapes[m] for m in order})
        self.compile()

    def explain(
        self, x: Mapping[str, Any], average_heads: bool = True
    ) -> dict[str, dict[str, Any]]:
        """What was attended to, weighed, and taken for which modality.

        Maps need memory for the product of two lengths per layer, unit and
        sample: pass few long samples. The figures of
        `keras_mmfusion.plotting` take what this returns.

        Args:
            x: Inputs as for `predict`.
            average_heads: Mean over the heads of all maps, (B, T, S), rather
                than every head, (B, heads, T, S).

        Returns:
            A dict of dicts; parts that the model does not have are left out.

            * `self_attention`: "layer1", ... to modality to maps: "used",
              "current" (of this layer alone) and, behind the first layer,
              "predicted" (from the layer before, no shares).
            * `weights`: "layer1", ... to modality to ψ, (B,).
            * `cross_attention`: "layer1", ... to maps by unit,
              "<target>_mixed", "<target>_coarse", "<target>_fine_<source>".
            * `graph`: branch to the edges ξ, (B, M, M), receiver by row, in
              the order of `modalities`.
            * `latent`: branch to modality to its vector h, (B, latent).
            * `present`: modality to whether a sample has it, (B,).
            * `confusion`: branch to what the modality discriminator takes the
              vectors for, counts (M, M), true modality by row.
            * `importance`: modality to ω, (B,).

            Maps are zero at padded steps.
        """
        self._check_arrays(x)
        return self._explainer(self, x, average_heads)

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.export`, without the discriminators' weights.

        Raises:
            ValueError: For ONNX, which Keras cannot make of this model.
        """
        given = by_name(super().export, filepath, *args, **kwargs)
        if given.get("format") == "onnx":
            raise ValueError(
                "Keras' ONNX exporter has no form for some of MEA's "
                "operations. Export with format='tf_saved_model' (TensorFlow, "
                "JAX) or 'torch'."
            )
        inputs = {m: self.get_layer(m).output for m in self.modalities}
        prediction = keras.Model(inputs, self.output, name=self.name)
        prediction.export(filepath, *args, **kwargs)

    # === Training ===

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """As `FusionModel.compile`; cross-entropy for binary heads.

        Args:
            optimizer: "auto" is Adam with a learning rate of 1e-3.
            loss: Of the task; "auto" is the mean squared error, or the
                cross-entropy on logits and integer labels.
            metrics: "auto" is the mean absolute error or the accuracy.
            **kwargs: As in `keras.Model.compile`.
        """
        settings = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
        if presets.postpone(lambda: self.compile(**settings, **kwargs)):
            return
        if self.settings.binary_heads is not None:
            if loss == "auto":
                loss = keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True
                )
            if metrics == "auto":
                metrics = [
                    keras.metrics.SparseCategoricalAccuracy(name="accuracy")
                ]
        if not hasattr(self, "trackers"):
            names = ["task", *self.objective.weights_of_terms]
            names = [f"{name}_loss" for name in names]
            if self.settings.agnostic:
                names.append("agnostic_norm")
            names += [
                f"{b}_spread"
                for b in ("exclusive", "agnostic")
                if getattr(self.settings, b)
            ]
            self.trackers = {n: keras.metrics.Mean(name=n) for n in names}
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        if not self._representing:
            return super().call(inputs, training=training, mask=mask)
        check_inputs(inputs, self._sample_shapes)
        return self._represent(
            {m: ops.cast(inputs[m], "float32") for m in self.modalities},
            training=training,
        )

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        with self._all_representations():
            return super().train_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        with self._all_representations():
            return super().test_step(*args, **kwargs)

    @contextmanager
    def _all_representations(self) -> Iterator[None]:
        """Calls return what the losses need, not the prediction alone."""
        self._representing = True
        try:
            yield
        finally:
            self._representing = False

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The total of all terms, each tracked under its own name."""
        if not isinstance(y_pred, dict):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        total = super().compute_loss(
            x, y, y_pred["prediction"], sample_weight, training
        )
        # As Keras weighs its own mean: the last batch may be smaller.
        size = ops.shape(y_pred["prediction"])[0]
        self.trackers["task_loss"].update_state(total, sample_weight=size)
        terms = self.objective(y_pred, training=training)
        for name, weight in self.objective.weights_of_terms.items():
            tracker = self.trackers[f"{name}_loss"]
            tracker.update_state(terms[name], sample_weight=size)
            total = total + weight * terms[name]
        for name, value in signs(y_pred).items():
            self.trackers[name].update_state(value, sample_weight=size)
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        if isinstance(y_pred, dict):
            y_pred = y_pred["prediction"]
        return dict(super().compute_metrics(x, y, y_pred, sample_weight))

    def _check_labels(self, y: Any, size: int) -> None:
        super()._check_labels(y, size)
        if self.settings.binary_heads and isinstance(y, np.ndarray):
            check_labels(y.reshape(-1), num_classes=2)

    # === Config ===

    def head_weight_names(self) -> list[str]:
        """Layers that a change of the number of outputs leaves untrained."""
        return ["head"]

    def get_config(self) -> dict[str, Any]:
        return {**self.settings.config(), "name": self.name}
