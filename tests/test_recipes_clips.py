"""Recipes on clips of frames start and learn, with small networks."""

import numpy as np
import pytest

from keras_mmfusion import data, encoders, models, presets
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated_clips import (
    simulated_actions,
    simulated_emotions,
)
from tests.test_recipes import load_recipe

# Convolutions over time and space train many times slower on JAX' CPU.
pytestmark = pytest.mark.once("torch")


def small_emotion_network():
    return models.MSAF(
        {
            "audio": encoders.MFCCEncoder(
                steps=40, channels=[8, 8, 8], dropouts=[0, 0], name="audio"
            ),
            "video": encoders.ResNeXt3DEncoder(
                size=16,
                blocks=[1, 1],
                widths=[4, 8],
                groups=2,
                stem_width=4,
                name="video",
            ),
        },
        [
            {
                "after": {"audio": "conv2", "video": "stage1"},
                "block_channels": 4,
            }
        ],
        num_classes=8,
        combine="sum",
    )


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory):
    """The recipe, its folder after one fold, and the result."""
    folder = tmp_path_factory.mktemp("ravdess")
    recipe = load_recipe("msaf_ravdess")
    clips = simulated_emotions(actors=12, frames=4, size=16, steps=40)
    write_file(clips, folder / "x", "msaf_ravdess")
    (result,) = recipe.train(
        data.load(folder / "x").train,
        folder / "preset",
        folder / "work",
        small_emotion_network,
        folds=[2],
        seeds=1,
        epochs=4,
    )
    return recipe, folder, result


def test_msaf_ravdess_learns(ravdess):
    _, folder, result = ravdess
    assert "fold 2 of 6, corrected" in result.dataset["name"]
    assert result.models["msaf"].scores["accuracy"].mean > 0.3  # chance 0.125
    assert presets.verify_preset(folder / "preset").trained
    card = (folder / "preset" / "README.md").read_text()
    assert "corrected protocol" in card
    assert models.MSAF.from_preset(folder / "preset").num_classes == 8


def test_msaf_ravdess_begins_with_the_parts(ravdess):
    recipe, folder, _ = ravdess
    parts = folder / "work" / "corrected" / "fold2" / "alone"
    begun = recipe.fused(0, small_emotion_network, parts)
    video = recipe.trained_model(
        lambda seed: recipe.alone(seed, small_emotion_network, "video"),
        parts,
        "video",
        0,
    )
    for name in ("video_stem", "video_stage2", "head_video"):
        weights = begun.get_layer(name).get_weights()
        for found, expected in zip(
            weights, video.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_msaf_ravdess_splits_by_actor():
    recipe = load_recipe("msaf_ravdess")
    everything = simulated_emotions(actors=12).train
    tested = []
    for fold in range(1, 7):
        split = recipe.held_out(everything, fold, "corrected")
        speakers = [set(s.groups["speaker"]) for s in split.splits.values()]
        assert [len(s) for s in speakers] == [8, 2, 2]
        assert not split.check_leaks()
        tested += sorted(speakers[2])
    assert tested == sorted(set(everything.groups["speaker"]))
    official = recipe.held_out(everything, 1, "official")
    assert official.valid.ids == official.test.ids
    assert len(official.train) == 80


def small_action_network():
    return models.MSAF(
        {
            "video": encoders.I3DEncoder(
                size=16, width=1 / 16, momentum=0.9, dropout=0, name="video"
            ),
            "skeleton": encoders.HCNEncoder(
                steps=8, features=16, dropout=0, name="skeleton"
            ),
        },
        [
            {
                "after": {"video": "mixed_5b", "skeleton": "conv5"},
                "block_channels": 16,
                "attention_floor": 0.5,
            }
        ],
        num_classes=4,
        combine="none",
    )


SUBJECTS = (1, 2, 3, 4, 5, 6, 8, 9)  # 3 and 6 are tested


def test_msaf_ntu_learns(tmp_path):
    recipe = load_recipe("msaf_ntu")
    clips = simulated_actions(SUBJECTS, frames=8, size=16)
    write_file(clips, tmp_path / "x", "ntu_rgbd")
    result = recipe.train(
        data.load(tmp_path / "x", frames=8, size=16),
        tmp_path / "preset",
        tmp_path / "work",
        small_action_network,
        seeds=1,
        epochs=3,
        batch=12,
        rate=3e-3,
    )
    assert result.models["msaf"].scores["accuracy"].mean > 0.4  # chance 0.25
    assert presets.verify_preset(tmp_path / "preset").trained
    model = models.MSAF.from_preset(tmp_path / "preset", combine="sum")
    assert model.output_shape == (None, 4)


def test_msaf_ntu_protocols():
    recipe = load_recipe("msaf_ntu")
    everything = simulated_actions(SUBJECTS, frames=3, size=16).train
    subject = np.asarray([int(name[9:12]) for name in everything.ids])
    tested = np.isin(subject, [3, 6])

    def part(rows):
        chosen = everything.subset(np.flatnonzero(rows))
        return data.Split(
            chosen.features,
            chosen.labels,
            chosen.ids,
            {"subject": subject[rows]},
        )

    both = data.MultimodalDataset(
        part(~tested), None, part(tested), "x", "classification"
    )
    network = small_action_network()
    corrected = recipe.prepared(both, network, "corrected")
    assert not corrected.check_leaks()
    assert set(corrected.valid.groups["subject"]) == {8}
    assert set(corrected.train.groups["subject"]) == {1, 2, 4, 5, 9}
    official = recipe.prepared(both, network, "official")
    assert set(official.valid.ids) <= set(official.test.ids)
    assert len(official.train) == 6 * 12
