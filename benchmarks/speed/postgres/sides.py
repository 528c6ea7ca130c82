"""memwell and the floor in one event loop, each in a schema of its own, with the same texts and vectors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.speed.measure import steady
from benchmarks.speed.postgres.floor import PostgresFloor
from benchmarks.speed.sides import LookupEmbedder
from benchmarks.speed.texts import Lookup, Texts
from memwell import AsyncMemory
from memwell.backends.postgres.store import PostgresStore
from memwell.ports import Store
from memwell.registry import open_store
from memwell.types import NewMemory, Scope

__all__ = ["CONNECTIONS", "Call", "Sides", "timed"]

TURNS = 25
SPEAKERS = ("Caroline", "Miguel")
START = datetime(2026, 1, 1, tzinfo=UTC)
CONNECTIONS = 10
Call = Callable[[], Awaitable[object]]


class Inline(LookupEmbedder):
    """The lookup within the event loop, as the floor has it."""

    blocking = False


@dataclass
class Sides:
    """memwell and the floor, each in a schema of its own."""

    url: str
    name: str
    lookup: Lookup = field(default_factory=Lookup)
    texts: Texts = field(default_factory=Texts)
    talk: bool = False
    count: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sides]:
        embedder = Inline(self.lookup)
        target = f"{self.url}?schema={self.name}_ours"
        self.store: Store = open_store(f"{target}&warm=0")
        self.ours = AsyncMemory(f"{target}&pool={CONNECTIONS}", embedder=embedder)
        self.cold = AsyncMemory(f"{target}&pool={CONNECTIONS}&warm=0", embedder=embedder)
        self.floor = await PostgresFloor.open(self.url, self.lookup, schema=f"{self.name}_floor")
        self.exact = await PostgresFloor.open(self.url, self.lookup, schema=f"{self.name}_floor", exact=True)
        await self.floor.create(f"{self.name}_floor")
        await self.ours.count()  # the migrations
        try:
            yield self
        finally:
            await self.ours.close()
            await self.cold.close()
            await self.store.close()
            await self.floor.close()
            await self.exact.close()

    async def fill(self, user: str, count: int) -> tuple[float, float]:
        """Give a user new memories, on both sides; seconds of ours and of the floor's COPY."""
        texts = self.memories(count, self.count)
        self.lookup.prepare(texts)
        new = [
            NewMemory(
                content=text,
                metadata={"part": n % 100},
                session_id=f"s{n // TURNS}" if self.talk else None,
                created_at=START + timedelta(minutes=n) if self.talk else None,
            )
            for n, text in enumerate(texts)
        ]
        with steady():
            theirs = await timed(lambda: self.floor.copy(texts, user, self.count + 1))
            mine = await timed(lambda: self.ours.remember(new, user_id=user))
        self.count += count
        self.lookup.forget()
        return mine, theirs

    async def settle(self) -> float:
        """Wait for the indexes of both sides; seconds that the floor's took."""
        from memwell.backends.postgres import Database
        from memwell.backends.postgres.settings import Settings
        from memwell.backends.postgres.store import indexes
        from memwell.registry import Url

        database = Database(Settings.from_url(Url.parse(f"{self.url}?schema={self.name}_ours")))
        async with database.connection() as connection:
            for _ in range(6_000):
                if not await indexes.grown(connection):
                    break
                await indexes.keep_up(connection)
                await asyncio.sleep(0.1)  # the store may be at it already
            for table in ("records", "vectors"):
                await connection.execute(f"VACUUM ANALYZE {table}".encode())
        await database.close()
        return await timed(self.floor.index)

    async def warm(self, user: str, queries: Sequence[str]) -> None:
        """Recall until the owner is cached in this process, as an owner in frequent use is."""
        store = self.ours._engine.parts.store
        assert isinstance(store, PostgresStore)
        for turn in range(100):  # an owner with very many memories stays in the database
            await self.ours.recall(queries[turn % len(queries)], user_id=user, limit=10)
            if store._hot.actors(Scope(user_id=user)) is not None:
                break
            await asyncio.sleep(0.05)
        for query in queries:  # windows of a conversation are made when they are first looked through
            await self.ours.recall(query, user_id=user, limit=10)

    def memories(self, count: int, start: int) -> list[str]:
        """Notes, or turns of two people."""
        texts = self.texts.memories(count, start)
        return [f"{SPEAKERS[n % 2]}: {text}" for n, text in enumerate(texts, start)] if self.talk else texts

    def questions(self, count: int, among: int, start: int = 0) -> list[str]:
        """Questions about the memories, their vectors prepared."""
        queries = self.texts.questions(count, among, start)
        if self.talk:
            queries = [f"{text.removesuffix('?')} {SPEAKERS[n % 2]}?" for n, text in enumerate(queries)]
        self.lookup.prepare(queries)
        return queries


async def timed(call: Call) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start
