"""`AsyncMemory`: the engine's one implementation. `memwell.sync.Memory` is its twin with the same names.

Every method takes the owner as keywords (`user_id`, `agent_id`, `session_id`, `namespace`, `tenant_id`, see
`Scope`): on `remember` whose memory it is, elsewhere which memories the call may see. A record outside looks
like a missing one. Expired records are never returned. A call that returns has been committed; a call that
raises has stored nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from typing import Any, Self, TypeAlias, Unpack, overload

from memwell.engine import assembly, links, lookup, recall, remember, upkeep
from memwell.engine.context import Engine, Owner
from memwell.events import Handler
from memwell.ports import Embedder, KeyValue, Store, VectorIndex
from memwell.retrieval.ranking.strategies import Strategy
from memwell.types import (
    Health,
    Hit,
    Imported,
    Link,
    Mode,
    NewMemory,
    Page,
    Progress,
    Record,
    Reembedded,
    Related,
    Report,
    Stats,
    Version,
    Where,
)

__all__ = ["AsyncMemory"]

Records: TypeAlias = list[Record]
Hits: TypeAlias = list[Hit]
Versions: TypeAlias = list[Version]
RelatedRecords: TypeAlias = list[Related]
Ids: TypeAlias = list[str]


class AsyncMemory:
    """Memory for agents: stores what they learn and gives the right memories back, ranked and explained.

    `url` names the store (`sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://host/database`,
    `redis://host`, `memory://`; by default one SQLite file in the user's data directory) or is a `Store`.
    `embedder` is `"auto"` (the local model where `memwell[local]` and its weights are installed, lexical recall
    otherwise), a name such as `"local"` or `"hashing"`, an `Embedder`, any callable or object that turns texts
    into vectors, or `None` for lexical recall. `index` is a `VectorIndex` or its URL that answers for the vectors
    instead of the store; `cache` a `KeyValue` or its URL that keeps embeddings across processes. `clock` gives
    the current time in UTC.

    Safe to use from many tasks; several processes may use one store, unless it lives in memory. Parts handed in
    as objects stay open at `close`. Raises `ConfigError` for anything it cannot make a part of.
    """

    def __init__(
        self,
        url: str | Store | None = None,
        *,
        embedder: str | Embedder | Callable[..., Any] | object | None = "auto",
        index: str | VectorIndex | None = None,
        cache: str | KeyValue | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        parts = assembly.open_parts(url, embedder, index, cache)
        self._engine = Engine(parts.threaded(), clock or _utc_now)

    @classmethod
    def _of(cls, engine: Engine) -> Self:
        """An instance over an engine whose parts are already chosen."""
        self = cls.__new__(cls)
        self._engine = engine
        return self

    @overload
    async def remember(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, content: str | NewMemory, **options: Unpack[remember.Options]
    ) -> Record: ...
    @overload
    async def remember(
        self, content: Sequence[str | NewMemory], **options: Unpack[remember.Options]
    ) -> Records: ...
    @overload
    async def remember(
        self, content: str | NewMemory | Sequence[str | NewMemory], **options: Unpack[remember.Options]
    ) -> Record | Records: ...
    async def remember(
        self, content: str | NewMemory | Sequence[str | NewMemory], **options: Unpack[remember.Options]
    ) -> Record | Records:
        """Store one memory, or several in one transaction, and return what is stored.

        Options: the owner; `metadata` (JSON values and datetimes), `tags`, `category`, `importance` (0..1),
        `kind`, `tier`, `source`; `ttl` (seconds or timedelta) or `expires_at`; `id` (one memory only);
        `created_at` (when it was learnt). In a batch they hold for every item that does not say otherwise.

        Exactly the same again (owner, content, kind, category, tags and metadata; also `created_at` and `id`
        where given) reinforces the stored record and returns it. Content longer than the embedder's window is
        cut into passages that are found one by one. If the embedder fails the record is kept without vectors
        and embedded later.

        Raises `InvalidInput` beyond a limit (`memwell.LIMITS`), `Conflict` for an id that is taken.
        """
        return await remember.remember(self._engine, content, options)

    async def recall(
        self,
        query: str,
        *,
        where: Where | None = None,
        limit: int = 10,
        token_budget: int | None = None,
        strategy: str | Strategy = "relevant",
        as_of: datetime | str | None = None,
        mode: Mode = "hybrid",
        explain: bool = False,
        **owner: Unpack[Owner],
    ) -> Hits:
        """The memories that answer `query`, best first.

        `where` is a filter (`memwell.filters`), applied before the best are taken. `token_budget` ends the
        list where the contents would exceed that many tokens (four bytes each). `strategy` weighs relevance
        against recency, importance and frequency: a name (`memwell.STRATEGIES`) or a `Strategy`. `as_of`
        answers with what was stored by then, in the versions of then (they are found by what they say today).
        `mode` is `hybrid` (words and vectors, as far as there are any), `semantic` or `lexical`. `explain`
        adds to each `why` the silent signals and the matching passage of every content.

        A memory superseded by another visible one is replaced by it. Raises `InvalidQuery` for an empty
        query, an unknown mode, strategy or filter, and `NotSupported` for `semantic` without an embedder.
        """
        request = recall.Request(
            query=query,
            where=where,
            limit=limit,
            token_budget=token_budget,
            strategy=strategy,
            as_of=as_of,
            mode=mode,
            explain=explain,
            owner=owner,
        )
        return await recall.recall(self._engine, request)

    async def get(self, id: str, **owner: Unpack[Owner]) -> Record:
        """The record with this id. Raises `NotFound` when there is none in the scope, or it has expired."""
        return await lookup.get(self._engine, id, owner)

    async def list(
        self,
        *,
        where: Where | None = None,
        order: str = "created_at",
        descending: bool = True,
        limit: int = 100,
        cursor: str | None = None,
        **owner: Unpack[Owner],
    ) -> Page:
        """A page of records, newest first; hand `page.cursor` to the next call for the next one.

        `order` is `created_at`, `updated_at`, `importance` or `id`. A record that exists throughout a walk
        and keeps its place in the order is met exactly once, whatever is written meanwhile; one that an
        update moves (`updated_at`, `importance`) may be met again or not at all. A cursor belongs to its
        order, filter and scope; with others it raises `InvalidQuery`.
        """
        return await lookup.page(self._engine, where, order, descending, limit, cursor, owner)

    async def update(
        self,
        id: str,
        *,
        content: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        category: str | None = None,
        importance: float | None = None,
        kind: str | None = None,
        tier: str | None = None,
        source: str | None = None,
        ttl: float | timedelta | None = None,
        expires_at: datetime | str | None = None,
        clear: Sequence[str] = (),
        expected_version: int | None = None,
        **owner: Unpack[Owner],
    ) -> Record:
        """Change what is given (`metadata` and `tags` as wholes), keep the version before, and return the new
        one.

        `clear` names fields to empty: `category`, `tier`, `source`, `expires_at`, `metadata`, `tags`. Without
        any difference nothing is written. Raises `NotFound`; `Conflict` when `expected_version` is not the
        stored one; `InvalidInput` when nothing is given.
        """
        given = {
            "content": content,
            "metadata": metadata,
            "tags": tags,
            "category": category,
            "importance": importance,
            "kind": kind,
            "tier": tier,
            "source": source,
            "expires_at": expires_at,
        }
        return await remember.update(self._engine, id, given, ttl, clear, expected_version, owner)

    async def forget(
        self,
        ids: str | Iterable[str] | None = None,
        *,
        where: Where | None = None,
        everything: bool = False,
        **owner: Unpack[Owner],
    ) -> Ids:
        """Remove memories from every projection, with their history and relationships; the ids removed.

        One id that is not in the scope raises `NotFound`; of several, those missing are left out of the
        answer. Without ids the scope and `where` choose; to forget a whole tenant say `everything=True`.
        """
        return await remember.forget(self._engine, ids, where, everything, owner)

    async def history(self, id: str, **owner: Unpack[Owner]) -> Versions:
        """Every version of a memory, oldest first, the current one last. Raises `NotFound`."""
        return await lookup.history(self._engine, id, owner)

    async def restore(
        self, id: str, version: int, *, expected_version: int | None = None, **owner: Unpack[Owner]
    ) -> Record:
        """Make an older version's content and fields current again, as a new version. Raises `NotFound`,
        `Conflict`.
        """
        return await remember.restore(self._engine, id, version, expected_version, owner)

    async def relate(
        self,
        source: str,
        target: str,
        kind: str = "related",
        *,
        strength: float = 1.0,
        **owner: Unpack[Owner],
    ) -> Link:
        """Relate one memory to another: `supersedes`, `contradicts`, `extends`, `related`, or a word of your
        own.

        The same again changes its strength (0..1). Raises `NotFound` for either end, `InvalidInput` for a
        memory and itself.
        """
        return await links.relate(self._engine, source, target, kind, strength, owner)

    async def unrelate(
        self, source: str, target: str, kind: str | None = None, **owner: Unpack[Owner]
    ) -> int:
        """Remove the relationships from one memory to another, of one kind or all; how many. Raises
        `NotFound`.
        """
        return await links.unrelate(self._engine, source, target, kind, owner)

    async def related(
        self,
        id: str,
        *,
        kind: str | None = None,
        depth: int = 1,
        min_strength: float = 0.0,
        **owner: Unpack[Owner],
    ) -> RelatedRecords:
        """Memories reached over relationships in either direction within `depth` steps, each once by its
        shortest way.

        Ordered by depth, then strength (the product along the way), then id. Raises `NotFound` for the start.
        """
        return await links.related(self._engine, id, kind, depth, min_strength, owner)

    async def count(self, *, where: Where | None = None, **owner: Unpack[Owner]) -> int:
        """How many memories there are."""
        return await lookup.count(self._engine, where, owner)

    async def stats(self, **owner: Unpack[Owner]) -> Stats:
        """Counts by kind, category and model, and the size of the store."""
        return await lookup.stats(self._engine, owner)

    async def health(self) -> Health:
        """Ask every part whether it can serve. Never raises; `ok` is false when one cannot."""
        return await upkeep.health(self._engine)

    async def export(
        self,
        path: str | PathLike[str],
        *,
        vectors: bool = True,
        progress: Progress | None = None,
        **owner: Unpack[Owner],
    ) -> int:
        """Write the scope's memories as checksummed JSONL with history, links and vectors; how many.

        The file appears under its name only when it is whole; an export cut short is continued by the next
        call with the same path and scope. `progress(done, total)` is called along the way. Raises
        `BackendError` when the file cannot be written.
        """
        from memwell.engine import export

        return await export.export(self._engine, path, vectors, progress, owner)

    async def import_(self, path: str | PathLike[str], *, progress: Progress | None = None) -> Imported:
        """Read an export: its checksum first, then every memory under its own id and scope.

        Memories that are already there as exported are skipped, so that an import cut short is continued by
        running it again. Vectors are taken over. Raises `Corrupt` for a damaged file and `Conflict` for an id
        taken by another memory, or by the same one changed since; what was imported before that stays.
        """
        from memwell.engine import import_

        return await import_.import_(self._engine, path, progress)

    async def doctor(self) -> Report:
        """Compare words, vectors and relationships with the rows they were made from; `ok` when all agree."""
        return await upkeep.doctor(self._engine)

    async def repair(self, *, progress: Progress | None = None) -> Report:
        """Rebuild what `doctor` finds wrong, sweep what has expired, and embed what has no vectors yet.

        Where searches use vectors of another model than this memory's embedder, nothing is embedded and the report
        says so: `reembed` is for that.
        """
        return await upkeep.repair(self._engine, progress)

    async def reembed(
        self,
        *,
        batch: int = 64,
        drop_old: bool = False,
        skip_failed: bool = False,
        progress: Progress | None = None,
    ) -> Reembedded:
        """Move the store to this memory's embedder: give every memory of every tenant its vectors, then let searches
        use them, in one step.

        Until then all others go on with the old model: they recall, and what they write is embedded here too. One
        that still asks with the old model afterwards gets an `EmbeddingError` that names the remedy; what it writes
        is kept, and embedded later. A call cut short is continued by the next one: what has vectors of the new model
        is not embedded again. `batch` memories are embedded and stored at a time; `progress(done, total)` is called
        along the way. `drop_old` removes the vectors of older models afterwards.

        Memories that cannot be embedded stop the cut-over: the `EmbeddingError` names them. With `skip_failed` they
        are left behind, to be found by words only. Raises `NotSupported` without an embedder, and what the embedder
        raises when it fails altogether.
        """
        from memwell.engine import reembed

        return await reembed.reembed(
            self._engine, batch=batch, drop_old=drop_old, skip_failed=skip_failed, progress=progress
        )

    async def sweep(self) -> int:
        """Remove expired memories for good; how many. Also happens by itself now and then."""
        return await upkeep.sweep(self._engine)

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call `handler(event)` after each event of this name (`memwell.EVENTS`, `*` for all); the result
        unsubscribes.

        A handler's failure is logged and harms nobody; a coroutine function runs beside the caller.
        """
        return self._engine.events.on(event, handler)

    async def close(self) -> None:
        """Write what is pending and release the parts that were opened here. Twice is fine; other calls then
        raise `Closed`.
        """
        await self._engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._engine.ended_by(error)
        await self.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)
