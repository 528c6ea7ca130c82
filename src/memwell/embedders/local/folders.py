"""Folders of models in the user's cache: complete or absent, with the size and SHA-256 of every file in a manifest.

A folder is written beside its place and renamed when all of it is on disk, so that a killed or concurrent process never
leaves an incomplete one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from memwell.errors import BackendError, ConfigError

__all__ = [
    "MANIFEST",
    "cache_directory",
    "expanded",
    "fingerprint",
    "intact",
    "manifest",
    "place",
    "seal",
    "sha256_of",
    "staging",
    "sync",
    "verified",
    "write",
]

MANIFEST: Final = "manifest.json"
PARTIAL: Final = ".partial-"
STALE: Final = 86_400.0
"""Seconds after which an unfinished folder is assumed to be abandoned and deleted."""
_SAMPLES, _SAMPLE = 64, 16_384


def cache_directory() -> Path:
    """The folder of all models, in the user's cache. Raises `ConfigError` for a user without home."""
    from platformdirs import user_cache_path

    try:
        return user_cache_path("memwell", appauthor=False) / "models"
    except RuntimeError as error:
        raise ConfigError(
            f"this user has no home directory for the model cache ({error}); set HOME or XDG_CACHE_HOME, or give a"
            " directory as path= or MEMWELL_MODEL_DIR",
            part="local",
        ) from error


def expanded(path: str | Path) -> Path:
    """A path with `~` replaced. Raises `ConfigError` where that is not possible."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{str(path)!r} names no directory: {error}", part="local") from error


def manifest(folder: Path) -> dict[str, Any]:
    """What the manifest says, with `files`: name → size and SHA-256. Empty if it is missing or unreadable."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        return found | {"files": {name: dict(entry) for name, entry in found["files"].items()}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def intact(folder: Path) -> bool:
    """Whether the folder has a manifest and every file of it in its full size."""
    files = manifest(folder).get("files") or {}
    try:
        return bool(files) and all((folder / n).stat().st_size == e["size"] for n, e in files.items())
    except (OSError, KeyError):
        return False


def verified(folder: Path) -> bool:
    """Whether every file is unchanged. Reads all of them."""
    if not intact(folder):
        return False
    files = manifest(folder)["files"]
    return all(sha256_of(folder / name) == entry["sha256"] for name, entry in files.items())


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(paths: Sequence[Path], *settings: str) -> str:
    """Eight characters that differ for files of other content: from their sizes and 1 MB of each, taken evenly."""
    digest = hashlib.blake2b("\0".join(settings).encode(), digest_size=4)
    for path in paths:
        size = path.stat().st_size
        digest.update(b"%d" % size)
        with path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek(max(0, (size - _SAMPLE)) * number // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE))
                if size <= _SAMPLE:
                    break
    return digest.hexdigest()


def seal(folder: Path, names: Sequence[str], about: Mapping[str, Any]) -> None:
    """Write the manifest of a complete folder."""
    entries = {
        name: {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names
    }
    write(folder / MANIFEST, json.dumps({**about, "files": entries}, indent=1).encode())


def write(path: Path, blob: bytes) -> None:
    """Write a file through to the disk."""
    with path.open("wb") as file:
        file.write(blob)
        file.flush()
        sync(file.fileno())


def sync(descriptor: int) -> None:
    """Wait until a file is on disk."""
    os.fsync(descriptor)


def place(folder: Path, target: Path) -> None:
    """Rename a finished folder into place; moves a broken one away first. If another process was faster, its result
    stays.
    """
    if not intact(target) and target.exists():
        with contextlib.suppress(OSError):  # another process may be doing the same
            target.rename(folder.with_name(f"{folder.name}-broken"))
    try:
        folder.rename(target)
    except OSError as error:
        if not intact(target):
            raise BackendError(
                f"cannot move the model to {target}: {error}; check the directory's permissions", part="local"
            ) from error


@contextlib.contextmanager
def staging(target: Path) -> Iterator[Path]:
    """A temporary folder beside the target; deleted afterwards unless it was renamed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target.parent))
    except OSError as error:
        raise ConfigError(
            f"cannot write the model cache {target.parent}: {error}; check free disk space and permissions",
            part="local",
        ) from error
    try:
        yield folder
    finally:
        for left in (folder, folder.with_name(f"{folder.name}-broken")):
            shutil.rmtree(left, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for left in parent.glob(f"{PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)
