"""The path of a database, and whether the file behind it can be written.

Importing `pathlib` takes longer than opening a file, so what every process asks at its start is asked of `os`.
"""

from __future__ import annotations

import os
from types import ModuleType

from memwell.errors import ConfigError

__all__ = ["cannot_write", "path_of", "scripts_in", "size_of", "uri_of"]


def path_of(given: str | os.PathLike[str]) -> str:
    """The absolute path. Raises `ConfigError` for one that no file can have."""
    try:
        path = _absolute(os.fspath(given))
        os.fsencode(path)
    except (OSError, TypeError, ValueError) as error:
        raise ConfigError(f"{given!r} cannot be the path of a file: {error}", part="sqlite") from error
    if "\0" in path:
        raise ConfigError(f"{given!r} cannot be the path of a file: it holds a NUL character", part="sqlite")
    return path


def _absolute(path: str) -> str:
    """The path from the root. One that goes up stays as it is, because a folder on its way may be a link."""
    whole = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    return whole if ".." in path or "\0" in path else os.path.normpath(whole)


def cannot_write(path: str) -> bool:
    """Whether the file, or its folder, which has to take the write-ahead log, is there and read-only."""
    if not os.path.isfile(path):
        return False
    logs = [f"{path}{suffix}" for suffix in ("-wal", "-shm")]
    if all(map(os.path.exists, logs)):
        return not all(map(_may_write, (path, *logs)))
    return not (_may_write(path) and _may_write(os.path.dirname(path)))


def uri_of(path: str, options: str) -> str:
    """The URI of an absolute path, with options such as `mode=ro`, as SQLite reads it."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23").replace(os.sep, "/")
    return f"file://{'' if escaped.startswith('/') else '/'}{escaped}?{options}"


def size_of(path: str) -> int:
    """Bytes of a file; 0 if there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def scripts_in(package: ModuleType, folder: str) -> list[str]:
    """The texts of the `.sql` files in a folder of a package, by their names."""
    path, texts = os.path.join(package.__path__[0], folder), []
    for name in sorted(os.listdir(path)):
        if name.endswith(".sql"):
            with open(os.path.join(path, name), encoding="utf-8") as file:
                texts.append(file.read())
    return texts


def _may_write(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
