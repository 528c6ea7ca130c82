"""The path of a database, and whether the file behind it can be written."""

from __future__ import annotations

import os
from pathlib import Path

from memwell.errors import ConfigError

__all__ = ["cannot_write", "path_of"]


def path_of(given: str | os.PathLike[str]) -> str:
    """The absolute path. Raises `ConfigError` for one that no file can have."""
    try:
        path = str(Path(given).absolute())
        os.fsencode(path)
    except (OSError, TypeError, ValueError) as error:
        raise ConfigError(f"{given!r} cannot be the path of a file: {error}", part="sqlite") from error
    if "\0" in path:
        raise ConfigError(f"{given!r} cannot be the path of a file: it holds a NUL character", part="sqlite")
    return path


def cannot_write(path: str) -> bool:
    """Whether the file, or its folder, which has to take the write-ahead log, is there and read-only."""
    if not Path(path).is_file():
        return False
    logs = [Path(f"{path}{suffix}") for suffix in ("-wal", "-shm")]
    if all(log.exists() for log in logs):
        return not all(_may_write(file) for file in (Path(path), *logs))
    return not (_may_write(Path(path)) and _may_write(Path(path).parent))


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
