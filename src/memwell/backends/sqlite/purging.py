"""Removes the bytes that deleted records leave in a SQLite file and its write-ahead log.

Deleted cells are overwritten (`secure_delete`), but SQLite may have moved a cell to another page before, and what it
left there is not. So the file is rewritten by `VACUUM` when it is small, when a text is found in it, and when it is not
known what to look for. The write-ahead log is emptied into the file before and afterwards.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from memwell.backends.sqlite.database import Database
from memwell.types import Trace

__all__ = ["purge"]

SMALL: Final = 64 << 20
"""Bytes up to which a file is rewritten without looking into it: that takes less than a second."""
_MOST: Final = 500
"""Texts that are looked for; with more, rewriting the file is quicker."""
_PROBE: Final = 48
"""Bytes of one place of a text."""
_BLOCK: Final = 1 << 22


def purge(database: Database, texts: Sequence[str] | None) -> list[Trace]:
    """Clear the file and its write-ahead log of deleted bytes."""
    if database.path == ":memory:":
        return [Trace(place="sqlite memory", state="gone")]
    try:
        emptied, rewritten = database.empty_log(), False
        if not emptied or _must_rewrite(database.path, texts):
            database.vacuum()
            emptied, rewritten = database.empty_log(), True
    except sqlite3.Error as error:
        return [Trace(place="sqlite file", state="pending", detail=f"could not be rewritten: {error}")]
    done = "rewritten by VACUUM" if rewritten else "deleted bytes overwritten, and no text found in it"
    file = Trace(place="sqlite file", state="gone", detail=done)
    if emptied:
        return [file, Trace(place="sqlite write-ahead log", state="gone", detail="emptied")]
    detail = "another connection still reads an older state; it is emptied when that one has ended"
    return [file, Trace(place="sqlite write-ahead log", state="pending", detail=detail)]


def _must_rewrite(path: str, texts: Sequence[str] | None) -> bool:
    file = Path(path)
    if texts is None or len(texts) > _MOST or file.stat().st_size <= SMALL:
        return True
    probes = sorted({probe for text in texts for probe in _probes(text.encode("utf-8", "surrogatepass"))})
    tail = b""
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            if any(probe in tail + block for probe in probes):
                return True
            tail = block[-_PROBE:]
    return False


def _probes(text: bytes) -> Iterable[bytes]:
    """Some bytes of the beginning, the middle and the end: a long text lies in several pages."""
    for at in {0, max(0, len(text) // 2 - _PROBE // 2), max(0, len(text) - _PROBE)}:
        if probe := text[at : at + _PROBE]:
            yield probe
