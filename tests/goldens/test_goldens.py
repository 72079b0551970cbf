"""The golden loader gives back consistent files."""

import math

import numpy as np
import pytest

from tests.goldens import FOLDER, load, small_case
from tests.goldens.fill import fill, uniform

NAMES = sorted(
    path.stem
    for path in FOLDER.glob("*.npz")
    if path.stem != "grjca_backbone_features"
)


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_parameter_count_agree_with_meta(name: str) -> None:
    golden = load(name)
    buffers = ("running_mean", "running_var")
    count = sum(
        math.prod(shape)
        for key, shape in golden.meta["state_dict"].items()
        if not key.endswith(buffers)
    )
    assert count == golden.meta["parameters"]
    for output, shape in zip(
        golden.outputs, golden.meta["outputs"], strict=True
    ):
        full = np.zeros(shape)
        assert output.shape == golden.stored_steps(full).shape
    for key, gradient in golden.input_gradients.items():
        full = np.zeros(golden.meta["inputs"][key])
        assert gradient.shape == golden.stored_steps(full).shape
    for key, gradient in golden.parameter_gradients.items():
        full = np.zeros(golden.meta["state_dict"][key])
        assert gradient.shape == golden.stored_rows(key, full).shape


def test_fill_follows_its_rule() -> None:
    u = uniform("a.weight", (3, 4))
    assert np.abs(u).max() < 1.0
    np.testing.assert_array_equal(fill("a.weight", (3, 4)), u * math.sqrt(0.75))
    np.testing.assert_array_equal(fill("x", (9,)), uniform("x", (9,)) * 3**0.5)
    assert fill("a.running_var", (99,)).min() >= 0.5
    assert np.abs(fill("a.bias_hh_l0", (99,))).max() < 0.1


def test_small_case_keeps_ragged_inputs_apart() -> None:
    case = small_case("msaf_block")
    assert [x.shape for x in case["x"]] == [(3, 8, 2, 2), (3, 4, 5)]
    weight = case["state_dict"]["blocks.0.joint_features.0.weight"]
    assert weight.dtype == np.float64
