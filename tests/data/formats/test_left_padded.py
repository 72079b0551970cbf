"""Arrays padded on the left are read as they were written."""

import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.data.formats import load_file, write_file

pytestmark = pytest.mark.once


@pytest.mark.parametrize("target", ["mult", "multibench"])
@pytest.mark.parametrize("aligned", [True, False])
def test_left_padding_keeps_what_is_aligned_and_what_is_not(
    aligned, target, tmp_path
):
    x = {m: np.ones((6, 7, 2)) for m in ("text", "audio", "video")}
    for m, shorter in (("text", 1), ("audio", 1 if aligned else 2)):
        for i in range(1, 6):  # the longest samples are equally long
            x[m][i, 7 - shorter * i % 5 :] = 0
    x["video"] = x["text"].copy()
    x["audio"][2, 4] = 0  # a silent last step if aligned
    split = Split(x, np.linspace(-1, 1, 6), [f"a{i}" for i in range(6)])
    data = MultimodalDataset(split, split, split, "x", "regression")
    write_file(data, tmp_path / "x.pkl", target)
    again = load_file(tmp_path / "x.pkl", target).train
    for m in x:
        for i in range(6):
            np.testing.assert_array_equal(
                again.features[m][i], split.features[m][i]
            )
