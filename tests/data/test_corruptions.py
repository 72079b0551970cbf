"""Corruptions change what they say, and padding never."""

import numpy as np
import pytest

from keras_mmfusion.data import ModalityDropout, Split, corruptions

pytestmark = pytest.mark.once

LENGTHS = np.array([10, 4, 0, 7] * 50)


def batch(extra_padding=0):
    random = np.random.default_rng(3)
    audio = np.zeros((200, 10 + extra_padding, 3), np.float32)
    video = np.zeros((200, 12 + extra_padding, 2), np.float32)
    for row, length in zip(audio, LENGTHS, strict=True):
        row[:length] = random.normal(0, 2, (length, 3)) + 5
    for row, length in zip(video, LENGTHS[::-1], strict=True):
        row[:length] = random.normal(0, [1, 10], (length, 2))
    image = random.normal(0, 1, (200, 4)).astype(np.float32)
    return {"audio": audio, "video": video, "image": image}


EVERY = {
    "drop_modality": lambda x, s: corruptions.drop_modality(
        x, ["audio", "image"], 0.5, s
    ),
    "drop_blocks": lambda x, s: corruptions.drop_blocks(x, 0.5, seed=s),
    "drop_frames": lambda x, s: corruptions.drop_frames(x, 0.5, seed=s),
    "add_noise": lambda x, s: corruptions.add_noise(x, 0.5, seed=s),
    "shift_time": lambda x, s: corruptions.shift_time(x, "audio", s + 1),
    "swap_partner": lambda x, s: corruptions.swap_partner(x, "audio", 0.5, s),
    "ModalityDropout": lambda x, s: ModalityDropout(0.5)(x, s),
}


@pytest.mark.parametrize("name", EVERY)
def test_common_promises(name):
    corrupt = EVERY[name]
    inputs = batch()
    result = corrupt(inputs, 0)
    for key, values in batch().items():
        np.testing.assert_array_equal(inputs[key], values)
        assert result[key].dtype == np.float32
        assert result[key].shape == values.shape
    changed = [k for k in inputs if not np.array_equal(result[k], inputs[k])]
    assert changed
    again = corrupt(inputs, 0)
    other = corrupt(inputs, 1)
    for key in inputs:
        np.testing.assert_array_equal(result[key], again[key])
    assert any(not np.array_equal(result[k], other[k]) for k in inputs)
    # More padding changes nothing, and stays zero.
    wide = corrupt(batch(extra_padding=5), 0)
    for key in ("audio", "video"):
        steps = inputs[key].shape[1]
        np.testing.assert_array_equal(wide[key][:, :steps], result[key])
        assert not wide[key][:, steps:].any()
        if name != "swap_partner":
            zero = ~inputs[key].any(axis=2)
            if name != "shift_time":
                assert not result[key][zero].any()


def test_drop_modality_drops_the_named_ones_together():
    inputs = batch()
    result = corruptions.drop_modality(inputs, "image")
    assert not result["image"].any()
    assert result["audio"] is inputs["audio"]
    result = corruptions.drop_modality(inputs, ["image", "audio"], 0.3)
    gone = ~result["image"].any(axis=1)
    assert 0.2 < gone.mean() < 0.4
    assert not result["audio"][gone].any()
    np.testing.assert_array_equal(
        result["audio"][~gone], inputs["audio"][~gone]
    )


def test_drop_blocks_drops_one_block_of_the_share():
    inputs = batch()
    result = corruptions.drop_blocks(inputs, 0.5, ["audio"])
    starts = set()
    for before, after, length in zip(
        inputs["audio"], result["audio"], LENGTHS, strict=True
    ):
        dropped = np.flatnonzero(before.any(axis=1) & ~after.any(axis=1))
        assert len(dropped) == np.rint(0.5 * length)
        if len(dropped):
            assert dropped[-1] - dropped[0] == len(dropped) - 1
            starts.add(int(dropped[0]))
    assert starts == set(range(6))
    assert result["video"] is inputs["video"]
    everything = corruptions.drop_blocks(inputs, 1.0)
    assert not everything["audio"].any()
    assert everything["image"].any()


def test_drop_frames_drops_single_steps_at_the_rate():
    inputs = batch()
    result = corruptions.drop_frames(inputs, 0.3)
    valid = inputs["audio"].any(axis=2)
    kept = result["audio"].any(axis=2)
    assert 0.25 < 1 - kept.sum() / valid.sum() < 0.35
    np.testing.assert_array_equal(result["audio"][kept], inputs["audio"][kept])
    same = corruptions.drop_frames(inputs, 0.0)
    np.testing.assert_array_equal(same["audio"], inputs["audio"])


def test_noise_is_independent_per_step_and_scaled_by_the_feature():
    inputs = batch()
    result = corruptions.add_noise(inputs, 0.5)
    real = inputs["video"].any(axis=2)
    noise = (result["video"] - inputs["video"])[real]
    deviation = inputs["video"][real].std(axis=0)
    assert deviation[1] > 5 * deviation[0]
    np.testing.assert_allclose(noise.std(axis=0), 0.5 * deviation, rtol=0.1)
    # Every step has its own noise: neighbours do not go together.
    full = (result["audio"] - inputs["audio"])[LENGTHS == 10]
    for feature in range(3):
        pairs = full[:, :-1, feature].ravel(), full[:, 1:, feature].ravel()
        assert abs(np.corrcoef(*pairs)[0, 1]) < 0.15
    image = result["image"] - inputs["image"]
    np.testing.assert_allclose(image.std(), 0.5, rtol=0.1)


def test_noise_takes_given_deviations():
    inputs = batch()
    quiet = corruptions.add_noise(
        inputs, 1.0, ["audio"], deviations={"audio": [0.0, 0.0, 2.0]}
    )
    difference = (quiet["audio"] - inputs["audio"])[LENGTHS == 10]
    assert not difference[..., :2].any()
    np.testing.assert_allclose(difference[..., 2].std(), 2.0, rtol=0.1)
    assert quiet["video"] is inputs["video"]


def test_noise_leaves_missing_frames_missing():
    inputs = {"x": np.ones((1, 4, 2), np.float32)}
    inputs["x"][0, 1] = 0.0
    inputs["x"][0, 0] = 2.0
    result = corruptions.add_noise(inputs, 1.0)
    assert result["x"].any(axis=2).tolist() == [[True, False, True, True]]


def test_shift_moves_valid_steps_in_a_circle():
    steps = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]], np.float32)
    inputs = {"x": steps[..., None], "y": np.ones((2, 3, 1), np.float32)}
    later = corruptions.shift_time(inputs, "x", 1)["x"][..., 0]
    assert later.tolist() == [[3, 1, 2, 0, 0], [8, 4, 5, 6, 7]]
    earlier = corruptions.shift_time(inputs, "x", -2)["x"][..., 0]
    assert earlier.tolist() == [[3, 1, 2, 0, 0], [6, 7, 8, 4, 5]]


def test_partners_are_others_and_give_once():
    inputs = {"x": np.arange(50, dtype=np.float32)[:, None]}
    inputs["y"] = inputs["x"]
    result = corruptions.swap_partner(inputs, "x")
    given = result["x"][:, 0].astype(int)
    assert sorted(given) == list(range(50))
    assert (given != np.arange(50)).all()
    np.testing.assert_array_equal(result["y"], inputs["y"])
    some = corruptions.swap_partner(inputs, "x", rate=0.3)
    moved = some["x"][:, 0] != inputs["x"][:, 0]
    assert 5 <= moved.sum() <= 25
    two = {"x": np.array([[1.0], [2.0]], np.float32)}
    assert corruptions.swap_partner(two, "x")["x"].tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0])
def test_modality_dropout_never_drops_everything(rate):
    inputs = batch()
    present = np.stack(
        [v.reshape(200, -1).any(axis=1) for v in inputs.values()]
    )
    result = ModalityDropout(rate)(inputs, seed=1)
    kept = np.stack([v.reshape(200, -1).any(axis=1) for v in result.values()])
    assert (kept.sum(axis=0) >= 1).all()
    assert not (kept & ~present).any()
    dropped = 1 - kept.sum() / present.sum()
    if rate == 0.5:
        assert 0.35 < dropped < 0.5
    if rate == 1.0:
        assert (kept.sum(axis=0) == 1).all()
        # The one that stays is any of them.
        assert (kept.sum(axis=1) > 20).all()


def test_modality_dropout_leaves_missing_samples_and_rate_zero_alone():
    inputs = {k: np.zeros_like(v) for k, v in batch().items()}
    result = ModalityDropout(0.5)(inputs)
    assert not any(v.any() for v in result.values())
    result = ModalityDropout(0.0)(batch())
    for name, values in batch().items():
        np.testing.assert_array_equal(result[name], values)


def test_transforms_of_batches_differ_by_batch_and_epoch_but_repeat():
    part = Split({"a": np.ones((64, 2)), "b": np.ones((64, 2))}, np.zeros(64))
    first = part.batches(32, transform=ModalityDropout(0.5))
    second = part.batches(32, transform=ModalityDropout(0.5))
    for index in (0, 1):
        np.testing.assert_array_equal(
            first[index][0]["a"], second[index][0]["a"]
        )
    assert not np.array_equal(first[0][0]["a"], first[1][0]["a"])
    before = first[0][0]["a"]
    first.on_epoch_end()
    assert not np.array_equal(first[0][0]["a"], before)
    other = part.batches(32, transform=ModalityDropout(0.5), seed=1)
    assert not np.array_equal(other[0][0]["a"], before)


BAD = {
    "rate": (lambda x: corruptions.drop_frames(x, 1.5), r"0\.\.1.*1.5"),
    "nan rate": (lambda x: corruptions.drop_blocks(x, np.nan), "nan"),
    "dropout": (lambda x: ModalityDropout(-0.1), "-0.1"),
    "scale": (lambda x: corruptions.add_noise(x, -1.0), "negative"),
    "name": (
        lambda x: corruptions.drop_modality(x, "text"),
        r"among .'audio'.*'text'",
    ),
    "vector": (
        lambda x: corruptions.shift_time(x, "image", 1),
        r"names of sequences, among .'audio', 'video'.*'image'",
    ),
    "single": (
        lambda x: corruptions.swap_partner(
            {k: v[:1] for k, v in x.items()}, "image"
        ),
        "two samples. Received: 1",
    ),
    "sizes": (
        lambda x: corruptions.drop_frames(x | {"image": x["image"][:2]}, 0.1),
        "'image': 2",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        call(batch())


def test_noise_of_pictures_and_of_sequences_of_their_deviations():
    random = np.random.default_rng(0)
    shapes = {"picture": (50, 6, 5, 3), "clip": (50, 4, 6, 5, 3)}
    x = {m: random.normal(size=shape) for m, shape in shapes.items()}
    own = {m: random.uniform(1, 2, (6, 5, 3)) for m in x}
    noisy = corruptions.add_noise(x, scale=2.0, deviations=own, seed=1)
    for m, values in x.items():
        moved = (noisy[m] - values).reshape(-1, 90)
        expected = 2.0 * own[m].ravel()
        np.testing.assert_allclose(moved.std(axis=0), expected, rtol=0.45)
