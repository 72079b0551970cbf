"""MSAF: unimodal networks fused between their stages by split attention."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_mmfusion import registry
from keras_mmfusion.encoders import DenseEncoder, Encoder, LSTMEncoder
from keras_mmfusion.layers import PaddingMask
from keras_mmfusion.models.arguments import (
    check_modality_names,
    for_each,
    output_size,
    whole_sizes,
)
from keras_mmfusion.models.block_attention import attention_by_modality
from keras_mmfusion.models.encoder_dict import (
    encoder_order,
    input_of,
    make_encoder,
)
from keras_mmfusion.models.modality_outputs import ModalityOutputs
from keras_mmfusion.models.msaf_graph import head, run_fused
from keras_mmfusion.types import Shape


@registry.register()
class MSAF(ModalityOutputs):
    """Multimodal split attention fusion of any unimodal encoders.

    Every modality runs through its encoder. After the stages named by a
    fusion, the features of all modalities go through `SplitAttentionFusion`
    and back into their encoders. The final features, of a sequence the mean
    over its valid steps, are concatenated for one dense head, or every
    modality gets a head and the outputs are summed.

    Args:
        encoders: Modality to its `Encoder`, named like the modality, or to the
            encoder's config (`class_name` and `config`).
        fusions: One dict per fusion, in order: `after` (modality to the
            encoder stage it is fused behind) and the arguments of
            `SplitAttentionFusion`. A stage that gives several streams, such
            as one for each person, takes part with all of them, each as a
            modality of its own called "skeleton/person1", ...
        num_classes: Number of classes; the outputs are logits. `None` for
            regression.
        num_targets: Number of regression targets.
        combine: "concat" for one head on all features, "sum" for the sum of
            the modalities' own heads, "none" for a dict of these; see below.
        dropout: Rate of dropout on the features before a head.
        modalities: Order of the modalities; sorted by name if `None`.
        name: Name of the model.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        inputs: Dict of one float tensor per modality, (B, T, ...) zero-padded
            at the end or (B, C). A missing modality is all zeros.

    Returns:
        Float tensor of logits (B, num_classes) or of values (B, num_targets);
        a dict of them with `combine="none"`.

    Raises:
        ValueError: If an argument is out of range, or a modality or stage is
            unknown.

    With `combine="none"` every modality learns the same labels, given once:
    training minimises the sum of their losses, and `evaluate` reports each and
    "sum_accuracy", that of the summed logits. `predict` gives the dict;
    `sum(model.predict(x).values())` is what to rank classes by. "sum" and
    "none" have the same weights, so `from_preset(directory, combine="sum")`
    turns a model trained per modality into one that gives the sum.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    model = mmf.models.MSAF.from_shapes(
        {"audio": (None, 40), "image": (4,)}, num_classes=10, units=16
    )
    x = {
        "audio": np.random.normal(size=(8, 30, 40)).astype("float32"),
        "image": np.random.normal(size=(8, 4)).astype("float32"),
    }
    model.fit(x, np.arange(8), verbose=0)
    print(model.predict(x, verbose=0).shape)  # (8, 10)
    ```

    Reference:
        Su et al., MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175.
        With the official weights the outputs are the official ones on full
        sequences; here padding is masked, so it changes nothing. On NTU RGB+D
        the official code makes two steps for every batch, each with an
        optimizer of its own: one on the video's loss for video and fusion
        weights, then one on the skeleton's for skeleton and fusion weights.
        So a loss never reaches the other modality's encoder; the one joint
        step here sends both losses everywhere.
    """

    num_targets: int

    def __init__(
        self,
        encoders: Mapping[str, Any],
        fusions: Sequence[Mapping[str, Any]],
        num_classes: int | None = None,
        num_targets: int = 1,
        combine: str = "concat",
        dropout: float = 0.0,
        modalities: Sequence[str] | None = None,
        name: str = "msaf",
        seed: int | None = None,
    ) -> None:
        num_classes, num_targets = whole_sizes(num_classes, num_targets)
        # === Layers ===
        order = encoder_order(encoders, modalities)
        built = {m: make_encoder(m, encoders[m]) for m in order}

        # === Functional Model ===
        inputs = input_of(built)
        masks = {m: PaddingMask(name=f"{m}_mask")(inputs[m]) for m in order}
        features, attention = run_fused(built, inputs, masks, fusions, seed)
        size = output_size(num_classes, num_targets)
        outputs = head(features, size, combine, dropout, seed)
        super().__init__(inputs=inputs, outputs=outputs, name=name)

        # === Config ===
        self._set_encoders(built)
        self.fusions = [dict(f) for f in fusions]
        self.num_classes = num_classes
        self.num_targets = num_targets
        self.combine = combine
        self.dropout = dropout
        self.seed = seed
        self._attention = attention
        self.compile()

    @classmethod
    def from_shapes(
        cls,
        shapes: Mapping[str, Shape],
        num_classes: int | None = None,
        num_targets: int = 1,
        units: int | Mapping[str, int] = 64,
        block_channels: int = 16,
        reduction_factor: int = 2,
        segments: int = 5,
        block_dropout: float = 0.2,
        dropout: float = 0.0,
        seed: int | None = None,
    ) -> "MSAF":
        """The recurrent form of the paper for modalities of any widths.

        Sequences get two LSTMs, vectors two dense layers, with one fusion
        between first and second.

        Args:
            shapes: Modality to the shape of one sample, (`None`, C) for a
                sequence or (C,) for a vector; `shapes` of a data set.
            num_classes: Number of classes, or `None` for regression.
            num_targets: Number of regression targets.
            units: Width of the encoders, for all or by modality.
            block_channels: See `SplitAttentionFusion`, as the next three.
            reduction_factor: r.
            segments: S.
            block_dropout: Probability that a block is dropped in training.
            dropout: Rate of dropout on encoder inputs and head features.
            seed: Integer seed, or `None`.

        Returns:
            A compiled model.

        Raises:
            ValueError: If a shape is of neither kind, or an argument is out
                of range.
        """
        check_modality_names(shapes)
        widths = for_each(shapes, "units", units)
        encoders: dict[str, Encoder] = {}
        for m, shape in shapes.items():
            if len(shape) > 2:
                raise ValueError(
                    "The recurrent form takes sequences (None, C) and vectors "
                    f"(C,). Received: '{m}' of shape {shape}. Pass encoders "
                    "to `MSAF(encoders, ...)` for other inputs."
                )
            encoder = LSTMEncoder if len(shape) == 2 else DenseEncoder
            encoders[m] = encoder(
                features=int(shape[-1] or 0),
                units=widths[m],
                dropout=dropout,
                name=m,
                seed=seed,
            )
        fusion = {
            "after": {m: next(iter(e.stages)) for m, e in encoders.items()},
            "block_channels": block_channels,
            "reduction_factor": reduction_factor,
            "segments": segments
            if any(map(_is_sequence, shapes.values()))
            else 1,
            "block_dropout": block_dropout,
        }
        return cls(
            encoders,
            [fusion],
            num_classes=num_classes,
            num_targets=num_targets,
            dropout=dropout,
            seed=seed,
        )

    def explain(self, x: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Attention of every fusion, by modality.

        Args:
            x: Inputs as for `predict`.

        Returns:
            Fusion name to modality to a float32 array (B, S, n, C): weight of
            each segment, block of the modality, and channel of the block. For
            a channel the weights of all modalities' blocks sum to one, if the
            attention floor is zero.
        """
        self._check_arrays(x)
        return attention_by_modality(self, self._attention, x)

    def head_weight_names(self) -> list[str]:
        """Layers that a change of the number of outputs leaves untrained."""
        return [
            layer.name for layer in self.layers if layer.name.startswith("head")
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            "encoders": {
                m: registry.to_config(e) for m, e in self.encoders.items()
            },
            "fusions": [dict(f) for f in self.fusions],
            "num_classes": self.num_classes,
            "num_targets": self.num_targets,
            "combine": self.combine,
            "dropout": self.dropout,
            "modalities": self.modalities,
            "name": self.name,
            "seed": self.seed,
        }


def _is_sequence(shape: Shape) -> bool:
    return len(shape) > 1
