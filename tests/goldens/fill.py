"""Deterministic test tensors, the same on every machine and NumPy version.

A golden file stores expected outputs only; every weight and input tensor is
regenerated here from its name and shape, so a network of 100 MB needs no
fixture of 100 MB.

`fill(name, shape)` follows one rule, on float64 values u drawn uniformly from
[-1, 1):

  name ends in        value
  running_mean        0.1 * u
  running_var         0.5 + |u|
  init_hidden         0.1 * u
  weight_g            1 + 0.2 * u
  bias (any ndim)     0.1 * u
  weight, ndim 1      1 + 0.2 * u   (BatchNorm gamma, PReLU slope)
  weight, ndim >= 2   u * sqrt(3 / fan_in)   (fan_in = product of shape[1:])
  anything else       u * sqrt(3)   (inputs: zero mean, unit variance)

LSTM tensors (weight_ih_l0, bias_hh_l0, ...) follow the weight and bias rules.
"""

import math
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def uniform(name: str, shape: Sequence[int]) -> Float64:
    """Float64 values in [-1, 1), fixed by `name` alone.

    They are raw words of the Philox generator with key crc32(name).
    """
    size = math.prod(shape)
    raw = np.random.Philox(key=zlib.crc32(name.encode())).random_raw(size)
    unit = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
    return np.reshape(unit, tuple(shape))


def fill(name: str, shape: Sequence[int]) -> Float64:
    """The test tensor called `name`, by the rule of this module."""
    u = uniform(name, shape)
    leaf = name.rsplit(".", 1)[-1]
    if leaf in ("running_mean", "init_hidden"):
        return 0.1 * u
    if leaf == "running_var":
        return 0.5 + np.abs(u)
    if leaf == "weight_g":
        return 1.0 + 0.2 * u
    if leaf.startswith("bias"):
        return 0.1 * u
    if leaf.startswith("weight"):
        if len(shape) == 1:
            return 1.0 + 0.2 * u
        return u * math.sqrt(3.0 / math.prod(shape[1:]))
    return u * math.sqrt(3.0)
