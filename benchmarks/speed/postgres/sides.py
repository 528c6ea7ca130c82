"""memwell and the floor on one server, each in a schema of its own, with the same texts and vectors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import psycopg

from benchmarks.speed.corpora import Corpus
from benchmarks.speed.operations import USER
from benchmarks.speed.postgres.floor import PostgresFloor
from benchmarks.speed.sides import Sides
from benchmarks.speed.texts import Lookup

__all__ = ["commit_time", "configure", "on_postgres", "settle", "warm"]

COMMITS = 50


def on_postgres(url: str, corpus: Corpus, name: str) -> Sides[PostgresFloor]:
    """Both sides with empty tables."""
    lookup, name = Lookup(corpus.vectors), f"{name}_{corpus.name}"
    floor = PostgresFloor(url, lookup, schema=f"{name}_floor")
    floor.create()
    return Sides(corpus, f"{url}?schema={name}_ours", lookup, floor)


def configure(url: str, **settings: str) -> None:
    """Change settings of the server for all its sessions, those that are open too; others are as they were."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(0.2)  # the sessions are signalled


def commit_time(url: str) -> float:
    """Seconds that a transaction of one small row takes; the median."""
    found = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=1) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS commits (number integer)")
        for number in range(COMMITS):
            start = time.perf_counter()
            connection.execute("INSERT INTO commits VALUES (%s)", (number,))
            found.append(time.perf_counter() - start)
    return sorted(found)[COMMITS // 2]


def settle(sides: Sides[PostgresFloor]) -> None:
    """Wait until our indexes have grown, and take statistics on both sides."""
    asyncio.run(_grown(sides.url))
    sides.floor.settle()


async def _grown(url: str) -> None:
    from memwell.backends.postgres import Database
    from memwell.backends.postgres.settings import Settings
    from memwell.backends.postgres.store import indexes
    from memwell.registry import Url

    database = Database(Settings.from_url(Url.parse(url)))
    async with database.connection() as connection:
        for _ in range(6_000):
            if not await indexes.grown(connection):
                break
            await indexes.keep_up(connection)
            await asyncio.sleep(0.1)  # the store may be at it already
        for table in ("records", "vectors"):
            await connection.execute(f"VACUUM ANALYZE {table}".encode())
    await database.close()


def warm(sides: Sides[PostgresFloor], queries: Sequence[str], user: str = USER) -> None:
    """Recall until the owner is held in this process, as an owner in frequent use is."""
    for query in queries:
        sides.ours.recall(query, user_id=user, limit=10)
        time.sleep(0.05)
