"""One part of the rows after the other, so that few results are in memory."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.loops import map_rows
from keras_mmfusion.types import Tensor


def in_chunks(
    function: Callable[..., Any], arrays: Mapping[str, Tensor], size: Any
) -> Any:
    """`function(**arrays)`, called on some rows at a time.

    Loops are not meant to be differentiated: call this inside a custom
    gradient.

    Args:
        function: Takes the arrays by name and gives a tensor or a tuple of
            tensors; row i of the results depends on row i of the arrays.
        arrays: Tensors with the same number of rows (first axis).
        size: Most rows at a time; a scalar tensor where lengths are unknown.

    Returns:
        As `function(**arrays)`.
    """
    rows = ops.shape(next(iter(arrays.values())))[0]
    # Upwards, and chunks as even as can be: little is added to fill the last.
    count = (rows + size - 1) // size
    if isinstance(count, int) and count == 1:
        return function(**arrays)
    size = (rows + count - 1) // count

    def cut(x: Tensor) -> Tensor:
        missing = count * size - rows
        if not isinstance(missing, int) or missing:
            rest = [[0, 0]] * (len(x.shape) - 1)
            x = ops.pad(x, [[0, missing], *rest])
        return ops.reshape(x, (count, size, *ops.shape(x)[1:]))

    def join(y: Tensor) -> Tensor:
        return ops.reshape(y, (count * size, *ops.shape(y)[2:]))[:rows]

    results = map_rows(
        lambda chunk: function(**chunk), {k: cut(x) for k, x in arrays.items()}
    )
    return keras.tree.map_structure(join, results)
