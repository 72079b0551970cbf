"""Memory: streamed formats need their samples, pickles twice their size."""

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.data.formats import examples as ex
from tests.data.formats.example_folders import affwild2_features

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="reads /proc"
    ),
]

MIB = 2**20


def in_limited_process(room: int, body: str) -> dict[str, float]:
    """Run `body` in a process that may take `room` bytes more than it has.

    Returns:
        MiB of the limit above the start, and of the highest use above it.
    """
    script = ex.WITHOUT_KERAS + textwrap.dedent(f"""
        import resource
        import h5py
        import numpy as np
        from keras_mmfusion.data.formats import load_file

        def held(field):
            for line in open("/proc/self/status"):
                if line.startswith(field):
                    return int(line.split()[1]) * 1024

        start, resident = held("VmSize:"), held("VmHWM:")
        limit = start + {room}
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    """)
    script += textwrap.dedent(body)
    script += '\nprint("PEAK", held("VmHWM:") - resident)\n'
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    peak = int(done.stdout.split("PEAK")[1])
    return {"limit": room / MIB, "peak": peak / MIB}


def sparse_npy(path, shape, steps=5):
    """A large array of zeros with a few last steps of ones, left-padded."""
    array = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    array[:, -steps:, ::100] = 1
    array.flush()


@pytest.fixture(scope="module")
def large_npy(tmp_path_factory):
    """MSAF's folder with 400 MB of audio in the training split."""
    root = tmp_path_factory.mktemp("large")
    for folder, count in (("train", 2000), ("val", 2), ("test", 2)):
        inner = root / folder
        inner.mkdir()
        sparse_npy(inner / "audio50.npy", (count, 50, 1000))
        sparse_npy(inner / "visual50.npy", (count, 50, 4))
        sparse_npy(inner / "bert50.npy", (count, 50, 4))
        np.save(inner / "label50.npy", np.zeros((count, 1)))
    return root


def test_npy_folder_larger_than_the_limit(large_npy, record_property):
    size = (large_npy / "train/audio50.npy").stat().st_size
    assert size > 400e6
    found = in_limited_process(
        96 * MIB,
        f"""
        train = load_file({str(large_npy)!r}).train
        total = 0
        for index in range(len(train)):
            item = train.features["audio"][index]
            assert item.shape == (5, 1000)
            total += item.sum()
        assert total == 2000 * 5 * 10
        assert (train.features["audio"].lengths() == 5).all()
        """,
    )
    record_property("peak_mib", found["peak"])
    assert found["peak"] < 96


def test_reading_the_same_folder_whole_would_not_fit(large_npy):
    """The limit is one: without streaming it stops the process."""
    path = large_npy / "train/audio50.npy"
    in_limited_process(
        96 * MIB,
        f"""
        try:
            np.load({str(path)!r})
        except MemoryError:
            pass
        else:
            raise SystemExit("400 MB fitted into 96 MiB")
        """,
    )


def test_csd_larger_than_the_limit(tmp_path, record_property):
    import h5py

    path = ex.csd(tmp_path)
    with h5py.File(path / "CMU_MOSI_COVAREP.csd", "w") as file:
        data = file.create_group("COVAREP/data")
        for place, video in enumerate("abcd"):
            group = data.create_group(video)
            steps = 15_000
            features = group.create_dataset(
                "features", (steps, 1000), "f4", fillvalue=0
            )
            # Written at both ends only: 60 MB that take no time to make.
            features[:10] = place + 1
            features[-1] = 1
            group["intervals"] = ex.times(steps, 0.01)
        file.create_group("COVAREP/metadata")
    size = (path / "CMU_MOSI_COVAREP.csd").stat().st_size
    assert size > 240e6
    found = in_limited_process(
        96 * MIB,
        f"""
        import warnings
        warnings.simplefilter("ignore")
        data = load_file({str(path)!r})
        for split in data.splits.values():
            column = split.features["audio"]
            for index in range(len(column)):
                column[index]
        assert data.train.features["audio"][2].shape == (10, 1000)
        """,
    )
    record_property("peak_mib", found["peak"])
    assert found["peak"] < 96


def large(count, content):
    """The content with `count` training samples of audio, the bulk of it."""
    audio = np.zeros((count, 500, 50), np.float32)
    audio[:, -400:] = 1
    entry = content["train"]
    for key, value in entry.items():
        if isinstance(value, np.ndarray):
            rows = np.arange(count) % len(value)
            entry[key] = value[rows]
    entry["audio"] = audio
    for split in ("valid", "test"):
        content[split]["audio"] = audio[: ex.COUNTS[split]]
    return entry


PROTOCOLS = {"protocol 2, bytes as text": 2, "protocol 4": 4, "protocol 5": 5}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_takes_at_most_twice_its_size(protocol, tmp_path):
    """Read, one modality copied because of -inf, the rest as it is."""
    content = ex.mult_content()
    entry = large(1200, content)
    entry["id"] = np.arange(1200 * 3).reshape(1200, 3)
    entry["audio"][0, -1, 0] = -np.inf
    path = ex.dump(tmp_path / "x.pkl", content, PROTOCOLS[protocol])
    size = path.stat().st_size
    assert size > 100 * MIB
    # 64 MiB is what small objects may take in any pickle.
    found = in_limited_process(
        2 * size + 64 * MIB,
        f"""
        import warnings
        warnings.simplefilter("ignore")
        train = load_file({str(path)!r}).train
        assert train.features["audio"][5].shape == (400, 50)
        """,
    )
    assert found["peak"] < 2 * size / MIB + 64


def test_annotations_take_at_most_twice_the_file(tmp_path):
    content = ex.ntu_content()
    clip = content["annotations"][0]
    clip["keypoint"] = np.ones((2, 200, 17, 2), np.float16)
    clip["keypoint_score"] = np.ones((2, 200, 17), np.float16)
    clip["total_frames"] = 200
    names = [ex.ntu_name(1, 1 + i % 60, 1, i) for i in range(900)]
    content["annotations"] = [
        pickle.loads(pickle.dumps(clip)) | {"frame_dir": name} for name in names
    ]
    content["split"] = {"xsub_train": names[:600], "xsub_val": names[600:]}
    path = ex.dump(tmp_path / "x.pkl", content)
    size = path.stat().st_size
    found = in_limited_process(
        2 * size + 64 * MIB,
        f"""
        train = load_file({str(path)!r}).train
        assert train.features["skeleton"][599].shape == (200, 2, 17, 2)
        train.features["skeleton"].lengths()
        """,
    )
    assert found["peak"] < 2 * size / MIB + 64


def test_windows_of_features_larger_than_the_limit(tmp_path, record_property):
    path = affwild2_features(tmp_path, {"Validation_Set": {"b": 10}}, 500)
    inner = path / "Annotations/VA_Estimation_Challenge/Train_Set"
    inner.mkdir()
    frames = 200_000
    (inner / "a.txt").write_text("valence,arousal\n" + "0.5,-5\n" * frames)
    for modality, width in (("video", 500), ("audio", 4)):
        file = path / f"features/{modality}/a.npy"
        array = np.lib.format.open_memmap(
            file, "w+", np.float32, (frames, width)
        )
        array[:: frames // 10] = 1
        array.flush()
    assert (path / "features/video/a.npy").stat().st_size == 128 + 4e8
    found = in_limited_process(
        96 * MIB,
        f"""
        train = load_file({str(path)!r}, window=300, hop=200).train
        assert len(train) == 1000
        total = 0
        for index in range(0, len(train), 4):
            total += train.features["video"][index].sum()
        assert total == 500 * len(
            [i for i in range(0, 200_000, 20_000) if i % 800 < 300]
        )
        """,
    )
    record_property("peak_mib", found["peak"])
    assert found["peak"] < 96
