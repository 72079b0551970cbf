import numpy as np
import pytest

from keras_mmfusion.plotting.confusion import plot_confusion, plot_scatter

pytestmark = pytest.mark.once


def test_rows_are_percent_of_the_true_class():
    figure = plot_confusion([[3, 1, 0], [0, 0, 0], [1, 1, 2]], ["a", "b", "c"])
    axes = figure.axes[0]
    shares = axes.images[0].get_array()
    np.testing.assert_allclose(shares, [[75, 25, 0], [0, 0, 0], [25, 25, 50]])
    texts = [text.get_text() for text in axes.texts]
    assert texts[:3] == ["75", "25", "0"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_ylabel() == "true"


def test_many_classes_have_no_numbers():
    figure = plot_confusion(np.eye(20))
    assert not figure.axes[0].texts


def test_names_may_be_an_array():
    figure = plot_confusion(np.eye(2), np.array(["low", "high"]))
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert labels == ["low", "high"]


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        plot_confusion(np.ones((2, 3)))
    with pytest.raises(ValueError, match="Expected 2 class names"):
        plot_confusion(np.eye(2), ["a"])
    with pytest.raises(ValueError, match="3 labels and 2 predictions"):
        plot_scatter([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="0 labels"):
        plot_scatter([], [])


def test_the_scatter_holds_every_sample_and_the_diagonal():
    figure = plot_scatter([0.0, 2.0], [[1.0], [5.0]], "valence")
    axes = figure.axes[0]
    points = axes.collections[0].get_offsets()
    np.testing.assert_allclose(points, [[0, 1], [2, 5]])
    assert list(axes.lines[0].get_xdata()) == [0, 5]
    assert list(axes.lines[0].get_ydata()) == [0, 5]
    assert axes.get_title() == "valence"
