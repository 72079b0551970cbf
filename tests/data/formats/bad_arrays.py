"""Folders of arrays that must be refused.

Every entry: what is wrong, the maker of the file, what the message must say.
"""

import numpy as np

from tests.data.formats import examples as ex
from tests.data.formats.damage import (
    CANARY,
    FRAME,
    HTML,
    HUGE_JPEG,
    INERTIAL,
    MFCC,
    Evil,
    Maker,
    cut,
    edit,
    folder,
    link_out,
    mat,
    mat_bomb,
    npy,
    npy_header,
    object_npy,
    relabel,
    remove,
    save,
    zipped,
)

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
