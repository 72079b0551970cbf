import numpy as np
import pytest

from keras_mmfusion.plotting import (
    class_shares,
    modality_shares,
    plot_class_shares,
)
from tests.plotting.test_block_attention import attention

pytestmark = pytest.mark.once


def known_attention() -> dict[str, np.ndarray]:
    """Sample i turns by i tenths to `audio`, of two modalities."""
    audio = np.arange(5).reshape(5, 1, 1, 1) / 10 * np.ones((1, 2, 1, 4))
    # The rest goes to two blocks of `image`.
    return {"audio": audio, "image": np.repeat((1 - audio) / 2, 2, axis=2)}


def test_rows_are_classes_and_columns_modalities():
    table = class_shares(known_attention(), [0, 2, 0, 2, 2], ["a", "b", "c"])
    assert table.classes == ["a", "c"]
    assert table.modalities == ["audio", "image"]
    np.testing.assert_allclose(
        table.shares, [[0.1, 0.9], [8 / 30, 22 / 30]], rtol=1e-12
    )
    np.testing.assert_array_equal(table.counts, [2, 3])


def test_every_row_sums_to_one():
    table = class_shares(attention(), [0, 1, 1, 0, 1, 1])
    np.testing.assert_allclose(table.shares.sum(axis=1), 1)
    shares = modality_shares(attention())["audio"]
    assert table.shares[0, 0] == pytest.approx(shares[[0, 3]].mean())


def test_a_sample_without_any_modality_is_not_counted():
    weights = {m: a.copy() for m, a in known_attention().items()}
    for a in weights.values():
        a[2] = 0
    table = class_shares(weights, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(table.counts, [2, 2])
    np.testing.assert_allclose(table.shares[0], [0.05, 0.95])


def test_the_table_is_printed():
    table = class_shares(known_attention(), [0, 0, 0, 1, 1], ["no", "yes"])
    lines = str(table).splitlines()
    assert lines[0].split() == ["class", "audio", "image", "samples"]
    assert lines[2].split() == ["yes", "35.0%", "65.0%", "2"]


def test_the_figure_has_a_bar_for_each_class_and_modality(tmp_path):
    table = class_shares(known_attention(), [0, 0, 0, 1, 1], ["no", "yes"])
    figure = plot_class_shares(table)
    (axes,) = figure.axes
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    np.testing.assert_allclose(np.transpose(heights), table.shares)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["no", "yes"]
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0, 1], None, "each of 5 samples"),
        ([0.5, 0, 1, 1, 0], None, "class numbers"),
        ([-1, 0, 1, 1, 0], None, "class numbers"),
        ([0, 1, 2, 1, 0], ["no", "yes"], "name for class 2"),
    ],
)
def test_labels_that_do_not_fit_are_named(labels, names, message):
    with pytest.raises(ValueError, match=message):
        class_shares(known_attention(), labels, names)
