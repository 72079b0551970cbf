import numpy as np
import pytest

from keras_mmfusion.plotting import plot_modality_graph

pytestmark = pytest.mark.once
XI = np.array(
    [
        [[0.0, 0.3, 0.7], [0.2, 0.0, 0.8], [1.0, 0.0, 0.0]],
        [[0.0, 0.5, 0.5], [0.6, 0.0, 0.4], [0.5, 0.5, 0.0]],
    ]
)


def texts(figure, axis=0):
    return {t.get_text() for t in figure.axes[axis].texts}


def test_arrows_carry_the_shares_of_a_sample():
    names = ["text", "audio", "video"]
    figure = plot_modality_graph({"exclusive": XI}, names, sample=0)
    # No arrow for a share of zero; unlabelled texts are the arrows.
    assert texts(figure) == {*names, "", "0.30", "0.70", "0.20", "0.80", "1.00"}
    mean = plot_modality_graph({"exclusive": XI, "agnostic": XI}, names)
    assert len(mean.axes) == 2
    assert "0.40" in texts(mean, axis=1)


def test_a_node_shows_what_it_sends_itself():
    xi = np.array([[[0.25, 0.75], [0.5, 0.5]]])
    figure = plot_modality_graph({"agnostic": xi}, ["a", "b"])
    assert {"a\n0.25", "b\n0.50"} < texts(figure)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="exclusive"):
        plot_modality_graph({"exclusive": XI}, ["text", "audio"])
    with pytest.raises(ValueError, match="no branch"):
        plot_modality_graph({}, ["text", "audio"])
