import numpy as np
import pytest

from keras_mmfusion.evaluation import files

pytestmark = pytest.mark.once


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "new" / "record.json"
    files.write_json(path, {"epoch": 1})

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        files.write_json(path, {"epoch": 2})
    assert files.read_json(path) == {"epoch": 1}


def test_json_knows_no_nan(tmp_path):
    path = tmp_path / "x.json"
    value = {"a": np.float32(0.5), "b": [np.nan, np.inf], "c": np.arange(2)}
    files.write_json(path, value)
    assert files.read_json(path) == {"a": 0.5, "b": [None, None], "c": [0, 1]}
    assert np.isnan(files.number(None))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not valid JSON"), (b"[1]", "JSON object"), (b"\xff", "not valid")],
)
def test_damaged_json_is_named(tmp_path, content, message):
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"result\.json.*{message}"):
        files.read_json(path)
    with pytest.raises(FileNotFoundError, match="finished run"):
        files.read_json(tmp_path / "none.json")


def test_arrays_come_back_and_pickles_do_not(tmp_path):
    arrays = {"labels": np.arange(3), "predictions/x": np.ones((2, 3))}
    data = files.encode_arrays(arrays)
    found = files.decode_arrays(data, tmp_path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    path = tmp_path / "evil.npz"
    np.savez(path, x=np.array([{"a": 1}], dtype=object))
    for content in (path.read_bytes(), data[:40], b""):
        with pytest.raises(ValueError, match=r"evil\.npz is not"):
            files.decode_arrays(content, path)
