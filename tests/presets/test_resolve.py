"""From a name to a preset: built in, on the Hub, on disk."""

import shutil
from pathlib import Path
from typing import Any

import keras
import pytest

from keras_mmfusion import presets
from keras_mmfusion.presets import (
    PresetFileError,
    PresetNotFoundError,
    PresetUntrainedError,
    catalog,
)
from tests.presets.tiny import TinyTwins, files_of, same, saved, tiny


@pytest.fixture
def shelf(
    tmp_path: Path, directories: list[Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder of built-in presets: one trained, one not."""
    folder = tmp_path / "weights"
    shutil.copytree(directories[0], folder / "tinytwins_good")
    presets.save_preset(
        TinyTwins(),
        folder / "tinytwins_bare",
        {"trained": False, "description": "Only a recipe."},
    )
    (folder / "recipes").mkdir()
    monkeypatch.setattr(catalog, "weights_directory", lambda: folder)
    return folder


def test_the_catalog_reads_the_folders(shelf):
    found = presets.presets_of("TinyTwins")
    assert list(found) == ["bare", "good"]
    assert found["good"].trained
    assert found["bare"].description == "Only a recipe."
    assert presets.presets_of("Nothing") == {}
    entry = presets.find_global("tinytwins_good")
    assert entry is not None
    assert entry.folder == shelf / "tinytwins_good"
    assert presets.find_global("good") is None


def test_a_new_folder_is_found_at_once(shelf):
    shutil.copytree(shelf / "tinytwins_good", shelf / "tinytwins_other")
    assert "other" in presets.presets_of("TinyTwins")


def test_a_folder_must_be_named_after_its_class(shelf):
    shutil.copytree(shelf / "tinytwins_good", shelf / "good")
    with pytest.raises(PresetFileError, match="'tinytwins_<name>'"):
        presets.presets_of("TinyTwins")


def test_the_real_catalog_can_be_read():
    for name, entry in presets.all_presets().items():
        assert name == f"{entry.class_name.lower()}_{entry.name}"


def test_names_of_the_class_and_global_names(shelf):
    same(presets.load(TinyTwins, "good"), tiny(1))
    same(presets.load(TinyTwins, "tinytwins_good"), tiny(1))
    same(presets.load(None, "tinytwins_good"), tiny(1))


def test_a_short_name_needs_its_class(shelf):
    with pytest.raises(PresetNotFoundError, match="tinytwins_good"):
        presets.load(None, "good")


def test_a_built_in_name_comes_before_a_directory(shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "good", seed=2)
    same(presets.load(TinyTwins, "good"), tiny(1))
    same(presets.load(TinyTwins, Path("good")), tiny(2))
    same(presets.load(TinyTwins, "./good"), tiny(2))


def test_a_directory_by_text_path_and_home(tmp_path, monkeypatch):
    saved(tmp_path / "mine", seed=3)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (str(tmp_path / "mine"), tmp_path / "mine", "~/mine"):
        same(presets.load(TinyTwins, name), tiny(3))


@pytest.mark.parametrize(
    "name",
    [
        "goood",
        "",
        " ",
        "../weights/tinytwins_missing",
        "/nowhere/preset",
        "~nobody_of_this_name/preset",
        "nul\0byte",
        "long" * 5000,
        "https://example.org/preset",
        "kaggle://lab/twins",
    ],
)
def test_unknown_names_list_the_known(name, shelf):
    with pytest.raises(PresetNotFoundError, match="of TinyTwins: bare, good"):
        presets.load(TinyTwins, name)


@pytest.mark.parametrize("name", [None, 3, ["good"], b"good"])
def test_a_name_is_text_or_a_path(name, shelf):
    with pytest.raises(ValueError, match="text or by a path"):
        presets.load(TinyTwins, name)


def test_the_closest_name_is_offered(shelf):
    with pytest.raises(PresetNotFoundError, match=r"Did you mean 'good'\?"):
        presets.load(TinyTwins, "goood")
    with pytest.raises(PresetNotFoundError, match="address understood is hf"):
        presets.load(TinyTwins, "https://example.org/preset")


def test_a_preset_without_weights(shelf):
    with pytest.raises(PresetUntrainedError, match="load_weights=False"):
        presets.load(TinyTwins, "bare")
    assert presets.load(TinyTwins, "bare", load_weights=False).units == 4


def test_overrides_are_passed_on(shelf):
    model = presets.load(TinyTwins, "bare", load_weights=False, units=7)
    assert model.units == 7


class Another(keras.Model):
    pass


class TwinsSibling(TinyTwins):
    pass


def test_the_class_must_fit(shelf):
    with pytest.raises(PresetFileError, match=r"Load it with TinyTwins\."):
        presets.load(Another, "tinytwins_good")


def test_a_subclass_has_the_presets_of_its_parent(shelf):
    for name in ("good", "tinytwins_good", shelf / "tinytwins_good"):
        model = presets.load(TwinsSibling, name)
        assert type(model) is TwinsSibling
        same(model, tiny(1))
    bare = presets.load(TwinsSibling, "bare", load_weights=False, units=7)
    assert type(bare) is TwinsSibling
    assert bare.units == 7
    with pytest.raises(PresetNotFoundError, match="of TinyTwins: bare, good"):
        presets.load(TwinsSibling, "goood")


class WiderTwins(TinyTwins):
    def __init__(
        self, width: int, units: int, num_classes: int, order: Any
    ) -> None:
        super().__init__(width, units + 1, num_classes, order)


def test_a_subclass_of_another_network_is_refused(shelf):
    with pytest.raises(ValueError, match="Through the class WiderTwins more"):
        presets.load(WiderTwins, "good")


class NamedTwins(TinyTwins):
    def __init__(self, title: str, **kwargs: Any) -> None:
        super().__init__(name=title, **kwargs)


def test_a_subclass_of_other_arguments_is_refused(shelf):
    with pytest.raises(ValueError, match=r"NamedTwins.*missing key 'title'"):
        presets.load(NamedTwins, "good")


# === Weights that are too large for the package ===


@pytest.fixture
def remote(shelf, server, directories):
    """A built-in preset whose weights are on the Hub, at a commit."""
    commit = server.add("lab/good", files_of(directories[0]))
    folder = shelf / "tinytwins_good"
    data = presets.read_metadata(folder)
    data["hub"] = f"hf://lab/good@{commit}"
    presets.save_preset(tiny(1), folder, data)
    (folder / "model.safetensors").unlink()
    server.requests.clear()
    return folder


def test_weights_come_from_the_pinned_revision(remote, server, directories):
    server.add("lab/good", files_of(directories[1]))
    same(presets.load(TinyTwins, "good"), tiny(1))
    entry = presets.presets_of("TinyTwins")["good"]
    assert entry.hub is not None


def test_once_cached_they_work_offline(remote, server):
    presets.load(TinyTwins, "good")
    server.stop()
    same(presets.load(TinyTwins, "good"), tiny(1))


def test_the_network_alone_needs_no_connection(remote, server):
    presets.load(TinyTwins, "good", load_weights=False)
    assert server.requests == []


def test_other_weights_at_the_address_are_refused(remote, server, directories):
    other = server.add("lab/good", files_of(directories[1]))
    data = presets.read_metadata(remote)
    text = (remote / "metadata.json").read_text()
    pinned = data["hub"].rpartition("@")[2]
    (remote / "metadata.json").write_text(text.replace(pinned, other))
    with pytest.raises(PresetFileError, match=r"another model\.safetensors"):
        presets.load(TinyTwins, "good")
