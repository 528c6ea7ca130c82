"""Downloading the weights by `huggingface_hub`, with its user's own settings: cache, mirror, token, certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.embedders.local.download import NAMES, TICK, Failed, Progress, size_of

__all__ = ["Listing", "cached", "from_hub", "listing", "take"]

REPOSITORY: Final = "sentence-transformers/all-MiniLM-L6-v2"
COMMIT: Final = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
BYTES: Final = 91_334_623
PATIENCE: Final = 5.0
"""Seconds to wait for the first answer: the client alone tries for half a minute."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit."""

    commit: str
    sizes: dict[str, int]
    sha256: dict[str, str]
    """Of the large files, as the hub has it."""


def from_hub(folder: Path, progress: Progress | None) -> Path:
    """A directory with the two files of MiniLM, from the hub or its cache on this machine. Raises `Failed`."""
    for revision in (COMMIT, "main"):
        with suppress(Failed):
            return _fetched(REPOSITORY, NAMES, revision=revision, local_files_only=True)
    _check_online()
    return take(folder, REPOSITORY, COMMIT, NAMES, BYTES, progress)


def cached(repository: str) -> Path:
    """The directory of a repository in the hub's cache on this machine. Raises `Failed`."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, local_files_only=True))
    except Exception as error:
        raise Failed(_reason(error)) from error


def listing(repository: str) -> Listing:
    """What the hub has of a repository. Raises `Failed`."""
    _check_online()
    from huggingface_hub import HfApi, constants

    try:
        found = HfApi(endpoint=constants.ENDPOINT).model_info(repository, files_metadata=True, timeout=30)
        files = {each.rfilename: each for each in found.siblings or ()}
        sizes = {name: int(each.size or 0) for name, each in files.items()}
        sha256 = {name: str(each.lfs["sha256"]) for name, each in files.items() if each.lfs}
    except Exception as error:
        raise Failed(_reason(error)) from error
    return Listing(str(found.sha), sizes, sha256)


def take(
    folder: Path, repository: str, commit: str, names: Sequence[str], total: int, progress: Progress | None
) -> Path:
    """Download files of a commit into a directory. Raises `Failed`."""
    options = {"revision": commit, "local_dir": folder, "etag_timeout": PATIENCE}
    return _followed(lambda: _fetched(repository, names, **options), folder, total, progress)


def _check_online() -> None:
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise Failed(f"huggingface_hub cannot be imported: {error}") from error
    if constants.HF_HUB_OFFLINE:
        raise Failed("HF_HUB_OFFLINE is set, and its cache has no copy")
    _check_reachable(constants.ENDPOINT)


def _fetched(repository: str, names: Sequence[str], **options: Any) -> Path:
    """The directory of the files. Raises `Failed`."""
    try:
        from huggingface_hub import hf_hub_download

        with _silent():
            paths = [Path(hf_hub_download(repository, name, **options)) for name in names]
    except Exception as error:
        raise Failed(_reason(error)) from error
    parents = {path.parents[name.count("/")] for path, name in zip(paths, names, strict=True)}
    if len(parents) > 1:
        raise Failed("the hub's client put the files in different directories")
    return parents.pop()


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


@contextmanager
def _silent() -> Iterator[None]:
    """No progress bars of the client: memwell shows its own."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _check_reachable(endpoint: str) -> None:
    """Raise `Failed` when nothing answers; whatever does answer is left to the client, and so are certificates."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310  the address is the user's own setting
    try:
        urllib.request.urlopen(request, timeout=PATIENCE).close()  # noqa: S310
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        if "CERTIFICATE" not in str(error):
            raise Failed(f"{endpoint} cannot be reached: {error}") from error


def _followed(call: Callable[[], Path], folder: Path, total: int, progress: Progress | None) -> Path:
    """The outcome of a call in a thread of its own, while the growth of a directory is reported from this one."""
    outcome: list[Path | Failed] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Failed as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="memwell-weights", daemon=True)
    thread.start()
    before = most = size_of(folder)
    while thread.is_alive():
        thread.join(TICK)
        size = size_of(folder)
        if progress is not None and size > most:
            most = size
            progress(min(size - before, total), total)
    (found,) = outcome or (Failed("the download ended without a result"),)
    if isinstance(found, Failed):
        raise found
    if progress is not None:
        progress(total, total)
    return found
