"""Bad files are refused: what is wrong, in which file, and nothing is run."""

import os
import re
import resource
import subprocess
import sys
import textwrap
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from keras_mmfusion.data import load
from keras_mmfusion.data.formats import FORMATS, load_file
from tests.data.formats import examples as ex
from tests.data.formats.bad_files import BAD_FILES
from tests.data.formats.damage import CANARY

pytestmark = pytest.mark.once

CASES = [
    pytest.param(name, case, id=f"{name}: {case}")
    for name, cases in BAD_FILES.items()
    for case in cases
]
# Errors of the file system and of damaged containers.
OS_ERRORS = {
    ("csd", "truncated"),
    ("msaf_ravdess", "truncated frame"),
    ("ntu_rgbd", "truncated"),
}


def read_everything(path, **options):
    """Load and take every sample; some errors show only then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = load_file(path, **options)
        for split in dataset.splits.values():
            for column in split.features.values():
                for index in range(len(column)):
                    column[index]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_bad_file(name, case, tmp_path, monkeypatch):
    make, message = BAD_FILES[name][case]
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    path = make(data)
    monkeypatch.chdir(work)
    expected = OSError if (name, case) in OS_ERRORS else ValueError
    tracemalloc.start()
    try:
        with pytest.raises(expected) as caught:
            read_everything(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert re.search(message, text, re.DOTALL), text
    assert str(data) in text or str(data.resolve()) in text
    # The other half of "what to do" is in the words; here only that there
    # is more than the bare fact.
    assert len(text) > len(str(path)) + 20
    assert not list(work.iterdir())
    assert not list(tmp_path.rglob(CANARY))
    # Small files; what they declare may be terabytes.
    assert peak < 64 * 2**20


def test_there_are_enough_bad_files():
    own = "arrays"  # has its own file, test_own_arrays.py
    assert set(BAD_FILES) == {"general", *FORMATS} - {own}
    assert len(CASES) >= 60


OTHERS = {
    "mmsa": "mult",
    "mult": "mmsa",
    "multibench": "mult",
    "mag": "misa",
    "misa": "mag",
    "msaf_npy": "merbench",
    "msaf_ravdess": "utd_mhad",
    "merbench": "csd",
    "csd": "msaf_npy",
    "ntu_mmaction": "mag",
    "ntu_skeleton": "ntu_mmaction",
    "ntu_rgbd": "ntu_skeleton",
    "affwild2": "ntu_skeleton",
    "utd_mhad": "msaf_ravdess",
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_format_under_this_name(name, tmp_path):
    path = ex.MAKERS[OTHERS[name]](tmp_path)
    with pytest.raises(ValueError, match=f"expected {name}") as caught:
        load_file(path, format=name)
    assert f"It looks like {OTHERS[name]}" in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["mmsa", "mult", "multibench", "mag", "misa"])
@pytest.mark.filterwarnings("ignore:.*no text:UserWarning")
def test_ids_shared_by_splits(name, tmp_path):
    import pickle

    if name == "misa":
        path = ex.misa(tmp_path)
        (path / "test.pkl").write_bytes((path / "dev.pkl").read_bytes())
    else:
        path = ex.MAKERS[name](tmp_path)
        content = pickle.loads(path.read_bytes())
        valid = "dev" if name == "mag" else "valid"
        content["test"] = content[valid]
        ex.dump(path, content)
    with pytest.raises(ValueError, match="the splits share samples") as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_ids_shared_by_splits_in_ntu_pickles(tmp_path):
    content = ex.ntu_content()
    content["split"]["xsub_val"].append(content["split"]["xsub_train"][0])
    path = ex.dump(tmp_path / "x.pkl", content)
    with pytest.raises(ValueError, match="the splits share samples"):
        load(path)


@pytest.mark.parametrize("name", ex.MAKERS)
def test_bad_options(name, tmp_path):
    bad = {
        "mmsa": {"label": "happiness"},
        "msaf_npy": {"label": 7},
        "msaf_ravdess": {"folds": {"train": "01"}},
        "merbench": {"label": "mood"},
        "csd": {"modalities": {"audio": "nothing"}},
        "ntu_mmaction": {"protocol": "xset"},
        "ntu_skeleton": {"protocol": "xall"},
        "ntu_rgbd": {"frames": 0},
        "affwild2": {"images": "/nowhere"},
        "utd_mhad": {"folds": {"training": ["1"]}},
    }.get(name, {"nonsense": 1})
    with pytest.raises(ValueError, match=r"Received|none|no such"):
        load_file(ex.MAKERS[name](tmp_path), format=name, **bad)


@pytest.mark.parametrize("name", ["../secret-UTT", "/etc", "a/b"])
def test_merbench_feature_folder_outside(name, tmp_path):
    path = ex.merbench(tmp_path)
    with pytest.raises(ValueError, match="path separators"):
        load_file(path, features={"audio": name})


def test_missing_path_and_unreadable_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl"):
        load_file(tmp_path / "none.pkl")
    path = ex.mmsa(tmp_path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the super-user may read everything")
    with pytest.raises(PermissionError):
        load_file(path)


def small_files(root):
    files = [root] if root.is_file() else sorted(root.rglob("*"))
    return [p for p in files if p.is_file() and p.stat().st_size]


@pytest.mark.parametrize("name", ex.MAKERS)
@pytest.mark.filterwarnings("ignore")
def test_random_damage_gives_data_or_these_errors_only(name, tmp_path):
    """Bytes flipped at random: never another error, never NaN."""
    path = ex.MAKERS[name](tmp_path)
    chooser = np.random.default_rng(len(name))
    files = small_files(path)
    for _ in range(25):
        file = files[chooser.integers(len(files))]
        good = file.read_bytes()
        bad = bytearray(good)
        # Headers and structure are at the start and the end.
        span = min(len(bad), 400)
        for _ in range(chooser.integers(1, 4)):
            place = int(chooser.integers(span))
            bad[-place if chooser.random() < 0.3 else place] ^= int(
                chooser.integers(1, 256)
            )
        file.write_bytes(bytes(bad))
        try:
            read_everything(path)
        except (ValueError, OSError) as error:
            said = str(error)
        else:
            said = str(path)
        finally:
            file.write_bytes(good)
        assert str(tmp_path) in said


ODD = [
    None,
    -1,
    2.5,
    float("nan"),
    10**400,
    "x",
    b"y",
    [],
    {},
    (),
    {"a": 1},
    [[1], [1, 2]],
    [None] * 5,
    np.array(None),
    np.array(5.0),
    np.zeros(0),
    np.zeros((0, 3, 4)),
    np.array(["a", "b"]),
    np.ones((5, 2, 3)),
    np.full((5, 6, 8), np.nan),
    np.array([1, None], object),
    np.ones((1, 1, 1), complex),
    np.full((5, 6, 8), 1e300),
]
CONTENTS = {
    "mmsa": ex.mmsa_content,
    "mult": ex.mult_content,
    "iemocap": ex.iemocap_content,
    "multibench": ex.multibench_content,
    "mag": lambda: {
        "train": ex.records("train", 3),
        "dev": ex.records("valid", 3),
        "test": ex.records("test", 3),
    },
    "ntu_mmaction": ex.ntu_content,
}


def places(value, before=()):
    """Paths to the parts of nested containers, the first three of a list."""
    yield before
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*before, key))
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value[:3]):
            yield from places(part, (*before, index))


def replaced(value, place, new):
    if not place:
        return new
    first, rest = place[0], place[1:]
    if isinstance(value, dict):
        return value | {first: replaced(value[first], rest, new)}
    parts = list(value)
    parts[first] = replaced(parts[first], rest, new)
    return type(value)(parts)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.filterwarnings("ignore")
def test_odd_values_anywhere_give_data_or_these_errors_only(name, tmp_path):
    """Every part of a pickle replaced by what does not belong there."""
    content = CONTENTS[name]()
    path = tmp_path / "data.pkl"
    chooser = np.random.default_rng(len(name))
    everywhere = list(places(content))
    for place in everywhere:
        odd = ODD[chooser.integers(len(ODD))]
        ex.dump(path, replaced(content, place, odd))
        try:
            read_everything(path)
        except (ValueError, OSError) as error:
            said = str(error)
        else:
            said = str(path)
        assert str(path) in said
    assert len(everywhere) > 15


BOUNDED = {
    "huge shape in .npy": ("msaf_npy", "huge shape"),
    "compressed MATLAB bomb": ("utd_mhad", "compressed data that grow to 4 GB"),
    "zip bomb": ("merbench", "zip bomb"),
    "HDF5 that declares a terabyte": ("csd", "declares a terabyte"),
    "frame of 60,000 x 60,000": (
        "msaf_ravdess",
        "frame that declares 60,000 x 60,000",
    ),
    "a billion frames": ("ntu_skeleton", "a billion frames"),
    "video of 4,200 x 4,200": ("ntu_rgbd", "4,200 x 4,200"),
}


@pytest.mark.parametrize("case", BOUNDED)
def test_bombs_in_a_process_without_room(case, tmp_path):
    """The refusal needs less than 64 MiB beyond what Python holds."""
    name, bad = BOUNDED[case]
    path = BAD_FILES[name][bad][0](tmp_path)
    script = ex.WITHOUT_KERAS + textwrap.dedent(f"""
        import resource, warnings
        from keras_mmfusion.data.formats import load_file
        import av, h5py, PIL.Image, PIL.JpegImagePlugin, PIL.PngImagePlugin
        warnings.simplefilter("ignore")
        held = int(open("/proc/self/statm").read().split()[0])
        limit = held * resource.getpagesize() + 64 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            data = load_file({str(path)!r})
            for split in data.splits.values():
                for column in split.features.values():
                    for index in range(len(column)):
                        column[index]
        except (ValueError, OSError) as error:
            print(type(error).__name__, error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert str(tmp_path) in done.stdout
    assert resource.getpagesize()
    assert Path(path).exists()
