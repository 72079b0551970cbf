"""Lists of records and annotations that must be refused.

Every entry: what is wrong, the maker of the file, what the message must say.
"""

import pickle

import numpy as np

from tests.data.formats import examples as ex
from tests.data.formats.damage import (
    HTML,
    Evil,
    Maker,
    cut,
    drop,
    edit,
    folder,
    link_out,
    mag,
    ntu,
    put,
    remove,
    truncated,
)

MAG: dict[str, tuple[Maker, str]] = {
    "truncated": (truncated(ex.mag), "truncated"),
    "no dev": (mag(drop("dev")), "lacks dev"),
    "empty split": (mag(put([], "test")), "not a list of records"),
    "split is a dict": (mag(put({}, "test")), "not a list of records"),
    "record is a number": (
        mag(put(3, "test", 1)),
        r"test\[1\]: its items are not",
    ),
    "features of two parts": (
        mag(put(((1, 2), 3, "x"), "test", 1)),
        "tuples of 3",
    ),
    "more words than steps": (
        mag(lambda c: c["test"][0][0][0].append("w")),
        "3 words, 2 visual",
    ),
    "words are a number": (
        mag(put(((5, np.ones((2, 3)), np.ones((2, 4))), 1.0, "x"), "test", 1)),
        "must be a list of words",
    ),
    "widths differ": (
        mag(
            put(
                ((["a"], np.ones((1, 9)), np.ones((1, 4))), [[1.0]], "x"),
                "test",
                0,
            )
        ),
        "must have one width",
    ),
    "object array": (
        mag(
            put(
                ((["a"], np.array([None]), np.ones((1, 4))), [[1.0]], "x"),
                "test",
                0,
            )
        ),
        "array of Python objects",
    ),
    "NaN in acoustic": (
        mag(lambda c: c["train"][0][0][2].fill(np.nan)),
        r"train\[0\]/acoustic holds 8 values",
    ),
    "NaN label": (
        mag(lambda c: c["train"][0][1].fill(np.nan)),
        "NaN or infinite for 1 of 5",
    ),
    "one segment twice": (
        mag(lambda c: c["train"].append(c["train"][0])),
        "unique",
    ),
    "labels of two sizes": (
        mag(
            put((ex.records("test", 3)[0][0], np.ones((1, 7)), "x"), "test", 0)
        ),
        "differ in size",
    ),
    "label is a word": (
        mag(put((ex.records("test", 3)[0][0], "good", "x"), "test", 0)),
        "must be numbers|differ in",
    ),
}

MISA: dict[str, tuple[Maker, str]] = {
    "one split alone": (
        folder(ex.misa, lambda root: root / "train.pkl"),
        "one split of MISA",
    ),
    "no dev.pkl": (folder(ex.misa, remove("dev.pkl")), "lacks dev.pkl"),
    "HTML as dev.pkl": (folder(ex.misa, edit("dev.pkl", HTML)), "HTML page"),
    "truncated test.pkl": (folder(ex.misa, cut("test.pkl")), "truncated"),
    "code in test.pkl": (
        folder(ex.misa, edit("test.pkl", pickle.dumps([Evil()]))),
        "system",
    ),
    "link out of the folder": (
        folder(ex.misa, link_out("dev.pkl")),
        "leads out of the folder",
    ),
}

NTU_MMACTION: dict[str, tuple[Maker, str]] = {
    "truncated": (truncated(ex.ntu_mmaction), "truncated"),
    "annotations are a dict": (ntu(put({}, "annotations")), "list of clips"),
    "no split": (ntu(drop("split")), "lacks split"),
    "split is a list": (ntu(put([], "split")), "dict of lists"),
    "no train split": (ntu(drop("split", "xsub_train")), "xsub_train"),
    "clip without keypoints": (
        ntu(drop("annotations", 2, "keypoint")),
        r"annotations\[2\] lacks keypoint",
    ),
    "keypoints of three axes": (
        ntu(put(np.ones((4, 17, 2)), "annotations", 0, "keypoint")),
        "with 4 axes",
    ),
    "NaN in keypoints": (
        ntu(
            lambda c: c["annotations"][0]["keypoint"].fill(np.nan),
        ),
        "NaN or infinite",
    ),
    "other frames than declared": (
        ntu(put(99, "annotations", 0, "total_frames")),
        "declares 99 frames",
    ),
    "label is text": (
        ntu(put("jump", "annotations", 0, "label")),
        "must be a class",
    ),
    "negative label": (ntu(put(-1, "annotations", 0, "label")), "from 0"),
    "scores of another shape": (
        ntu(put(np.ones((1, 1, 1)), "annotations", 0, "keypoint_score")),
        "must have the shape",
    ),
    "scores in some clips only": (
        ntu(drop("annotations", 0, "keypoint_score")),
        "in every clip or in none",
    ),
    "joints differ": (
        ntu(
            lambda c: c["annotations"][0].update(
                keypoint=np.ones((1, 4, 25, 2)),
                keypoint_score=np.ones((1, 4, 25)),
            )
        ),
        "as many joints",
    ),
    "clip twice": (
        ntu(lambda c: c["annotations"].append(c["annotations"][0])),
        "every `frame_dir` once",
    ),
    "split names an unknown clip": (
        ntu(lambda c: c["split"]["xsub_val"].append("S999")),
        "1 clips of split 'test' have no annotation",
    ),
    "code as a label": (ntu(put(Evil(), "annotations", 0, "label")), "system"),
}
