"""How much two representations of the same samples depend on each other."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.types import Tensor

FORMS = ("hsic", "cka", "orthogonal")

# Denominators below are taken for zero.
_TINY = 1e-20


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class HSIC(keras.losses.Loss):
    """Hilbert-Schmidt independence criterion of two batches of vectors.

    With linear kernels K = H Hᵀ and the centring matrix U,

        HSIC(H, G) = Tr(U K_H U K_G) / (n - 1)² = |H̃ᵀ G̃|² / (n - 1)²

    with H̃, G̃ centred over the n samples; the right side needs O(n d²) and no
    n × n matrix. It is no mean over samples: for independent vectors of unit
    variance it is about d² / (n - 1), so it depends on the batch size, and
    on the fourth power of the vectors' norm.

    Args:
        form: "hsic" as above. "cka" is free of scale,
            HSIC(H, G) / sqrt(HSIC(H, H) HSIC(G, G)), in [0, 1]. "orthogonal"
            is |H̃ᵀ G̃|² with rows of H̃ and G̃ scaled to length 1; about n for
            independent vectors, so its weight is one for a batch size.
        name: Name in the logs.
        dtype: Type of the computation.

    Call arguments:
        y_true: First vectors, (n, d).
        y_pred: Second vectors, (n, d').
        sample_weight: Optional boolean (n,): samples that count.

    Returns:
        A scalar of at least 0, exactly 0 for fewer than two samples.

    Raises:
        ValueError: For an unknown form, or tensors that are no batches of
            vectors.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    h = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    print(round(float(mmf.losses.HSIC("cka")(h, 3 * h)), 4))  # 1.0
    ```

    Source: Gretton et al., "Measuring statistical dependence with
    Hilbert-Schmidt norms" (2005); arXiv 2407.04955, Eq. 13. "cka": Kornblith
    et al., arXiv 1905.00414.
    """

    def __init__(
        self, form: str = "hsic", name: str = "hsic", dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if form not in FORMS:
            raise ValueError(
                f"`form` must be one of {FORMS}. Received: form={form!r}"
            )
        self.form = form

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Tensor:
        # Weights choose the rows that are centred, so the reduction of the
        # base class, which comes after, cannot be used.
        with keras.name_scope(self.name):
            h = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
            g = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
            if len(h.shape) != 2 or len(g.shape) != 2:
                raise ValueError(
                    "Expected two batches of vectors, (n, d). Received: "
                    f"{tuple(h.shape)} and {tuple(g.shape)}"
                )
            counted = ops.ones((ops.shape(h)[0], 1), dtype=self.dtype)
            _check_count("second vectors", h, g)
            if sample_weight is not None:
                rows = ops.convert_to_tensor(sample_weight)
                _check_count("`sample_weight`", h, rows)
                rows = ops.cast(rows, self.dtype)
                counted = ops.cast(rows > 0, self.dtype)[:, None]
            return self._value(
                _centre(h, counted), _centre(g, counted), counted
            )

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """The value of all samples."""
        return self(y_true, y_pred)

    def _value(self, h: Tensor, g: Tensor, counted: Tensor) -> Tensor:
        if self.form == "orthogonal":
            return _product(_unit_rows(h), _unit_rows(g))
        if self.form == "cka":
            # The roots are taken of safe numbers: their gradient at 0 is
            # infinite.
            a = ops.sqrt(_safe(_product(h, h)))
            b = ops.sqrt(_safe(_product(g, g)))
            return _product(h, g) / (a * b)
        pairs = ops.maximum(ops.sum(counted) - 1.0, 1.0)
        return _product(h, g) / ops.square(pairs)

    def get_config(self) -> dict[str, Any]:
        return {"form": self.form, "name": self.name}


def _check_count(what: str, h: Tensor, other: Tensor) -> None:
    """Another number of rows would broadcast, silently."""
    if None not in (h.shape[0], other.shape[0]) and (
        h.shape[0] != other.shape[0]
    ):
        raise ValueError(
            f"Expected {h.shape[0]} {what}, one for each of the first. "
            f"Received: {other.shape[0]}"
        )


def _centre(h: Tensor, counted: Tensor) -> Tensor:
    """Counted rows less their mean; 0 in the others."""
    count = ops.maximum(ops.sum(counted), 1.0)
    h = ops.where(counted > 0, h, ops.zeros_like(h))
    return (h - ops.sum(h, axis=0) / count) * counted


def _product(h: Tensor, g: Tensor) -> Tensor:
    """|Hᵀ G|²."""
    return ops.sum(ops.square(ops.matmul(ops.transpose(h), g)))


def _safe(x: Tensor) -> Tensor:
    """x, or 1 where it vanishes; what is divided then is 0 as well."""
    return ops.where(x > _TINY, x, ops.ones_like(x))


def _unit_rows(h: Tensor) -> Tensor:
    square = ops.sum(ops.square(h), axis=1, keepdims=True)
    return h * ops.rsqrt(ops.maximum(square, 1e-24))
