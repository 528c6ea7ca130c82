"""Import: what `transfer.export` wrote, looked at closely before any of it is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from memwell.engine.context import Engine
from memwell.engine.export import FORM, first_line, parsed, path_of, report
from memwell.engine.validation import check_changes, check_id, check_link, scope_of
from memwell.errors import BackendError, Conflict, Corrupt, InvalidInput
from memwell.ports import Embed, Embedding, Insert, Operation, SetLink
from memwell.records.codec import embedding_from_json, link_from_json, record_from_json, version_from_json
from memwell.types import Imported, Progress, Record, Scope, Version

__all__ = ["import_"]

_BATCH = 100
_CHECKED = ("content", "metadata", "tags", "importance", "kind", "category", "tier", "source")
_COUNTED = ("access_count", "reinforced")


@dataclass(frozen=True, slots=True)
class _Memory:
    """A line of an export."""

    record: Record
    past: tuple[Version, ...]
    embeddings: tuple[Embedding, ...]

    def operations(self) -> Iterator[Operation]:
        """What stores it."""
        first, *more = self.embeddings or (None,)
        yield Insert(record=self.record, embedding=first, named=True, dated=True, past=self.past)
        tenant, record = self.record.scope.tenant_id, self.record
        for embedding in filter(None, more):
            yield Embed(tenant_id=tenant, id=record.id, content=record.content, embedding=embedding)


async def import_(engine: Engine, path: str | PathLike[str], progress: Progress | None) -> Imported:
    """See `AsyncMemory.import_`."""
    source = path_of(path)
    total = _verify(source)
    engine.store  # noqa: B018  raises when closed
    added = present = links = seen = expired = 0
    for lines in _batches(_read(source)):
        memories = [_memory(line) for line in lines if "record" in line]
        counts = await _take(engine, memories)
        added, present, expired = added + counts[0], present + counts[1], expired + counts[2]
        seen += len(memories)
        for line in lines:
            links += await _relink(engine, line)
        report(progress, seen, total)
    return Imported(added=added, present=present, links=links, expired=expired)


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
    first, end = parsed(first_line(source)), parsed(previous)
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


def _read(source: Path) -> Iterator[dict[str, Any]]:
    with source.open("rb") as file:
        for raw in file:
            line = parsed(raw)
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


# ---------------------------------------------------------------------------------------------- memories


async def _take(engine: Engine, memories: Sequence[_Memory]) -> tuple[int, int, int]:
    """Store memories that are not there yet: (added, present, expired)."""
    now, store = engine.clock(), engine.store
    fresh: list[Operation] = []
    present = expired = 0
    stored = await _stored(engine, memories, now)
    for memory in memories:
        record = memory.record
        known = stored.get((record.scope.tenant_id, record.id))
        if record.expires_at is not None and record.expires_at <= now:
            expired += 1
        elif known is not None:
            _same(known, record)
            present += 1
        else:
            fresh.extend(memory.operations())
    results = await store.write(fresh, now=now)
    added = [record for record in results if isinstance(record, Record)]
    for scope in dict.fromkeys(record.scope for record in added):
        own = tuple(record for record in added if record.scope == scope)
        engine.emit("imported", scope, tuple(record.id for record in own), own)
    return len(added), present, expired


async def _stored(
    engine: Engine, memories: Sequence[_Memory], now: datetime
) -> dict[tuple[str, str], Record]:
    """Those that are there, by tenant and id: one call a tenant."""
    found: dict[tuple[str, str], Record] = {}
    for tenant in dict.fromkeys(memory.record.scope.tenant_id for memory in memories):
        ids = [memory.record.id for memory in memories if memory.record.scope.tenant_id == tenant]
        records = await engine.store.get(Scope(tenant_id=tenant), ids, now=now)
        found.update(((tenant, record.id), record) for record in records)
    return found


def _same(stored: Record, record: Record) -> None:
    """Raise `Conflict` unless the stored memory is the one exported. What recalls and repetitions change may differ."""
    other = [
        name for name in ("scope", "created_at", *_CHECKED) if getattr(stored, name) != getattr(record, name)
    ]
    if other:
        raise Conflict(
            f"the id {record.id!r} is taken by a memory with other {', '.join(other)}: another one, or changed"
            " since the export; import into another store or tenant, or forget it first"
        )


def _memory(line: Mapping[str, Any]) -> _Memory:
    """A line as a memory that could have been stored here. Raises `Corrupt` for any other."""
    try:
        record = _checked(record_from_json(line["record"]))
        past = tuple(version_from_json(version) for version in line.get("past", ()))
        embeddings = tuple(embedding_from_json(found) for found in line.get("vectors", ()))
        for version in past:
            _belongs(_checked(version.record), record)
        for embedding in embeddings:
            _fits(embedding, record.content)
    except (InvalidInput, TypeError, AttributeError) as error:
        raise Corrupt(
            f"the export holds what is no memory: {error}", part="memory", operation="import"
        ) from error
    return _Memory(record, past, embeddings)


def _checked(record: Record) -> Record:
    """The record within the limits of `remember`."""
    scope, plain = record.scope, {name: getattr(record, name) for name in _CHECKED}
    scope_of(scope.tenant_id, scope.user_id, scope.agent_id, scope.session_id, scope.namespace)
    counts = [record.version - 1, *(getattr(record, name) for name in _COUNTED)]
    if not all(type(count) is int and 0 <= count < 2**63 for count in counts):
        raise InvalidInput(f"the counts of {record.id!r} are not whole numbers")
    return replace(record, id=check_id(record.id), links=(), **check_changes(plain, record.created_at))


def _belongs(old: Record, record: Record) -> None:
    if (old.id, old.scope) != (record.id, record.scope) or old.version >= record.version:
        raise InvalidInput(f"{record.id!r} has a past that is not its own")


def _fits(embedding: Embedding, content: str) -> None:
    """Rows of unit length, one a passage of the content."""
    import numpy as np

    squares = np.einsum("ij,ij->i", embedding.vectors, embedding.vectors)
    unit = bool((((squares > 0.98) & (squares < 1.02)) | (squares == 0)).all())
    spans = embedding.spans or ((0, len(content)),)
    inside = all(0 <= start < end <= len(content) for start, end in spans)
    if not (unit and inside and len(spans) == len(squares) and isinstance(embedding.model, str)):
        raise InvalidInput(f"the vectors of {content[:40]!r} do not fit it")


# ----------------------------------------------------------------------------------------- relationships


async def _relink(engine: Engine, line: Mapping[str, Any]) -> int:
    """Restore relationships whose both ends are there."""
    now, store, count = engine.clock(), engine.store, 0
    for scope, source, links in _links(line):
        targets = [link.target for link in links]
        known = {record.id for record in await store.get(scope, [source, *targets], now=now)}
        operations = [
            SetLink(scope=scope, source=source, link=link)
            for link in links
            if source in known and link.target in known
        ]
        await store.write(operations, now=now)
        count += len(operations)
    return count


def _links(line: Mapping[str, Any]) -> list[tuple[Scope, str, list[Any]]]:
    """(tenant, source, links) of a line. Raises `Corrupt` for anything that is no relationship."""
    found = []
    try:
        for tenant_id, source, raw in line.get("links", ()):
            links = [link_from_json(link) for link in raw]
            for link in links:
                check_id(link.target)
                check_link(link.kind, link.strength)
            found.append((scope_of(tenant_id, None, None, None, None), check_id(source), links))
    except (InvalidInput, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(
            f"the export holds what is no relationship: {error!r}", part="memory", operation="import"
        ) from error
    return found
