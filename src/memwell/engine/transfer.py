"""Export and import: one JSON object a line, checksummed.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from memwell.codec import (
    dumps,
    embedding_from_json,
    embedding_to_json,
    link_from_json,
    record_from_json,
    record_to_json,
    version_from_json,
    version_to_json,
)
from memwell.engine.context import Engine, Owner
from memwell.engine.drafts import check_content, check_id, check_metadata, check_tags
from memwell.errors import BackendError, Conflict, Corrupt, InvalidInput
from memwell.ports import Embed, Insert, Operation, SetLink
from memwell.revision import kept
from memwell.types import Imported, Progress, Record, Scope

__all__ = ["export", "import_"]

FORM = 1
_HEAD = b'{"memwell":"export"'
_BATCH = 100
_LINKS = 1000


async def export(
    engine: Engine, path: str | PathLike[str], vectors: bool, progress: Progress | None, owner: Owner
) -> int:
    """See `AsyncMemory.export`."""
    scope, target = engine.scope(owner), Path(path)
    partial = target.with_name(target.name + ".part")
    total = await engine.store.count(scope, now=engine.clock())
    try:
        done, last = _resume(partial, scope)
        with partial.open("ab") as file:
            if last is None and done == 0 and file.tell() == 0:
                _line(file, _header(engine, scope, total))
            done = await _records(
                engine, file, scope, (done, last), vectors, lambda n: _report(progress, n, total)
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


async def import_(engine: Engine, path: str | PathLike[str], progress: Progress | None) -> Imported:
    """See `AsyncMemory.import_`."""
    source = Path(path)
    total = _verify(source)
    engine.store  # noqa: B018  raises when closed
    added = present = links = seen = expired = 0
    for lines in _batches(_read(source)):
        records = [line for line in lines if "record" in line]
        counts = await _take(engine, records)
        added, present, expired = added + counts[0], present + counts[1], expired + counts[2]
        seen += len(records)
        for line in lines:
            links += await _relink(engine, line.get("links", ()))
        _report(progress, seen, total)
    return Imported(added=added, present=present, links=links, expired=expired)


def _header(engine: Engine, scope: Scope, total: int) -> dict[str, Any]:
    at = engine.clock().isoformat()
    return {"memwell": "export", "form": FORM, "scope": asdict(scope), "total": total, "at": at}


def _resume(partial: Path, scope: Scope) -> tuple[int, str | None]:
    """How many records an unfinished export holds, and the last of them; a torn last line is cut off."""
    if not partial.exists():
        return 0, None
    done, last, keep = 0, None, 0
    first = _first(partial)
    torn = not first.endswith(b"\n") and _HEAD.startswith(first[: len(_HEAD)])
    same = torn  # nothing is lost by beginning again
    with partial.open("rb") as file:
        for number, raw in enumerate(file):
            line = _parsed(raw)
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
        rows = [
            [record.scope.tenant_id, record.id, record_to_json(record)["links"]]
            for record in found
            if record.links
        ]
        if rows:
            _line(file, {"links": rows})
        if len(found) < _LINKS:
            return
        after = (found[-1].id, found[-1].id)


def _verify(source: Path) -> int:
    """The number of records of a whole, undamaged export."""
    digest, previous, records = hashlib.sha256(), b"", 0
    try:
        with source.open("rb") as file:
            for raw in file:
                digest.update(previous)
                previous = raw
                records += raw.startswith(b'{"record"')
    except OSError as error:
        raise BackendError(f"the file cannot be read: {error}", part="memory", operation="import") from error
    first, end = _parsed(_first(source)), _parsed(previous)
    if first is None or first.get("memwell") != "export":
        raise Corrupt(f"{source} is not an export of memwell", part="memory", operation="import")
    if first.get("form") != FORM:
        raise Corrupt(
            f"{source} has form {first.get('form')}; this version reads form {FORM}: upgrade memwell"
        )
    if end is None or end.get("sha256") != digest.hexdigest() or end.get("records") != records:
        raise Corrupt(
            f"{source} is damaged or cut short: its checksum does not fit; nothing was imported",
            part="memory",
            operation="import",
        )
    return records


async def _take(engine: Engine, lines: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Store records that are not there yet: (added, present, expired)."""
    now, store = engine.clock(), engine.store
    records = [_checked(record_from_json(line["record"])) for line in lines]
    fresh: list[Operation] = []
    present = expired = 0
    for record, line in zip(records, lines, strict=True):
        if record.expires_at is not None and record.expires_at <= now:
            expired += 1
            continue
        stored = await store.get(Scope(tenant_id=record.scope.tenant_id), [record.id], now=now)
        if stored:
            _same(stored[0], record)
            present += 1
            continue
        fresh.extend(_insertion(record, line))
    await store.write(fresh, now=now)
    return sum(isinstance(operation, Insert) for operation in fresh), present, expired


def _insertion(record: Record, line: Mapping[str, Any]) -> Iterator[Operation]:
    past = tuple(version_from_json(version) for version in line.get("past", ()))
    embeddings = [embedding_from_json(found) for found in line.get("vectors", ())]
    first = embeddings[0] if embeddings else None
    yield Insert(record=record, embedding=first, named=True, dated=True, past=past)
    for embedding in embeddings[1:]:
        yield Embed(
            tenant_id=record.scope.tenant_id, id=record.id, content=record.content, embedding=embedding
        )


def _checked(record: Record) -> Record:
    check_content(record.content)
    check_id(record.id)
    return replace(record, metadata=check_metadata(record.metadata), tags=check_tags(record.tags), links=())


def _same(stored: Record, record: Record) -> None:
    if stored.content != record.content or stored.scope != record.scope:
        raise Conflict(
            f"the id {record.id!r} is taken by another memory; import into another store or tenant"
        )


async def _relink(engine: Engine, rows: Sequence[Sequence[Any]]) -> int:
    """Restore relationships whose both ends are there."""
    now, store, count = engine.clock(), engine.store, 0
    for tenant_id, source, links in rows:
        scope = Scope(tenant_id=tenant_id)
        targets = [link["target"] for link in links]
        known = {record.id for record in await store.get(scope, [source, *targets], now=now)}
        operations = [
            SetLink(scope=scope, source=source, link=found)
            for link in links
            if source in known and (found := link_from_json(link)).target in known
        ]
        await store.write(operations, now=now)
        count += len(operations)
    return count


def _line(file: BinaryIO, value: Mapping[str, Any]) -> None:
    file.write(dumps(value).encode() + b"\n")


def _parsed(raw: bytes) -> dict[str, Any] | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _first(source: Path) -> bytes:
    with source.open("rb") as file:
        return file.readline()


def _read(source: Path) -> Iterator[dict[str, Any]]:
    with source.open("rb") as file:
        for raw in file:
            line = _parsed(raw)
            if line is not None and ("record" in line or "links" in line):
                yield line


def _batches(lines: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
