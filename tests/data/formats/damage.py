"""Ways to damage the example files.

A maker gets an empty folder and returns the path to load.
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


def relabel(data: bytes | Any, **corpora: Any) -> Callable[[Path], None]:
    """Overwrite label.npz with raw bytes, or with given corpora."""

    def change(root: Path) -> None:
        if data is not None:
            (root / "label.npz").write_bytes(data)
        else:
            np.savez_compressed(root / "label.npz", **corpora)

    return change


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
