"""The packaged AV-digits sample."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from keras_mmfusion.data import av_digits, load

pytestmark = pytest.mark.once

FULL = (
    Path(__file__).parents[3]
    / "shared"
    / "data"
    / "av_digits"
    / "av_digits.npz"
)
RECIPE = (
    Path(__file__).parents[2]
    / "weights"
    / "recipes"
    / "make_av_digits_sample.py"
)
needs_full = pytest.mark.skipif(
    not FULL.exists(), reason=f"the full AV-digits file is not at {FULL}"
)


@pytest.fixture(scope="module")
def degraded():
    return load("av_digits")


@pytest.fixture(scope="module")
def clean():
    return load("av_digits", variant="clean")


def test_sample_and_licence_stay_within_three_megabytes():
    folder = av_digits.SAMPLE_PATH.parent
    total = sum(p.stat().st_size for p in folder.glob("*AV_DIGITS*"))
    total += av_digits.SAMPLE_PATH.stat().st_size
    assert total <= 3_000_000
    licence = (folder / "AV_DIGITS_LICENSE.md").read_text()
    assert "CC BY-SA 4.0" in licence
    assert "Zohar Jackson" in licence


def test_sample_holds_every_valid_and_test_pair(degraded):
    assert {k: len(v) for k, v in degraded.splits.items()} == {
        "train": 1260,
        "valid": 900,
        "test": 6000,
    }
    assert len(set(degraded.test.groups["recording"])) == 300
    assert len(set(degraded.valid.groups["recording"])) == 300
    counts = np.bincount(degraded.test.labels)
    assert counts.tolist() == [600] * 10


def test_splits_follow_the_recording_index(degraded):
    allowed = {"train": range(10, 50), "valid": range(5, 10), "test": range(5)}
    for name, split in degraded.splits.items():
        indices = {int(r.split("_")[2]) for r in split.groups["recording"]}
        assert indices <= set(allowed[name])
        source = "mnist-test" if name == "test" else "mnist-valid"
        assert all(f"+{source}-" in sample for sample in split.ids)


def test_labels_are_the_digits_of_the_recordings(degraded):
    for split in degraded.splits.values():
        digits = [int(r.split("_")[0]) for r in split.groups["recording"]]
        assert split.labels.tolist() == digits


def test_no_valid_frame_is_all_zeros(degraded, clean):
    for dataset in (degraded, clean):
        for split in dataset.splits.values():
            column = split.features["audio"]
            seen = {
                recording: index
                for index, recording in enumerate(split.groups["recording"])
            }
            for index in seen.values():
                frames = column[index]
                assert len(frames) >= 12
                assert frames.any(axis=1).all()
            assert (split.features["image"].lengths() == 1).all()


def test_features_are_about_standardised(degraded):
    # The statistics are those of the full training split, of which the
    # sample holds a part.
    audio = degraded.train.features["audio"]
    frames = np.concatenate([audio[i] for i in range(len(audio))])
    assert np.abs(frames.mean(axis=0)).max() < 0.1
    assert np.abs(frames.std(axis=0) - 1).max() < 0.1
    inputs, _ = degraded.train.arrays()
    assert np.abs(inputs["image"].mean(axis=0)).max() < 0.1
    assert np.abs(inputs["image"].std(axis=0) - 1).max() < 0.1


def test_degradation_is_log_added_seeded_noise(degraded, clean):
    with np.load(av_digits.SAMPLE_PATH) as stored:
        file = dict(stored)
    recording = int(file["test_recordings"][0])
    first, start, end = (
        int(file["audio_first_frames"][recording]),
        int(file["audio_offsets"][recording]),
        int(file["audio_offsets"][recording + 1]),
    )
    x = file["audio_codes"][start:end] / 11.0 - 14.0
    noise = np.random.default_rng(0).standard_normal((125237, 40))
    noise = noise[first : first + end - start]
    expected = np.logaddexp(x, noise) - file["audio_mean_degraded"]
    expected /= file["audio_deviation_degraded"]
    np.testing.assert_allclose(
        degraded.test.features["audio"][0], expected, rtol=1e-5, atol=1e-6
    )
    expected = (x - file["audio_mean_clean"]) / file["audio_deviation_clean"]
    np.testing.assert_allclose(
        clean.test.features["audio"][0], expected, rtol=1e-5, atol=1e-6
    )


def test_degraded_image_is_a_projection_of_the_clean_one(degraded, clean):
    with np.load(av_digits.SAMPLE_PATH) as file:
        W, mean = file["image_components"], file["image_mean"]
        deviation = file["image_deviation"]
    np.testing.assert_allclose(W @ W.T, np.eye(4), atol=1e-12)
    pixels = np.stack([clean.test.features["image"][i] for i in range(50)])
    image = np.stack([degraded.test.features["image"][i] for i in range(50)])
    assert pixels.min() == 0.0
    assert pixels.max() == 1.0
    np.testing.assert_allclose(
        image, (pixels - mean) @ W.T / deviation, rtol=1e-4, atol=1e-5
    )


def test_one_byte_codes_lose_less_than_half_a_step():
    values = np.linspace(-13.81, 7.992, 1001)
    error = np.abs(av_digits.decode(av_digits.encode(values)) - values)
    assert error.max() <= 0.5 / 11 + 1e-9


def test_unknown_variant_is_an_error():
    with pytest.raises(ValueError, match=r"'degraded', 'clean'.*'noisy'"):
        load("av_digits", variant="noisy")


def test_other_random_numbers_are_an_error(monkeypatch):
    monkeypatch.setattr(av_digits, "_NOISE_ENDS", (0.0, 0.0))
    with pytest.raises(ValueError, match="other random numbers"):
        load("av_digits")
    load("av_digits", variant="clean")


def test_from_full_refuses_another_file(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match=r"full AV-digits file.*other\.npz"):
        av_digits.from_full(path)
    with pytest.raises(FileNotFoundError):
        av_digits.from_full(tmp_path / "nothing.npz")
    stored = av_digits.SAMPLE_PATH.read_bytes()
    for content in (b"", b"no numbers", stored[:100_000]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"other\.npz.*damaged"):
            av_digits.from_full(path)


def test_from_full_computes_the_same_features_from_a_small_full_file(tmp_path):
    """The whole path on a full-like file that the test makes itself."""
    path = tmp_path / "full.npz"
    random = np.random.default_rng(1)
    frames = av_digits._FULL_FRAMES
    logmel = random.normal(-3, 2, (frames, 40)).astype(np.float16)
    offsets = np.array([0, 30, 70, 100, frames], np.int32)
    pairs = np.array([[3, 5, 1], [2, 4, 0], [3, 1, 1], [2, 0, 0]], np.int32)
    np.savez(
        path,
        audio_logmel=logmel,
        audio_offsets=offsets,
        audio_label=np.array([0, 1, 0, 1], np.uint8),
        audio_speaker=np.array([0, 0, 1, 1], np.uint8),
        audio_index=np.array([0, 5, 10, 11], np.int16),
        speaker_names=np.array(["ann", "bob"]),
        image_trainval=random.integers(0, 256, (6, 28, 28), np.uint8),
        image_test=random.integers(0, 256, (2, 28, 28), np.uint8),
        pairs_train=pairs,
        pairs_val=np.array([[1, 2, 1]], np.int32),
        pairs_test=np.array([[0, 1, 0]], np.int32),
    )
    dataset = av_digits.from_full(path, variant="clean")
    assert dataset.test.ids == ["0_ann_0+mnist-test-1"]
    used = av_digits.decode(av_digits.encode(logmel))[70:]
    expected = (used[:30] - used.mean(axis=0)) / used.std(axis=0)
    np.testing.assert_allclose(
        dataset.train.features["audio"][1], expected, rtol=1e-5, atol=1e-6
    )


@needs_full
def test_sample_equals_its_part_of_the_full_set(degraded):
    full = av_digits.from_full(FULL)
    for name, split in degraded.splits.items():
        other = full.splits[name]
        rows = {sample: row for row, sample in enumerate(other.ids)}
        other = other.subset([rows[sample] for sample in split.ids])
        assert np.array_equal(split.labels, other.labels)
        for modality, column in split.features.items():
            for index in range(0, len(split), 5):
                np.testing.assert_allclose(
                    column[index],
                    other.features[modality][index],
                    rtol=1e-5,
                    atol=1e-6,
                )
    assert full.test.ids == degraded.test.ids


@needs_full
def test_recipe_makes_the_packaged_sample(tmp_path):
    path = tmp_path / "sample.npz"
    runpy.run_path(str(RECIPE))["make"](FULL, path)
    with np.load(path) as made, np.load(av_digits.SAMPLE_PATH) as packaged:
        assert set(made) == set(packaged)
        for name in packaged:
            assert made[name].dtype == packaged[name].dtype
            if made[name].dtype.kind == "f":
                np.testing.assert_allclose(
                    made[name], packaged[name], rtol=1e-6, atol=1e-9
                )
            else:
                np.testing.assert_array_equal(made[name], packaged[name])
