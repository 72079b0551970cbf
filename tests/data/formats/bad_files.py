"""Files that must be refused, one line each.

Every entry: what is wrong, the maker of the file, and what the message must
say. A maker gets an empty folder and returns the path to load.
"""

import io
import os
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.formats import examples as ex

Maker = Callable[[Path], Path]
CANARY = "canary_of_a_bad_file"


class Evil:
    """Pickles as a call that leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {CANARY}",)


def raw(data: bytes, name: str = "data.pkl") -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def pickled(content: Callable[[], Any], change: Callable[[Any], Any]) -> Maker:
    """A pickle whose content was changed in place, or replaced."""

    def make(folder: Path) -> Path:
        value = content()
        other = change(value)
        return ex.dump(folder / "data.pkl", value if other is None else other)

    return make


def mmsa(change: Callable[[Any], Any]) -> Maker:
    return pickled(ex.mmsa_content, change)


def mult(change: Callable[[Any], Any]) -> Maker:
    return pickled(ex.mult_content, change)


def multibench(change: Callable[[Any], Any]) -> Maker:
    return pickled(ex.multibench_content, change)


def mag(change: Callable[[Any], Any]) -> Maker:
    parts = {"train": "train", "dev": "valid", "test": "test"}
    return pickled(
        lambda: {key: ex.records(split, 3) for key, split in parts.items()},
        change,
    )


def ntu(change: Callable[[Any], Any]) -> Maker:
    return pickled(ex.ntu_content, change)


def folder(maker: Maker, change: Callable[[Path], Any]) -> Maker:
    """A folder of a format, changed on disk; a path returned is loaded."""

    def make(inner: Path) -> Path:
        root = maker(inner)
        other = change(root)
        return other if isinstance(other, Path) else root

    return make


def put(value: Any, *keys: Any) -> Callable[[Any], None]:
    """Set `content[key]...[last] = value`."""

    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def drop(*keys: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def edit(path: str, data: bytes) -> Callable[[Path], None]:
    """Overwrite a file in the folder."""

    def change(root: Path) -> None:
        (root / path).write_bytes(data)

    return change


def cut(path: str, keep: float = 0.6) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        data = (root / path).read_bytes()
        (root / path).write_bytes(data[: int(len(data) * keep)])

    return change


def save(path: str, array: Any, **options: Any) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        with (root / path).open("wb") as file:
            np.save(file, array, **options)

    return change


def link_out(path: str) -> Callable[[Path], None]:
    """Move a file out of the folder and leave a symbolic link to it."""

    def change(root: Path) -> None:
        target = root.parent / "outside"
        (root / path).rename(target)
        (root / path).symlink_to(target)

    return change


def remove(path: str) -> Callable[[Path], None]:
    return lambda root: (root / path).unlink()


def truncated(maker: Maker) -> Maker:
    def make(inner: Path) -> Path:
        path = maker(inner)
        path.write_bytes(path.read_bytes()[:-200])
        return path

    return make


def zipped(names: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("data.pkl")
        archive.addfile(info, io.BytesIO())
    return stream.getvalue()


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def npy_header(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def object_npy(value: Any) -> bytes:
    return npy(npy_header("()", "'|O'"), pickle.dumps(value, 3))


def hdf5(path: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change an HDF5 file in place."""

    def apply(root: Path) -> None:
        import h5py

        with h5py.File(root / path, "r+") as file:
            change(file)

    return apply


COVAREP = "CMU_MOSI_COVAREP.csd"
LABELS = "CMU_MOSI_Opinion_Labels.csd"
FEATURES = "COVAREP/data/a/features"


def relink(kind: str) -> Callable[[Path], None]:
    """Replace the features of one video by something that lies elsewhere."""

    def change(root: Path) -> None:
        import h5py

        other = root.parent / "secret.h5"
        with h5py.File(other, "w") as file:
            file["data"] = np.ones((60, ex.AUDIO))
        with h5py.File(root / COVAREP, "r+") as file:
            if kind == "external group":
                del file["COVAREP/data/a"]
                file["COVAREP/data/a"] = h5py.ExternalLink(str(other), "/")
                return
            del file[FEATURES]
            group = file["COVAREP/data/a"]
            if kind == "external link":
                group["features"] = h5py.ExternalLink(str(other), "/data")
            elif kind == "soft link":
                group["features"] = h5py.SoftLink("/COVAREP/data/b/features")
            elif kind == "external storage":
                group.create_dataset(
                    "features",
                    (60, ex.AUDIO),
                    "f8",
                    external=[(str(other), 0, h5py.h5f.UNLIMITED)],
                )
            else:
                layout = h5py.VirtualLayout((60, ex.AUDIO), "f8")
                layout[:] = h5py.VirtualSource(
                    str(other), "data", (60, ex.AUDIO)
                )
                group.create_virtual_dataset("features", layout)

    return change


def refill(name: str, **options: Any) -> Callable[[Any], None]:
    """Replace a data set in an open HDF5 file."""

    def change(file: Any) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return change


def mat(path: str, **variables: Any) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        from scipy.io import savemat

        savemat(root / path, variables)

    return change


def mat_bomb(declared: int, shape: tuple[int, int]) -> bytes:
    """A compressed matrix that declares more than it holds."""

    def part(kind: int, data: bytes) -> bytes:
        head = np.array([kind, len(data)], "<u4").tobytes()
        return head + data + bytes(-len(data) % 8)

    body = part(6, np.array([6, 0], "<u4").tobytes())
    body += part(5, np.array(shape, "<i4").tobytes()) + part(1, b"d_iner")
    body += np.array([9, declared], "<u4").tobytes()
    head = np.array([14, len(body) + declared], "<u4").tobytes()
    packed = zlib.compress(head + body)
    start = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return start + np.array([15, len(packed)], "<u4").tobytes() + packed


HTML = b"<!DOCTYPE html><html><title>Google Drive - Virus scan"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
# A valid JPEG header that declares 60,000 x 60,000 pixels.
HUGE_JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    b"\xff\xc0\x00\x11\x08\xea\x60\xea\x60\x03\x01\x22\x00\x02\x11\x01\x03\x11"
    b"\x01\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00\xff\xd9"
)
SKELETON = f"{ex.ntu_name(1, 1)}.skeleton"
FRAME = "preprocessed/Actor_01/01-01-03-01-01-01-01.mp4/frames/4.jpg"
MFCC = "preprocessed/Actor_01/01-01-03-01-01-01-01.mp4/audios/featuresMFCC.npy"
VA = "Annotations/VA_Estimation_Challenge/Train_Set/1-30.txt"
INERTIAL = "Inertial/a1_s1_t1_inertial.mat"

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

MSAF_NPY: dict[str, tuple[Maker, str]] = {
    "no val": (
        folder(ex.msaf_npy, lambda r: (r / "val").rename(r / "dev") and None),
        "lacks the folder 'val'",
    ),
    "no labels": (
        folder(ex.msaf_npy, remove("val/label50.npy")),
        "lacks label",
    ),
    "truncated": (folder(ex.msaf_npy, cut("train/visual50.npy")), "truncated"),
    "bytes too many": (
        folder(
            ex.msaf_npy,
            edit("val/bert50.npy", npy(npy_header("(1, 1, 1)"), bytes(8))),
        ),
        "longer than declared",
    ),
    "array of objects": (
        folder(
            ex.msaf_npy,
            save("val/bert50.npy", np.array([Evil()]), allow_pickle=True),
        ),
        "array of real numbers",
    ),
    "huge shape": (
        folder(
            ex.msaf_npy,
            edit("val/bert50.npy", npy(npy_header(f"({2**50}, 50, 8)"))),
        ),
        "truncated",
    ),
    "negative shape": (
        folder(
            ex.msaf_npy, edit("val/bert50.npy", npy(npy_header("(-1, 5, 8)")))
        ),
        "not one that NumPy writes",
    ),
    "code in the header": (
        folder(
            ex.msaf_npy,
            edit("val/bert50.npy", npy(f"open({CANARY!r}, 'w')")),
        ),
        "not one that NumPy writes",
    ),
    "header of a megabyte": (
        folder(
            ex.msaf_npy,
            edit("val/bert50.npy", b"\x93NUMPY\x02\x00\x00\x00\x10\x00" * 9),
        ),
        "the header declares",
    ),
    "structured dtype": (
        folder(
            ex.msaf_npy,
            edit("val/bert50.npy", npy(npy_header("(1,)", "[('a', '<f4')]"))),
        ),
        "not a plain one",
    ),
    "NumPy archive under the name": (
        folder(
            ex.msaf_npy,
            edit("val/bert50.npy", zipped({"a.npy": b"x"})),
        ),
        "content is npz",
    ),
    "NaN in audio": (
        folder(
            ex.msaf_npy, save("val/audio50.npy", np.full((2, 12, 4), np.nan))
        ),
        "holds 96 values that are NaN",
    ),
    "NaN labels": (
        folder(ex.msaf_npy, save("val/label50.npy", np.full((2, 1), np.nan))),
        "NaN or infinite for 2 of 2",
    ),
    "other counts": (
        folder(ex.msaf_npy, save("val/audio50.npy", np.ones((3, 12, 4)))),
        "as many samples",
    ),
    "no time axis": (
        folder(ex.msaf_npy, save("val/audio50.npy", np.ones((2, 4)))),
        r"shape \(N, T, D\)",
    ),
    "Fortran order": (
        folder(
            ex.msaf_npy,
            save("val/audio50.npy", np.asfortranarray(np.ones((2, 12, 4)))),
        ),
        "Fortran order",
    ),
    "two visual arrays": (
        folder(ex.msaf_npy, save("val/visual20.npy", np.ones((2, 9, 3)))),
        "expected one visual",
    ),
    "link out of the folder": (
        folder(ex.msaf_npy, link_out("test/bert50.npy")),
        "leads out of the folder",
    ),
}

RAVDESS: dict[str, tuple[Maker, str]] = {
    "no frames": (
        folder(
            ex.msaf_ravdess,
            lambda r: (
                [p.unlink() for p in (r / FRAME).parent.iterdir()] and None
            ),
        ),
        "no images",
    ),
    "no MFCC": (folder(ex.msaf_ravdess, remove(MFCC)), "lacks audios"),
    "emotion 09": (
        folder(
            ex.msaf_ravdess,
            lambda r: ex.ravdess_clip(r / "preprocessed", 9, 4, 1) and None,
        ),
        "emotion from 01 to 08",
    ),
    "frame is an HTML page": (
        folder(ex.msaf_ravdess, edit(FRAME, HTML)),
        "JPEG or PNG",
    ),
    "truncated frame": (
        folder(ex.msaf_ravdess, cut(FRAME, 0.7)),
        "truncated or damaged",
    ),
    "frame that declares 60,000 x 60,000": (
        folder(ex.msaf_ravdess, edit(FRAME, HUGE_JPEG)),
        "refused|at most 4096",
    ),
    "frame of another size": (
        folder(
            ex.msaf_ravdess,
            lambda r: (
                __import__("PIL.Image").Image.new("RGB", (5, 5)).save(r / FRAME)
            ),
        ),
        "frames of one size",
    ),
    "link out of the folder": (
        folder(ex.msaf_ravdess, link_out(FRAME)),
        "leads out of the folder",
    ),
    "MFCC of objects": (
        folder(
            ex.msaf_ravdess,
            save(MFCC, np.array([Evil()]), allow_pickle=True),
        ),
        "array of real numbers",
    ),
    "MFCC with other coefficients": (
        folder(ex.msaf_ravdess, save(MFCC, np.ones((20, 6)))),
        r"expected the shape \(20, T\)",
    ),
    "NaN in MFCC": (
        folder(ex.msaf_ravdess, save(MFCC, np.full((13, 6), np.nan))),
        "NaN or infinity",
    ),
    "only silent clips": (
        folder(
            ex.msaf_ravdess,
            lambda r: (
                [
                    p.rename(p.with_name(f"02{p.name[2:]}"))
                    for p in (r / "preprocessed").glob("*/01-*")
                ]
                and None
            ),
        ),
        "Received: none",
    ),
}


def relabel(data: bytes | Any, **corpora: Any) -> Callable[[Path], None]:
    """Overwrite label.npz with raw bytes, or with given corpora."""

    def change(root: Path) -> None:
        if data is not None:
            (root / "label.npz").write_bytes(data)
        else:
            np.savez_compressed(root / "label.npz", **corpora)

    return change


MERBENCH: dict[str, tuple[Maker, str]] = {
    "code in the labels": (
        folder(
            ex.merbench,
            relabel(zipped({"train_corpus.npy": object_npy(Evil())})),
        ),
        "system",
    ),
    "truncated labels": (folder(ex.merbench, cut("label.npz")), "truncated"),
    "zip bomb": (
        folder(
            ex.merbench,
            relabel(zipped({"train_corpus.npy": bytes(40 * 2**20)})),
        ),
        "unpack to 41943040",
    ),
    "HTML as labels": (folder(ex.merbench, relabel(HTML)), "HTML page"),
    "labels are an array": (
        folder(ex.merbench, relabel(None, train_corpus=np.ones(3))),
        "must be one Python object",
    ),
    "labels are a list": (
        folder(ex.merbench, relabel(None, train_corpus=np.array(None))),
        "must be a dict",
    ),
    "sample without emo": (
        folder(ex.merbench, relabel(None, train_corpus={"a": {"val": 1}})),
        "lacks emo",
    ),
    "sample named ../../etc/passwd": (
        folder(
            ex.merbench,
            relabel(
                None, train_corpus={"../../etc/passwd": {"emo": 0, "val": 1}}
            ),
        ),
        "path separators",
    ),
    "NaN label": (
        folder(
            ex.merbench,
            relabel(
                None,
                train_corpus={"vtr_0": {"emo": 0, "val": np.nan}},
                test_corpus={"vte_0": {"emo": 0, "val": 1.0}},
            ),
        ),
        "1 samples of train have no 'val'",
    ),
    "no test corpus": (
        folder(
            ex.merbench,
            lambda r: ex.label_npz(r / "label.npz", train=["vtr_0"]) and None,
        ),
        "expected the corpora train, val and test",
    ),
    "two label files": (
        folder(
            ex.merbench,
            lambda r: ex.label_npz(r / "label_4way.npz", train=["a"]) and None,
        ),
        "expected one label file",
    ),
    "no features": (
        folder(
            ex.merbench, lambda r: (r / "features").rename(r / "x") and None
        ),
        "lacks the folder 'features'",
    ),
    "a sample without features": (
        folder(ex.merbench, remove("features/hubert-UTT/vte_1.npy")),
        "lacks vte_1.npy",
    ),
    "features of two widths": (
        folder(ex.merbench, save("features/hubert-UTT/vte_1.npy", np.ones(9))),
        "one width",
    ),
    "features of objects": (
        folder(
            ex.merbench,
            save(
                "features/hubert-UTT/vte_1.npy",
                np.array([Evil()]),
                allow_pickle=True,
            ),
        ),
        "array of real numbers",
    ),
    "NaN in features": (
        folder(
            ex.merbench,
            save("features/hubert-UTT/vte_1.npy", np.full(6, np.nan)),
        ),
        "NaN or infinity",
    ),
    "link out of the folder": (
        folder(ex.merbench, link_out("features/clip-FRA/vva_0.npy")),
        "leads out of the folder",
    ),
}

CSD: dict[str, tuple[Maker, str]] = {
    "truncated": (folder(ex.csd, cut(COVAREP)), "truncated"),
    "external link": (
        folder(ex.csd, relink("external link")),
        r"refused '/COVAREP/data/a/features', a link",
    ),
    "external group": (
        folder(ex.csd, relink("external group")),
        r"refused '/COVAREP/data/a', a link",
    ),
    "soft link": (folder(ex.csd, relink("soft link")), "a link to"),
    "external storage": (
        folder(ex.csd, relink("external storage")),
        "lie in other files",
    ),
    "virtual data set": (folder(ex.csd, relink("virtual")), "in other files"),
    "two roots": (
        folder(ex.csd, hdf5(COVAREP, lambda f: f.create_group("more"))),
        "expected one root group",
    ),
    "no data group": (
        folder(
            ex.csd, hdf5(COVAREP, lambda f: f.move("COVAREP/data", "COVAREP/x"))
        ),
        "expected '/COVAREP/data'",
    ),
    "no intervals": (
        folder(
            ex.csd,
            hdf5(COVAREP, lambda f: f.__delitem__("COVAREP/data/b/intervals")),
        ),
        "expected '/COVAREP/data/b/intervals'",
    ),
    "features are a group": (
        folder(
            ex.csd,
            hdf5(
                COVAREP,
                lambda f: (f.__delitem__(FEATURES), f.create_group(FEATURES)),
            ),
        ),
        "to be a data set",
    ),
    "intervals of another length": (
        folder(
            ex.csd,
            hdf5(
                COVAREP,
                refill("COVAREP/data/b/intervals", data=np.ones((3, 2))),
            ),
        ),
        r"shape \(60, 2\)",
    ),
    "NaN in intervals": (
        folder(
            ex.csd,
            hdf5(
                COVAREP,
                refill(
                    "COVAREP/data/b/intervals", data=np.full((60, 2), np.nan)
                ),
            ),
        ),
        "NaN or infinity",
    ),
    "features of one axis": (
        folder(ex.csd, hdf5(COVAREP, refill(FEATURES, data=np.ones(60)))),
        "must have the shape",
    ),
    "features of two widths": (
        folder(ex.csd, hdf5(COVAREP, refill(FEATURES, data=np.ones((60, 9))))),
        "entries of one width",
    ),
    "features of words": (
        folder(
            ex.csd,
            hdf5(
                COVAREP,
                refill("COVAREP/data/b/features", data=np.full((60, 4), b"x")),
            ),
        ),
        "must hold numbers",
    ),
    "declares a terabyte": (
        folder(
            ex.csd,
            hdf5(
                COVAREP,
                refill(
                    FEATURES,
                    shape=(2**35, 4),
                    dtype="f8",
                    chunks=(100, 4),
                    compression="gzip",
                ),
            ),
        ),
        "declares 1099511627776 bytes",
    ),
    "filter that is a plug-in": (
        folder(
            ex.csd,
            hdf5(
                COVAREP,
                lambda f: unknown_filter(f),
            ),
        ),
        "needs a plug-in",
    ),
    "NaN labels": (
        folder(
            ex.csd,
            hdf5(
                LABELS,
                refill(
                    "Opinion Labels/data/a/features",
                    data=np.full((2, 1), np.nan),
                ),
            ),
        ),
        "NaN or infinite for 2 of 8",
    ),
    "labels of two widths": (
        folder(
            ex.csd,
            hdf5(
                LABELS,
                refill("Opinion Labels/data/a/features", data=np.ones((2, 7))),
            ),
        ),
        "as many labels",
    ),
    "no label file": (folder(ex.csd, remove(LABELS)), "contains 'label'"),
    "labels alone": (
        folder(
            ex.csd,
            lambda r: (
                [p.unlink() for p in r.glob("*.csd") if "Label" not in p.name]
                and None
            ),
        ),
        "at least one modality",
    ),
    "one file alone": (
        folder(ex.csd, lambda root: root / COVAREP),
        "give the folder",
    ),
    "HTML as .csd": (folder(ex.csd, edit(COVAREP, HTML)), "HTML page"),
    "folds that are code": (
        folder(
            ex.csd,
            edit(
                "cmu_mosi_std_folds.py",
                f"standard_train_fold = open({CANARY!r}, 'w')".encode(),
            ),
        ),
        "written out as text",
    ),
    "folds of other videos": (
        folder(
            ex.csd,
            edit(
                "cmu_mosi_std_folds.py",
                b"standard_train_fold = ['q']\nstandard_valid_fold = []\n"
                b"standard_test_fold = []\n",
            ),
        ),
        "none of the folds' names",
    ),
    "a video in two folds": (
        folder(
            ex.csd,
            edit(
                "cmu_mosi_std_folds.py",
                b"standard_train_fold = ['a']\nstandard_valid_fold = ['a']\n"
                b"standard_test_fold = []\n",
            ),
        ),
        "'a' is in two folds",
    ),
    "link out of the folder": (
        folder(ex.csd, link_out("CMU_MOSI_VisualFacet.csd")),
        "leads out of the folder",
    ),
}


def unknown_filter(file: Any) -> None:
    import h5py

    del file[FEATURES]
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((10, 4))
    properties.set_filter(32123, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(
        file["COVAREP/data/a"].id,
        b"features",
        h5py.h5t.IEEE_F64LE,
        h5py.h5s.create_simple((60, 4)),
        properties,
    )


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

NTU_SKELETON: dict[str, tuple[Maker, str]] = {
    "truncated": (folder(ex.ntu_skeleton, cut(SKELETON)), "truncated|expected"),
    "empty": (folder(ex.ntu_skeleton, edit(SKELETON, b"")), "empty"),
    "HTML page": (folder(ex.ntu_skeleton, edit(SKELETON, HTML)), "HTML page"),
    "a billion frames": (
        folder(ex.ntu_skeleton, edit(SKELETON, b"999999999\n0\n")),
        "number of frames, at most 1",
    ),
    "a billion bodies": (
        folder(ex.ntu_skeleton, edit(SKELETON, b"1\n999999999\n")),
        "number of bodies",
    ),
    "twenty joints": (
        folder(
            ex.ntu_skeleton,
            edit(
                SKELETON,
                ex.skeleton_text(2)
                .replace("\r\n25\r\n", "\r\n20\r\n")
                .encode(),
            ),
        ),
        "25 joints",
    ),
    "letters in a joint": (
        folder(
            ex.ntu_skeleton,
            edit(SKELETON, ex.skeleton_text(2).replace("0.5 ", "x ").encode()),
        ),
        "a joint, at least 3 finite numbers",
    ),
    "NaN in a joint": (
        folder(
            ex.ntu_skeleton,
            edit(
                SKELETON, ex.skeleton_text(2).replace("0.5 ", "nan ").encode()
            ),
        ),
        "finite numbers",
    ),
    "binary": (
        folder(ex.ntu_skeleton, edit(SKELETON, bytes(range(256)))),
        "skeleton file, which is text",
    ),
    "another name": (
        folder(
            ex.ntu_skeleton,
            lambda r: (r / SKELETON).rename(r / "jump.skeleton") and None,
        ),
        "expected a name like",
    ),
    "one file alone": (
        folder(ex.ntu_skeleton, lambda r: r / SKELETON),
        "give the folder",
    ),
    "link out of the folder": (
        folder(ex.ntu_skeleton, link_out(SKELETON)),
        "leads out of the folder",
    ),
}

AFFWILD2: dict[str, tuple[Maker, str]] = {
    "no images": (
        folder(
            ex.affwild2,
            lambda r: (r / "cropped_aligned").rename(r / "x") and None,
        ),
        "no such folder",
    ),
    "images of other videos": (
        folder(
            ex.affwild2,
            lambda r: (
                (r / "cropped_aligned/1-30").rename(r / "cropped_aligned/8")
                and None
            ),
        ),
        "no images of the annotated videos",
    ),
    "annotations of another task": (
        folder(ex.affwild2, edit(VA, b"Neutral,Anger\n0\n")),
        "expected the first line",
    ),
    "empty annotations": (folder(ex.affwild2, edit(VA, b"")), "empty"),
    "valence of 3": (
        folder(ex.affwild2, edit(VA, b"valence,arousal\n0,0\n3,0\n")),
        "line 3: expected valence and arousal from -1 to 1",
    ),
    "one number in a line": (
        folder(ex.affwild2, edit(VA, b"valence,arousal\n0.5\n")),
        "line 2",
    ),
    "letters": (
        folder(ex.affwild2, edit(VA, b"valence,arousal\na,b\n")),
        "line 2",
    ),
    "NaN": (
        folder(ex.affwild2, edit(VA, b"valence,arousal\nnan,nan\n")),
        "line 2",
    ),
    "no annotation files": (
        folder(
            ex.affwild2,
            lambda r: (
                [p.unlink() for p in r.glob("Annotations/VA*/Valid*/*.txt")]
                and None
            ),
        ),
        "no annotation files for 'valid'",
    ),
    "image of another size": (
        folder(
            ex.affwild2,
            lambda r: (
                __import__("PIL.Image")
                .Image.new("RGB", (5, 5))
                .save(r / "cropped_aligned/1-30/00004.jpg")
            ),
        ),
        r"image of \(12, 12, 3\)",
    ),
    "image is an HTML page": (
        folder(ex.affwild2, edit("cropped_aligned/1-30/00004.jpg", HTML)),
        "JPEG or PNG",
    ),
    "link out of the folder": (
        folder(ex.affwild2, link_out("cropped_aligned/1-30/00004.jpg")),
        "leads out of the folder",
    ),
}

UTD_MHAD: dict[str, tuple[Maker, str]] = {
    "a clip without inertial data": (
        folder(ex.utd_mhad, remove(INERTIAL)),
        "inertial lacks 1 of 9 clips, first a1_s1_t1",
    ),
    "truncated": (folder(ex.utd_mhad, cut(INERTIAL)), "truncated"),
    "HTML page": (folder(ex.utd_mhad, edit(INERTIAL, HTML)), "HTML page"),
    "another variable": (
        folder(ex.utd_mhad, mat(INERTIAL, x=np.ones((2, 6)))),
        "expected the variable 'd_iner'. Received: x",
    ),
    "struct": (
        folder(ex.utd_mhad, mat(INERTIAL, d_iner={"a": 1})),
        "Received: a struct",
    ),
    "cell array": (
        folder(ex.utd_mhad, mat(INERTIAL, d_iner=np.array([[1], "a"], object))),
        "Received: a cell array",
    ),
    "text": (
        folder(ex.utd_mhad, mat(INERTIAL, d_iner="hello")),
        "Received: text",
    ),
    "complex numbers": (
        folder(ex.utd_mhad, mat(INERTIAL, d_iner=np.ones((2, 6)) * 1j)),
        "complex numbers",
    ),
    "NaN": (
        folder(ex.utd_mhad, mat(INERTIAL, d_iner=np.full((2, 6), np.nan))),
        "NaN or infinity",
    ),
    "five channels": (
        folder(
            ex.utd_mhad,
            mat("Inertial/a2_s1_t1_inertial.mat", d_iner=np.ones((2, 5))),
        ),
        r"shape \(None, 6\)",
    ),
    "MATLAB 7.3": (
        folder(ex.utd_mhad, edit(INERTIAL, b"MATLAB 7.3 MAT-file".ljust(600))),
        "content is mat73",
    ),
    "compressed data that grow to 4 GB": (
        folder(ex.utd_mhad, edit(INERTIAL, mat_bomb(2**32 - 200, (1, 2**29)))),
        "more than compression can hold",
    ),
    "shape larger than the data": (
        folder(ex.utd_mhad, edit(INERTIAL, mat_bomb(0, (2**30, 2**30)))),
        "takes 9223372036854775808 bytes",
    ),
    "action 28": (
        folder(
            ex.utd_mhad,
            lambda r: (
                [
                    p.rename(p.with_name(p.name.replace("a10_", "a28_")))
                    for p in r.rglob("a10_*")
                ]
                and None
            ),
        ),
        "actions must be a1 to a27",
    ),
    "link out of the folder": (
        folder(ex.utd_mhad, link_out(INERTIAL)),
        "leads out of the folder",
    ),
}

BAD_FILES: dict[str, dict[str, tuple[Maker, str]]] = {
    "general": GENERAL,
    "mmsa": MMSA,
    "mult": MULT,
    "multibench": MULTIBENCH,
    "mag": MAG,
    "misa": MISA,
    "msaf_npy": MSAF_NPY,
    "msaf_ravdess": RAVDESS,
    "merbench": MERBENCH,
    "csd": CSD,
    "ntu_mmaction": NTU_MMACTION,
    "ntu_skeleton": NTU_SKELETON,
    "affwild2": AFFWILD2,
    "utd_mhad": UTD_MHAD,
}
