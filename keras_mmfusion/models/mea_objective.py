"""The loss terms of MEA beside the task, and the discriminators."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_mmfusion.layers.feed_forward import NORM_EPSILON, Perceptron
from keras_mmfusion.layers.gradient_reversal import GradientReversal
from keras_mmfusion.losses.hsic import HSIC
from keras_mmfusion.models.mea_settings import MEASettings
from keras_mmfusion.types import Tensor


class MEAObjective(keras.layers.Layer):
    """Every term beside the task, with its discriminators (Eq. 13-16, 20).

        disparity   mean over modalities of HSIC(h_m^e, h_m^a)
        exclusive   -Σ_m mean log D_m(h_m^e)[m]
        agnostic    -Σ_m mean ω_m log D_m(reversed(h_m^a))[m]
        importance  -Σ_m mean log D_i(h_m^a)[m], D_i alone is trained by it

    with ω_m = 1 - D_i(h_m^a)[m], a constant for the gradient. Means run over
    the samples that have the modality. The layer is used in training only.
    """

    def __init__(self, settings: MEASettings, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.settings = settings
        # In half precision a missing vector, all zeros, has no finite
        # gradient through the normalisation.
        policy = self.dtype_policy
        count = len(settings.modalities)
        if settings.adversary:
            self.reversal = GradientReversal(
                settings.reversal,
                settings.ramp_steps,
                name="reversal",
                dtype=policy,
            )
            self.reversal.build((None, settings.latent))
            self.modality_discriminator = Perceptron(
                settings.latent,
                count,
                name="modality_discriminator",
                dtype=policy,
            )
            self.modality_discriminator.build((None, settings.latent))
        if settings.weighs_by_importance:
            self.importance_discriminator = keras.layers.Dense(
                count,
                use_bias=False,
                name="importance_discriminator",
                dtype=policy,
            )
            self.importance_discriminator.build((None, settings.latent))
        self.built = True

    @property
    def weights_of_terms(self) -> dict[str, float]:
        """Every term that there is, with its factor in the total loss."""
        s, weights = self.settings, {}
        if s.measured_disparity is not None:
            weights["disparity"] = s.alpha
        if s.adversary:
            for branch in ("exclusive", "agnostic"):
                if getattr(s, branch):
                    weights[branch] = s.beta
        if s.weighs_by_importance:
            weights["importance"] = s.beta
        return weights

    def call(
        self, representations: Mapping[str, Any], training: bool | None = None
    ) -> dict[str, Tensor]:
        """The terms by name, float32 scalars."""
        order = self.settings.modalities
        latent = {
            branch: [ops.cast(h[m], "float32") for m in order]
            for branch, h in representations["latent"].items()
        }
        present = [
            ops.cast(representations["present"][m], "float32") for m in order
        ]
        terms: dict[str, Tensor] = {}
        form = self.settings.measured_disparity
        if form is not None:
            measure = HSIC(form)
            pairs = zip(
                latent["exclusive"], latent["agnostic"], present, strict=True
            )
            values = [measure(e, a, sample_weight=p) for e, a, p in pairs]
            terms["disparity"] = sum(values) / len(values)
        if self.settings.adversary:
            terms.update(self._adversary(latent, present, training))
        return terms

    def _adversary(
        self,
        latent: dict[str, list[Tensor]],
        present: list[Tensor],
        training: bool | None,
    ) -> dict[str, Tensor]:
        terms = {}
        if "exclusive" in latent:
            logs = self._judge(self.modality_discriminator, latent["exclusive"])
            terms["exclusive"] = _cross_entropy(logs, present)
        if "agnostic" not in latent:
            return terms
        importance = None
        if self.settings.weighs_by_importance:
            fixed = [ops.stop_gradient(h) for h in latent["agnostic"]]
            judged = self._judge(self.importance_discriminator, fixed)
            terms["importance"] = _cross_entropy(judged, present)
            importance = [1.0 - ops.exp(ops.stop_gradient(j)) for j in judged]
        # One call for all modalities, so that a ramp counts one step.
        together = self.reversal(
            ops.stack(latent["agnostic"]), training=training
        )
        hidden = [together[i] for i in range(len(present))]
        logs = self._judge(self.modality_discriminator, hidden)
        terms["agnostic"] = _cross_entropy(logs, present, importance)
        return terms

    def judgements(
        self, latent: Mapping[str, Any], present: Mapping[str, Any]
    ) -> dict[str, dict[str, NDArray[Any]]]:
        """What the discriminators say about vectors, for `MEA.explain`.

        Args:
            latent: By branch and modality, arrays (B, latent).
            present: By modality, boolean (B,).

        Returns:
            `confusion`: by branch, counts (M, M), true modality by row;
            `importance`: by modality ω, float32 (B,). Empty without
            discriminators.
        """
        order = self.settings.modalities
        found: dict[str, dict[str, NDArray[Any]]] = {}
        if not self.settings.adversary:
            return found
        found["confusion"] = {}
        for branch, h in latent.items():
            logs = self._log_probabilities(
                self.modality_discriminator, [h[m] for m in order]
            )
            said = ops.convert_to_numpy(logs).argmax(axis=2)
            table = np.zeros((len(order), len(order)), "int64")
            for i, m in enumerate(order):
                np.add.at(table[i], said[i][np.asarray(present[m])], 1)
            found["confusion"][branch] = table
        if self.settings.weighs_by_importance:
            vectors = [latent["agnostic"][m] for m in order]
            logs = self._judge(self.importance_discriminator, vectors)
            found["importance"] = {
                m: 1.0 - ops.convert_to_numpy(ops.exp(log))
                for m, log in zip(order, logs, strict=True)
            }
        return found

    def _judge(self, discriminator: Any, vectors: list[Tensor]) -> list[Tensor]:
        """Log-probability of the true modality, (B,) for each."""
        logs = self._log_probabilities(discriminator, vectors)
        return [logs[i, :, i] for i in range(len(vectors))]

    def _log_probabilities(
        self, discriminator: Any, vectors: list[Tensor]
    ) -> Tensor:
        """(M, B, M): of every modality's vectors, to be of each modality."""
        h = ops.concatenate(vectors, axis=0)
        if self.settings.bounded:
            h = _standardize(h)
        scores = ops.cast(discriminator(h), "float32")
        count = len(vectors)
        return ops.log_softmax(ops.reshape(scores, (count, -1, count)))


def signs(representations: Mapping[str, Any]) -> dict[str, Tensor]:
    """What shows that training goes wrong.

    `agnostic_norm`, the mean length of the agnostic vectors, grows without
    limit if the reversed gradient runs away. `exclusive_spread` and
    `agnostic_spread`, the standard deviation over the batch of a branch's
    fused vector, fall below 0.01 if the prediction no longer uses a branch.
    """
    found = {}
    if "agnostic" in representations["latent"]:
        h = ops.stack(list(representations["latent"]["agnostic"].values()))
        lengths = ops.sum(ops.square(ops.cast(h, "float32")), axis=-1)
        found["agnostic_norm"] = ops.mean(ops.sqrt(lengths))
    for branch, fused in representations["fused"].items():
        spread = ops.std(ops.cast(fused, "float32"), axis=0)
        found[f"{branch}_spread"] = ops.mean(spread)
    return {name: ops.stop_gradient(v) for name, v in found.items()}


def _cross_entropy(
    logs: list[Tensor],
    present: list[Tensor],
    importance: list[Tensor] | None = None,
) -> Tensor:
    """-Σ over modalities of the mean over present samples; weighted."""
    total = 0.0
    for i, (log, kept) in enumerate(zip(logs, present, strict=True)):
        term = log if importance is None else importance[i] * log
        count = ops.maximum(ops.sum(kept), 1.0)
        total = total - ops.sum(kept * term) / count
    return total


def _standardize(h: Tensor) -> Tensor:
    """Layer normalisation without weights."""
    centred = h - ops.mean(h, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return centred * ops.rsqrt(variance + NORM_EPSILON)
