"""`Memory`: the synchronous twin of `AsyncMemory`, one delegation a method; a test keeps their signatures
equal.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, Self, TypeVar, Unpack, overload

from memwell import _bridge
from memwell.engine import assembly, remember
from memwell.engine.context import Engine, Owner
from memwell.errors import ConfigError
from memwell.events import Handler
from memwell.memory import AsyncMemory, Hits, Ids, Records, RelatedRecords, Versions, _utc_now
from memwell.ports import Embedder, KeyValue, Store, VectorIndex
from memwell.retrieval.ranking.strategies import Strategy
from memwell.types import (
    Health,
    Imported,
    Link,
    Mode,
    NewMemory,
    Page,
    Progress,
    Record,
    Reembedded,
    Report,
    Stats,
    Where,
)

__all__ = ["Memory"]

T = TypeVar("T")


class Memory:
    """Memory for agents, without `await`; everything is told at `AsyncMemory`.

    Safe to use from many threads, after a fork, and inside a running event loop (a notebook). When every part
    is a blocking one (SQLite, in-memory, local models) calls run in the caller's thread, without any event
    loop; otherwise on a loop in a background thread.
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
        self._loop = None if parts.blocking else _bridge.Loop()
        parts = parts if self._loop is None else parts.threaded()
        self._memory = AsyncMemory._of(Engine(parts, clock or _utc_now))

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return _bridge.drive(call) if self._loop is None else self._loop.run(call)

    @overload
    def remember(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, content: str | NewMemory, **options: Unpack[remember.Options]
    ) -> Record: ...
    @overload
    def remember(
        self, content: Sequence[str | NewMemory], **options: Unpack[remember.Options]
    ) -> Records: ...
    @overload
    def remember(
        self, content: str | NewMemory | Sequence[str | NewMemory], **options: Unpack[remember.Options]
    ) -> Record | Records: ...
    def remember(
        self, content: str | NewMemory | Sequence[str | NewMemory], **options: Unpack[remember.Options]
    ) -> Record | Records:
        """Store one memory, or several in one transaction. See `AsyncMemory.remember`."""
        return self._run(self._memory.remember(content, **options))

    def recall(
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
        """The memories that answer `query`, best first. See `AsyncMemory.recall`."""
        return self._run(
            self._memory.recall(
                query,
                where=where,
                limit=limit,
                token_budget=token_budget,
                strategy=strategy,
                as_of=as_of,
                mode=mode,
                explain=explain,
                **owner,
            )
        )

    def get(self, id: str, **owner: Unpack[Owner]) -> Record:
        """The record with this id. See `AsyncMemory.get`."""
        return self._run(self._memory.get(id, **owner))

    def list(
        self,
        *,
        where: Where | None = None,
        order: str = "created_at",
        descending: bool = True,
        limit: int = 100,
        cursor: str | None = None,
        **owner: Unpack[Owner],
    ) -> Page:
        """A page of records. See `AsyncMemory.list`."""
        return self._run(
            self._memory.list(
                where=where, order=order, descending=descending, limit=limit, cursor=cursor, **owner
            )
        )

    def update(
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
        """Change what is given and keep the version before. See `AsyncMemory.update`."""
        return self._run(
            self._memory.update(
                id,
                content=content,
                metadata=metadata,
                tags=tags,
                category=category,
                importance=importance,
                kind=kind,
                tier=tier,
                source=source,
                ttl=ttl,
                expires_at=expires_at,
                clear=clear,
                expected_version=expected_version,
                **owner,
            )
        )

    def forget(
        self,
        ids: str | Iterable[str] | None = None,
        *,
        where: Where | None = None,
        everything: bool = False,
        **owner: Unpack[Owner],
    ) -> Ids:
        """Remove memories for good. See `AsyncMemory.forget`."""
        return self._run(self._memory.forget(ids, where=where, everything=everything, **owner))

    def history(self, id: str, **owner: Unpack[Owner]) -> Versions:
        """Every version of a memory. See `AsyncMemory.history`."""
        return self._run(self._memory.history(id, **owner))

    def restore(
        self, id: str, version: int, *, expected_version: int | None = None, **owner: Unpack[Owner]
    ) -> Record:
        """Make an older version current again. See `AsyncMemory.restore`."""
        return self._run(self._memory.restore(id, version, expected_version=expected_version, **owner))

    def relate(
        self,
        source: str,
        target: str,
        kind: str = "related",
        *,
        strength: float = 1.0,
        **owner: Unpack[Owner],
    ) -> Link:
        """Relate one memory to another. See `AsyncMemory.relate`."""
        return self._run(self._memory.relate(source, target, kind, strength=strength, **owner))

    def unrelate(self, source: str, target: str, kind: str | None = None, **owner: Unpack[Owner]) -> int:
        """Remove relationships. See `AsyncMemory.unrelate`."""
        return self._run(self._memory.unrelate(source, target, kind, **owner))

    def related(
        self,
        id: str,
        *,
        kind: str | None = None,
        depth: int = 1,
        min_strength: float = 0.0,
        **owner: Unpack[Owner],
    ) -> RelatedRecords:
        """Memories reached over relationships. See `AsyncMemory.related`."""
        return self._run(self._memory.related(id, kind=kind, depth=depth, min_strength=min_strength, **owner))

    def count(self, *, where: Where | None = None, **owner: Unpack[Owner]) -> int:
        """How many memories there are. See `AsyncMemory.count`."""
        return self._run(self._memory.count(where=where, **owner))

    def stats(self, **owner: Unpack[Owner]) -> Stats:
        """Counts by kind, category and model. See `AsyncMemory.stats`."""
        return self._run(self._memory.stats(**owner))

    def health(self) -> Health:
        """Ask every part whether it can serve. See `AsyncMemory.health`."""
        return self._run(self._memory.health())

    def export(
        self,
        path: str | PathLike[str],
        *,
        vectors: bool = True,
        progress: Progress | None = None,
        **owner: Unpack[Owner],
    ) -> int:
        """Write memories as checksummed JSONL. See `AsyncMemory.export`."""
        return self._run(self._memory.export(path, vectors=vectors, progress=progress, **owner))

    def import_(self, path: str | PathLike[str], *, progress: Progress | None = None) -> Imported:
        """Read an export. See `AsyncMemory.import_`."""
        return self._run(self._memory.import_(path, progress=progress))

    def doctor(self) -> Report:
        """Compare every projection with the rows. See `AsyncMemory.doctor`."""
        return self._run(self._memory.doctor())

    def repair(self, *, progress: Progress | None = None) -> Report:
        """Rebuild what `doctor` finds wrong. See `AsyncMemory.repair`."""
        return self._run(self._memory.repair(progress=progress))

    def reembed(
        self,
        *,
        batch: int = 64,
        drop_old: bool = False,
        skip_failed: bool = False,
        progress: Progress | None = None,
    ) -> Reembedded:
        """Move the store to this memory's embedder. See `AsyncMemory.reembed`."""
        return self._run(
            self._memory.reembed(batch=batch, drop_old=drop_old, skip_failed=skip_failed, progress=progress)
        )

    def sweep(self) -> int:
        """Remove expired memories for good. See `AsyncMemory.sweep`."""
        return self._run(self._memory.sweep())

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call `handler(event)` after each event of this name. See `AsyncMemory.on`.

        Without an event loop of our own a coroutine function cannot be run beside the caller: it raises
        `ConfigError`.
        """
        if self._loop is None and _bridge.is_async(handler):
            raise ConfigError(
                "give Memory a plain function as handler, or use AsyncMemory for a coroutine function"
            )
        return self._memory.on(event, handler)

    def close(self) -> None:
        """Write what is pending and release the parts that were opened here. Twice is fine."""
        try:
            self._run(self._memory.close())
        finally:
            if self._loop is not None:
                self._loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._memory._engine.ended_by(error)
        self.close()
