import functools
from typing import Any

import keras
import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.encoders import DenseEncoder, LSTMEncoder, TCNEncoder
from keras_mmfusion.losses import ConcordanceLoss
from keras_mmfusion.models import GRJCA
from tests import goldens
from tests.backend import call, numpy_of, relative_error
from tests.goldens.fill import fill

SHAPES = {"audio": (None, 5), "video": (None, 6)}


def float32(arrays: dict) -> dict:
    return {k: np.asarray(v, "float32") for k, v in arrays.items()}


def small_batch(size: int = 4, steps: int = 8) -> dict:
    rng = np.random.default_rng(0)
    return float32(
        {m: rng.normal(size=(size, steps, s[-1])) for m, s in SHAPES.items()}
    )


def build(**arguments: Any) -> GRJCA:
    return GRJCA.from_shapes(
        SHAPES,
        channels=[4],
        encoder_kernel_size=3,
        hidden_units=8,
        seed=0,
        **arguments,
    )


@functools.cache
def small(**arguments: Any) -> GRJCA:
    """A small model whose every weight is random; not to be trained."""
    model = build(**arguments)
    rng = np.random.default_rng(1)
    for v in model.weights:
        if v.name in ("gain", "gamma", "moving_variance"):
            v.assign(rng.uniform(0.5, 1, v.shape))
        elif "seed" not in v.path:
            v.assign(rng.normal(size=v.shape) / 3)
    return model


@functools.cache
def official():
    """The published network behind its backbones, and its state dict."""
    model = GRJCA.from_preset("affwild2_features", load_weights=False)
    state = {
        name: fill(name, shape)
        for name, shape in goldens.load("grjca_network")
        .meta["state_dict"]
        .items()
        if not name.startswith("spatial.")
    }
    load_official(model, state)
    return model, state


def backbone_features() -> dict:
    features = goldens.grjca_backbone_features()
    return float32({"video": features["video"], "audio": features["logmel"]})


def test_equals_the_official_network_behind_its_backbones():
    model, _ = official()
    output = model.predict(backbone_features(), verbose=0)
    expected = goldens.load("grjca_network").outputs[0]
    assert relative_error(output, expected) < 1e-5


def test_official_weights_fit_either_order_of_the_modalities():
    model, state = official()
    config = {**model.get_config(), "modalities": ["audio", "video"]}
    turned = GRJCA(**config)
    load_official(turned, state)
    output = turned.predict(backbone_features(), verbose=0)
    expected = goldens.load("grjca_network").outputs[0]
    assert relative_error(output, expected) < 1e-5


def test_every_live_entry_is_needed_and_dead_ones_are_skipped():
    model, state = official()
    dead = {
        "GRJCA.text_gating_fc_layer.weight": np.ones((3, 128)),
        "GRJCA.Joint.init_hidden": np.ones((8, 2)),
        "GRJCA.vregressor.0.weight": np.ones((128, 512)),
        "temporal.video.network.0.net.0.weight_v": np.ones((512, 512, 5)),
        "temporal.bert.network.0.conv1.bias": np.ones(4),
        "bn.bert.weight": np.ones(4),
        "bn.video.num_batches_tracked": np.ones(()),
        "spatial.visual.logits.bias": np.ones(8),
        "spatial.audio.backbone.embeddings.4.bias": np.ones(128),
    }
    assert set(load_official(model, {**state, **dead})) == set(dead)
    with pytest.raises(ValueError, match=r"unexpected: .*regressor3"):
        load_official(model, {**state, "regressor3.bias": np.ones(1)})
    for name in ("bn1.running_var", "temporal.logmel.network.3.conv2.weight_g"):
        less = {k: v for k, v in state.items() if k != name}
        with pytest.raises(ValueError, match=f"Missing: .*{name}"):
            load_official(model, less)


def test_official_weights_need_video_and_audio():
    with pytest.raises(ValueError, match="'video' and one for 'audio'"):
        load_official(
            GRJCA.from_shapes({"a": (5, 3), "b": (5, 3)}, channels=[4]), {}
        )


def test_outputs_per_step_and_per_sample():
    x = small_batch()
    x["audio"][1, 5:] = 0
    x["video"][1, 5:] = 0
    y = small(num_targets=2).predict(x, verbose=0)
    assert y.shape == (4, 8, 2)
    assert np.abs(y).max() < 1
    assert not y[1, 5:].any()
    assert y[1, :5].all()
    assert small(per_step=False).output_shape == (None, 1)
    assert small(num_classes=3).output_shape == (None, None, 3)


def test_output_range():
    wide = build(output_range=3.0)
    free = GRJCA(**{**wide.get_config(), "output_range": None})
    for model, expected in ((wide, 3), (free, 9)):
        model.head.output_dense.bias.assign([9.0])
        model.head.output_dense.kernel.assign(np.zeros((8, 1)))
        fused = np.ones((1, 3, 8), "float32")
        y = call(model.head, fused, mask=np.ones((1, 3), bool))
        np.testing.assert_allclose(numpy_of(y), expected, rtol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"causal": True}])
def test_padding_and_batch_mates_change_nothing(arguments):
    model, x = small(**arguments), small_batch(4, 8)
    x["audio"][1, 5:] = 0
    x["video"][1, 3:] = 0
    x["video"][2] = 0
    y = model.predict(x, verbose=0)
    short = {m: v[1:2, :5] for m, v in x.items()}
    z = model.predict(short, verbose=0)
    np.testing.assert_allclose(y[1:2, :5], z, atol=1e-6)


def test_no_output_of_a_causal_model_sees_the_future():
    x = small_batch()
    changed = {m: v.copy() for m, v in x.items()}
    for v in changed.values():
        v[:, 5:] += 1
    for causal in (True, False):
        model = small(causal=causal)
        y, z = (model.predict(v, verbose=0) for v in (x, changed))
        assert (y[:, :5] == z[:, :5]).all() == causal
        assert np.abs(y - z)[:, 5:].min() > 0


def test_streaming_equals_the_whole_sequence():
    model, x = small(causal=True), small_batch()
    x["audio"][1] = 0
    x["video"][2, 4] = 0  # a hole is data
    whole = model.predict(x, verbose=0)
    assert whole.std() > 0.05
    stream = model.stream(batch_size=4)
    for _ in range(2):
        steps = [
            stream.step({m: v[:, t] for m, v in x.items()}) for t in range(8)
        ]
        assert relative_error(np.stack(steps, axis=1), whole) < 1e-5
        stream.reset()


def test_streaming_one_prediction_from_all_steps_so_far():
    model = small(
        causal=True,
        per_step=False,
        gate="hierarchical",
        temporal_mixing="none",
    )
    x, stream = small_batch(), model.stream(batch_size=4)
    stream.step({m: v[:, :4] for m, v in x.items()})
    y = stream.step({m: v[:, 4:] for m, v in x.items()})
    assert relative_error(y, model.predict(x, verbose=0)) < 1e-5


@pytest.mark.parametrize("size", [0, -1, 2.5, "a"])
def test_streams_run_side_by_side_in_whole_numbers(size):
    with pytest.raises(ValueError, match="batch_size"):
        small(causal=True).stream(size)


def test_a_stream_takes_modalities_by_name():
    with pytest.raises(ValueError, match="dict"):
        small(causal=True).stream(4).step([*small_batch().values()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"causal=False.*encoder of 'audio' is not causal"),
        ({"causal": True, "resample": 4}, "`resample` stretches"),
    ],
)
def test_what_looks_ahead_cannot_stream(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments).stream()


def test_the_published_form_cannot_stream_and_says_why():
    model, _ = official()
    with pytest.raises(ValueError, match="mixes every step with all later"):
        model.stream()


def test_a_stream_names_what_it_cannot_take():
    stream = small(causal=True).stream(batch_size=2)
    x = {m: v[:2, 0] for m, v in small_batch().items()}
    with pytest.raises(ValueError, match="audio"):
        stream.step({"video": x["video"]})
    with pytest.raises(ValueError, match="2 sequences side by side"):
        stream.step({m: v[:1] for m, v in x.items()})


def test_modalities_at_different_rates():
    x = small_batch()
    x["audio"] = np.repeat(x["audio"], 3, axis=1)
    with pytest.raises(ValueError, match="resample"):
        small().predict(x, verbose=0)
    model = small(resample="video")
    y = model.predict(x, verbose=0)
    assert y.shape == (4, 8, 1)
    assert small(resample=5).output_shape == (None, 5, 1)


def test_explain_gives_gates_over_time_and_attention_maps():
    x = small_batch()
    x["video"][0, 5:] = 0
    seen = small(gate="hierarchical").explain(x)
    assert set(seen["gates"]) == {"gate", "gate1", "gate2"}
    assert seen["gates"]["gate2"]["audio"].shape == (4, 8, 3)
    total = seen["gates"]["gate"]["video"].sum(axis=-1)
    np.testing.assert_allclose(total, x["video"].any(axis=-1), rtol=1e-5)
    assert seen["attention"]["attention2"]["video"].shape == (4, 4, 8)


def test_the_default_loss_is_concordance_per_step():
    assert isinstance(small().loss, ConcordanceLoss)
    assert isinstance(small(per_step=False).loss, keras.losses.MeanSquaredError)
    loss = small(num_classes=3).loss
    assert isinstance(loss, keras.losses.SparseCategoricalCrossentropy)


def test_fit_learns_which_modality_to_trust():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = np.cumsum(rng.normal(size=(64, 10)), axis=1) / 4
    y = np.tanh(y)[..., None]
    x = float32(
        {
            "audio": rng.normal(size=(64, 10, 3)),
            "video": np.repeat(y, 3, axis=-1)
            + 0.1 * rng.normal(size=(64, 10, 3)),
        }
    )
    model = GRJCA.from_shapes(
        dict.fromkeys(x, (None, 3)),
        channels=[8],
        encoder_kernel_size=3,
        steps=1,
        dropout=0.1,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, y, epochs=100, batch_size=16, verbose=0, shuffle=False)
    assert model.evaluate(x, y, verbose=0)[1] > 0.8


def test_labels_of_another_shape_are_refused():
    x = small_batch()
    for labels in (np.zeros(4), np.zeros((4, 7)), np.zeros((3, 8))):
        with pytest.raises(ValueError, match="per_step=False"):
            build().fit(x, labels, verbose=0)
    with pytest.raises(ValueError, match="finite"):
        small().evaluate(x, np.full((4, 8, 1), np.nan), verbose=0)
    with pytest.raises(ValueError, match=r"0\.\.2"):
        small(num_classes=3).evaluate(x, np.full((4, 8), 3), verbose=0)


def test_keras_file_round_trip(tmp_path):
    model, x = build(), small_batch()
    model.compile("sgd", model.loss)
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(x, verbose=0), twin.predict(x, verbose=0)
    )
    assert isinstance(twin.loss, ConcordanceLoss)


def test_a_new_head_keeps_all_but_its_last_layer(tmp_path):
    model = small()
    model.save_to_preset(tmp_path / "preset")
    with pytest.warns(UserWarning, match=r"head/output/bias"):
        twin = GRJCA.from_preset(tmp_path / "preset", num_targets=2)
    hidden = (m.head.hidden.kernel for m in (model, twin))
    np.testing.assert_array_equal(*map(numpy_of, hidden))


@pytest.mark.parametrize(
    ("encoders", "arguments", "message"),
    [
        ([LSTMEncoder(5, 4, name="audio")], {}, "as many steps"),
        ([DenseEncoder(5, 4, name="audio")], {}, "as many steps"),
        ([], {}, "two or more"),
        ([TCNEncoder(5, [4], name="sound")], {}, "must be named so"),
        (
            [TCNEncoder(5, [4], name="audio")],
            {"temporal_mixing": "dense"},
            "fixed number of steps",
        ),
    ],
)
def test_bad_configurations_are_named(encoders, arguments, message):
    video = TCNEncoder(6, [4], name="video")
    both = {"video": video, **dict(zip(["audio"], encoders, strict=False))}
    with pytest.raises(ValueError, match=message):
        GRJCA(both, **arguments)


def test_vectors_and_clips_are_refused():
    with pytest.raises(ValueError, match="takes sequences"):
        GRJCA.from_shapes({"audio": (None, 5), "facts": (3,)})


def test_three_modalities_in_any_order():
    shapes = {"c": (6, 3), "a": (6, 4), "b": (6, 5)}
    model = GRJCA.from_shapes(
        shapes,
        channels=[4],
        temporal_mixing="dense",
        modalities=["b", "c", "a"],
    )
    assert model.modalities == ["b", "c", "a"]
    rng = np.random.default_rng(0)
    x = float32({m: rng.normal(size=(2, *s)) for m, s in shapes.items()})
    first = model.predict(x, verbose=0)
    turned = dict(reversed(x.items()))
    np.testing.assert_array_equal(first, model.predict(turned, verbose=0))
