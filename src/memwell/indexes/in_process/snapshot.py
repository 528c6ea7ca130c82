"""The file of an in-process index: open in one process at a time, replaced as a whole, crashes are noticed.

The file is a zip archive of a header, one JSON line per point, and the vectors. The CRC of the archive guarantees that
ids, fields and vectors belong to the same save. The process that has the index open locks the file `NAME.lock` beside
it, which contains a marker from the first write to the next save. A process that finds the marker knows that writes
were lost, and gives the points a new identity, so that followers start again instead of trusting old points.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from memwell.errors import BackendError, ConfigError
from memwell.indexes.file_lock import acquire
from memwell.indexes.filtering.field_columns import plain
from memwell.indexes.folder import damaged, set_aside

__all__ = ["Named", "Snapshot"]

VERSION = 2
OLDER = {"metric": "cosine"}
"""Settings that files of version 1 do not state."""

Named: TypeAlias = tuple[str, Mapping[str, Any]]
"""Id and fields of a point."""
Reader: TypeAlias = Callable[[int, Iterator[Named], IO[bytes]], None]
"""Receives the number of points, the points, and the vectors in the index's own format."""


class Snapshot:
    """One file, opened by this process only."""

    def __init__(self, path: str | os.PathLike[str], *, part: str, settings: Mapping[str, str | int]) -> None:
        """Lock the file. `settings` must equal those in the file, such as `dimension`. Raises `ConfigError` if the file
        is already open or its folder is not writable.
        """
        self.path = Path(path)
        self.part = part
        self._settings = settings
        self._lock = acquire(self.path.with_name(f"{self.path.name}.lock"), self.path, part=part)
        self._dirty = bool(self._lock.read(1))
        self._epoch = uuid.uuid4().hex

    @property
    def identity(self) -> str:
        """Name of the set of points: the same after each regular close, a new one after a crash that lost writes."""
        return f"{self.part}:{self.path.resolve()}#{self._epoch}"

    def load(self, read: Reader) -> None:
        """Pass the saved points to `read`; does nothing if there is no file. Raises `Corrupt` if the file is damaged,
        and `ConfigError` if it has other settings or a newer format.
        """
        if not self.path.exists():
            return
        try:
            with zipfile.ZipFile(self.path) as archive:
                header = json.loads(archive.read("header.json"))
                self._check(header)
                with archive.open("points.jsonl") as points, archive.open("vectors.f32") as vectors:
                    read(header["count"], _named(points, header["count"]), vectors)
                    if points.read(1) or vectors.read(
                        1
                    ):  # to the end, where the archive compares its checksums
                        raise ValueError("more points than the header states")
        except OSError as error:
            raise ConfigError(
                f"cannot read {self.path}: {error}", part=self.part, operation="open"
            ) from error
        except (ValueError, KeyError, TypeError, NotImplementedError, RuntimeError, *_DAMAGED) as error:
            raise damaged(self.path, type(error).__name__, part=self.part, operation="open") from error
        if not self._dirty:
            self._epoch = header.get("epoch", self._epoch)

    def mark_unsaved(self) -> None:
        """Call before a write: marks the file as out of date until the next save."""
        if not self._dirty:
            self._write_marker(b"unsaved")
            self._dirty = True

    def save(self, points: Sequence[Named], write: Callable[[IO[bytes]], None]) -> None:
        """Replace the file by these points; `write` writes their vectors.

        The old file stays until the new one is complete and on disk. Does nothing if there was no write since the last
        save. Raises `BackendError` if the file cannot be written.
        """
        if not self._dirty and self.path.exists():
            return
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".new", dir=self.path.parent)
        except OSError as error:
            raise self._failed(f"cannot write next to {self.path}; check its folder") from error
        try:
            with os.fdopen(handle, "wb") as file:
                self._write(file, points, write)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
            _fsync_folder(self.path.parent)
        except OSError as error:
            raise self._failed(f"cannot write {self.path}; check the free disk space") from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
        self._write_marker(b"")
        self._dirty = False

    def set_aside(self) -> None:
        """Rename a damaged file; the next save writes a new one. Raises `BackendError` if that fails."""
        try:
            set_aside(self.path)
        except OSError as error:
            raise self._failed(f"cannot rename {self.path}; check its folder") from error

    def release(self) -> None:
        """Unlock the file for other processes."""
        self._lock.close()

    def _write_marker(self, text: bytes) -> None:
        try:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(text)
            self._lock.flush()
            os.fsync(self._lock.fileno())
        except OSError as error:
            raise self._failed(f"cannot write {self.path}.lock; check the free disk space") from error

    def _write(self, file: IO[bytes], points: Sequence[Named], write: Callable[[IO[bytes]], None]) -> None:
        header = {"format": self._format, "version": VERSION, "epoch": self._epoch, "count": len(points)}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("header.json", json.dumps({**header, **self._settings}))
            with archive.open("points.jsonl", "w", force_zip64=True) as out:
                for point in points:
                    out.write(json.dumps(point, default=plain).encode() + b"\n")
            with archive.open("vectors.f32", "w", force_zip64=True) as out:
                write(out)

    def _check(self, header: Mapping[str, Any]) -> None:
        if header["format"] != self._format:
            raise ValueError("another format")
        if header["version"] > VERSION:
            raise ConfigError(
                f"{self.path} was written by a newer memwell; upgrade with `pip install -U memwell`",
                part=self.part,
            )
        for name, expected in self._settings.items():
            found = header.get(name, OLDER.get(name))
            if found != expected:
                raise ConfigError(
                    f"{self.path} was created with {name} {found}, not {expected}; use another path, or the original "
                    "settings",
                    part=self.part,
                )

    @property
    def _format(self) -> str:
        return f"memwell {self.part} index"

    def _failed(self, message: str) -> BackendError:
        return BackendError(message, part=self.part, operation="save")


_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)


def _named(points: IO[bytes], count: int) -> Iterator[Named]:
    for _ in range(count):
        name, fields = json.loads(points.readline())
        yield str(name), dict(fields)


def _fsync_folder(folder: Path) -> None:
    """Make the new folder entry survive a power failure, where the system supports that."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
