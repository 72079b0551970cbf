"""Pickles that must be refused, one line each.

Every entry: what is wrong, the maker of the file, what the message must say.
"""

import pickle

import numpy as np

from tests.data.formats import examples as ex
from tests.data.formats.damage import (
    HTML,
    HUGE_JPEG,
    LFS,
    Evil,
    Maker,
    drop,
    mmsa,
    mult,
    multibench,
    npy,
    npy_header,
    pickled,
    put,
    raw,
    tarred,
    truncated,
    zipped,
)

GENERAL: dict[str, tuple[Maker, str]] = {
    "empty file": (raw(b""), "is empty"),
    "HTML page saved as a pickle": (raw(HTML), "HTML page"),
    "Git LFS pointer": (raw(LFS), "git lfs pull"),
    "zip archive": (raw(zipped({"data.pkl": b"x"})), "zip archive"),
    "gzip": (raw(b"\x1f\x8b\x08\x00" * 9), "gzip"),
    "tar archive": (raw(tarred()), "tar archive"),
    "7-Zip archive": (raw(b"7z\xbc\xaf\x27\x1c\x00\x04"), "7-Zip"),
    "PyTorch checkpoint": (
        raw(zipped({"model/data.pkl": b"\x80\x02}.", "model/version": b"3"})),
        "PyTorch checkpoint",
    ),
    "JSON": (raw(b'{"train": []}'), "JSON"),
    "random bytes": (raw(bytes(range(128, 256)) * 9), "no format"),
    "plain text": (raw(b"valence;arousal\n"), "none of the known formats"),
    "one .npy array": (
        raw(npy(npy_header("(1,)"), bytes(4))),
        "none of the known formats",
    ),
    "a picture": (raw(HUGE_JPEG), "none of the known formats"),
    "pickle of a list": (raw(pickle.dumps([1])), "none of the known formats"),
    "pickle of a number": (raw(pickle.dumps(3.5)), "not a dict of splits"),
    "pickle of other keys": (raw(pickle.dumps({"a": 1})), "no split train"),
    "pickle that calls os.system": (
        raw(pickle.dumps({"train": Evil()})),
        r"system'.*would run code",
    ),
    "empty folder": (lambda inner: inner, "none of the known formats"),
    "unfinished download": (raw(bytes(99), "x.crdownload"), "unfinished"),
}

MMSA: dict[str, tuple[Maker, str]] = {
    "truncated": (truncated(ex.mmsa), "truncated"),
    "no valid split": (mmsa(drop("valid")), "lacks valid"),
    "no audio": (mmsa(drop("test", "audio")), "'test' lacks audio"),
    "split is a list": (mmsa(put([1], "test")), "'test' must be a dict"),
    "audio is a list": (
        mmsa(put([[1.0]], "train", "audio")),
        "train/audio must be an array",
    ),
    "object array": (
        mmsa(put(np.array([[1], [1, 2]], object), "train", "audio")),
        "array of Python objects",
    ),
    "text without a time axis": (
        mmsa(put(np.ones((5, 8)), "train", "text")),
        "train/text must be an array of numbers with 3 axes",
    ),
    "text of letters": (
        mmsa(put(np.full((5, 2, 2), "a"), "train", "text")),
        "train/text must be an array of numbers",
    ),
    "widths differ between splits": (
        mmsa(put(np.ones((2, 9, 77), "f4"), "valid", "vision")),
        "same modalities and widths",
    ),
    "fewer labels than samples": (
        mmsa(put(np.ones(4), "train", "regression_labels")),
        r"each of the 5 samples. Received: shape \(4,\)",
    ),
    "fewer videos than texts": (
        mmsa(
            lambda c: c["train"].update(
                vision=np.ones((4, 9, 3), "f4"), vision_lengths=[9] * 4
            )
        ),
        "as many samples",
    ),
    "fewer ids than samples": (
        mmsa(put(["a"], "train", "id")),
        "each of the 5 samples. Received: 1 names",
    ),
    "ids are dicts": (mmsa(put([{}] * 5, "train", "id")), "text or a number"),
    "ids are a dict": (mmsa(put({}, "train", "id")), "a list of names"),
    "one id twice": (mmsa(put(["a"] * 5, "train", "id")), "unique"),
    "NaN label": (
        mmsa(put(np.nan, "test", "regression_labels", 1)),
        "NaN or infinite for 1 of 3",
    ),
    "labels are text": (
        mmsa(put(["a", "b", "c"], "test", "regression_labels")),
        "must be numbers",
    ),
    "NaN in vision": (
        mmsa(put(np.nan, "train", "vision", (0, 0, 0))),
        "train/vision holds 1 values that are NaN or infinite",
    ),
    "plus infinity in audio": (
        mmsa(put(np.inf, "train", "audio", (0, 0, 0))),
        "train/audio holds 1 values",
    ),
    "minus infinity in text": (
        mmsa(put(-np.inf, "train", "text", (0, 0, 0))),
        "train/text holds 1 values",
    ),
    "text_bert of another length": (
        mmsa(put(np.ones((5, 3, 4)), "train", "text_bert")),
        r"shape \(5, 3, 6\)",
    ),
    "lengths past the end": (
        mmsa(put([99] * 5, "train", "audio_lengths")),
        "between 0 and the padded length 12",
    ),
    "fewer lengths than samples": (
        mmsa(put([1], "train", "audio_lengths")),
        "one number for each",
    ),
    "padded on both sides": (
        pickled(
            lambda: {
                split: entry
                | {
                    "audio": np.concatenate(
                        [a[: len(a) // 2], b[len(a) // 2 :]]
                    )
                }
                for split, entry in ex.mult_content().items()
                for a in [ex.three(split, "left")["audio"]]
                for b in [ex.three(split, "right")["audio"]]
            },
            lambda content: None,
        ),
        "on the left in",
    ),
    "code in place of an array": (
        mmsa(put(Evil(), "train", "audio")),
        "system",
    ),
    "object array of code": (
        mmsa(put(np.array([Evil()], object), "train", "id")),
        "system",
    ),
}

MULT: dict[str, tuple[Maker, str]] = {
    "truncated": (truncated(ex.mult), "truncated"),
    "no test split": (mult(drop("test")), "lacks test"),
    "no vision": (mult(drop("train", "vision")), "lacks vision"),
    "object array": (
        mult(put(np.array([None] * 5), "train", "text")),
        "array of Python objects",
    ),
    "NaN in text": (
        mult(put(np.nan, "test", "text", (0, -1, 0))),
        "test/text holds 1 values",
    ),
    "pairs that are not one-hot": (
        mult(put(np.ones((5, 4, 2)), "train", "labels")),
        "one-hot pairs",
    ),
    "fewer labels": (
        mult(put(np.ones((2, 1, 1)), "train", "labels")),
        "each of the 5 samples",
    ),
    "labels of two axes too many": (
        mult(put(np.ones((5, 3, 3)), "train", "labels")),
        "one row of numbers per sample",
    ),
    "split is an array": (mult(put(np.ones(3), "test")), "must be a dict"),
}

MULTIBENCH: dict[str, tuple[Maker, str]] = {
    "truncated": (truncated(ex.multibench), "truncated"),
    "one id twice": (
        multibench(put(np.array(["a"] * 3), "test", "id")),
        "unique",
    ),
    "no labels in one split": (multibench(drop("test", "labels")), "labels"),
    "NaN label": (
        multibench(put(np.nan, "test", "labels", (0, 0))),
        "NaN or infinite for 1 of 3",
    ),
}
