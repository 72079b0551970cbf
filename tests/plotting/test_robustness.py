import numpy as np
import pytest

from keras_mmfusion.evaluation import Curve, Robustness
from keras_mmfusion.plotting.robustness import plot_robustness

pytestmark = pytest.mark.once


def curve(corruption, modality, low=0.5):
    return Curve(corruption, modality, (0.0, 1.0), (0.9, low), (0.0, 0.1))


def test_each_corruption_has_a_panel_and_each_modality_a_line():
    curves = (
        curve("noise", "audio"),
        curve("noise", "image", 0.7),
        curve("time shift", "audio"),
        curve("swapped partner", "image"),
        curve("missing block", "audio"),
    )
    figure = plot_robustness(Robustness("f1", 0.9, 10, 3, 0, curves), "x")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    titles = [axes.get_title() for axes in shown]
    assert titles == [
        "noise",
        "time shift",
        "swapped partner",
        "missing block",
    ]
    noise = shown[0]
    # The clean score is the first line.
    drawn = [list(line.get_ydata()) for line in noise.lines[1:]]
    assert drawn == [[0.9, 0.5], [0.9, 0.7]]
    labels = [text.get_text() for text in noise.get_legend().get_texts()]
    assert labels == ["audio (area 0.70)", "image (area 0.80)"]
    assert noise.get_ylabel() == "f1"
    # A modality keeps its colour in every panel.
    assert noise.lines[2].get_color() == shown[2].lines[1].get_color()
    band = noise.collections[0].get_paths()[0].vertices
    assert np.isclose(band[:, 1].min(), 0.4)
