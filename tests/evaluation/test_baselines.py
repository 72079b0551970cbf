import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset
from keras_mmfusion.evaluation import baselines, with_only
from tests.evaluation.tiny import CLASSES, SHAPES, Guarded, dataset, split


def test_baselines_take_their_modality_and_the_rest():
    builds = baselines(SHAPES, num_classes=3, units={"audio": 6, "image": 4})
    assert list(builds) == ["audio", "image", "concat"]
    for name, build in builds.items():
        model = build(0)
        names = ["audio", "image"] if name == "concat" else [name]
        assert list(model.input) == names
        assert model.output_shape == (None, 3)
    inputs, labels = split(0, 8).arrays()
    model = builds["concat"](0)
    before = model.get_weights()
    assert np.isfinite(model.train_on_batch(inputs, labels)).all()
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(before, model.get_weights(), strict=True)
    ]
    assert all(changed)


@pytest.mark.once
def test_regression_baselines_predict_targets():
    builds = baselines({"image": (4,)}, num_targets=2, units=4)
    assert list(builds) == ["image"]
    model = builds["image"](0)
    assert model.output_shape == (None, 2)
    assert "mae" in model.evaluate(
        {"image": np.ones((2, 4))},
        np.ones((2, 2)),
        verbose=0,
        return_dict=True,
    )


@pytest.mark.once
def test_other_shapes_and_names_are_refused():
    with pytest.raises(ValueError, match="'video' of shape"):
        baselines({"video": (None, 8, 8, 3)}, num_classes=2)
    with pytest.raises(ValueError, match="must not be called 'concat'"):
        baselines({"concat": (3,)}, num_classes=2)


@pytest.mark.once
def test_a_view_shows_some_modalities_of_every_split():
    data = dataset()
    view = with_only(data, ["image"])
    assert isinstance(view, MultimodalDataset)
    assert view.shapes == {"image": (4,)}
    for name, part in view.splits.items():
        whole = data.splits[name]
        assert part.ids == whole.ids
        np.testing.assert_array_equal(part.labels, whole.labels)
    assert view.class_names == CLASSES
    assert view.name == "tiny (image only)"
    assert "audio" not in view.describe()
    with pytest.raises(ValueError, match=r"among \['audio', 'image'\]"):
        with_only(data, ["video"])


@pytest.mark.once
def test_a_view_leaves_the_test_split_sealed(tmp_path):
    view = with_only(Guarded(tmp_path), ["image"])
    assert view.train.modalities == view.valid.modalities == ["image"]
    with pytest.raises(AssertionError, match="too early"):
        _ = view.test
