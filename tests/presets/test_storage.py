"""Replacing files as a whole, also when the process dies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_mmfusion.presets import PresetFileError, storage

# No part of this depends on the backend.
pytestmark = pytest.mark.once

OLD = {"config.json": b"old", "metadata.json": b"old", "predictions.json": b"o"}
NEW = {"config.json": b"new!", "metadata.json": b"new!", "README.md": b"card"}


def contents(directory: Path) -> dict[str, bytes]:
    folder = storage.valid_folder(directory)
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_files_are_written_and_replaced(tmp_path):
    storage.replace_files(tmp_path / "deep" / "p", OLD)
    assert contents(tmp_path / "deep" / "p") == OLD
    storage.replace_files(tmp_path / "deep" / "p", NEW)
    assert contents(tmp_path / "deep" / "p") == NEW


def test_stale_files_go_and_foreign_files_stay(tmp_path):
    storage.replace_files(tmp_path, {**OLD, "README.md": b"mine"})
    (tmp_path / "notes.txt").write_text("keep")
    (tmp_path / ".git").mkdir()
    storage.replace_files(tmp_path, {"config.json": b"1"})
    assert contents(tmp_path) == {
        "config.json": b"1",
        "README.md": b"mine",
        "notes.txt": b"keep",
        # Not listed by itself, so it is replaced and never removed alone.
        "metadata.json": b"old",
    }
    assert (tmp_path / ".git").is_dir()


def test_no_leftovers(tmp_path):
    storage.replace_files(tmp_path, OLD)
    storage.replace_files(tmp_path, NEW)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NEW)


def test_leftovers_of_a_killed_save_are_removed(tmp_path):
    (tmp_path / ".draft-abc").mkdir()
    (tmp_path / ".draft-abc" / "config.json").write_bytes(b"half")
    (tmp_path / ".draft-config.json").write_bytes(b"half")
    storage.replace_files(tmp_path, NEW)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NEW)


def test_an_error_while_writing_keeps_the_old(tmp_path, monkeypatch):
    storage.replace_files(tmp_path, OLD)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        storage.replace_files(tmp_path, NEW)
    assert contents(tmp_path) == OLD
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(OLD)


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "p").write_text("x")
    with pytest.raises(PresetFileError, match="is a file"):
        storage.replace_files(tmp_path / "p", NEW)


def test_a_fifo_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(PresetFileError, match="not a regular file"):
        storage.read_file(tmp_path, "config.json", tmp_path)


def test_a_link_inside_the_directory_is_followed(tmp_path):
    (tmp_path / "blob").write_bytes(b"data")
    (tmp_path / "config.json").symlink_to("blob")
    assert storage.read_file(tmp_path, "config.json", tmp_path) == b"data"


def test_a_dangling_link_is_not_a_regular_file(tmp_path):
    (tmp_path / "config.json").symlink_to("nothing")
    with pytest.raises(PresetFileError, match="not a regular file"):
        storage.read_file(tmp_path, "config.json", tmp_path)


KILL = """
import os, signal, sys
from pathlib import Path
from keras_mmfusion.presets import reading, saving, storage
from tests.presets.tiny import TinyTwins, saved, tiny

base = Path(sys.argv[1])
FIRST, SECOND = tiny(1), tiny(2)
START = {"note": "first", "predictions": {"p": [1]}}

def attempt(directory, event_number):
    # A child that is killed at its n-th touch of the directory.
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if any(str(directory) in str(a) for a in arguments):
            seen += 1
            if seen == event_number:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    saving.save_preset(SECOND, directory, {"note": "second"})
    os._exit(0)

results, number, status = [], 0, 1
while status != 0:
    number += 1
    directory = base / str(number)
    saving.save_preset(FIRST, directory, START)
    status = attempt(directory, number)
    found = reading.read(directory, storage.LISTED_FILES, None)
    files = set(found.metadata["files"])
    results.append((found.metadata["note"], "predictions.json" in files))
    # The next save must repair whatever was left.
    saving.save_preset(SECOND, directory, {"note": "third"})
    names = sorted(p.name for p in directory.iterdir())
    assert names == [
        "README.md", "config.json", "metadata.json", "model.safetensors"
    ], names
import json
print(json.dumps(results))
"""


def test_a_save_killed_at_any_moment_leaves_one_whole_preset(tmp_path):
    """Kills a real save at every file operation that it performs."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILL, str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": "numpy"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) > 20
    kinds = [tuple(r) for r in results]
    assert set(kinds) == {("first", True), ("second", False)}
    # Old until one moment, new from then on.
    assert kinds == sorted(kinds)
