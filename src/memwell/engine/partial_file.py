"""The unfinished file of an export: locked, continued, and renamed when it is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Any, Final, Self

from memwell.engine.jsonl import lines, parsed
from memwell.errors import BackendError, InvalidInput, Unavailable
from memwell.records.codec import dumps

__all__ = ["FORM", "PartialFile"]

FORM: Final = 1
_HEAD: Final = b'{"memwell":"export"'
_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_SQLITE_FILES: Final = ("-wal", "-shm", "-journal")


class PartialFile:
    """The file `….part` beside the target of an export, held under an exclusive lock."""

    def __init__(self, target: Path, path: Path, file: BufferedRandom) -> None:
        self.target = target
        self.path = path
        self._file = file
        self.records = 0
        """How many records it holds."""
        self.last: str | None = None
        """The id of the last of them."""
        self.last_record: Mapping[str, Any] | None = None
        """That record, where an unfinished export ended."""

    @classmethod
    @contextmanager
    def opened(cls, target: Path) -> Iterator[Self]:
        """The partial file of a target, created if need be. Raises `Unavailable` while another export writes it, and
        `BackendError` for a target that is a folder, a device or a database.
        """
        target = Path(os.path.realpath(target))
        _check_replaceable(target)
        path = target.with_name(target.name + ".part")
        file = _locked(path)
        try:
            _rewrite_path(path).unlink(missing_ok=True)  # of an export that was killed
            yield cls(target, path, file)
        finally:
            file.close()

    def resume(self, scope: Mapping[str, Any]) -> dict[str, Any] | None:
        """The header of an unfinished export of this scope, the file cut after the last whole record; `None` if there
        is nothing to continue. Raises `InvalidInput` when the file is something else.
        """
        header: dict[str, Any] | None = None
        keep = 0
        for raw in lines(self._file):
            line = parsed(raw)
            if header is None:
                header = self._header(raw, line, scope)
                if header is None:
                    return None
            elif line is None or (id := _record_id(line)) is None:
                break
            else:
                self.records, self.last, self.last_record = self.records + 1, id, line["record"]
            keep += len(raw)
        self._file.truncate(keep)
        return header

    def _header(
        self, raw: bytes, line: dict[str, Any] | None, scope: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        if line is not None and line.get("scope") == scope and line.get("form") == FORM:
            return line
        if line is None and not raw.endswith(b"\n") and _HEAD.startswith(raw[: len(_HEAD)]):
            return None  # a torn header: nothing is lost by starting again
        raise InvalidInput(
            f"{self.path} is the unfinished export of another scope; remove it or choose another name"
        )

    def restart(self, header: Mapping[str, Any]) -> None:
        """Drop what the file holds and write a header."""
        self._file.truncate(0)
        self.records, self.last = 0, None
        self.write(header)

    def write(self, line: Mapping[str, Any] | str) -> None:
        """Append a line, given as an object or as its JSON text."""
        text = line if isinstance(line, str) else dumps(line)
        self._file.write(text.encode() + b"\n")

    def wrote(self, records: int, last: str) -> None:
        """Note the number of appended records."""
        self.records, self.last = self.records + records, last

    def record_lines(self) -> Iterator[tuple[str, bytes]]:
        """(id, line) of every record in the file."""
        self._file.flush()
        for raw in lines(self._file):
            line = parsed(raw)
            id = None if line is None else _record_id(line)
            if id is not None:
                yield id, raw

    @contextmanager
    def rewritten(self) -> Iterator[BufferedRandom]:
        """A temporary file whose content replaces that of this one at the end of the block."""
        path = _rewrite_path(self.path)
        try:
            with path.open("w+b") as file:
                yield file
                file.flush()
                self._file.truncate(0)
                file.seek(0)
                while block := file.read(1 << 20):
                    self._file.write(block)
        finally:
            path.unlink(missing_ok=True)

    def seal(self, extra: Mapping[str, Any]) -> None:
        """Append the last line with the digest of all lines before it, and give the file its name."""
        self._file.flush()
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        self.write({"end": True, "records": self.records, **extra, "sha256": digest})
        self._file.flush()
        os.fsync(self._file.fileno())
        if not _still_named(self._file, self.path):
            raise Unavailable(
                f"{self.path} was removed or replaced during the export; run it again",
                part="memory",
                operation="export",
            )
        if os.name == "nt":  # Windows renames no open file
            self._file.close()
        self.path.replace(self.target)


def _check_replaceable(target: Path) -> None:
    """Raise `BackendError` for what an export must not replace: a folder, a device, a database."""
    if target.is_dir():
        reason = "is a folder"
    elif target.exists() and not target.is_file():
        reason = "is not a regular file"
    elif any(_is_sqlite(target.with_name(name)) for name in _database_names(target.name)):
        reason = "belongs to a SQLite database"
    else:
        return
    raise BackendError(f"{target} {reason}; name another file", part="memory", operation="export")


def _database_names(name: str) -> list[str]:
    """The names of the databases that a file of this name may belong to."""
    return [name, *(name.removesuffix(end) for end in _SQLITE_FILES if name.endswith(end) and name != end)]


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC


def _rewrite_path(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _record_id(line: Mapping[str, Any]) -> str | None:
    record = line.get("record")
    id = record.get("id") if isinstance(record, dict) else None
    return id if isinstance(id, str) and id else None


def _locked(path: Path) -> BufferedRandom:
    """The file, opened to append, under a lock of its own."""
    while True:
        file = path.open("a+b")
        try:
            _lock(file, path)
            if _still_named(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: BufferedRandom, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # on Windows an open file cannot be renamed or removed
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unavailable(
            f"another export is writing {path}; wait until it has ended, or choose another name",
            part="memory",
            operation="export",
        ) from error


def _still_named(file: BufferedRandom, path: Path) -> bool:
    """Whether the path still names this file: its holder may have finished and renamed it before we had the lock."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(file.fileno()))
