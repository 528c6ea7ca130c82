"""An index in a file: one process at a time, replaced as a whole, and honest about a crash.

The file is a zip archive of a header, one JSON line per point and the vectors, checked by the archive's own CRC; so
ids, fields and vectors can never be of different saves. Beside it stands `NAME.lock`, held by the process that has the
index open, with a mark in it from the first write to the next save. Who finds the mark knows that writes were lost,
and gives the points a new identity: what follows it then starts anew, instead of trusting points that went back in
time.
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

from memwell.errors import BackendError, ConfigError, Corrupt
from memwell.indexes.file_lock import taken
from memwell.indexes.filtering.field_columns import plain

__all__ = ["Named", "Snapshot"]

VERSION = 2
OLDER = {"metric": "cosine"}
"""What files of version 1 leave unsaid."""

Named: TypeAlias = tuple[str, Mapping[str, Any]]
"""Id and fields of a point."""
Reader: TypeAlias = Callable[[int, Iterator[Named], IO[bytes]], None]
"""Takes over the points: how many there are, the points, and the vectors in the index's own form."""


class Snapshot:
    """One file, open in this process only."""

    def __init__(self, path: str | os.PathLike[str], *, part: str, settings: Mapping[str, str | int]) -> None:
        """Take the file. `settings` say what it must hold, such as `dimension`. Raises `ConfigError` when another
        process has it or its folder cannot be written."""
        self.path = Path(path)
        self.part = part
        self._settings = settings
        self._lock = taken(self.path.with_name(f"{self.path.name}.lock"), self.path, part=part)
        self._dirty = bool(self._lock.read(1))
        self._epoch = uuid.uuid4().hex

    @property
    def identity(self) -> str:
        """Names the set of points: alike after each orderly close, another after a crash that lost writes."""
        return f"{self.part}:{self.path.resolve()}#{self._epoch}"

    def load(self, read: Reader) -> None:
        """Hand the saved points over; nothing when there is no file yet. Raises `Corrupt`, or `ConfigError` for other
        settings or a newer format."""
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
                        raise ValueError("more points than the header tells")
        except OSError as error:
            raise ConfigError(
                f"cannot read {self.path}: {error}", part=self.part, operation="open"
            ) from error
        except (ValueError, KeyError, TypeError, NotImplementedError, RuntimeError, *_DAMAGED) as error:
            raise Corrupt(
                f"{self.path} is damaged; delete it and let `memwell repair` rebuild it",
                part=self.part,
                operation="open",
            ) from error
        if not self._dirty:
            self._epoch = header.get("epoch", self._epoch)

    def touched(self) -> None:
        """Tell, before the first write after a save, that the file is no longer all there is."""
        if not self._dirty:
            self._mark(b"unsaved")
            self._dirty = True

    def save(self, points: Sequence[Named], write: Callable[[IO[bytes]], None]) -> None:
        """Replace the file by these points, whose vectors `write` puts down.

        The old file stays until the new one is whole and on the disk. Without a change since the last save nothing
        happens. Raises `BackendError` when it cannot be written.
        """
        if not self._dirty and self.path.exists():
            return
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self.path.name}.", suffix=".new", dir=self.path.parent)
        except OSError as error:
            raise self._failed(f"cannot write beside {self.path}; look at its folder") from error
        try:
            with os.fdopen(handle, "wb") as file:
                self._write(file, points, write)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
            _settle(self.path.parent)
        except OSError as error:
            raise self._failed(f"cannot write {self.path}; look at the disk's space") from error
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
        self._mark(b"")
        self._dirty = False

    def release(self) -> None:
        """Let other processes open the file."""
        self._lock.close()

    def _mark(self, text: bytes) -> None:
        try:
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(text)
            self._lock.flush()
            os.fsync(self._lock.fileno())
        except OSError as error:
            raise self._failed(f"cannot write {self.path}.lock; look at the disk's space") from error

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
        for name, wanted in self._settings.items():
            found = header.get(name, OLDER.get(name))
            if found != wanted:
                raise ConfigError(
                    f"{self.path} holds vectors of {name} {found}, not {wanted}; "
                    "give another path, or what it was made with",
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


def _settle(folder: Path) -> None:
    """Make the folder's new entry survive a power cut, where the system can."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
