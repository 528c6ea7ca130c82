"""Downloading the weights by `huggingface_hub`, with its user's own settings: cache, mirror, token, certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from memwell.embedders.local.download import NAMES, TICK, Failed, Progress, size_of

__all__ = ["from_hub"]

REPOSITORY: Final = "sentence-transformers/all-MiniLM-L6-v2"
COMMIT: Final = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
BYTES: Final = 91_334_623
PATIENCE: Final = 5.0
"""Seconds to wait for the first answer: the client alone tries for half a minute."""


def from_hub(folder: Path, progress: Progress | None) -> Path:
    """A directory with the two files, from the Hugging Face hub or its cache on this machine. Raises `Failed`."""
    try:
        from huggingface_hub import constants
    except ImportError as error:
        raise Failed(f"huggingface_hub cannot be imported: {error}") from error
    for revision in (COMMIT, "main"):
        with suppress(Failed):
            return _fetched(revision=revision, local_files_only=True)
    if constants.HF_HUB_OFFLINE:
        raise Failed("HF_HUB_OFFLINE is set, and its cache has no copy")
    _check_reachable(constants.ENDPOINT)
    return _followed(
        lambda: _fetched(revision=COMMIT, local_dir=folder, etag_timeout=PATIENCE), folder, progress
    )


def _fetched(**options: Any) -> Path:
    """The directory of the two files. Raises `Failed`."""
    from huggingface_hub import hf_hub_download

    try:
        with _silent():
            paths = [Path(hf_hub_download(REPOSITORY, name, **options)) for name in NAMES]
    except Exception as error:
        text = " ".join(str(error).split())
        raise Failed(f"{type(error).__name__}: {text[:300]}") from error
    if len({path.parent for path in paths}) > 1:
        raise Failed("the hub's client put the files in different directories")
    return paths[0].parent


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


def _followed(call: Callable[[], Path], folder: Path, progress: Progress | None) -> Path:
    """The outcome of a call in a thread of its own, while the growth of a directory is reported from this one."""
    outcome: list[Path | Failed] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Failed as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="memwell-weights", daemon=True)
    thread.start()
    most = 0
    while thread.is_alive():
        thread.join(TICK)
        size = size_of(folder)
        if progress is not None and size > most:
            most = size
            progress(min(size, BYTES), BYTES)
    (found,) = outcome or (Failed("the download ended without a result"),)
    if isinstance(found, Failed):
        raise found
    if progress is not None:
        progress(BYTES, BYTES)
    return found
