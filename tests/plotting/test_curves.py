import numpy as np
import pytest

from keras_mmfusion.plotting.curves import plot_training_curves

pytestmark = pytest.mark.once
HISTORIES = [
    {"accuracy": [0.1, 0.2], "val_accuracy": [0.2, 0.1]}
    | {"loss": [2.0, 1.0], "val_loss": [3.0, 1.5]},
    {"accuracy": [0.3], "val_accuracy": [0.4]}
    | {"loss": [1.0], "val_loss": [0.5]},
]


def test_each_quantity_has_a_panel_the_loss_first():
    figure = plot_training_curves(HISTORIES, selected=[2, 1], title="x")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    lines = figure.axes[0].lines
    drawn = [list(line.get_ydata()) for line in lines]
    assert drawn == [[2.0, 1.0], [3.0, 1.5], [1.5], [1.0], [0.5], [0.5]]
    assert list(lines[1].get_xdata()) == [1, 2]


def test_training_alone_can_be_drawn(tmp_path):
    figure = plot_training_curves([{"loss": [1.0, np.nan]}])
    assert len(figure.axes[0].lines) == 1
    figure.savefig(tmp_path / "curves.png")


@pytest.mark.parametrize("histories", [[], [{}]])
def test_nothing_to_draw_is_refused(histories):
    with pytest.raises(ValueError, match="at least one history"):
        plot_training_curves(histories)
