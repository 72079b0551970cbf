"""The recipe of UTD-MHAD on simulated clips in both of its layouts."""

import numpy as np
import pytest

from keras_mmfusion import data, models, presets
from keras_mmfusion.data.formats import write_file
from tests.test_recipes import load_recipe

ACTIONS = 3


def clip(action, subject, trial, steps=24):
    """The right hand waves, and the sensor turns, along the action's axis."""
    random = np.random.default_rng([action, subject, trial])
    wave = np.sin(np.linspace(0, 6, steps)) * (0.3 + 0.02 * subject)
    skeleton = np.zeros((steps, 20, 3))
    skeleton[:, :, 1] = np.linspace(0.6, -1.0, 20)
    skeleton[:, 4:8, 0], skeleton[:, 8:12, 0] = -0.2, 0.2
    skeleton[:, 12:16, 0], skeleton[:, 16:20, 0] = -0.1, 0.1
    skeleton[:, 3, 1] = 0
    skeleton[:, 9:12, action] += wave[:, None]
    inertial = random.normal(size=(2 * steps, 6)) * [0.1, 0.1, 0.1, 9, 9, 9]
    inertial[:, action] += np.repeat(wave, 2)
    inertial[:, 3 + action] += 100 * np.repeat(wave, 2)
    depth = np.zeros((steps // 2, 60, 40), "uint8")
    depth[:, 12:56, 14:26] = 120
    for frame, shift in zip(depth, np.rint(6 * wave[::2]), strict=True):
        row = 20 + 8 * action
        frame[row : row + 6, 20 + int(shift) : 34 + int(shift)] = 100
    return {
        "skeleton": skeleton.astype("float32"),
        "inertial": inertial.astype("float32"),
        "depth": depth,
    }


def clips(trials):
    return {
        f"a{a + 1}_s{s}_t{t}": clip(a, s, t)
        for a in range(ACTIONS)
        for s in range(1, 9)
        for t in trials
    }


def stacked(found, modality):
    parts = [one[modality] for one in found.values()]
    offsets = np.cumsum([0, *map(len, parts)])
    return {modality: np.concatenate(parts), f"{modality}_offsets": offsets}


@pytest.fixture
def folder(tmp_path):
    """The two files that stand for the data set where it is at hand."""
    found = clips(trials=(1, 4))
    path = tmp_path / "utd_mhad"
    path.mkdir()
    np.savez(
        path / "utd_mhad_skeleton_inertial.npz",
        name=list(found),
        **stacked(found, "skeleton"),
        **stacked(found, "inertial"),
    )
    np.savez(path / "utd_mhad_depth_60x40_15hz.npz", **stacked(found, "depth"))
    return path


@pytest.mark.slow
@pytest.mark.once("torch")
def test_it_learns_and_writes_a_preset(folder, tmp_path, monkeypatch):
    recipe = load_recipe("msaf_utd_mhad")
    monkeypatch.setattr(recipe, "CHANNELS", [16, 16, 16])
    monkeypatch.setattr(recipe, "BATCH", 6)
    monkeypatch.setattr(recipe, "SEVERITIES", {"missing modality": (1.0,)})
    dataset = recipe.read(folder)
    result = recipe.train(
        dataset, tmp_path / "preset", tmp_path / "work", seeds=1, epochs=12
    )
    assert result.models["msaf"].scores["accuracy"].mean > 0.6  # chance is 1/3
    assert set(result.models) == {
        *("msaf", "concat", "skeleton", "inertial", "depth"),
        *recipe.LATE,
    }
    assert [one.epoch for one in result.models["msaf"].runs] == [12]
    assert presets.verify_preset(tmp_path / "preset").trained
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "skeleton_input" in card
    assert "late fusion" in card
    assert "missing modality of depth" in card
    assert "subject: 1 in both" in card  # Watched, and trained on.
    model = models.MSAF.from_preset(tmp_path / "preset")
    assert model.num_classes == 27


@pytest.mark.once("torch")
def test_the_split_is_the_published_one(folder):
    recipe = load_recipe("msaf_utd_mhad")
    dataset = recipe.read(folder)
    subjects = {k: {*s.groups["subject"]} for k, s in dataset.splits.items()}
    assert subjects["train"] == {1, 3, 5, 7}
    assert subjects["test"] == {2, 4, 6, 8}
    assert len(dataset.train) == len(dataset.test) == ACTIONS * 8
    assert dataset.shapes == {
        m: (None, width) for m, width in recipe.FEATURES.items()
    }
    names = dataset.test.ids
    labels = [int(name[1 : name.index("_")]) - 1 for name in names]
    assert dataset.test.labels.tolist() == labels


@pytest.mark.once("torch")
def test_the_downloaded_folders_are_read(tmp_path):
    """One clip per split, with depth in millimetres at its full size."""
    raw = {name: clips((1,))[name] for name in ("a1_s1_t1", "a2_s2_t1")}
    splits = []
    for name, one in raw.items():
        large = np.where(
            one["depth"] > 0, 1900 + 1800 * (one["depth"] / 255.0), 0
        )
        frames = np.zeros((2 * len(large), 240, 320), "float32")
        frames[:, :, 80:240] = large.repeat(2, 0).repeat(4, 1).repeat(4, 2)
        arrays = {"skeleton": one["skeleton"], "inertial": one["inertial"]}
        features = {k: v[None] for k, v in {**arrays, "depth": frames}.items()}
        label = int(name[1]) - 1
        subject = {"subject": [name[4]]}
        splits.append(data.Split(features, [label], [name], subject))
    whole = data.MultimodalDataset(
        splits[0], None, splits[1], "utd", "classification"
    )
    write_file(whole, tmp_path / "utd", "utd_mhad")
    recipe = load_recipe("msaf_utd_mhad")
    read = dict(recipe.clips_of(tmp_path / "utd"))
    assert list(read) == list(raw)
    for name, one in raw.items():
        np.testing.assert_allclose(read[name]["skeleton"], one["skeleton"])
        # 1 to 255 are 1900 to 3700 mm.
        np.testing.assert_allclose(read[name]["depth"], one["depth"], atol=1.5)
