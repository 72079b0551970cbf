"""Presets on the Hugging Face Hub, through its own client and cache.

The files of a preset always come from one commit: the first file resolves
the revision, the others are asked for by that commit. What is cached is
used without a connection; a cached config without its cached weights is an
error and never an untrained model.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_mmfusion.presets import reading, storage
from keras_mmfusion.presets.directory import verify_preset
from keras_mmfusion.presets.errors import (
    PresetNotFoundError,
    PresetNotPermittedError,
    PresetNotReachableError,
)

SCHEME = "hf://"

_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_ADDRESS = re.compile(
    rf"hf://(?P<repo>{_WORD}/{_WORD})(@(?P<revision>{_WORD}(/{_WORD})*))?"
)
_TRUE = {"1", "ON", "YES", "TRUE"}


def download(address: str, with_weights: bool = True) -> Path:
    """Returns a local directory with the preset's files of one commit.

    Args:
        address: `"hf://owner/name"` or `"hf://owner/name@revision"` with a
            branch, tag or commit.
        with_weights: Whether `model.safetensors` is needed.

    Raises:
        PresetNotFoundError: If repository, revision or file do not exist.
        PresetNotReachableError: If the Hub does not answer and the files
            are not cached.
        PresetNotPermittedError: If the Hub refuses.
    """
    repo, revision = parse(address)
    first = _fetch(address, repo, storage.METADATA, revision)
    directory = first.parent
    commit = directory.name
    listed = reading.read_metadata(directory, root=cache())["files"]
    for name in (storage.CONFIG, storage.WEIGHTS):
        if name in listed and (with_weights or name != storage.WEIGHTS):
            _fetch(address, repo, name, commit)
    return directory


def upload_preset(
    address: str, directory: str | os.PathLike[str], private: bool = False
) -> str:
    """Uploads a verified preset directory in one commit.

    Files of an older preset that the new one lacks are deleted in the same
    commit; other files of the repository stay.

    Args:
        address: `"hf://owner/name"`.
        directory: A directory that `save_preset` wrote.
        private: Whether a repository that has to be created is private.

    Returns:
        The pinned address, `"hf://owner/name@commit"`.

    Raises:
        PresetFileError: If the preset does not pass `verify_preset`; then
            nothing is sent.
        PresetNotPermittedError: If the Hub refuses.
        PresetNotReachableError: If the Hub does not answer.
    """
    repo, revision = parse(address)
    if revision is not None:
        raise ValueError(
            "A preset is uploaded to the main branch; leave the revision "
            f"out. Received: {address!r}"
        )
    if _offline():
        raise _unreachable(f"{address} (the upload)", OSError())
    directory = Path(directory)
    verify_preset(directory)
    folder = storage.valid_folder(directory)
    hub = _client()
    api = hub.HfApi(endpoint=_endpoint())
    contents = {
        name: storage.read_file(folder, name, directory)
        for name in storage.ALL_FILES
        if (folder / name).exists()
    }
    with _translated(address, "the upload"):
        api.create_repo(repo, private=private, exist_ok=True)
        there = set(api.list_repo_files(repo))
        operations: list[Any] = [
            hub.CommitOperationAdd(name, data)
            for name, data in contents.items()
        ]
        operations += [
            hub.CommitOperationDelete(name)
            for name in storage.LISTED_FILES
            if name in there and name not in contents
        ]
        commit = api.create_commit(
            repo, operations, commit_message="Upload a keras_mmfusion preset"
        )
    return f"{SCHEME}{repo}@{commit.oid}"


def cache() -> Path:
    """Returns the client's cache folder."""
    if "HF_HUB_CACHE" in os.environ:
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    if "HF_HOME" in os.environ:
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    return Path(_client().constants.HF_HUB_CACHE)


def parse(address: str) -> tuple[str, str | None]:
    """Returns repository and revision of `hf://owner/name[@revision]`."""
    match = _ADDRESS.fullmatch(address)
    if match is None or ".." in address:
        raise PresetNotFoundError(
            "A preset on the Hub is named 'hf://owner/name' or "
            f"'hf://owner/name@revision'. Received: {address!r}"
        )
    return match["repo"], match["revision"]


def _fetch(address: str, repo: str, name: str, revision: str | None) -> Path:
    hub = _client()
    with _translated(address, name):
        path = hub.hf_hub_download(
            repo,
            name,
            revision=revision,
            endpoint=_endpoint(),
            cache_dir=cache(),
            local_files_only=_offline(),
        )
    return Path(path)


def _client() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise ImportError(
            "Presets on the Hub need huggingface_hub: "
            "pip install 'keras_mmfusion[hub]'"
        ) from error
    return huggingface_hub


def _endpoint() -> str | None:
    # The client reads it once at import; here it may be set later.
    return os.environ.get("HF_ENDPOINT") or None


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE


@contextmanager
def _translated(address: str, what: str) -> Iterator[None]:
    """Turns the client's exceptions into our three."""
    try:
        yield
    except Exception as error:
        translated = _translate(error, address, what)
        if translated is None:
            raise
        raise translated from error


def _translate(
    error: BaseException, address: str, what: str
) -> Exception | None:
    errors = _client().errors
    about = f"{address} ({what})"
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__
        status = getattr(getattr(cause, "response", None), "status_code", 0)
        if cause is not None and status in (401, 403, 404):
            return _translate(cause, address, what)
        return _unreachable(about, cause or error)
    if isinstance(error, errors.HFValidationError):
        return PresetNotFoundError(f"{about}: {error}")
    if isinstance(error, errors.RevisionNotFoundError):
        return PresetNotFoundError(
            f"{about}: the repository has no such revision. Check what "
            "stands after '@'."
        )
    if isinstance(error, errors.EntryNotFoundError):
        return PresetNotFoundError(
            f"{about}: the repository has no such file at this revision, so "
            "it is not a whole keras_mmfusion preset."
        )
    response = getattr(error, "response", None)
    if isinstance(error, errors.HfHubHTTPError) and response is not None:
        return _for_status(error, response.status_code, about, errors)
    library = type(error).__module__.partition(".")[0]
    cut_short = type(error) is OSError and error.errno is None
    offline = isinstance(error, errors.OfflineModeIsEnabled)
    if library.startswith("httpx") or cut_short or offline:
        return _unreachable(about, error)
    return None


def _for_status(
    error: BaseException, status: int, about: str, errors: Any
) -> Exception:
    if isinstance(error, errors.GatedRepoError):
        return PresetNotPermittedError(
            f"{about} is gated. Ask for access on its page, then log in "
            "with `hf auth login` or set HF_TOKEN."
        )
    if status == 401:
        return PresetNotPermittedError(
            f"{about}: the Hub asks for a login. It answers the same for a "
            "private repository and for one that does not exist: check the "
            "name, then log in with `hf auth login` or set HF_TOKEN."
        )
    if status == 403 or isinstance(error, errors.DisabledRepoError):
        return PresetNotPermittedError(
            f"{about}: the Hub forbids it for this user or token. "
            f"It said: {error}"
        )
    if status == 404:
        return PresetNotFoundError(f"{about}: there is no such repository.")
    return _unreachable(about, error)


def _unreachable(about: str, error: BaseException) -> PresetNotReachableError:
    reason = str(error).strip() or type(error).__name__
    if _offline():
        reason = "HF_HUB_OFFLINE is set"
    return PresetNotReachableError(
        f"{about}: the Hub could not be reached, and the cache does not have "
        f"it. Check the connection and try again. Reason: {reason}"
    )
