"""Files of one JSON object a line: their paths, and lines of bounded length."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Final

from memwell.errors import InvalidInput, shown

__all__ = ["LINE_LIMIT", "lines", "parsed", "path_of"]

LINE_LIMIT: Final = 64 * 2**20
"""The most bytes of one line, its line feed included."""


def path_of(given: str | PathLike[str]) -> Path:
    """A path that can name a file. Raises `InvalidInput`."""
    try:
        path = Path(given)
        os.fsencode(path)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{shown(given)} cannot be the path of a file: {error}") from error
    if not path.name or "\0" in path.name:
        raise InvalidInput(f"{shown(given)} names no file")
    return path


def lines(file: BinaryIO, start: int = 0) -> Iterator[bytes]:
    """The lines of a file from byte `start`; of a line over the limit only its first `LINE_LIMIT + 1` bytes, as the
    last one.
    """
    file.seek(start)
    while raw := file.readline(LINE_LIMIT + 1):
        yield raw
        if len(raw) > LINE_LIMIT:
            return


def parsed(raw: bytes) -> dict[str, Any] | None:
    """The object in a whole line; `None` for anything else."""
    if not raw.endswith(b"\n") or len(raw) > LINE_LIMIT:
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
