"""Convolution over time and space that is right on every device."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.grouped_convolution import grouped_convolution
from keras_mmfusion.types import Tensor


class PaddedConv3D(keras.layers.Conv3D):
    """Convolution with as many zeros before as behind, at a stride too.

    They are written by hand: a CPU's bfloat16 gradient of a kernel that has
    more steps than the clip is partly unwritten if PyTorch 2.13 pads.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, padding="same", **kwargs)

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        around = [[size // 2] * 2 for size in self.kernel_size]
        if max(self.kernel_size) > 1:
            inputs = ops.pad(inputs, [[0, 0], *around, [0, 0]])
        return grouped_convolution(inputs, kernel, self.groups, self.strides)
