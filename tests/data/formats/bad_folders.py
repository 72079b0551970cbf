"""HDF5, text and MATLAB folders that must be refused.

Every entry: what is wrong, the maker of the file, what the message must say.
"""

import numpy as np

from tests.data.formats import examples as ex
from tests.data.formats.damage import (
    CANARY,
    COVAREP,
    FEATURES,
    HTML,
    LABELS,
    SKELETON,
    VA,
    Maker,
    cut,
    edit,
    folder,
    hdf5,
    link_out,
    refill,
    relink,
    remove,
    unknown_filter,
)

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


PLAYLIST = b"ffconcat version 1.0\nfile /etc/passwd\n"
VIDEO = f"nturgb+d_rgb/{ex.ntu_name(1, 1)}_rgb.avi"
NTU_RGBD: dict[str, tuple[Maker, str]] = {
    "truncated": (folder(ex.ntu_rgbd, cut(VIDEO, 0.9)), "truncated"),
    "empty": (folder(ex.ntu_rgbd, edit(VIDEO, b"")), "empty"),
    "HTML page": (folder(ex.ntu_rgbd, edit(VIDEO, HTML)), "HTML page"),
    "a list of other files": (
        folder(ex.ntu_rgbd, edit(VIDEO, PLAYLIST)),
        "an AVI video",
    ),
    "a list behind the right first bytes": (
        folder(ex.ntu_rgbd, edit(VIDEO, b"RIFF1234AVI " + PLAYLIST)),
        "damaged|no frames|sound only",
    ),
    "4,200 x 4,200": (
        folder(ex.ntu_rgbd, lambda r: ex.avi(r / VIDEO, 1, 4200)),
        "4200 x 4200",
    ),
    "no video of a skeleton": (
        folder(ex.ntu_rgbd, remove(VIDEO)),
        "expected a video",
    ),
    "damaged skeleton": (
        folder(ex.ntu_rgbd, edit(f"nturgb+d_skeletons/{SKELETON}", b"x\n1\n")),
        "number of frames",
    ),
    "link out of the folder": (
        folder(ex.ntu_rgbd, link_out(VIDEO)),
        "leads out of the folder",
    ),
}
