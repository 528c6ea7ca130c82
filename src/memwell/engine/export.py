"""Export: one JSON object a line, checksummed. `importing` reads it.

Form 1::

    {"memwell": "export", "form": 1, "scope": {…}, "total": 3, "at": "…"}      header
    {"record": {…}, "past": [version, …], "vectors": [embedding, …]}           one a memory, in order of id
    {"links": [[tenant, source, {link}], …]}                                   at most 1,000 a line
    {"end": true, "records": 3, "sha256": "…"}                                 digest of all lines before it

An unfinished export lies beside its target as `….part`, whole lines only, and is continued after the last
record in it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from memwell.engine.context import Engine, Owner
from memwell.engine.links import inside
from memwell.errors import BackendError, InvalidInput
from memwell.records.codec import dumps, embedding_to_json, record_to_json, version_to_json
from memwell.records.revisions import kept
from memwell.types import Progress, Scope

__all__ = ["FORM", "export", "first_line", "parsed", "path_of", "report"]

FORM = 1
_HEAD = b'{"memwell":"export"'
_BATCH = 100
_LINKS = 1000


async def export(
    engine: Engine, path: str | PathLike[str], vectors: bool, progress: Progress | None, owner: Owner
) -> int:
    """See `AsyncMemory.export`."""
    scope, target = engine.scope(owner), path_of(path)
    partial = target.with_name(target.name + ".part")
    total = await engine.store.count(scope, now=engine.clock())
    try:
        done, last = _resume(partial, scope)
        with partial.open("ab") as file:
            if last is None and done == 0 and file.tell() == 0:
                _line(file, _header(engine, scope, total))
            done = await _records(
                engine, file, scope, (done, last), vectors, lambda n: report(progress, n, total)
            )
            await _links(engine, file, scope)
            file.flush()
            _line(file, {"end": True, "records": done, "sha256": _digest(partial)})
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise BackendError(
            f"the export cannot be written: {error}", part="memory", operation="export"
        ) from error
    return done


def _header(engine: Engine, scope: Scope, total: int) -> dict[str, Any]:
    at = engine.clock().isoformat()
    return {"memwell": "export", "form": FORM, "scope": asdict(scope), "total": total, "at": at}


def _resume(partial: Path, scope: Scope) -> tuple[int, str | None]:
    """How many records an unfinished export holds, and the last of them; a torn last line is cut off."""
    if not partial.exists():
        return 0, None
    done, last, keep = 0, None, 0
    first = first_line(partial)
    torn = not first.endswith(b"\n") and _HEAD.startswith(first[: len(_HEAD)])
    same = torn  # nothing is lost by beginning again
    with partial.open("rb") as file:
        for number, raw in enumerate(file):
            line = parsed(raw)
            if line is None or "links" in line or "end" in line:
                break
            if number == 0:
                same = line.get("scope") == asdict(scope) and line.get("form") == FORM
            elif "record" in line:
                done, last = done + 1, line["record"]["id"]
            keep += len(raw)
    if not same:
        raise InvalidInput(
            f"{partial} is the unfinished export of another scope; remove it or choose another name"
        )
    with partial.open("rb+") as file:
        file.truncate(keep)
    return done, last


async def _records(
    engine: Engine,
    file: BinaryIO,
    scope: Scope,
    start: tuple[int, str | None],
    vectors: bool,
    told: Callable[[int], None],
) -> int:
    done, last = start
    store = engine.store
    while True:
        now = engine.clock()
        after = None if last is None else (last, last)
        found = await store.scan(scope, now=now, order="id", limit=_BATCH, after=after)
        models = (await store.stats(scope, now=now)).embedded if vectors and found else {}
        stored = [await store.embeddings(scope, [r.id for r in found], model) for model in models]
        for record in found:
            line: dict[str, Any] = {"record": record_to_json(replace(record, links=()))}
            if record.version > 1:
                versions = await store.history(scope, record.id, now=now)
                line["past"] = [version_to_json(version) for version in kept(versions)]
            if own := [embedding_to_json(some[record.id]) for some in stored if record.id in some]:
                line["vectors"] = own
            _line(file, line)
        done += len(found)
        told(done)
        if len(found) < _BATCH:
            return done
        last = found[-1].id


async def _links(engine: Engine, file: BinaryIO, scope: Scope) -> None:
    after: tuple[Any, str] | None = None
    while True:
        found = await engine.store.scan(scope, now=engine.clock(), order="id", limit=_LINKS, after=after)
        within = await inside(engine, scope, found)
        rows = [
            [record.scope.tenant_id, record.id, record_to_json(record)["links"]]
            for record in within
            if record.links
        ]
        if rows:
            _line(file, {"links": rows})
        if len(found) < _LINKS:
            return
        after = (found[-1].id, found[-1].id)


def _line(file: BinaryIO, value: Mapping[str, Any]) -> None:
    file.write(dumps(value).encode() + b"\n")


def path_of(given: str | PathLike[str]) -> Path:
    """A path that can name a file. Raises `InvalidInput`."""
    try:
        path = Path(given)
        os.fsencode(path)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{given!r} cannot be the path of a file: {error}") from error
    if not path.name or "\0" in path.name:
        raise InvalidInput(f"{given!r} names no file")
    return path


def parsed(raw: bytes) -> dict[str, Any] | None:
    """The object in a whole line; `None` for anything else."""
    if not raw.endswith(b"\n"):
        return None
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def first_line(source: Path) -> bytes:
    """The line a file begins with."""
    with source.open("rb") as file:
        return file.readline()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def report(progress: Progress | None, done: int, total: int) -> None:
    """Tell who wants to know."""
    if progress is not None:
        progress(done, total)
