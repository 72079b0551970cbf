"""Open lengths as JAX's exporter takes them."""

from collections.abc import Mapping

from keras_mmfusion.types import Shape


def symbolic_shapes(
    shapes: Mapping[str, Shape], one_grid: bool
) -> dict[str, str]:
    """Shapes of batches, such as "(batch, steps, 40)" for (None, 40).

    Keras gives every open length a symbol of its own; those of modalities on
    one time grid have to be equal.

    Args:
        shapes: Modality to the shape of one sample.
        one_grid: Whether all open lengths are the same.
    """
    found = {}
    for m, shape in shapes.items():
        length = "steps" if one_grid else f"steps_{m}"
        sizes = ["batch", *(length if n is None else str(n) for n in shape)]
        found[m] = f"({', '.join(sizes)})"
    return found
