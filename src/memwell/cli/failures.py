"""Exit codes, and errors as one line on stderr that says what to do."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from enum import IntEnum
from typing import Final

from memwell.errors import (
    ConfigError,
    Conflict,
    InvalidInput,
    MemwellError,
    NotFound,
    Unavailable,
)

__all__ = ["Code", "Notices", "code_of", "complain", "debugging", "explain"]


class Code(IntEnum):
    """What the process returns. The table in `docs/command-line.md` is printed from this."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5
    CONFIG = 6
    PROBLEMS = 7
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: Final = {
    Code.OK: "done",
    Code.ERROR: "a permanent error: full or read-only disk, damaged file, failing embedder",
    Code.USAGE: "wrong arguments, a value beyond a limit, or a filter that cannot be understood",
    Code.NOT_FOUND: "no such memory in the scope",
    Code.CONFLICT: "the memory has another version than expected, or another memory has the id",
    Code.UNAVAILABLE: "locked, unreachable or timed out; trying again may help",
    Code.CONFIG: "a setting or URL is wrong, or a package is missing",
    Code.PROBLEMS: "`doctor`, `repair` or `config check` found a problem that remains",
    Code.INTERRUPTED: "interrupted by Ctrl-C",
    Code.BROKEN_PIPE: "the reader of the output closed it",
}

_CODES: Final[tuple[tuple[type[MemwellError], Code], ...]] = (
    (NotFound, Code.NOT_FOUND),
    (Conflict, Code.CONFLICT),
    (Unavailable, Code.UNAVAILABLE),
    (ConfigError, Code.CONFIG),
    (InvalidInput, Code.USAGE),
)
_DOCTOR: Final = "run `memwell doctor`"


def code_of(error: BaseException) -> Code:
    """The exit code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.ERROR)


def explain(error: BaseException) -> str:
    """An error as one line."""
    if isinstance(error, MemwellError):
        text = error.message
        if isinstance(error, Unavailable) and "again" not in text:
            text += f"; try again{f' in {error.retry_after:g} s' if error.retry_after else ''}"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    else:
        text = f"unexpected {type(error).__name__}: {error} (MEMWELL_DEBUG=1 shows where; please report it)"
    return " ".join(text.split())


def complain(line: str) -> None:
    """Write one line to stderr, red in a terminal."""
    mark = "memwell:"
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        mark = f"\x1b[31m{mark}\x1b[0m"
    sys.stderr.write(f"{mark} {line}\n")


def debugging() -> bool:
    """Whether MEMWELL_DEBUG asks for tracebacks."""
    return os.environ.get("MEMWELL_DEBUG", "").lower() not in ("", "0", "false", "no")


def report(error: BaseException) -> Code:
    """Write the error to stderr and return the exit code."""
    if debugging():
        sys.stderr.write("".join(traceback.format_exception(error)))
    complain(explain(error))
    return code_of(error)


class Notices(logging.Handler):
    """Shows the library's warnings as notes on stderr, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a warning unless it was shown before."""
        line = " ".join(record.getMessage().split())
        if line not in self._shown:
            self._shown.add(line)
            complain(f"note: {line}")
