"""The five contracts under the engine: Store, VectorIndex, Embedder, KeyValue, Log.

Each port is a template: the public coroutine checks that the part is open, validates, enforces the scope and
translates native errors; an adapter writes the underscore hook of the same name. An adapter that never waits
on an event loop (SQLite, in-memory, local models) sets `blocking = True`: its coroutines then never suspend,
and the synchronous `Memory` drives them without any loop. Parts are safe to use from many threads. Closing
twice is fine; any other call after `close` raises `Closed`.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Literal, ParamSpec, Self, TypeAlias, TypeVar

from memwell.capabilities import Capabilities
from memwell.errors import BackendError, Closed, EmbeddingError, InvalidInput, MemwellError, NotSupported
from memwell.filters import Node
from memwell.types import Link, Record, Report, Scope, Stats, Version, Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memwell.retrieval.search import Found, Search

__all__ = [
    "Change",
    "Delete",
    "Embed",
    "Embedder",
    "Embedding",
    "Entry",
    "Insert",
    "KeyValue",
    "Log",
    "Match",
    "Operation",
    "Point",
    "Port",
    "SetLink",
    "Store",
    "Touch",
    "Unlink",
    "Update",
    "VectorIndex",
    "Vectors",
]

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Port")

Vectors: TypeAlias = "NDArray[np.float32]"
"""`(n, d) float32`, rows of unit length."""


def guarded(
    method: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Awaitable[T]]:
    """Make a public port method raise `Closed` after close and only `MemwellError`s of this part otherwise."""
    name = method.__name__

    @functools.wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self.closed:
            raise Closed(f"{self.part} was closed; open it again to use it", part=self.part, operation=name)
        try:
            return await method(self, *args, **kwargs)
        except MemwellError:
            raise
        except Exception as error:
            raise self._translate(error, name) from error

    return call


class Port(ABC):  # noqa: B024  its hooks have defaults
    """What all parts share: a name, a life cycle, health, and one way to report failure."""

    part: ClassVar[str] = "part"
    """Short name of the adapter, used in errors and health."""
    blocking: bool = False
    """True when no coroutine of this part ever suspends."""
    closed: bool = False

    @guarded
    async def ping(self) -> None:
        """Return when the part can serve; raise what is wrong otherwise."""
        await self._ping()

    async def close(self) -> None:
        """Release what the part opened itself; a client handed in stays open. Twice is fine."""
        if not self.closed:
            self.closed = True
            await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ping(self) -> None:
        return None

    async def _close(self) -> None:
        return None

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """Map a native error to ours. Adapters override this with their one table and fall back to it."""
        return BackendError(f"{type(error).__name__}: {error}", part=self.part, operation=operation)


# --------------------------------------------------------------------------------------------------- Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """The vectors of one content under one model: one row per chunk, in reading order."""

    model: str
    vectors: Vectors
    spans: tuple[tuple[int, int], ...] = ()
    """Character range of each chunk; empty when the content is a single chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Store a new record. Result: the stored `Record`, whose id differs from the one given when it was
    reinforced.

    A stored record with the same owner, content, kind, category, tags and metadata is an exact duplicate: it
    is reinforced (`reinforced + 1`, the later expiry wins) instead of stored twice. An id that is taken by
    anything else raises `Conflict`; one held by an expired record is free.
    """

    record: Record
    embedding: Embedding | None = None
    named: bool = False
    """The caller chose the id: only the record with this id can be its duplicate."""
    dated: bool = False
    """The caller chose `created_at`: a duplicate must have the same."""
    mark: int | None = None
    """The record's digest (`memwell.codec.digest`), where it is known already."""
    past: tuple[Version, ...] = ()
    """Older versions to store with it, oldest first (import only)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change fields of one record, keep the version it had, raise its number by one. Result: the new
    `Record`.

    Raises `NotFound` outside the scope, `Conflict` when `expected_version` is given and is not the stored
    one. Without any difference nothing is written and the record comes back as it is. Vectors are kept unless
    the content changes.
    """

    scope: Scope
    id: str
    changes: Mapping[str, Any]
    """Record field name → new value."""
    embedding: Embedding | None = None
    """Vectors of the new content; `None` with a changed content leaves it unembedded."""
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove records with their history, vectors, words and relationships in both directions.

    Result: the ids removed. Ids that do not exist in the scope are not in it.
    """

    scope: Scope
    ids: tuple[str, ...] | None = None
    where: Where | None = None
    """Given with `ids`, both must hold. With neither, all of the scope goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLink:
    """Add a relationship or change its strength. Result: `None`. Raises `NotFound` for either end."""

    scope: Scope
    source: str
    link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """Remove relationships from source to target, of one kind or all. Result: how many."""

    scope: Scope
    source: str
    target: str
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Note recalls: id → (how many, when last). Unknown ids are skipped. Result: `None`."""

    tenant_id: str
    accesses: Mapping[str, tuple[int, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """Store vectors for a record if it still has this content version. Result: whether it had."""

    tenant_id: str
    id: str
    content: str
    embedding: Embedding


Operation: TypeAlias = Insert | Update | Delete | SetLink | Unlink | Touch | Embed


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the store's change sequence, which feeds indexes, caches and mirrors."""

    seq: int
    kind: Literal["put", "delete"]
    tenant_id: str
    id: str


class Store(Port):
    """The truth: whole records, kept durably, found by id, by listing and by search."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this instance promises."""

    @guarded
    async def write(self, operations: Sequence[Operation], *, now: datetime) -> list[Any]:
        """Apply the operations in order in one transaction; one result each, as their classes say.

        When it returns, all are committed; when it raises, none is. An empty sequence does nothing.
        """
        return await self._write(operations, now) if operations else []

    @guarded
    async def get(self, scope: Scope, ids: Sequence[str], *, now: datetime) -> list[Record]:
        """The records with these ids that the scope sees and that have not expired, in the order asked,
        missing left out.
        """
        return self._inside(scope, await self._get(scope, ids, now)) if ids else []

    @guarded
    async def scan(
        self,
        scope: Scope,
        *,
        now: datetime,
        where: Where | None = None,
        order: str = "created_at",
        descending: bool = False,
        limit: int = 100,
        after: tuple[Any, str] | None = None,
    ) -> list[Record]:
        """Up to `limit` records ordered by (`order`, id), those after the position (value, id) if one is
        given.

        A record that exists throughout a walk over the pages and keeps its place in the order is met exactly
        once, whatever is written meanwhile. `order` is `created_at`, `updated_at`, `importance` or `id`.
        """
        return self._inside(scope, await self._scan(scope, now, where, order, descending, limit, after))

    @guarded
    async def count(self, scope: Scope, *, now: datetime, where: Where | None = None) -> int:
        """How many unexpired records the scope sees under the filter."""
        return await self._count(scope, now, where)

    @guarded
    async def duplicates(self, inserts: Sequence[Insert], *, now: datetime) -> list[bool]:
        """For each insert, whether it would only reinforce a stored record (so that no vectors are needed)."""
        return await self._duplicates(inserts, now)

    @guarded
    async def actors(self, scope: Scope) -> frozenset[str]:
        """Who recurs as the speaker of the scope's records (`memwell.retrieval.text.trusted_actors`); empty where that
        is unknown.
        """
        return await self._actors(scope)

    @guarded
    async def search(self, search: Search) -> Found:
        """Candidates for a recall with what the ranking needs to know of them; see `memwell.retrieval.search`."""
        return await self._search(search)

    @guarded
    async def history(self, scope: Scope, id: str, *, now: datetime) -> list[Version]:
        """Every version kept, oldest first, the current one last. Raises `NotFound` outside the scope."""
        return await self._history(scope, id, now)

    @guarded
    async def links(self, scope: Scope, ids: Sequence[str], *, incoming: bool) -> list[tuple[str, Link]]:
        """(source id, link) of the relationships that leave these records, or that point to them."""
        return await self._links(scope, ids, incoming)

    @guarded
    async def embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        """The stored vectors of these records under the model; those without are left out."""
        return await self._embeddings(scope, ids, model)

    @guarded
    async def unembedded(self, model: str, *, limit: int) -> list[Record]:
        """Records of any tenant that lack vectors of this model, oldest first."""
        return await self._unembedded(model, limit)

    @guarded
    async def embedded(
        self, model: str, *, after: tuple[str, str] | None = None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        """Records of any tenant with their vectors of this model, ordered by (tenant, id), after such a pair."""
        return await self._embedded(model, after, limit)

    @guarded
    async def position(self) -> int:
        """The end of the change sequence."""
        return await self._position()

    @guarded
    async def changes(self, after: int, *, limit: int) -> list[Change]:
        """The change sequence after a position. Raises `NotSupported` when that part was already trimmed."""
        return await self._changes(after, limit)

    @guarded
    async def sweep(self, now: datetime) -> int:
        """Remove expired records of every tenant; how many went."""
        return await self._sweep(now)

    @guarded
    async def stats(self, scope: Scope, *, now: datetime) -> Stats:
        """Counts inside the scope."""
        return await self._stats(scope, now)

    @guarded
    async def check(self, *, repair: bool = False) -> Report:
        """Compare every projection (words, vectors, links) with the rows; with `repair`, rebuild what
        differs.
        """
        return await self._check(repair)

    def _inside(self, scope: Scope, records: list[Record]) -> list[Record]:
        for record in records:
            if not scope.sees(record.scope):
                raise BackendError("the adapter returned a record outside the scope", part=self.part)
        return records

    @abstractmethod
    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]: ...
    @abstractmethod
    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]: ...
    @abstractmethod
    async def _scan(
        self,
        scope: Scope,
        now: datetime,
        where: Where | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]: ...
    @abstractmethod
    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int: ...
    @abstractmethod
    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]: ...
    async def _actors(self, scope: Scope) -> frozenset[str]:  # noqa: ARG002  a store that knows overrides it
        return frozenset()

    @abstractmethod
    async def _search(self, search: Search) -> Found: ...
    @abstractmethod
    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]: ...
    @abstractmethod
    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]: ...
    @abstractmethod
    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]: ...
    @abstractmethod
    async def _unembedded(self, model: str, limit: int) -> list[Record]: ...
    @abstractmethod
    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]: ...
    @abstractmethod
    async def _position(self) -> int: ...
    @abstractmethod
    async def _changes(self, after: int, limit: int) -> list[Change]: ...
    @abstractmethod
    async def _sweep(self, now: datetime) -> int: ...
    @abstractmethod
    async def _stats(self, scope: Scope, now: datetime) -> Stats: ...
    @abstractmethod
    async def _check(self, repair: bool) -> Report: ...


# --------------------------------------------------------------------------------------------- VectorIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A vector with its id and what filters may ask about (`memwell.filters.fields` of the record)."""

    id: str
    vector: Vectors
    """`(d,) float32`"""
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An id near the vector asked, with its cosine similarity in −1..1, higher is nearer."""

    id: str
    similarity: float


class VectorIndex(Port):
    """Ids near a vector, under a filter. May lag behind; can always be rebuilt from a Store."""

    dimension: int
    """Length of every vector; another length raises `EmbeddingError`."""

    @guarded
    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points by id; all or none of the call."""
        for point in points:
            self._check_dimension(point.vector)
        if points:
            await self._upsert(points)

    @guarded
    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are no error."""
        if ids:
            await self._delete(ids)

    @guarded
    async def search(self, vector: Vectors, *, limit: int, where: Where | Node | None = None) -> list[Match]:
        """The nearest `limit` points that pass the filter, nearest first; ties by id. Filters before it cuts."""
        self._check_dimension(vector)
        if limit < 1:
            raise InvalidInput("limit must be at least 1", part=self.part, operation="search")
        return await self._search(vector, limit, where)

    @guarded
    async def ids(self, *, after: str | None = None, limit: int = 1000) -> list[str]:
        """Ids in ascending order after one, to compare the index with its store."""
        return await self._ids(after, limit)

    @guarded
    async def count(self) -> int:
        """Number of points."""
        return await self._count()

    @guarded
    async def clear(self) -> None:
        """Remove every point of this index, and nothing else."""
        await self._clear()

    def _check_dimension(self, vector: Vectors) -> None:
        if vector.shape != (self.dimension,):
            raise EmbeddingError(
                f"this index holds vectors of dimension {self.dimension}, not of shape {tuple(vector.shape)}",
                part=self.part,
            )

    @abstractmethod
    async def _upsert(self, points: Sequence[Point]) -> None: ...
    @abstractmethod
    async def _delete(self, ids: Sequence[str]) -> None: ...
    @abstractmethod
    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]: ...
    @abstractmethod
    async def _ids(self, after: str | None, limit: int) -> list[str]: ...
    @abstractmethod
    async def _count(self) -> int: ...
    @abstractmethod
    async def _clear(self) -> None: ...


# ------------------------------------------------------------------------------------------------ Embedder


_UNIT = 2e-6
"""How far the squared length of a unit vector may be from 1."""


class Embedder(Port):
    """Texts to unit vectors."""

    model: str
    """Name under which vectors are stored; two embedders with one name must give the same vectors."""
    dimension: int
    window: int | None = None
    """Tokens the model reads; longer texts are chunked before. `None`: no limit."""

    @guarded
    async def embed(
        self, texts: Sequence[str], *, kind: Literal["document", "query"] = "document"
    ) -> Vectors:
        """One unit vector per text: `(len(texts), dimension) float32`, in order.

        Raises `EmbeddingError` for a wrong shape, NaN, infinity or a model failure, `Unavailable` when trying
        again may help.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._unit(await self._embed(texts, kind), len(texts))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Character range of each token, in order; the default takes about four characters a token."""
        return [(at, min(at + 4, len(text))) for at in range(0, len(text), 4)]

    def _unit(self, raw: Any, rows: int) -> Vectors:
        import numpy as np

        vectors = np.asarray(raw, dtype=np.float32)
        if vectors.shape != (rows, self.dimension):
            raise EmbeddingError(
                f"{self.model} gave vectors of shape {vectors.shape}, expected {(rows, self.dimension)}",
                part=self.part,
            )
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if ((squares > 1 - _UNIT) & (squares < 1 + _UNIT)).all():
            return vectors
        norms = np.sqrt(squares)
        if not np.isfinite(norms).all():
            raise EmbeddingError(f"{self.model} gave NaN or infinity", part=self.part)
        norms[norms == 0] = 1
        unit: Vectors = vectors / norms[:, None]
        return unit

    @abstractmethod
    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any: ...


# ------------------------------------------------------------------------------------------------ KeyValue


class KeyValue(Port):
    """Small values under text keys, with expiry: caches, counters, locks, context."""

    @guarded
    async def get(self, key: str) -> bytes | None:
        """The value, or `None` when it is missing or has expired."""
        return (await self._get_many([_key(key)])).get(key)

    @guarded
    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values present among the keys."""
        wanted = [_key(key) for key in keys]
        return await self._get_many(wanted) if wanted else {}

    @guarded
    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store a value for `ttl` seconds (over 0), or for good. Replaces value and expiry."""
        await self._set_many({_key(key): _value(value)}, _ttl(ttl))

    @guarded
    async def set_many(self, values: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        """Store several values with one expiry."""
        if values:
            await self._set_many({_key(k): _value(v) for k, v in values.items()}, _ttl(ttl))

    @guarded
    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        """Store only if the key is absent; whether it was. Of several callers at once exactly one succeeds."""
        return await self._add(_key(key), _value(value), _ttl(ttl))

    @guarded
    async def increment(self, key: str, by: int = 1, *, ttl: float | None = None) -> int:
        """Add to a counter and return its new value, atomically. An absent counter starts at 0 and takes the
        `ttl`; an existing one keeps its expiry. A value that is not a counter raises `InvalidInput`.
        """
        return await self._increment(_key(key), by, _ttl(ttl))

    @guarded
    async def delete(self, key: str, *, expected: bytes | None = None) -> bool:
        """Remove a key; with `expected`, only if it holds exactly that value, atomically. Whether it was
        removed.
        """
        return await self._delete(_key(key), expected)

    @abstractmethod
    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]: ...
    @abstractmethod
    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None: ...
    @abstractmethod
    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool: ...
    @abstractmethod
    async def _increment(self, key: str, by: int, ttl: float | None) -> int: ...
    @abstractmethod
    async def _delete(self, key: str, expected: bytes | None) -> bool: ...


def _key(key: str) -> str:
    try:
        size = len(key.encode()) if isinstance(key, str) else 0
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= 1024 or "\0" in key:
        raise InvalidInput("a key is 1 to 1024 bytes of UTF-8 text without NUL")
    return key


def _value(value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise InvalidInput(f"a value is bytes, not {type(value).__name__}")
    return value


def _ttl(ttl: float | None) -> float | None:
    if ttl is not None and not ttl > 0:
        raise InvalidInput("ttl is a number of seconds over 0")
    return ttl


# ----------------------------------------------------------------------------------------------------- Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a stream."""

    position: str
    """Opaque; ordered within the stream; what `read(after=…)` takes."""
    at: datetime
    data: bytes


class Log(Port):
    """Append-only streams: events, runs, audit."""

    @guarded
    async def append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        """Add entries in order, all or none; their positions. Positions only ever grow, also after a trim."""
        return await self._append(_key(stream), [_value(e) for e in entries]) if entries else []

    @guarded
    async def read(self, stream: str, *, after: str | None = None, limit: int = 100) -> list[Entry]:
        """Entries in order, after a position or from the start; empty for an unknown stream."""
        if limit < 1:
            raise InvalidInput("limit must be at least 1", part=self.part, operation="read")
        return await self._read(_key(stream), after, limit)

    @guarded
    async def trim(self, stream: str, *, keep: int = 0, through: str | None = None) -> int:
        """Drop entries up to and including a position, or all but the newest `keep`; how many went."""
        if keep < 0 or (keep and through is not None):
            raise InvalidInput("give keep (0 or more) or through, not both", part=self.part, operation="trim")
        return await self._trim(_key(stream), keep, through)

    @abstractmethod
    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]: ...
    @abstractmethod
    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]: ...
    @abstractmethod
    async def _trim(self, stream: str, keep: int, through: str | None) -> int: ...


def unsupported(part: str, capability: str, remedy: str) -> NotSupported:
    """The one form of a declined promise."""
    return NotSupported(f"{part} does not promise `{capability}`: {remedy}", part=part)
