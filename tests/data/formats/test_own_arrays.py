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


def test_classes_numbered_from_one_are_said(tmp_path):
    stored = arrays()
    np.savez(tmp_path / "one.npz", **stored | {"labels": stored["labels"] + 1})
    with pytest.warns(UserWarning, match="one.npz has no sample of class 0"):
        load(tmp_path / "one.npz")


def test_csv_is_recognised_and_read(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV)
    dataset = load(tmp_path / "mine.csv")
    assert dataset.task == "regression"
    x, y = dataset.test.arrays()
    np.testing.assert_array_equal(x["text"], [[7, 8]])
    np.testing.assert_array_equal(y, [0.5])


TEXTS = {
    "byte order mark": "\ufeff" + CSV,
    "Windows line ends": CSV.replace("\n", "\r\n"),
    "other scripts": CSV.replace("text", "テキスト"),
    "ends with a full stop": CSV.rstrip() + ".",
    "a pickle's letter": "class.0," + CSV.rstrip().replace("\n", "\n9,") + ".",
}


@pytest.mark.parametrize("case", TEXTS)
def test_csv_of_other_programs(case, tmp_path):
    (tmp_path / "mine.csv").write_bytes(TEXTS[case].encode())
    dataset = load(tmp_path / "mine.csv")
    assert list(dataset.shapes.values())[-2:] == [(2,), (1,)]
    assert [len(split) for split in dataset.splits.values()] == [1, 1, 1]
    np.testing.assert_array_equal(dataset.test.labels, [0.5])


@pytest.mark.parametrize("shift", range(3))
def test_a_character_may_lie_where_sniffing_ends(shift, tmp_path):
    rows = "".join(f"{i % 2},train,話者{i},1\n" for i in range(400))
    text = f"labels,split,ids,{'x' * (1 + shift)}.0\n{rows}"
    (tmp_path / "mine.csv").write_bytes(text.encode())
    assert load(tmp_path / "mine.csv").train.ids[399] == "話者399"


@pytest.mark.parametrize("rows", [1, 600, 3000])
def test_csv_of_another_encoding_is_refused_by_name(rows, tmp_path):
    text = "labels,split,ids,a.0\n"
    text += "".join(f"{i % 2},train,n{i},1\n" for i in range(rows))
    text += "1,test,J\xfcrg,1\n"
    (tmp_path / "mine.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"mine\.csv.*UTF-8"):
        load(tmp_path / "mine.csv")


def test_columns_left_out_are_named(tmp_path):
    (tmp_path / "mine.csv").write_text(CSV.replace("text.1", "text.3"))
    with pytest.warns(UserWarning, match=r"no column text\.1, text\.2\."):
        dataset = load(tmp_path / "mine.csv")
    assert dataset.shapes["text"] == (2,)


def test_what_looks_padded_at_the_start_is_said(tmp_path):
    stored = arrays()
    stored["audio"] = np.ones((6, 5, 3), "float32")
    for i in range(4):
        stored["audio"][i, :i] = 0
    np.savez(tmp_path / "mine.npz", **stored)
    with pytest.warns(UserWarning, match="3 of 6 samples of 'audio' begin"):
        dataset = load(tmp_path / "mine.npz")
    assert dataset.valid.lengths()["audio"].tolist() == [5, 5]


def test_csv_with_an_open_quote_is_refused_by_name(tmp_path):
    rows = "0,train,1,2,3\n" * 10000
    (tmp_path / "mine.csv").write_text(CSV + '0,"train,1,2,3\n' + rows)
    with pytest.raises(ValueError, match=r"mine\.csv"):
        load(tmp_path / "mine.csv")


def test_what_was_written_is_read_back(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    dataset = load(tmp_path / "mine.npz")
    write_file(dataset, tmp_path / "again.npz", "arrays")
    with np.load(tmp_path / "again.npz") as plain:
        for name, value in arrays().items():
            np.testing.assert_array_equal(plain[name], value)
    again = load(tmp_path / "again.npz")
    assert again.test.ids == dataset.test.ids


SPEAKERS = np.array(["ann", "ann", "bob", "bob", "eve", "eve"])


def test_groups_are_read_and_written_back(tmp_path):
    session = np.arange(6)
    groups = {"group.speaker": SPEAKERS, "group.session": session}
    np.savez(tmp_path / "mine.npz", **arrays(), **groups)
    dataset = load(tmp_path / "mine.npz")
    assert dataset.shapes == {"audio": (None, 3), "facts": (2,)}
    assert dataset.valid.groups["speaker"].tolist() == ["bob", "bob"]
    assert dataset.test.groups["session"].tolist() == [4, 5]
    write_file(dataset, tmp_path / "again.npz", "arrays")
    again = load(tmp_path / "again.npz")
    for name, split in dataset.splits.items():
        for group, values in split.groups.items():
            found = again.splits[name].groups[group]
            np.testing.assert_array_equal(found, values)


def test_groups_of_a_csv_are_columns(tmp_path):
    rows = CSV.splitlines()
    rows = [f"{rows[0]},group.speaker,group.0"] + [
        f"{row},speaker {i},{i}" for i, row in enumerate(rows[1:])
    ]
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    dataset = load(tmp_path / "mine.csv")
    assert dataset.valid.groups["speaker"].tolist() == ["speaker 1"]
    # A modality may have this name.
    assert dataset.shapes["group"] == (1,)


def test_numbers_of_a_vector_are_in_order_whatever_the_file_s_is(tmp_path):
    order = [10, 2, 0, 1, *range(3, 10)]
    header = ",".join(["labels,split", *(f"a.{i}" for i in order), "b.y,b.x"])
    row = ",".join(map(str, [*order, 5, 6]))
    (tmp_path / "mine.csv").write_text(f"{header}\n0,train,{row}\n")
    x, _ = load(tmp_path / "mine.csv").train.arrays()
    np.testing.assert_array_equal(x["a"], [range(11)])
    np.testing.assert_array_equal(x["b"], [[5, 6]])  # names have no order


@pytest.mark.parametrize(
    "values", [SPEAKERS[:3], np.ones((6, 2), int), np.full(6, 0.5)]
)
def test_groups_that_are_none_are_refused(values, tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays(), **{"group.speaker": values})
    with pytest.raises(ValueError, match=r"mine\.npz.*group\.speaker"):
        load(tmp_path / "mine.npz")


def test_a_speaker_in_two_splits_is_found(tmp_path):
    speakers = np.where(SPEAKERS == "eve", "ann", SPEAKERS)
    np.savez(tmp_path / "mine.npz", **arrays(), **{"group.speaker": speakers})
    leaks = load(tmp_path / "mine.npz").check_leaks()
    assert [leak.kind for leak in leaks] == ["speaker"]


def test_whole_numbers_in_one_column_are_classes(tmp_path):
    labels = arrays()["labels"]
    npz(tmp_path / "mine.npz", labels=labels[:, None])
    dataset = load(tmp_path / "mine.npz")
    assert dataset.task == "classification"
    assert dataset.class_names == ["0", "1"]
    np.testing.assert_array_equal(dataset.train.labels, labels[:2])


def test_the_file_may_name_the_classes_or_the_task(tmp_path):
    npz(tmp_path / "classes.npz", class_names=np.array(["no", "yes", "?"]))
    assert load(tmp_path / "classes.npz").class_names == ["no", "yes", "?"]
    npz(tmp_path / "task.npz", task=np.array("regression"))
    assert load(tmp_path / "task.npz").task == "regression"


@pytest.mark.parametrize("largest", ["1001", "20000000", "1e12", "1e300"])
def test_large_whole_numbers_are_not_taken_for_classes(largest, tmp_path):
    path = tmp_path / "mine.csv"
    text(path, "0.5", largest)
    with pytest.raises(ValueError, match=r"mine\.csv.*task='regression'"):
        load(path)
    with pytest.raises(ValueError, match=r"mine\.csv.*class_names"):
        load(path, task="classification")
    with pytest.raises(ValueError, match=r"mine\.csv.*whole numbers in 0..1"):
        load(path, class_names=["no", "yes"])
    dataset = load(path, task="regression")
    assert dataset.task == "regression"
    np.testing.assert_array_equal(dataset.test.labels, [float(largest)])


def test_many_classes_of_few_samples_are_read(tmp_path):
    text(tmp_path / "mine.csv", "0.5", "1000")
    assert len(load(tmp_path / "mine.csv").class_names) == 1001


def test_as_many_classes_as_samples_are_read(tmp_path):
    count = 1200
    np.savez(
        tmp_path / "mine.npz",
        facts=np.ones((count, 1)),
        labels=np.arange(count),
        split=np.repeat("train", count),
    )
    assert len(load(tmp_path / "mine.npz").class_names) == count


def test_what_the_reader_is_told_goes_before_the_file(tmp_path):
    path = tmp_path / "mine.npz"
    npz(path, task=np.array("regression"), class_names=np.array(["y"]))
    told = load(path, task="classification", class_names=["no", "yes"])
    assert told.task == "classification"
    assert told.class_names == ["no", "yes"]
    with pytest.raises(ValueError, match=r"task must be one of.*'guess'"):
        load(path, task="guess")


def test_numbers_called_task_stay_a_modality(tmp_path):
    npz(tmp_path / "mine.npz", task=np.ones((6, 2)))
    assert load(tmp_path / "mine.npz").shapes["task"] == (2,)


def test_numbers_too_large_for_float32_are_refused(tmp_path):
    npz(tmp_path / "mine.npz", facts=np.full((6, 2), 1e39))
    with pytest.raises(ValueError, match=r"mine.npz.*float32.*'facts': 12"):
        load(tmp_path / "mine.npz")


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
    "one split for all": lambda p: npz(p, split=np.array("train")),
    "one label for all": lambda p: npz(p, labels=np.array(1)),
    "one feature for all": lambda p: npz(p, facts=np.array(1.0)),
    "one id for all": lambda p: npz(p, ids=np.array("a")),
    "split in a column": lambda p: npz(p, split=arrays()["split"][:, None]),
    "duplicate ids": lambda p: npz(p, ids=np.array(["a"] * 6)),
    "unknown task": lambda p: npz(p, task=np.array("guess")),
    "two tasks": lambda p: npz(p, task=np.array(["regression"] * 2)),
    "too few class names": lambda p: npz(p, class_names=np.array(["a"])),
    "class names in rows": lambda p: npz(p, class_names=np.array([["a", "b"]])),
    "classes of fractions": lambda p: npz(
        p, task=np.array("classification"), labels=np.arange(6) / 2
    ),
    "claims a terabyte": lying_header,
    "truncated": truncated,
    "csv without labels": lambda p: text(p, "labels", "label"),
    "csv uneven row": lambda p: text(p, "0,train,1", "0,train,1,1"),
    "csv word": lambda p: text(p, "4", "four"),
    "csv above float32": lambda p: text(p, "4", "1e39"),
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


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,train,1,", r"column 'x\.1' of row 3\. Received: ''"),
        ("0,train,1,0;5", r"column 'x\.1' of row 3\. Received: '0;5'"),
        ("happy,train,1,2", "'labels' of row 3.*'happy'.*numbers from 0"),
    ],
)
def test_csv_with_what_is_no_number_names_the_place(row, message, tmp_path):
    header = "labels,split,x.0,x.1"
    (tmp_path / "mine.csv").write_text(f"{header}\n1,train,1,2\n{row}\n")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "mine.csv")
