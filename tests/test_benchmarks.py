"""What the benchmarks measure against is equal to ours; they start."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.layers import (
    GatedJointCrossAttention,
    SplitAttentionFusion,
)
from keras_mmfusion.models import MSAF
from tests.backend import call, relative_error
from tests.models.mea_example import config, inputs, labels, model_of
from tests.plain_mea import by_reference_name

torch = pytest.importorskip("torch")

from benchmarks import plain_torch_mea, tables  # noqa: E402
from benchmarks.plain_torch_grjca import GRJCA  # noqa: E402
from benchmarks.plain_torch_msaf import MSAF as PLAIN_MSAF  # noqa: E402
from benchmarks.plain_torch_msaf import MoseiNetwork  # noqa: E402

ROOT = Path(__file__).parent.parent


def run_plain(module, arrays, training=False):
    module.train(training)
    with torch.no_grad():
        return module([torch.from_numpy(a) for a in arrays])


@pytest.mark.parametrize(("segments", "training"), [(1, True), (3, False)])
def test_plain_msaf_equals_our_layer(segments, training):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = {
        "audio": rng.normal(size=(3, 7, 16)).astype("float32"),
        "video": rng.normal(size=(3, 4, 2, 2, 32)).astype("float32"),
    }
    plain = PLAIN_MSAF([16, 32], 8, segments=segments)
    layer = SplitAttentionFusion(8, segments=segments)
    layer.build({k: v.shape for k, v in x.items()})
    load_official(layer, plain.state_dict())
    first = [np.ascontiguousarray(np.moveaxis(v, -1, 1)) for v in x.values()]
    expected = run_plain(plain, first, training)
    ours = call(layer, x, training=training)
    for y, e in zip(ours.values(), expected, strict=True):
        assert relative_error(y, np.moveaxis(e.numpy(), 1, -1)) < 1e-5


def test_plain_mosei_network_equals_our_model():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    widths = dict(
        zip(("visual", "audio", "text"), MoseiNetwork.FEATURES, strict=True)
    )
    x = {
        m: rng.normal(size=(2, 10, w)).astype("float32")
        for m, w in widths.items()
    }
    plain = MoseiNetwork()
    model = MSAF.from_preset("mosei", load_weights=False)
    load_official(model, plain.state_dict())
    expected = run_plain(plain, list(x.values())).numpy()
    assert relative_error(model.predict(x, verbose=0), expected) < 1e-5


def test_plain_grjca_equals_our_layer():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = {
        "video": rng.normal(size=(2, 6, 12)).astype("float32"),
        "audio": rng.normal(size=(2, 6, 8)).astype("float32"),
    }
    plain = GRJCA((12, 8), 6)
    layer = GatedJointCrossAttention(modalities=["video", "audio"])
    layer.build({k: v.shape for k, v in x.items()})
    load_official(layer, plain.state_dict())
    expected = run_plain(plain, list(x.values()))
    ours = call(layer, x)
    # By name: under JAX a compiled call returns its dict sorted.
    for name, e in zip(x, expected, strict=True):
        # The gates' temperature of 0.1 magnifies rounding.
        assert relative_error(ours[name], e.numpy()) < 1e-4


@pytest.mark.once("torch")  # Backends agree, see models.
def test_plain_mea_and_its_loss_equal_our_model():
    torch.manual_seed(0)
    c = config(exclusive_layers=2, agnostic_layers=2)
    plain = plain_torch_mea.MEA(
        c.input_widths,
        c.width,
        c.latent,
        c.heads,
        mix=c.mix,
        exclusive_layers=2,
        dropouts=(0.0, 0.0),
        ends=(0.0, 0.0),
        taps=c.kernel_sizes,
    )
    for parameter in plain.parameters():
        # Biases too, which otherwise are zero in places.
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    model = model_of(c, by_reference_name(plain, c.modalities))
    # The last two samples lack a modality, which plain PyTorch cannot.
    x = {m: v[:2] for m, v in inputs(padding=2).items()}
    y = labels(c)[:2]
    found = model.predict(x, verbose=0)
    assert relative_error(found, run_plain(plain, x.values())) < 1e-5
    expected = plain_torch_mea.loss(
        run_plain(plain, x.values(), training=True), torch.from_numpy(y)
    )
    loss = model.test_on_batch(x, y, return_dict=True)["loss"]
    assert loss == pytest.approx(float(expected), rel=1e-5)


def measured(benchmark, case, what):
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", "--tiny"]
    command += ["--cases", case, "--measure", what, "--seconds", "0"]
    done = subprocess.run(
        command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.once
def test_times_are_measured():
    times = measured("msaf", "layer2", "times")["milliseconds"]
    for name in ("ours_train", "ours_infer", "plain_train", "matmul", "copy"):
        low, middle, high = times[name]["cpu"]
        assert 0 < low <= middle <= high


@pytest.mark.once
def test_memory_is_measured():
    memory = measured("grjca", "none_125", "memory")
    assert 0 < memory["before"] <= memory["peak"]
    assert 0 < memory["between"] <= memory["third"] <= memory["peak"]


@pytest.mark.once
def test_gpu_times_have_a_row_for_every_side():
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny"]
    command += ["--cases", "msaf.layer2", "mea.none", "--sides", "plain"]
    rows = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    assert len(rows) == 4
    assert all(float(cell) > 0 for cell in rows[2].split("|")[3:5])
    assert "KeyError" in rows[3]


@pytest.mark.once
@pytest.mark.parametrize("path", sorted(tables.RESULTS.glob("*.json")))
def test_results_make_a_table(path):
    results = json.loads(path.read_text())
    lines = tables.markdown(results).splitlines()
    rows = sum(len(r["backends"]) for r in results.values())
    assert len(lines) == 2 + rows


def work(mixing, length):
    """Operations, and values that a forward and backward pass writes."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    written = [0]

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            outputs = function(*args, **(kwargs or {}))
            for y in torch.utils._pytree.tree_leaves(outputs):
                written[0] += y.numel() if torch.is_tensor(y) else 0
            return outputs

    layer = GatedJointCrossAttention(temporal_mixing=mixing)
    x = {
        "audio": torch.ones(1, length, 2, requires_grad=True),
        "video": torch.ones(1, length, 3, requires_grad=True),
    }
    layer(x)
    with FlopCounterMode(display=False) as counter, Sizes():
        sum(y.sum() for y in layer(x, training=True).values()).backward()
    return np.array([counter.get_total_flops(), written[0]])


@pytest.mark.once("torch")  # It counts.
@pytest.mark.parametrize(
    ("mixing", "linear"), [("none", True), ("conv", True), ("dense", False)]
)
def test_work_grows_linearly_with_the_length(mixing, linear):
    # Dropout draws for four values at a time.
    short, middle, long = (work(mixing, length) for length in (40, 80, 160))
    # Doubling twice as many steps adds twice as much, whatever is constant.
    growth = (long - middle) / (middle - short)
    if linear:
        np.testing.assert_allclose(growth, 2, rtol=1e-9)
    else:
        assert (growth > 2.2).all()


@pytest.mark.once("torch")
def test_live_tensors_are_those_that_live():
    from benchmarks.live_tensors import LiveTensors

    with LiveTensors() as live:
        first = torch.ones(2**18)
        del first
        second = torch.ones(2**17)
        third = torch.ones(2**16, dtype=torch.bfloat16)
        view = second[: 2**16]
        whole = torch.cat([second, view])
    assert whole.dtype == torch.float32
    assert third.dtype == torch.bfloat16
    expected = {"float32": 4 * (2**17 + 2**17 + 2**16), "bfloat16": 2 * 2**16}
    assert live.peak == sum(expected.values())
    assert live.peak_by_dtype == expected
