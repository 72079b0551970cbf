import io
import zipfile

import numpy as np
import pytest

from keras_mmfusion.data import load
from keras_mmfusion.data.formats import write_file


def arrays(count=6):
    rng = np.random.default_rng(0)
    audio = rng.normal(size=(count, 5, 3)).astype("float32")
    audio[0, 2:] = 0
    return {
        "audio": audio,
        "facts": rng.normal(size=(count, 2)).astype("float32"),
        "labels": np.arange(count) % 2,
        "split": np.array(["train", "train", "valid", "valid", "test", "test"]),
    }


CSV = """labels,split,text.0,text.1,audio.0
0,train,1,2,3
1,valid,4,5,6
0.5,test,7,8,9
"""


def test_npz_is_recognised_and_read(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    dataset = load(tmp_path / "mine.npz")
    assert dataset.task == "classification"
    assert dataset.shapes == {"audio": (None, 3), "facts": (2,)}
    x, y = dataset.train.arrays()
    np.testing.assert_array_equal(x["audio"], arrays()["audio"][:2])
    np.testing.assert_array_equal(y, [0, 1])
    assert dataset.train.lengths()["audio"].tolist() == [2, 5]


def test_csv_is_recognised_and_read(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV)
    dataset = load(tmp_path / "mine.csv")
    assert dataset.task == "regression"
    x, y = dataset.test.arrays()
    np.testing.assert_array_equal(x["text"], [[7, 8]])
    np.testing.assert_array_equal(y, [0.5])


def test_what_was_written_is_read_back(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    dataset = load(tmp_path / "mine.npz")
    write_file(dataset, tmp_path / "again.npz", "arrays")
    with np.load(tmp_path / "again.npz") as plain:
        for name, value in arrays().items():
            np.testing.assert_array_equal(plain[name], value)
    again = load(tmp_path / "again.npz")
    assert again.test.ids == dataset.test.ids


def npz(path, **changes):
    content = {**arrays(), **changes}
    np.savez(path, **{k: v for k, v in content.items() if v is not None})


def text(path, old, new):
    path.write_text(CSV.replace(old, new))


def lying_header(path):
    """An array header that claims a terabyte."""
    member = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (2**38, 1)}
    np.lib.format.write_array_header_1_0(member, header)
    npz(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("video.npy", member.getvalue())


def truncated(path):
    npz(path)
    path.write_bytes(path.read_bytes()[:-200])


BAD = {
    "no samples": lambda p: npz(p, **{k: v[:0] for k, v in arrays().items()}),
    "counts differ": lambda p: npz(p, facts=np.ones((5, 2))),
    "unknown split": lambda p: npz(p, split=np.array(["dev"] * 6)),
    "nan feature": lambda p: npz(p, facts=np.full((6, 2), np.nan)),
    "nan label": lambda p: npz(p, labels=np.full(6, np.nan)),
    "text label": lambda p: npz(p, labels=np.array(["a"] * 6)),
    "object array": lambda p: npz(p, facts=np.array([{}] * 6, object)),
    "text feature": lambda p: npz(p, facts=np.array([["a"]] * 6)),
    "flat feature": lambda p: npz(p, facts=np.ones(6)),
    "no modality": lambda p: npz(p, facts=None, audio=None),
    "no split": lambda p: npz(p, split=None),
    "duplicate ids": lambda p: npz(p, ids=np.array(["a"] * 6)),
    "claims a terabyte": lying_header,
    "truncated": truncated,
    "csv without labels": lambda p: text(p, "labels", "label"),
    "csv uneven row": lambda p: text(p, "0,train,1", "0,train,1,1"),
    "csv word": lambda p: text(p, "4", "four"),
    "csv double column": lambda p: text(p, "text.1", "text.0"),
    "csv stranger": lambda p: text(p, "audio.0", "audio"),
    "csv header alone": lambda p: p.write_text(CSV.splitlines()[0] + "\n"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_files_are_refused_by_name(bad, tmp_path):
    path = tmp_path / ("mine.csv" if bad.startswith("csv") else "mine.npz")
    BAD[bad](path)
    with pytest.raises((ValueError, OSError), match=path.name):
        load(path)
