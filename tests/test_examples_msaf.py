"""MSAF's examples run as a user runs them."""

import importlib.util

import numpy as np
import pytest

from tests.test_examples import EXAMPLES, run


def module_of(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.once("torch")
def test_fuse_your_networks(tmp_path):
    printed = run(
        "fuse_your_networks.py", tmp_path, "--samples", "64", "--epochs", "1"
    )
    assert "fused and trained on" in printed
    assert (tmp_path / "out/attention_shares.png").stat().st_size > 1000


@pytest.mark.once("tensorflow")
def test_sentiment_mosei_msaf(tmp_path):
    printed = run(
        "sentiment_mosei_msaf.py",
        tmp_path,
        *("--samples", "48", "--epochs", "1"),
    )
    assert "these scores mean nothing" in printed
    assert "negative" in printed
    assert (tmp_path / "out/sentiment_mosei_msaf.png").stat().st_size > 1000


@pytest.mark.once("torch")
def test_a_file_of_rgb_and_depth_images_gives_networks_that_fuse(tmp_path):
    example = module_of("fuse_your_networks")
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "images.npz",
        rgb=rng.random((6, 32, 32, 3)),
        depth=rng.random((6, 32, 32, 1)),
        labels=np.arange(6) % 3,
        split=np.array(["train"] * 4 + ["test"] * 2),
    )
    data, networks, taps = example.rgb_depth(tmp_path / "images.npz")
    assert data["train"][0]["depth"].shape == (4, 32, 32, 1)
    assert [len(y) for _, y in data.values()] == [4, 2]
    model = example.mmf.models.fuse(networks, taps)
    assert model.output_shape == (None, 3)
