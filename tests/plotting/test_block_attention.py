import numpy as np
import pytest

from keras_mmfusion.plotting import modality_shares, plot_block_attention

pytestmark = pytest.mark.once


def attention() -> dict[str, np.ndarray]:
    logits = np.random.default_rng(0).normal(size=(6, 2, 5, 4))
    weights = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return {"audio": weights[:, :, :2], "image": weights[:, :, 2:]}


def test_shares_sum_to_one_and_follow_the_attention():
    weights = attention()
    weights["audio"][0] = 0
    shares = modality_shares(weights)
    np.testing.assert_allclose(shares["audio"] + shares["image"], 1)
    assert shares["audio"][0] == 0


def test_the_figure_shows_every_block_and_class(tmp_path):
    figure = plot_block_attention(
        attention(), np.array([0, 1, 2, 0, 1, 2]), ["zero", "one", "two"]
    )
    blocks, shares = figure.axes[:2]
    labels = [t.get_text() for t in blocks.get_yticklabels()]
    assert labels == ["audio 1", "audio 2", "image 1", "image 2", "image 3"]
    labels = [t.get_text() for t in shares.get_xticklabels()]
    assert labels == ["zero", "one", "two"]
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize("wrong", [{}, {"fusion1": attention()}])
def test_what_is_no_attention_of_one_fusion_is_refused(wrong):
    for function in (modality_shares, plot_block_attention):
        with pytest.raises(ValueError, match="attention of one fusion"):
            function(wrong)
