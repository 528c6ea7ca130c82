"""An index in a file: a zip archive with a header, one JSON line per point and the vectors, checked by the
archive's own CRC."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any, TypeAlias

from memwell.errors import BackendError, ConfigError, Corrupt
from memwell.matrix import numpy
from memwell.ports import Vectors

__all__ = ["load", "save"]

FORMAT = "memwell exact index"
VERSION = 1
BATCH = 4096
"""Points read or written at a time."""

Loaded: TypeAlias = tuple[str, Mapping[str, Any], Vectors]


def save(
    path: Path,
    points: Sequence[tuple[str, Mapping[str, Any]]],
    rows: Callable[[int, int], Vectors],
    dimension: int,
) -> None:
    """Replace the file by these points; `rows(at, count)` gives the vectors of some of them.

    The old file stays until the new one is whole and on the disk. Raises `BackendError` when it cannot be
    written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    except OSError as error:
        raise BackendError(
            f"cannot write beside {path}; look at its folder", part="exact", operation="save"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            _write(file, points, rows, dimension)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except TypeError as error:
        raise BackendError(
            f"cannot write {path}: a field is not JSON", part="exact", operation="save"
        ) from error
    except OSError as error:
        raise BackendError(
            f"cannot write {path}; look at the disk's space", part="exact", operation="save"
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def load(path: Path, dimension: int) -> Iterator[list[Loaded]]:
    """The points of a file, in batches. Raises `Corrupt`, or `ConfigError` for another dimension or a newer
    format."""
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read("header.json"))
            _check(header, path, dimension)
            with archive.open("points.jsonl") as points, archive.open("vectors.f32") as vectors:
                yield from _read(points, vectors, header["count"], dimension)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error}", part="exact", operation="open") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        KeyError,
        TypeError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise Corrupt(
            f"{path} is damaged; delete it and let `memwell repair` rebuild it",
            part="exact",
            operation="open",
        ) from error


def _write(
    file: IO[bytes],
    points: Sequence[tuple[str, Mapping[str, Any]]],
    rows: Callable[[int, int], Vectors],
    dimension: int,
) -> None:
    header = {"format": FORMAT, "version": VERSION, "dimension": dimension, "count": len(points)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("header.json", json.dumps(header))
        with archive.open("points.jsonl", "w", force_zip64=True) as out:
            for point in points:
                out.write(json.dumps(point, default=_plain).encode() + b"\n")
        with archive.open("vectors.f32", "w", force_zip64=True) as out:
            for at in range(0, len(points), BATCH):
                out.write(rows(at, min(BATCH, len(points) - at)).astype("<f4").tobytes())


def _read(points: IO[bytes], vectors: IO[bytes], count: int, dimension: int) -> Iterator[list[Loaded]]:
    np = numpy()
    for at in range(0, count, BATCH):
        some = min(BATCH, count - at)
        block = np.frombuffer(vectors.read(some * dimension * 4), dtype="<f4").reshape(some, dimension)
        named = [json.loads(points.readline()) for _ in range(some)]
        yield [(str(name), dict(fields), vector) for (name, fields), vector in zip(named, block, strict=True)]
    if points.read(1) or vectors.read(1):  # reading to the end also makes the archive compare its checksums
        raise ValueError("more points than the header tells")


def _check(header: Mapping[str, Any], path: Path, dimension: int) -> None:
    if header["format"] != FORMAT:
        raise ValueError("another format")
    if header["version"] > VERSION:
        raise ConfigError(
            f"{path} was written by a newer memwell; upgrade with `pip install -U memwell`", part="exact"
        )
    if header["dimension"] != dimension:
        raise ConfigError(
            f"{path} holds vectors of dimension {header['dimension']}, not {dimension}; "
            "give another path, or the embedder it was made with",
            part="exact",
        )


def _plain(value: Any) -> Any:
    """JSON for what filters know beyond JSON: any mapping, any sequence, times as ISO 8601 text."""
    if isinstance(value, date):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else list(value)
