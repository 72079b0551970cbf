"""The Hub's real client against a small server on loopback."""

import shutil

import keras
import pytest

from keras_mmfusion import presets
from keras_mmfusion.presets import (
    PresetFileError,
    PresetNotFoundError,
    PresetNotPermittedError,
    PresetNotReachableError,
    hub,
)
from tests.presets.hub_server import TOKEN, HubServer
from tests.presets.tiny import TinyTwins, files_of, same, tiny

pytest.importorskip("huggingface_hub")

REPO = "lab/twins"
ADDRESS = f"hf://{REPO}"


# === Downloads ===


def test_a_preset_is_downloaded_and_loaded(server, directories):
    server.add(REPO, files_of(directories[0]))
    same(presets.load(None, ADDRESS), tiny(1))
    same(presets.load(TinyTwins, ADDRESS), tiny(1))


def test_only_our_files_are_asked_for(server, directories):
    extra = {"pytorch_model.bin": b"x", "setup.py": b"x", "big.h5": b"x"}
    server.add(REPO, {**files_of(directories[0]), **extra})
    presets.load(None, ADDRESS)
    asked = {line.rsplit("/", 1)[1] for line in server.requests}
    assert asked == {"metadata.json", "config.json", "model.safetensors"}


def test_weights_are_not_downloaded_when_not_wanted(server, directories):
    server.add(REPO, files_of(directories[0]))
    presets.load(None, ADDRESS, load_weights=False)
    assert not [line for line in server.requests if "safetensors" in line]


def test_a_pinned_revision_stays(server, directories):
    first = server.add(REPO, files_of(directories[0]))
    server.add(REPO, files_of(directories[1]))
    same(presets.load(None, f"{ADDRESS}@{first}"), tiny(1))
    same(presets.load(None, ADDRESS), tiny(2))
    same(presets.load(None, f"{ADDRESS}@main"), tiny(2))
    same(presets.load(None, f"{ADDRESS}@{first}"), tiny(1))


def test_a_tag_is_a_revision(server, directories):
    server.add(REPO, files_of(directories[0]))
    repository = server.repositories[REPO]
    repository.refs["v1.0"] = repository.refs["main"]
    server.add(REPO, files_of(directories[1]))
    same(presets.load(None, f"{ADDRESS}@v1.0"), tiny(1))


def test_a_branch_that_moves_is_followed(server, directories):
    server.add(REPO, files_of(directories[0]))
    same(presets.load(None, ADDRESS), tiny(1))
    server.add(REPO, files_of(directories[1]))
    same(presets.load(None, ADDRESS), tiny(2))


def test_files_are_never_mixed_between_commits(
    server, directories, monkeypatch
):
    """The branch moves after the first file has been fetched."""
    server.add(REPO, files_of(directories[0]))
    original = hub._fetch

    def move_then_fetch(address, repo, name, revision):
        path = original(address, repo, name, revision)
        if name == "metadata.json":
            server.add(REPO, files_of(directories[1]))
        return path

    monkeypatch.setattr(hub, "_fetch", move_then_fetch)
    same(presets.load(None, ADDRESS), tiny(1))


def test_a_second_load_downloads_nothing(server, directories):
    commit = server.add(REPO, files_of(directories[0]))
    presets.load(None, f"{ADDRESS}@{commit}")
    server.requests.clear()
    presets.load(None, f"{ADDRESS}@{commit}")
    assert server.requests == []


def test_damage_on_the_way_is_noticed(server, directories):
    server.add(REPO, files_of(directories[0]))
    server.honest = False
    with pytest.raises(PresetFileError, match="does not have the sha256"):
        presets.load(None, ADDRESS)


# === Without a connection ===


@pytest.mark.parametrize("how", ["offline", "gone", "down"])
def test_what_is_cached_works_offline(how, server, directories, monkeypatch):
    commit = server.add(REPO, files_of(directories[0]))
    presets.load(None, ADDRESS)
    lose(how, server, monkeypatch)
    same(presets.load(None, ADDRESS), tiny(1))
    same(presets.load(None, f"{ADDRESS}@{commit}"), tiny(1))


@pytest.mark.parametrize("how", ["offline", "gone", "down"])
def test_what_is_not_cached_is_not_reachable(
    how, server, directories, monkeypatch
):
    server.add(REPO, files_of(directories[0]))
    lose(how, server, monkeypatch)
    with pytest.raises(PresetNotReachableError, match="the cache does not"):
        presets.load(None, ADDRESS)


@pytest.mark.parametrize("how", ["offline", "gone", "down"])
def test_a_cached_config_without_weights_is_no_model(
    how, server, directories, monkeypatch
):
    server.add(REPO, files_of(directories[0]))
    presets.load(None, ADDRESS, load_weights=False)
    lose(how, server, monkeypatch)
    with pytest.raises(PresetNotReachableError, match=r"model.safetensors"):
        presets.load(None, ADDRESS)
    presets.load(None, ADDRESS, load_weights=False)


def lose(how: str, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "offline":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    elif how == "gone":
        server.stop()
    else:
        server.down = True


def test_offline_nothing_is_asked(server, directories, monkeypatch):
    server.add(REPO, files_of(directories[0]))
    presets.load(None, ADDRESS)
    server.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    presets.load(None, ADDRESS)
    with pytest.raises(PresetNotReachableError, match="HF_HUB_OFFLINE is set"):
        presets.load(None, "hf://lab/other")
    assert server.requests == []


def test_a_cut_connection_leaves_no_half_file(server, directories):
    server.add(REPO, files_of(directories[0]))
    server.cut = "model.safetensors"
    with pytest.raises(PresetNotReachableError, match=r"model.safetensors"):
        presets.load(None, ADDRESS)
    server.cut = None
    same(presets.load(None, ADDRESS), tiny(1))


# === Refusals ===


def test_an_unknown_repository_with_a_login(server, token):
    with pytest.raises(PresetNotFoundError, match="no such repository"):
        presets.load(None, "hf://lab/nothing")


def test_an_unknown_repository_without_a_login(server):
    with pytest.raises(PresetNotPermittedError, match="check the name"):
        presets.load(None, "hf://lab/nothing")


def test_a_private_repository(server, directories, monkeypatch):
    server.add(REPO, files_of(directories[0]), private=True)
    with pytest.raises(PresetNotPermittedError, match="asks for a login"):
        presets.load(None, ADDRESS)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    same(presets.load(None, ADDRESS), tiny(1))


@pytest.mark.parametrize("logged_in", [False, True])
def test_a_gated_repository(logged_in, server, directories, monkeypatch):
    server.add(REPO, files_of(directories[0]), gated=True)
    if logged_in:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(PresetNotPermittedError, match="is gated"):
        presets.load(None, ADDRESS)


def test_an_unknown_revision(server, directories):
    server.add(REPO, files_of(directories[0]))
    with pytest.raises(PresetNotFoundError, match="no such revision"):
        presets.load(None, f"{ADDRESS}@v9")


@pytest.mark.parametrize(
    "missing", ["metadata.json", "config.json", "model.safetensors"]
)
def test_a_missing_file(missing, server, directories):
    files = files_of(directories[0])
    del files[missing]
    server.add(REPO, files)
    with pytest.raises(PresetNotFoundError, match="no such file") as caught:
        presets.load(None, ADDRESS)
    assert missing in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "hf://",
        "hf://twins",
        "hf://lab/twins/extra",
        "hf://lab/twins@",
        "hf://../twins",
        "hf://lab/..",
        "hf://lab/twins@../../main",
        "hf://lab/twins@/etc",
        "hf://lab/twins?x=1",
        "hf://lab\\twins",
    ],
)
def test_malformed_addresses_are_never_sent(address, server):
    with pytest.raises(PresetNotFoundError, match="'hf://owner/name'"):
        presets.load(None, address)
    assert server.requests == []


def test_the_class_must_fit(server, directories):
    server.add(REPO, files_of(directories[0]))

    class Sibling(TinyTwins):
        pass

    assert type(presets.load(Sibling, ADDRESS)) is Sibling
    with pytest.raises(PresetFileError, match="holds a TinyTwins, not a"):
        presets.load(keras.layers.Dense, ADDRESS)


def test_links_of_the_cache_are_followed_and_no_others(
    server, directories, tmp_path
):
    commit = server.add(REPO, files_of(directories[0]))
    folder = hub.download(ADDRESS)
    assert (folder / "config.json").is_symlink()
    (tmp_path / "outside.json").write_bytes(b"{}")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(PresetFileError, match="leads out"):
        presets.load(None, f"{ADDRESS}@{commit}")


# === Uploads ===


def test_an_upload_can_be_downloaded(server, directories, token):
    pinned = presets.upload_preset(ADDRESS, directories[0])
    assert pinned == f"{ADDRESS}@{server.repositories[REPO].refs['main']}"
    assert len(server.repositories[REPO].commits) == 1
    same(presets.load(None, pinned), tiny(1))
    found = server.repositories[REPO].files("main")
    assert found is not None
    assert found[1] == files_of(directories[0])


def test_a_second_upload_is_one_more_commit(
    server, directories, token, tmp_path
):
    shutil.copytree(directories[0], tmp_path / "p")
    presets.save_preset(tiny(1), tmp_path / "p", {"predictions": [1]})
    first = presets.upload_preset(ADDRESS, tmp_path / "p")
    found = server.repositories[REPO].files("main")
    assert found is not None
    server.add(REPO, {**found[1], "notes.txt": b"keep"})
    presets.upload_preset(ADDRESS, directories[1])
    same(presets.load(None, ADDRESS), tiny(2))
    same(presets.load(None, first), tiny(1))
    found = server.repositories[REPO].files("main")
    assert found is not None
    assert "predictions.json" not in found[1]
    assert found[1]["notes.txt"] == b"keep"
    assert len(server.repositories[REPO].commits) == 3


@pytest.mark.parametrize("private", [False, True])
def test_a_new_repository_is_private_if_wanted(
    private, server, directories, token
):
    presets.upload_preset(ADDRESS, directories[0], private=private)
    assert server.repositories[REPO].private is private


def test_only_preset_files_are_uploaded(server, directories, token, tmp_path):
    shutil.copytree(directories[0], tmp_path / "p")
    (tmp_path / "p" / ".env").write_text("SECRET=1")
    (tmp_path / "p" / "notes.txt").write_text("private")
    presets.upload_preset(ADDRESS, tmp_path / "p")
    found = server.repositories[REPO].files("main")
    assert found is not None
    assert sorted(found[1]) == [
        "README.md",
        "config.json",
        "metadata.json",
        "model.safetensors",
    ]


def test_a_damaged_preset_is_not_sent(server, directories, token, tmp_path):
    shutil.copytree(directories[0], tmp_path / "p")
    (tmp_path / "p" / "config.json").write_text("{}")
    with pytest.raises(PresetFileError):
        presets.upload_preset(ADDRESS, tmp_path / "p")
    assert server.requests == []


def test_an_upload_without_a_login(server, directories):
    with pytest.raises(PresetNotPermittedError, match="asks for a login"):
        presets.upload_preset(ADDRESS, directories[0])


def test_an_upload_without_the_right(server, directories, token):
    server.read_only = True
    with pytest.raises(PresetNotPermittedError, match="no write access"):
        presets.upload_preset(ADDRESS, directories[0])
    assert not server.repositories


@pytest.mark.parametrize("how", ["gone", "down", "offline"])
def test_an_upload_without_a_connection(
    how, server, directories, token, monkeypatch
):
    lose(how, server, monkeypatch)
    with pytest.raises(PresetNotReachableError):
        presets.upload_preset(ADDRESS, directories[0])


def test_an_upload_has_no_revision(server, directories):
    with pytest.raises(ValueError, match="leave the revision out"):
        presets.upload_preset(f"{ADDRESS}@v1", directories[0])


def test_without_the_client_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"keras_mmfusion\[hub\]"):
        presets.load(None, ADDRESS)
