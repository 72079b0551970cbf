"""What we write, we read back; plain tools find the documented layout."""

import ast
import pickle
import pickletools
import subprocess
import sys

import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.data.formats import (
    FORMATS,
    load_file,
    load_texts,
    write_file,
)
from tests.data.formats import examples as ex

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:.*(no text|hold words):UserWarning"),
]

# Pictures are stored as JPEG.
TOLERANCE = {"msaf_ravdess": 4, "affwild2": 4}


def options_of(name, path):
    return {"texts": load_texts(path)} if name in ("mag", "misa") else {}


def same_column(found, expected, atol):
    assert found.item_shape == expected.item_shape
    for index in range(len(expected)):
        np.testing.assert_allclose(
            found[index], expected[index], rtol=1e-6, atol=atol
        )


@pytest.mark.parametrize("name", ex.MAKERS)
def test_round_trip(name, tmp_path):
    path = ex.MAKERS[name](tmp_path)
    before = load_file(path)
    written = tmp_path / "written"
    write_file(before, written, name, **options_of(name, path))
    after = load_file(written)
    assert after.task == before.task
    assert after.class_names == before.class_names
    assert set(after.splits) == set(before.splits)
    for split, expected in before.splits.items():
        found = after.splits[split]
        assert found.ids == expected.ids
        np.testing.assert_allclose(found.labels, expected.labels, rtol=1e-6)
        for modality, column in expected.features.items():
            tolerance = TOLERANCE.get(name, 1e-7)
            same_column(found.features[modality], column, tolerance)


@pytest.mark.parametrize("target", ["mmsa", "mult", "multibench", "msaf_npy"])
@pytest.mark.parametrize("origin", ["mmsa", "mult", "msaf_npy"])
def test_from_one_format_to_another(origin, target, tmp_path):
    before = load_file(ex.MAKERS[origin](tmp_path))
    write_file(before, tmp_path / "written", target)
    after = load_file(tmp_path / "written")
    for split, expected in before.splits.items():
        for modality in ("text", "audio", "video"):
            same_column(
                after.splits[split].features[modality],
                expected.features[modality],
                0,
            )


def plain(path):
    with path.open("rb") as file:
        return pickle.load(file)


def test_mmsa_layout(tmp_path):
    write_file(load_file(ex.mmsa(tmp_path)), tmp_path / "x.pkl", "mmsa")
    data = plain(tmp_path / "x.pkl")
    assert list(data) == ["train", "valid", "test"]
    entry = data["train"]
    assert set(entry) == {
        "raw_text",
        "audio",
        "vision",
        "id",
        "text",
        "audio_lengths",
        "vision_lengths",
        "annotations",
        "classification_labels",
        "regression_labels",
    }
    steps = ex.lengths("train", ex.AUDIO_STEPS)
    assert entry["audio"].shape == (5, max(steps), ex.AUDIO)
    assert entry["audio"].dtype == np.float32
    assert list(entry["audio_lengths"]) == steps
    assert not entry["audio"][0, steps[0] :].any()  # padded on the right
    assert entry["classification_labels"].tolist() == [0, 0, 0, 2, 2]
    assert entry["annotations"][0] == "Negative"
    assert entry["id"][0] == "vidtr$_$0"


def test_mmsa_aligned_layout_has_no_lengths(tmp_path):
    split = Split(
        {m: np.ones((2, 4, 3)) for m in ("text", "audio", "video")},
        labels=np.array([0.5, -1.0]),
    )
    data = MultimodalDataset(split, split, split, "x", "regression")
    texts = {key: [["a", "b"], ["c"]] for key in data.splits}
    write_file(data, tmp_path / "x.pkl", "mmsa", texts=texts)
    entry = plain(tmp_path / "x.pkl")["valid"]
    assert "audio_lengths" not in entry
    assert entry["raw_text"] == ["a b", "c"]
    assert load_texts(tmp_path / "x.pkl")["test"] == [["a", "b"], ["c"]]


def test_mult_layout(tmp_path):
    write_file(load_file(ex.mult(tmp_path)), tmp_path / "x.pkl", "mult")
    entry = plain(tmp_path / "x.pkl")["train"]
    assert set(entry) == {"vision", "audio", "text", "labels", "id"}
    steps = ex.lengths("train", ex.AUDIO_STEPS)
    start = entry["audio"].shape[1] - steps[0]
    assert not entry["audio"][0, :start].any()  # padded on the left
    assert entry["audio"][0, start:].all()
    assert entry["labels"].shape == (5, 1, 1)
    assert entry["id"].shape == (5, 3)  # readers index three parts


def test_mult_layout_of_emotions(tmp_path):
    write_file(load_file(ex.iemocap(tmp_path)), tmp_path / "x.pkl", "mult")
    labels = plain(tmp_path / "x.pkl")["test"]["labels"]
    expected = ex.iemocap_content()["test"]["labels"]
    np.testing.assert_array_equal(labels, expected)


def test_multibench_layout(tmp_path):
    path = tmp_path / "x.pkl"
    write_file(load_file(ex.multibench(tmp_path)), path, "multibench")
    entry = plain(path)["train"]
    assert set(entry) == {"vision", "audio", "text", "labels", "id"}
    assert entry["id"].tolist() == ["vtr[0]", "vtr[2]", "vtr[3]", "vtr[4]"]
    assert entry["labels"].shape == (4, 1, 1)
    # MultiBench deletes rows from every entry, so all must be arrays.
    assert all(isinstance(value, np.ndarray) for value in entry.values())


def test_mag_and_misa_layout(tmp_path):
    for name, parts in (("mag", 3), ("misa", 4)):
        path = ex.MAKERS[name](tmp_path)
        target = tmp_path / f"written_{name}"
        write_file(load_file(path), target, name, texts=load_texts(path))
        records = (
            plain(target)["dev"] if name == "mag" else plain(target / "dev.pkl")
        )
        features, label, segment = records[1]
        expected = ex.records("valid", parts)[1]
        assert len(features) == parts
        np.testing.assert_array_equal(features[0], expected[0][0])
        np.testing.assert_allclose(features[1], expected[0][1], rtol=1e-6)
        assert label.shape == (1, 1)
        assert segment == "vva[1]"


def test_msaf_npy_layout(tmp_path):
    write_file(load_file(ex.msaf_npy(tmp_path)), tmp_path / "x", "msaf_npy")
    steps = 11  # the longest item
    audio = np.load(tmp_path / f"x/val/audio{steps}.npy")
    assert audio.shape == (2, steps, ex.AUDIO)
    lengths = ex.lengths("valid", ex.AUDIO_STEPS)
    assert not audio[0, : steps - lengths[0]].any()
    bert = np.load(tmp_path / f"x/val/bert{steps}.npy")
    assert not bert[0, ex.lengths("valid", ex.TEXT_STEPS)[0] :].any()
    assert np.load(tmp_path / f"x/val/label{steps}.npy").shape == (2, 1, 1)
    assert (tmp_path / f"x/train/visual{steps}.npy").is_file()


def test_msaf_ravdess_layout(tmp_path):
    path = tmp_path / "x"
    write_file(load_file(ex.msaf_ravdess(tmp_path)), path, "msaf_ravdess")
    clip = path / "Actor_02/01-01-04-01-01-02-02.mp4"
    assert np.load(clip / "audios/featuresMFCC.npy").shape == (13, 7)
    assert len(list((clip / "frames").glob("*.jpg"))) == 11


def test_merbench_layout(tmp_path):
    write_file(load_file(ex.merbench(tmp_path)), tmp_path / "x", "merbench")
    with np.load(tmp_path / "x/label.npz", allow_pickle=True) as file:
        corpus = file["val_corpus"].tolist()
    assert corpus["vva_1"] == {"emo": 0, "val": 0.5}
    folder = tmp_path / "x/features"
    assert np.load(folder / "hubert-UTT/vva_1.npy").shape == (6,)
    assert np.load(folder / "clip-FRA/vte_0.npy").shape == (4, 5)


def test_csd_layout(tmp_path):
    import h5py

    write_file(load_file(ex.csd(tmp_path)), tmp_path / "x", "csd")
    with h5py.File(tmp_path / "x/audio.csd") as file:
        (root,) = file
        assert set(file[root]) == {"data", "metadata"}
        group = file[root]["data/a[1]"]
        assert group["features"].shape == (25, ex.AUDIO)
        assert group["intervals"].shape == (25, 2)
        name = file[root]["metadata/root name"][0].decode()
        assert ast.literal_eval(name) == root
    with h5py.File(tmp_path / "x/labels.csd") as file:
        label = file["Labels/data/b[0]/features"]
        assert label[:].tolist() == [[1.5]]
    folds: dict[str, list[str]] = {}
    exec((tmp_path / "x/std_folds.py").read_text(), folds)  # noqa: S102
    assert folds["standard_train_fold"] == ["a", "b"]


def test_ntu_mmaction_layout(tmp_path):
    path = tmp_path / "x.pkl"
    write_file(load_file(ex.ntu_mmaction(tmp_path)), path, "ntu_mmaction")
    data = plain(path)
    assert set(data) == {"split", "annotations"}
    assert len(data["split"]["xsub_train"]) == 4
    assert set(data["split"]) == {"xsub_train", "xsub_val"}
    clip = data["annotations"][1]
    assert clip["frame_dir"] == data["split"]["xsub_train"][1]
    assert clip["keypoint"].shape == (2, 5, 17, 2)
    assert clip["keypoint_score"].shape == (2, 5, 17)
    assert clip["total_frames"] == 5


@pytest.mark.parametrize(("joints", "scores"), [(4, 6), (6, 4), (0, 6), (5, 5)])
def test_ntu_mmaction_frames_without_one_of_the_two(joints, scores, tmp_path):
    before = ex.ntu_content()
    for clip in before["annotations"]:
        clip["total_frames"] = 6
        clip["keypoint"] = np.ones((2, 6, 5, 3), np.float32)
        clip["keypoint_score"] = np.ones((2, 6, 5), np.float32)
        clip["keypoint"][:, joints:] = 0
        clip["keypoint_score"][:, scores:] = 0
    dataset = load_file(ex.dump(tmp_path / "x.pkl", before))
    write_file(dataset, tmp_path / "y.pkl", "ntu_mmaction")
    found = load_file(tmp_path / "y.pkl").train.features
    assert found["skeleton"][1].shape == (joints, 2, 5, 3)
    assert found["skeleton_score"][1].shape == (scores, 2, 5)
    assert found["skeleton_score"][1].all()


def test_ntu_skeleton_layout(tmp_path):
    path = tmp_path / "x"
    write_file(load_file(ex.ntu_skeleton(tmp_path)), path, "ntu_skeleton")
    lines = (path / f"{ex.ntu_name(1, 1)}.skeleton").read_text().splitlines()
    assert lines[0] == "4"  # frames
    assert lines[1] == "1"  # bodies
    assert len(lines[2].split()) == 10
    assert lines[3] == "25"
    assert len(lines[4].split()) == 12
    assert len(lines) == 1 + 4 * (1 + 2 + 25)


def test_affwild2_layout(tmp_path):
    write_file(load_file(ex.affwild2(tmp_path)), tmp_path / "x", "affwild2")
    text = (tmp_path / "x/Train_Set/1-30.txt").read_text()
    lines = ["valence,arousal", "0.1,-0.2", "-5,-5", "0.3,0.4", "-1,1"]
    assert text.splitlines() == lines
    faces = tmp_path / "x/cropped_aligned/1-30"
    assert sorted(p.name for p in faces.iterdir()) == ["00001.jpg", "00004.jpg"]


def test_utd_mhad_layout(tmp_path):
    from scipy.io import loadmat

    write_file(load_file(ex.utd_mhad(tmp_path)), tmp_path / "x", "utd_mhad")
    arrays = ex.utd_arrays(2, 3)
    for modality, key in (
        ("skeleton", "d_skel"),
        ("inertial", "d_iner"),
        ("depth", "d_depth"),
    ):
        file = f"{modality.capitalize()}/a2_s3_t1_{modality}.mat"
        found = loadmat(tmp_path / "x" / file)
        np.testing.assert_allclose(found[key], arrays[modality], rtol=1e-6)


def test_pickles_use_names_that_every_numpy_version_has(tmp_path):
    write_file(load_file(ex.mmsa(tmp_path)), tmp_path / "x.pkl", "mmsa")
    named = {
        argument
        for code, argument, _ in pickletools.genops(
            (tmp_path / "x.pkl").read_bytes()
        )
        if code.name == "GLOBAL"
    }
    assert named == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
    }


@pytest.mark.parametrize("name", ex.MAKERS)
def test_nothing_is_overwritten(name, tmp_path):
    path = ex.MAKERS[name](tmp_path)
    dataset = load_file(path)
    with pytest.raises(FileExistsError, match="exists already"):
        write_file(dataset, path, name, **options_of(name, path))


def test_a_failed_write_leaves_nothing(tmp_path):
    dataset = load_file(ex.msaf_ravdess(tmp_path))
    dataset.train.ids[5] = "not a RAVDESS name"
    with pytest.raises(ValueError, match="seven fields"):
        write_file(dataset, tmp_path / "new", "msaf_ravdess")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ravdess"]


def small(modalities=("text", "audio", "video"), labels=None, ids=None):
    labels = np.array([0.5, -1.0]) if labels is None else labels
    split = Split({m: np.ones((2, 4, 3)) for m in modalities}, labels, ids)
    return MultimodalDataset(split, split, split, "x", "regression")


ONES = np.ones((1, 4, 2, 5, 3))
UNFIT = {
    "missing modality": (small(("text", "audio")), "mmsa", "'video'"),
    "two labels": (small(labels=np.ones((2, 2))), "mmsa", "one number"),
    "two labels, mult": (small(labels=np.ones((2, 2))), "mult", "one number"),
    "no words": (small(), "mag", "hold words"),
    "text is no word id": (small(), "misa", "hold words"),
    "no test split": (
        MultimodalDataset(small().train, None, None, "x", "regression"),
        "mult",
        "without test, valid",
    ),
    "vectors": (
        MultimodalDataset(
            *[Split({"skeleton": np.ones((2, 3))}, np.ones(2))] * 3,
            name="x",
            task="regression",
        ),
        "ntu_mmaction",
        "sequences",
    ),
    "scores of other joints": (
        MultimodalDataset(
            *[Split({"skeleton": ONES, "skeleton_score": ONES[..., 0, :]}, [0])]
            * 3,
            name="x",
            task="classification",
        ),
        "ntu_mmaction",
        r"\(None, 2, 5\). Received: \(None, 2, 3\)",
    ),
    "no NTU names": (small(("skeleton",)), "ntu_skeleton", "25, 3"),
    "no NTU video": (small(("skeleton",)), "ntu_rgbd", "'video'"),
    "no UTD modality": (small(("smell",)), "utd_mhad", "'smell'"),
    "ids with slashes": (
        small(ids=["../../a", "b"]),
        "merbench",
        "path separators",
    ),
    "slashes in csd": (small(ids=["a/b", "c"]), "csd", "path separators"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_a_format_cannot_hold_is_said(case, tmp_path):
    dataset, name, message = UNFIT[case]
    with pytest.raises(ValueError, match=message):
        write_file(dataset, tmp_path / "new", name)
    assert not list(tmp_path.iterdir())


def test_unknown_format_and_options(tmp_path):
    with pytest.raises(ValueError, match="must be one of mmsa"):
        write_file(small(), tmp_path / "x", "mmsa2")
    with pytest.raises(ValueError, match=r"options texts.*Received: text\."):
        write_file(small(), tmp_path / "x", "mmsa", text=[])
    with pytest.raises(ValueError, match="takes the options label"):
        load_file(ex.mmsa(tmp_path), folds={})


def test_h5py_and_pillow_are_imported_only_where_used(tmp_path):
    code = (
        "import sys; from keras_mmfusion.data.formats import FORMATS; "
        "print([m for m in ('h5py', 'scipy', 'PIL') if m in sys.modules])"
    )
    if "keras" in sys.modules:  # Keras itself imports h5py.
        code = ex.WITHOUT_KERAS + code
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert len(FORMATS) == 15
