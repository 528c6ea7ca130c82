"""A search in PostgreSQL finds what a search of the whole corpus in memory finds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, TypeAlias

import numpy as np
import psycopg
import pytest

from memwell import filters
from memwell.codec import digest
from memwell.ports import Embedding, Insert
from memwell.postgres.adapt import ADAPTERS
from memwell.retrieval.search import Found, Search
from memwell.stores import postgres_indexes
from memwell.stores.memory import MemoryStore
from memwell.stores.postgres_rows import COLUMNS, columns_of, vector_of
from memwell.stores.postgres_search import SESSION, Searcher
from memwell.testing import run
from memwell.testing.services import Service
from memwell.types import Record, Scope

START = datetime(2026, 1, 1, tzinfo=UTC)
SCRIPTS = ("postgres/001_records.sql", "postgres_vectors/001_vectors.sql")
MODEL, DIMENSION = "m", 8
Stored: TypeAlias = tuple[Record, Embedding | None]


class Database:
    """Records in PostgreSQL, and the same ones in memory; written without the store."""

    def __init__(self, url: str) -> None:
        settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        options = f"{settings} -c search_path=t_search,public"
        self._runner = asyncio.Runner()
        self._run = self._runner.run
        self._connection = self._run(
            psycopg.AsyncConnection.connect(url, autocommit=True, context=ADAPTERS, options=options)
        )
        self.memory = MemoryStore()
        self.searcher = Searcher()
        self._models: dict[str, int] = {}

    def __enter__(self) -> Database:
        self.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self.execute("DROP SCHEMA IF EXISTS t_search CASCADE; CREATE SCHEMA t_search")
        folder = resources.files("memwell") / "stores" / "migrations"
        for name in SCRIPTS:
            self.execute((folder / name).read_text("utf-8"))
        return self

    def __exit__(self, *_: object) -> None:
        self.execute("DROP SCHEMA t_search CASCADE")
        self._run(self._connection.close())
        self._runner.close()

    def execute(self, text: str, values: Sequence[Any] | None = None) -> list[Any]:
        return self._run(_rows(self._connection, text, values))

    def search(self, search: Search) -> Found:
        return self._run(self.searcher.search(self._connection, search))

    def actors(self, scope: Scope) -> frozenset[str]:
        return self._run(self.searcher.actors(self._connection, scope))

    def add(self, stored: Sequence[Stored]) -> None:
        run(
            self.memory,
            self.memory.write([Insert(record=r, embedding=e, named=True) for r, e in stored], now=START),
        )
        self._run(self._add(stored))

    def build(self, **options: Any) -> postgres_indexes.Index:
        return self._run(postgres_indexes.create(self._connection, MODEL, **options))

    async def _add(self, stored: Sequence[Stored]) -> None:
        marks = ", ".join(f"%s::{kind}" for kind in COLUMNS.values())
        text = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({marks}) RETURNING key"
        async with self._connection.cursor() as cursor, self._connection.transaction():
            for record, embedding in stored:
                await cursor.execute(text, columns_of(record, digest(record), embedding is not None))
                [key] = await cursor.fetchone()
                if embedding is not None:
                    number = await self._number(cursor, embedding)
                    row = (number, key, *vector_of(embedding))
                    await cursor.execute("INSERT INTO vectors VALUES (%s, %s, %s::vector, %s, %s)", row)

    async def _number(self, cursor: Any, embedding: Embedding) -> int:
        if embedding.model not in self._models:
            size = embedding.vectors.shape[1]
            await cursor.execute(
                "INSERT INTO models (name, dimension, serving) VALUES (%s, %s, %s) RETURNING number",
                (embedding.model, size, not self._models),
            )
            [number] = await cursor.fetchone()
            await cursor.execute(
                f"CREATE TABLE vectors_{number} PARTITION OF vectors FOR VALUES IN ({number})"
            )
            self._models[embedding.model] = number
        return self._models[embedding.model]


async def _rows(connection: Any, text: str, values: Sequence[Any] | None) -> list[Any]:
    cursor = await connection.execute(text, values)
    return await cursor.fetchall() if cursor.description else []


@pytest.fixture
def database(postgres: Service) -> Iterator[Database]:
    with Database(postgres.url) as found:
        yield found


# ------------------------------------------------------------------------------------------------ comparing

WORDS = (
    "apple",
    "pear",
    "plum",
    "cherry",
    "train",
    "boat",
    "visited",
    "Lisbon",
    "Oslo",
    "yesterday",
    "'quoted'",
)
SPEAKERS = ("Ana: ", "Bob: ", "user: ", "assistant: ", "", "")


def direction(rng: random.Random) -> Any:
    vector = np.array([rng.gauss(0, 1) for _ in range(DIMENSION)], dtype=np.float32)
    return vector / np.linalg.norm(vector)


def embedded(rng: random.Random, model: str = MODEL) -> Embedding:
    rows = 1 if rng.random() < 0.8 else 3
    vectors = np.array([direction(rng) for _ in range(rows)], dtype=np.float32)
    return Embedding(
        model=model, vectors=vectors, spans=tuple((n, n + 1) for n in range(rows)) if rows > 1 else ()
    )


def records(rng: random.Random, count: int, start: int = 0) -> list[Stored]:
    """Notes and talks of several users, some of them short-lived, some without vectors."""
    at, found = START - timedelta(days=3), []
    for number in range(start, start + count):
        at += timedelta(minutes=rng.choice((0, 1, 20, 31, 200)))
        words = rng.choices(WORDS, k=rng.randrange(1, 12))
        record = Record(
            id=f"r{number}",
            scope=Scope(
                user_id=rng.choice(("ann", "bob", None)),
                session_id=rng.choice(("s", "t", None)),
                agent_id=rng.choice(("x", None)),
            ),
            content=f"{rng.choice(SPEAKERS)}{' '.join(words)} {number}{rng.choice(('.', '?'))}",
            metadata={"n": number % 5, "rare": number % 50 == 0},
            category=rng.choice(("a", "b")),
            created_at=at,
            updated_at=at,
            expires_at=rng.choice((None, None, START - timedelta(seconds=1), START + timedelta(days=1))),
        )
        found.append((record, embedded(rng) if rng.random() < 0.8 else None))
    return found


def told(found: Found) -> dict[str, Any]:
    """Everything in an answer, by ids instead of keys."""
    candidates = {
        found.ids[c.key]: {
            "facts": c.facts,
            "matches": sorted(c.matches),
            "cosine": None if c.cosine is None else pytest.approx(c.cosine, abs=1e-5),
            "counts": pytest.approx(dict(c.counts)),
            "length": pytest.approx(c.length),
            "near": None if c.near is None else pytest.approx(c.near, abs=1e-5),
            "session": c.session,
            "phrases": c.phrases,
        }
        for c in found.candidates
    }
    typical = found.statistics.typical
    return {
        "candidates": candidates,
        "documents": found.statistics.documents,
        "frequencies": list(found.statistics.frequencies),
        "typical": None if typical is None else pytest.approx(typical, abs=1e-5),
        "notes": found.notes,
    }


def agree(database: Database, search: Search) -> Found:
    """Both answers, when they are the same."""
    ours, theirs = database.search(search), run(database.memory, database.memory.search(search))
    assert plain(ours) == told(theirs)
    return ours


def plain(found: Found) -> dict[str, Any]:
    """As `told`, with numbers in place of what is near them."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items()}
        return getattr(value, "expected", value)

    return bare(told(found))  # type: ignore[no-any-return]


def search_of(rng: random.Random) -> Search:
    where = rng.choice(
        (None, None, {"category": "a"}, {"n": {"$gte": 3}}, {"rare": True}, {"$not": {"n": 1}})
    )
    vectors = rng.choice((None, 1, 2))
    return Search(
        scope=Scope(
            user_id=rng.choice(("ann", "ann", "bob", "nobody", None)),
            session_id=rng.choice((None, None, "s")),
            agent_id=rng.choice((None, None, "x")),
        ),
        now=START,
        terms=tuple(
            rng.sample(
                ("appl", "pear", "train", "lisbon", "oslo", "quot", "7", "missing"), k=rng.randrange(5)
            )
        ),
        phrases=rng.choice(((), (("appl", "pear"),))),
        where=None if where is None else filters.parse(where),
        created_until=rng.choice((None, None, START - timedelta(days=1))),
        vectors=None
        if vectors is None
        else np.array([direction(rng) for _ in range(vectors)], dtype=np.float32),
        model=None if vectors is None else MODEL,
        pool=rng.choice((48, 200)),
    )


@pytest.mark.parametrize("seed", range(6))
def test_few_records_are_found_as_in_memory(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    database.add(records(rng, rng.choice((5, 40, 180))))
    for _ in range(40):
        agree(database, search_of(rng))
