"""Import: what `export` wrote, every line of it checked before any is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from memwell.engine.context import Engine
from memwell.engine.export_lines import Line, Links, Memory, Opened, line_of
from memwell.engine.jsonl import LINE_LIMIT, lines, parsed, path_of
from memwell.engine.keys import Encrypting, encrypting
from memwell.engine.partial_file import FORM
from memwell.engine.requests import ImportRequest
from memwell.engine.validation import check_progress
from memwell.errors import BackendError, ConfigError, Conflict, Corrupt, Unavailable
from memwell.fields import RESTORED
from memwell.ports import Embedding, Operation, SetLink
from memwell.sealed import fingerprint_of
from memwell.security import sealing, tenant_keys
from memwell.security.cipher import TenantCipher
from memwell.security.sealed_vectors import is_sealed_model, opened_embedding
from memwell.types import Imported, Progress, Record, Scope

__all__ = ["import_"]

_BATCH: Final = 100
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_BATCH_BYTES: Final = 4 * 2**20


async def import_(engine: Engine, request: ImportRequest, progress: Progress | None) -> Imported:
    """Store the memories of an export that are not there yet. Raises `Corrupt`, `Conflict`."""
    source = path_of(request.path)
    check_progress(progress)
    dimensions = await _dimensions(engine)
    try:
        if not source.is_file():
            raise BackendError(f"{source} is not a file", part="memory", operation="import")
        with source.open("rb") as file:  # open until the end: what was checked is what is stored
            check = _Check(file, source, dimensions, encrypting(engine))
            total = await engine.compute(check.run)
            has_vectors = bool(check.models) and engine.store.capabilities.vectors
            served = await engine.store.serving() if has_vectors else None
            done = await _store(engine, file, source, check.opened, total, progress)
            if has_vectors and served is None:
                await _serve_own(engine, check.models)
            return done
    except OSError as error:
        raise BackendError(f"the file cannot be read: {error}", part="memory", operation="import") from error


async def _store(
    engine: Engine,
    file: BinaryIO,
    source: Path,
    opened: Opened | None,
    total: int,
    progress: Progress | None,
) -> Imported:
    added = present = links = expired = seen = 0
    batches = _batches(file, source, opened)
    while batch := await engine.compute(lambda: next(batches, None)):
        memories = [line.memory for line in batch if line.memory is not None]
        new, known, over = await _add(engine, memories)
        added, present, expired, seen = added + new, present + known, expired + over, seen + len(memories)
        for line in batch:
            links += await _relate(engine, line.links)
        if progress is not None:
            progress(seen, total)
    return Imported(added=added, present=present, links=links, expired=expired)


async def _serve_own(engine: Engine, models: set[str]) -> None:
    """Let searches use the embedder's model, when an export brought vectors of several into a store without any."""
    if engine.encoder is None or engine.encoder.model not in models:
        return
    if await engine.store.serving() != engine.encoder.model:
        await engine.store.serve(engine.encoder.model, lacking=2**31)


async def _dimensions(engine: Engine) -> dict[str, int]:
    """Model → dimension of its vectors, of those stored and of the embedder."""
    found: dict[str, int] = {}
    store = engine.store
    if store.capabilities.vectors:
        for model in await store.embedding_models():
            for _, embedding in await store.embedded(model, limit=1):
                found[model] = int(embedding.vectors.shape[1])
    if engine.encoder is not None:
        with suppress(Unavailable):  # without the embedder, its vectors are compared when they are stored
            await engine.encoder.prepare()
        if (dimension := engine.encoder.embedder.dimension) is not None:
            found[engine.encoder.model] = dimension
    return found


# ---------------------------------------------------------------------------------------------- checking


class _Check:
    """The first reading of a file: its digest, and every line of it."""

    def __init__(
        self, file: BinaryIO, source: Path, dimensions: dict[str, int], encryption: Encrypting | None
    ) -> None:
        self.opened: Opened | None = None
        """Decrypts the records of an encrypted export."""
        self._encryption = encryption
        self._file = file
        self._source = source
        self._dimensions = dimensions
        self.models: set[str] = set()
        """The models whose vectors the file holds."""
        self._keys: set[tuple[str, str]] = set()
        self._number = 0

    def run(self) -> int:
        """The number of memories. Raises `Corrupt` naming the line and the reason."""
        digest, previous = hashlib.sha256(), b""
        for raw in lines(self._file):
            if self._number:
                self._check(previous)
                digest.update(previous)
            self._number, previous = self._number + 1, raw
        if self._number:
            self._check_end(previous, digest.hexdigest())
        else:
            raise self._foreign()
        return len(self._keys)

    def _check(self, raw: bytes) -> None:
        """Check line `number`, which is not the last."""
        if self._number == 1:
            self._check_header(raw)
            return
        try:
            self._check_line(line_of(_value(raw), self.opened))
        except Corrupt as error:
            raise self._damaged(error.message) from error

    def _check_header(self, raw: bytes) -> None:
        first = parsed(raw)
        if first is None or first.get("memwell") != "export":
            raise self._foreign()
        if first.get("form") != FORM:
            raise Corrupt(
                f"{self._source} has form {first.get('form')!r:.20}; this version reads form {FORM}: upgrade memwell",
                part="memory",
                operation="import",
            )
        if (keys := first.get("keys")) is not None:
            self.opened = self._decrypting(keys)

    def _decrypting(self, data: object) -> Opened:
        """What opens records that were exported encrypted, with keys that the keyring can unwrap."""
        if self._encryption is None:
            raise ConfigError(
                f"{self._source} is encrypted: open the memory with encryption=Keyring(…), or export with plain=True"
            )
        try:
            keys = tenant_keys.keys_from_json(data, number=0, created_at=_LONG_AGO)  # type: ignore[arg-type]
            cipher = tenant_keys.cipher_of(keys, self._encryption.keyring)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged("the wrapped keys cannot be read") from error
        return _Decrypting(cipher)

    def _check_end(self, raw: bytes, digest: str) -> None:
        if self._number == 1 and (parsed(raw) or {}).get("memwell") != "export":
            raise self._foreign()
        end = parsed(raw)
        if end is None or end.get("end") is not True or end.get("sha256") != digest:
            if end is None and len(raw) > LINE_LIMIT:
                raise self._damaged(f"it is longer than {LINE_LIMIT:,} bytes")
            raise self._damaged("the file is damaged or cut short: its checksum does not fit")
        if end.get("records") != len(self._keys):
            raise self._damaged(f"it counts {end.get('records')!r:.20} memories, there are {len(self._keys)}")

    def _check_line(self, line: Line) -> None:
        memory = line.memory
        if memory is None:
            return
        if memory.key in self._keys:
            raise Corrupt(f"the memory {memory.record.id!r} is there twice")
        self._keys.add(memory.key)
        for embedding in memory.embeddings:
            dimension = embedding.vectors.shape[1]
            self.models.add(embedding.model)
            known = self._dimensions.setdefault(embedding.model, dimension)
            if known != dimension:
                raise Corrupt(f"vectors of {embedding.model!r} have dimension {known}, not {dimension}")

    def _damaged(self, reason: str) -> Corrupt:
        return Corrupt(
            f"{self._source} line {self._number}: {reason}; nothing was imported",
            part="memory",
            operation="import",
        )

    def _foreign(self) -> Corrupt:
        return Corrupt(f"{self._source} is not an export of memwell", part="memory", operation="import")


class _Decrypting:
    """See `Opened`."""

    def __init__(self, cipher: TenantCipher) -> None:
        self._cipher = cipher

    def record(self, record: Record) -> Record:
        try:
            return sealing.opened(self._cipher, record)
        except KeyError as error:
            raise Corrupt(f"the data key of {record.id!r} is not in the export") from error
        except ConfigError as error:
            raise Corrupt(f"{record.id!r} is not encrypted, unlike the export") from error

    def embedding(self, record: Record, embedding: Embedding) -> Embedding:
        if not is_sealed_model(embedding.model):
            return embedding
        try:
            return opened_embedding(self._cipher, fingerprint_of(record.content), embedding)
        except KeyError as error:
            raise Corrupt(f"the data key of the vectors of {record.id!r} is not in the export") from error


def _value(raw: bytes) -> dict[str, object]:
    value = parsed(raw)
    if value is None:
        raise Corrupt("it is not a JSON object, or nested too deeply")
    return value


def _batches(file: BinaryIO, source: Path, opened: Opened | None) -> Iterator[list[Line]]:
    """The second reading: the lines but the first and the last, some at a time."""
    batch: list[Line] = []
    size = 0
    for number, raw in enumerate(lines(file), 1):
        value = parsed(raw)
        if value is None:
            raise Corrupt(f"{source} line {number} was changed while it was imported; import it again")
        if "memwell" in value or "end" in value:
            continue
        batch.append(line_of(value, opened))
        size += len(raw)
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# ---------------------------------------------------------------------------------------------- memories


async def _add(engine: Engine, memories: Sequence[Memory]) -> tuple[int, int, int]:
    """Store memories that are not there yet: (added, present, expired)."""
    now = engine.clock()
    fresh: list[Operation] = []
    present = expired = 0
    stored = await _stored(engine, memories, now)
    for memory in memories:
        record = memory.record
        known = stored.get(memory.key)
        if record.expires_at is not None and record.expires_at <= now:
            expired += 1
        elif known is not None:
            _check_same(known, record)
            present += 1
        else:
            fresh.extend(memory.operations())
    results = await engine.write(fresh, now=now)
    added = [record for record in results if isinstance(record, Record)]
    for scope in dict.fromkeys(record.scope for record in added):
        own = tuple(record for record in added if record.scope == scope)
        engine.emit("imported", scope, tuple(record.id for record in own), own)
    return len(added), present, expired


async def _stored(engine: Engine, memories: Sequence[Memory], now: datetime) -> dict[tuple[str, str], Record]:
    """Those that are there, by tenant and id: one call a tenant."""
    found: dict[tuple[str, str], Record] = {}
    for tenant in dict.fromkeys(memory.key[0] for memory in memories):
        ids = [memory.record.id for memory in memories if memory.key[0] == tenant]
        records = await engine.store.get(Scope(tenant_id=tenant), ids, now=now)
        found.update(((tenant, record.id), record) for record in records)
    return found


def _check_same(stored: Record, record: Record) -> None:
    """Raise `Conflict` unless the stored memory is the one exported. What recalls and repetitions change may differ."""
    other = [
        name for name in ("scope", "created_at", *RESTORED) if getattr(stored, name) != getattr(record, name)
    ]
    if other:
        raise Conflict(
            f"the id {record.id!r} belongs to a memory with other {', '.join(other)}: another one, or changed"
            " since the export; import into another store or tenant, or forget it first"
        )


async def _relate(engine: Engine, rows: Iterable[Links]) -> int:
    """Restore relationships whose both ends are there."""
    now, store, count = engine.clock(), engine.store, 0
    for row in rows:
        targets = [link.target for link in row.links]
        known = {record.id for record in await store.get(row.scope, [row.source, *targets], now=now)}
        operations = [
            SetLink(scope=row.scope, source=row.source, link=link)
            for link in row.links
            if row.source in known and link.target in known
        ]
        await engine.write(operations, now=now)
        count += len(operations)
    return count
