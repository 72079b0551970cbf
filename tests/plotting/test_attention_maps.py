import numpy as np
import pytest

from keras_mmfusion.plotting import plot_attention_maps, plot_cross_attention

pytestmark = pytest.mark.once


def shares(queries, keys, valid):
    """Two samples, the second with `valid` queries and keys."""
    x = np.random.default_rng(0).uniform(0.5, 1, (2, queries, keys))
    x[1, valid:] = 0
    return x / np.maximum(x.sum(axis=2, keepdims=True), 1e-9)


def self_attention():
    first = {"current": shares(6, 6, 4), "used": shares(6, 6, 4)}
    return {
        "layer1": {"text": first, "audio": first},
        "layer2": {
            m: {**first, "predicted": 9 * shares(6, 6, 4)}
            for m in ("text", "audio")
        },
    }


def test_all_maps_of_a_sample_without_its_padding():
    maps = self_attention()
    figure = plot_attention_maps(maps, sample=1)
    titles = [a.get_title() for a in figure.axes[:4]]
    assert titles == [
        "layer1, used",
        "layer2, predicted",
        "layer2, current",
        "layer2, used",
    ]
    labels = [a.get_ylabel() for a in figure.axes[::4]]
    assert labels == ["step of text", "step of audio"]
    shown = figure.axes[5].images[0].get_array()
    expected = maps["layer2"]["audio"]["predicted"][1, :4, :4]
    np.testing.assert_allclose(shown, expected)


def test_cross_attention_by_target_and_level():
    maps = {
        "text_mixed": shares(6, 9, 4),
        "text_fine_audio": shares(6, 3, 4),
        "audio_fine_text": shares(3, 6, 2),
    }
    figure = plot_cross_attention(maps, sample=1)
    titles = [a.get_title() for a in figure.axes]
    assert titles == ["mixed", "fine audio", "fine text", ""]
    assert figure.axes[2].get_ylabel() == "step of audio"
    assert figure.axes[1].images[0].get_array().shape == (4, 3)


def test_what_is_no_map_is_refused():
    with pytest.raises(ValueError, match="self_attention"):
        plot_attention_maps({})
    with pytest.raises(ValueError, match=r"a dict of \['graph'\]"):
        plot_attention_maps({"graph": {"exclusive": np.ones((1, 2, 2))}})
    with pytest.raises(ValueError, match="averages"):
        plot_cross_attention({"a_mixed": np.ones((1, 2, 3, 3))})
    with pytest.raises(ValueError, match="names of units"):
        plot_cross_attention({"audio": np.ones((1, 3, 3))})
    with pytest.raises(ValueError, match="no maps"):
        plot_cross_attention({})
