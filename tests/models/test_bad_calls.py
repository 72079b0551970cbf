"""What would give a wrong number, in all models: refused with a reason."""

import json
from functools import cache

import numpy as np
import pytest

from keras_mmfusion.data import Split
from keras_mmfusion.encoders import IRResNetEncoder, VGGishEncoder
from keras_mmfusion.models import GRJCA, MEA, MSAF, FusionModel, unimodal

SHAPES = {"audio": (None, 5), "video": (None, 6)}
X = {
    "audio": np.ones((4, 3, 5), np.float32),
    "video": np.ones((4, 3, 6), np.float32),
}

pytestmark = pytest.mark.once


@cache
def msaf(**options: object) -> FusionModel:
    return MSAF.from_shapes(SHAPES, units=8, block_channels=4, **options)


@cache
def grjca(**options: object) -> FusionModel:
    settings = {"channels": [4], "per_step": False, **options}
    return GRJCA.from_shapes(SHAPES, **settings)


@cache
def mea(**options: object) -> FusionModel:
    return MEA(
        SHAPES,
        width=4,
        latent=4,
        num_heads=2,
        exclusive_layers=1,
        agnostic_layers=1,
        **options,
    )


MODELS = pytest.mark.parametrize("model", [msaf, grjca, mea])


@MODELS
def test_lists_have_no_order_of_modalities(model):
    built, arrays = model(), [*X.values()]
    for call in (built, built.predict, built.fit, built.evaluate):
        with pytest.raises(ValueError, match=r"must be a dict.*'audio'"):
            call(arrays)


@MODELS
def test_arrays_are_explained_not_batches(model):
    batches = Split(X, np.arange(4) % 2).batches(2)
    with pytest.raises(ValueError, match="must be a dict"):
        model().explain(batches)


@MODELS
@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_labels_of_another_width_never_broadcast(model, shape):
    built = model(num_targets=2)
    with pytest.raises(ValueError, match=r"labels of shape \(N, 2\)"):
        built.fit(X, np.zeros(shape), verbose=0)


@MODELS
def test_no_steps(model):
    x = {**X, "audio": X["audio"][:, :0]}
    built = model()
    with pytest.raises(ValueError, match=r"empty axis|same number of time"):
        built.predict(x, verbose=0)


@MODELS
@pytest.mark.parametrize("number", [1, 0, -1])
def test_number_of_outputs(model, number):
    with pytest.raises(ValueError, match="`num_classes` must be at least 2"):
        model(num_classes=number)
    if number < 1:
        with pytest.raises(ValueError, match="`num_targets` must be"):
            model(num_targets=number)


@MODELS
def test_numbers_of_outputs_are_whole(model):
    model = model.__wrapped__  # For the cache 3 and 3.0 are the same.
    built = model(num_classes=np.int64(3))
    assert built.predict(X, verbose=0).shape == (4, 3)
    assert json.dumps(built.get_config())
    for value in ("3", 3.0):
        with pytest.raises(ValueError, match="`num_classes` must be a whole"):
            model(num_classes=value)
    with pytest.raises(ValueError, match="`num_targets` must be a whole"):
        model(num_targets="2")


@pytest.mark.parametrize("name", ["a.b", "a/b", "", 3])
def test_names_of_modalities_can_be_names_of_layers(name):
    shapes = {name: (None, 4), "audio": (None, 4)}
    for make in (MSAF.from_shapes, GRJCA.from_shapes, MEA):
        with pytest.raises(ValueError, match="name of a modality"):
            make(shapes)


@pytest.mark.parametrize("name", ["head", "features", "fusion1", "audio_mask"])
def test_modalities_are_called_otherwise_than_layers(name):
    with pytest.raises(ValueError, match=f"be called '{name}'"):
        MSAF.from_shapes({name: (None, 4), "audio": (None, 4)})


def test_binary_labels_are_0_or_1():
    with pytest.raises(ValueError, match=r"whole numbers in 0\.\.1"):
        mea(binary_heads=2).fit(X, np.array([[0, 2]] * 4), verbose=0)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 1), (4, 2, 2)])
def test_labels_of_every_step_are_of_all_targets(shape):
    model = grjca(num_targets=2, per_step=True)
    model.compile(loss="mse", metrics=None)
    with pytest.raises(ValueError, match=r"must have shape \(4, 3, 2\)"):
        model.fit(X, np.zeros(shape), verbose=0)


def test_predicting_every_step_needs_no_labels():
    model, split = grjca(num_targets=2, per_step=True), Split(X, np.zeros(4))
    batches = split.batches(4, buckets=1)
    assert model.predict(batches, verbose=0).shape == (4, 3, 2)
    with pytest.raises(ValueError, match="real labels"):
        model.evaluate(batches, verbose=0)


def test_steps_without_annotation_are_no_labels_of_keras_losses():
    model, y = grjca(num_targets=2, per_step=True), np.zeros((4, 3, 2))
    y[0, 1] = -5
    model.compile(loss="mse", metrics=None)
    with pytest.raises(ValueError, match="not annotated"):
        model.fit(X, y, verbose=0)


class Table:
    """What pandas holds is no array, but becomes one."""

    __module__ = "pandas.core"

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or self.values.dtype)

    def __len__(self):
        return len(self.values)


def test_what_pandas_holds_is_checked_as_an_array():
    model = grjca(num_targets=2, per_step=False)
    spoilt = np.ones((4, 3, 5), "float32")
    spoilt[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.predict({**X, next(iter(X)): Table(spoilt)}, verbose=0)
    with pytest.raises(ValueError, match="one column for each output"):
        model.evaluate(X, Table(np.ones(4)), verbose=0)
    with pytest.raises(ValueError, match="but there are"):
        model.fit(X, Table(np.full((4, 2), 9.0)), verbose=0)
    weight = Table([1.0, 1.0, 1.0, np.nan])
    with pytest.raises(ValueError, match="finite numbers of at least 0"):
        model.fit(X, np.ones((4, 2)), sample_weight=weight, verbose=0)


def test_masks_of_arrays_are_refused():
    name, values = next(iter(X.items()))
    masked = np.ma.masked_array(values, mask=values > 0)
    with pytest.raises(ValueError, match="mask of a masked array"):
        grjca(num_targets=2).predict({**X, name: masked}, verbose=0)


def test_labels_that_no_output_can_reach_train_no_batch():
    model = grjca(num_targets=2, per_step=False)
    with pytest.raises(ValueError, match="but there are"):
        model.train_on_batch(X, np.full((4, 2), 9.0))


def test_mea_says_that_it_has_no_onnx_form(tmp_path):
    with pytest.raises(ValueError, match="tf_saved_model"):
        mea().export(tmp_path / "model.onnx", format="onnx")


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("wrong", [-1.5, 2.0])
def test_labels_that_no_output_can_reach(per_step, wrong):
    model = grjca(num_targets=2, per_step=per_step)
    y = np.zeros((4, 3, 2) if per_step else (4, 2), "float32")
    y[0, ..., 1] = wrong
    for labels in (y, Split(X, y).batches(2, buckets=1)):
        x = (X, y) if labels is y else (labels, None)
        with pytest.raises(ValueError, match="from -1 to 1, but there are"):
            model.fit(*x, verbose=0)
    free = GRJCA(**{**model.get_config(), "output_range": None})
    free.fit(X, y, verbose=0)


def test_a_sample_without_annotation_is_no_label():
    model, y = grjca(num_targets=2, per_step=False), np.zeros((4, 2))
    y[0] = -5
    with pytest.raises(ValueError, match="labels from -5"):
        model.fit(X, y, verbose=0)


def test_steps_without_annotation_lie_within_every_range():
    model, y = grjca(num_targets=2, per_step=True), np.zeros((4, 3, 2))
    y[0, 1] = -5
    model.compile()
    model.fit(X, y, verbose=0)


@pytest.mark.parametrize(
    ("model", "argument", "value"),
    [(MSAF, "units", 8), (GRJCA, "channels", [4])],
)
def test_widths_by_modality_name_every_modality(model, argument, value):
    with pytest.raises(ValueError, match=f"`{argument}` is one value, or"):
        model.from_shapes(SHAPES, **{argument: {"audio": value}})


def test_frames_of_another_size_are_named():
    video = IRResNetEncoder(blocks=[1], widths=[4], features=4, name="video")
    audio = VGGishEncoder(
        channels=[[4]], units=[4], features=4, size=(8, 8), name="audio"
    )
    model = GRJCA({"video": video, "audio": audio}, hidden_units=4)
    x = {"video": np.ones((1, 2, 48, 48, 3)), "audio": np.ones((1, 2, 8, 8))}
    with pytest.raises(ValueError, match="height 48 instead of 40"):
        model.predict(x, verbose=0)


def test_what_is_no_msaf_has_no_unimodal_parts():
    with pytest.raises(ValueError, match="Expected an MSAF"):
        unimodal(mea(), "audio")


@MODELS
def test_sample_weights_of_a_foreign_byte_order(model):
    weight, labels = np.ones(4, ">f4"), np.arange(4) % 2
    built = model()
    for call in (
        lambda: built.fit(X, labels, sample_weight=weight),
        lambda: built.fit(X, labels, validation_data=(X, labels, weight)),
        lambda: built.evaluate(X, labels, sample_weight=weight),
        lambda: built.evaluate(X, labels, None, 0, weight),
        lambda: built.test_on_batch(X, labels, weight),
        lambda: built.train_on_batch(X, labels, sample_weight=weight),
    ):
        with pytest.raises(ValueError, match="Sample weights must have this"):
            call()


@MODELS
def test_numbers_are_no_classes_to_weigh(model):
    with pytest.raises(ValueError, match="this one predicts numbers"):
        model().fit(X, np.ones(4), class_weight={0: 1.0, 1: 2.0})
