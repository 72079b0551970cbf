import keras
import numpy as np
import pytest

from keras_mmfusion.layers import DecoupledGraphFusion
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import NAMES, WEIGHTS
from tests.reference.mea_layers import fuse_graph
from tests.reference_weights import assign

RNG = np.random.default_rng(0)
H = {m: RNG.normal(size=(4, 6)).astype("float32") for m in NAMES}
PRESENT = {
    "text": np.array([1, 1, 0, 0], bool),
    "audio": np.array([1, 0, 0, 1], bool),
    "video": np.array([1, 0, 0, 1], bool),
}
PREFIX = "graph.agnostic."


def layer(self_loops=None):
    made = DecoupledGraphFusion(6, self_loops, NAMES)
    made.build({m: h.shape for m, h in H.items()})
    assign(made, WEIGHTS, PREFIX)
    return made


@pytest.mark.parametrize("self_loops", [False, True])
def test_equals_the_reference(self_loops):
    fused, xi = call(layer(self_loops), H, mask=PRESENT, return_attention=True)
    expected, edges = fuse_graph(
        np.stack([*H.values()], axis=1),
        np.stack([*PRESENT.values()], axis=1),
        WEIGHTS,
        PREFIX,
        self_loops,
    )
    assert relative_error(fused, expected) < 1e-5
    assert relative_error(xi, edges) < 1e-5


def test_is_between_zero_and_the_number_of_modalities():
    fused = numpy_of(call(layer(), {m: 30 * h for m, h in H.items()}))
    assert fused.min() >= 0
    assert fused.max() <= 3


def test_two_modalities_alone_have_self_loops():
    two = {m: H[m] for m in ("text", "audio")}
    for self_loops, edges in ((None, 4), (False, 2), (True, 4)):
        made = DecoupledGraphFusion(6, self_loops)
        _, xi = call(made, two, return_attention=True)
        assert (numpy_of(xi) > 0).sum(axis=(1, 2)).tolist() == [edges] * 4


def test_no_modality_at_all_is_finite_in_both_directions():
    none = {m: np.zeros(4, bool) for m in NAMES}
    made = layer()
    np.testing.assert_allclose(numpy_of(call(made, H, mask=none)), 1.5)
    grads = input_gradients(lambda t: keras.ops.sum(made(t, mask=none)), H)
    assert all(np.isfinite(g).all() for g in grads.values())


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="units"):
        DecoupledGraphFusion(0)
    with pytest.raises(ValueError, match="same width"):
        DecoupledGraphFusion(4).build({"a": (1, 8), "b": (1, 4)})
