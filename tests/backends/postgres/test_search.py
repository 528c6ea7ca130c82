"""A search in PostgreSQL finds what a search of the whole corpus in memory finds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from secrets import token_hex
from typing import Any, TypeAlias

import numpy as np
import psycopg
import pytest

from memwell import filters
from memwell.backends.memory.store import MemoryStore
from memwell.backends.postgres import SESSION
from memwell.backends.postgres.adapt import ADAPTERS
from memwell.backends.postgres.connections import ServerConnection
from memwell.backends.postgres.store import indexes
from memwell.backends.postgres.store.rows import COLUMNS, columns_of, vector_of
from memwell.backends.postgres.store.search import Searcher
from memwell.errors import ConfigError, InvalidInput, Unavailable
from memwell.ports import Delete, Embedding, Insert
from memwell.ports.store.search import Found, Search
from memwell.records.codec import digest
from memwell.testing import run
from memwell.testing.services import Service
from memwell.types import Record, Scope

START = datetime(2026, 1, 1, tzinfo=UTC)
SCRIPTS = ("records/001_records.sql", "records/004_validity.sql", "vectors/001_vectors.sql")
MODEL, DIMENSION = "m", 8
Stored: TypeAlias = tuple[Record, Embedding | None]


class Database:
    """Records in PostgreSQL, and the same ones in memory; written without the store."""

    def __init__(self, url: str) -> None:
        settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        self.schema = f"t_search_{token_hex(6)}"
        options = f"{settings} -c search_path={self.schema},public"
        self._runner = asyncio.Runner()
        self._run = self._runner.run
        self._connection = self._run(
            ServerConnection.connect(url, autocommit=True, context=ADAPTERS, options=options)
        )
        self.memory = MemoryStore()
        self.searcher = Searcher()
        self._models: dict[str, int] = {}

    def __enter__(self) -> Database:
        self.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
        self.execute(f"CREATE SCHEMA {self.schema}")
        folder = resources.files("memwell") / "backends" / "postgres" / "migrations"
        for name in SCRIPTS:
            self.execute((folder / name).read_text("utf-8"))
        return self

    def __exit__(self, *_: object) -> None:
        self.execute(f"DROP SCHEMA {self.schema} CASCADE")
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

    def call(self, function: Any, *arguments: Any) -> Any:
        return self._run(function(self._connection, *arguments))

    def build(self, **options: Any) -> indexes.Index:
        return self._run(indexes.create(self._connection, MODEL, **options))

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


def records(rng: random.Random, size: int) -> list[Stored]:
    """Notes and talks of several users, some of them short-lived, some without vectors."""
    at, found = START - timedelta(days=3), []
    for number in range(size):
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


def described(found: Found) -> dict[str, Any]:
    """Everything in an answer, by ids instead of keys."""
    candidates = {
        found.ids[c.key]: {
            "features": c.features,
            "matches": sorted(c.matches),
            "cosine": None if c.cosine is None else pytest.approx(c.cosine, abs=1e-5),
            "counts": pytest.approx(dict(c.counts)),
            "length": pytest.approx(c.length),
            "near": None if c.window_cosine is None else pytest.approx(c.window_cosine, abs=1e-5),
            "session": c.session,
            "phrases": c.phrases,
        }
        for c in found.candidates
    }
    mean_cosine = found.statistics.mean_cosine
    return {
        "candidates": candidates,
        "documents": found.statistics.documents,
        "frequencies": list(found.statistics.frequencies),
        "mean_cosine": None if mean_cosine is None else pytest.approx(mean_cosine, abs=1e-5),
        "notes": found.notes,
    }


def agree(database: Database, search: Search) -> Found:
    """Both answers, when they are the same."""
    ours, theirs = database.search(search), run(database.memory, database.memory.search(search))
    assert plain(ours) == described(theirs)
    return ours


def plain(found: Found) -> dict[str, Any]:
    """As `told`, with numbers in place of what is near them."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items()}
        return getattr(value, "expected", value)

    return bare(described(found))  # type: ignore[no-any-return]


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


# ------------------------------------------------------------------------------------------- many records

MANY = 2_600
"""More than are compared one by one."""


def many(rng: random.Random, *, vectors: float = 1.0) -> list[Stored]:
    """Notes of one user, no word in more than a twentieth of them."""
    found = []
    for number in range(MANY):
        content = " ".join(f"w{rng.randrange(400)}" for _ in range(6))
        at = START - timedelta(days=1) + timedelta(seconds=number)
        record = Record(
            id=f"r{number}",
            scope=Scope(user_id="ann", agent_id="x" if number % 3 else "y"),
            content=content,
            metadata={"rare": number % (MANY // 10) == 0, "half": number % 2},
            created_at=at,
            updated_at=at,
        )
        found.append((record, embedded(rng) if rng.random() < vectors else None))
    return found


def asked(rng: random.Random, **options: Any) -> Search:
    where = options.pop("where", None)
    defaults: dict[str, Any] = {
        "scope": Scope(user_id="ann"),
        "now": START,
        "terms": tuple(f"w{rng.randrange(400)}" for _ in range(3)),
        "where": None if where is None else filters.parse(where),
        "vectors": direction(rng)[None],
        "model": MODEL,
        "pool": 200,
    }
    return Search(**(defaults | options))


@pytest.fixture(scope="module")
def crowded(postgres: Service) -> Iterator[Database]:
    with Database(postgres.url) as found:
        found.add(many(random.Random(1)))
        found.execute("ANALYZE records")
        yield found


def plan(database: Database, kind: str) -> str:
    """How PostgreSQL would find the nearest."""
    rows = database.execute(
        f"EXPLAIN SELECT key FROM vectors WHERE model = 1 ORDER BY vec::vector({DIMENSION})"
        f" {kind} array_fill(0.5::real, ARRAY[{DIMENSION}])::vector({DIMENSION}) LIMIT 10"
    )
    return "\n".join(row[0] for row in rows)


class TestManyRecords:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"vectors": None, "model": None},
            {"terms": ()},
            {"where": {"rare": True}},
            {"scope": Scope()},
            {"scope": Scope(user_id="ann", agent_id="y")},
            {"created_until": START - timedelta(hours=23, minutes=50)},
        ],
        ids=str,
    )
    def test_what_is_found_is_what_is_found_in_memory(
        self, crowded: Database, options: dict[str, Any]
    ) -> None:
        rng = random.Random(2)
        for _ in range(4):
            agree(crowded, asked(rng, **options))

    def test_a_filter_that_ten_pass_finds_those_ten(self, crowded: Database) -> None:
        found = crowded.search(asked(random.Random(3), terms=(), where={"rare": True}))
        assert set(found.ids.values()) == {f"r{n}" for n in range(0, MANY, MANY // 10)}

    @pytest.mark.parametrize(
        ("options", "operator"),
        [
            ({"kind": "hnsw"}, "<=>"),
            ({"kind": "hnsw", "metric": "l2"}, "<->"),
            ({"kind": "hnsw", "metric": "dot"}, "<#>"),
            ({"kind": "ivfflat", "lists": 10}, "<=>"),
        ],
        ids=str,
    )
    def test_an_index_finds_the_nearest_whatever_its_kind_and_metric(
        self, crowded: Database, options: dict[str, Any], operator: str
    ) -> None:
        made = crowded.build(**options)
        assert (made.kind, made.metric, made.valid) == (
            options["kind"],
            options.get("metric", "cosine"),
            True,
        )
        assert made.name in plan(crowded, operator)
        rng = random.Random(4)
        crowded.search(asked(rng))  # tells the searcher of the index
        for where in (None, {"half": 0}):
            search = asked(rng, terms=(), where=where, pool=48)
            ours, theirs = crowded.search(search), run(crowded.memory, crowded.memory.search(search))
            nearest = sorted(theirs.candidates, key=lambda c: -(c.cosine or 0))[:10]
            assert len(ours.candidates) == search.pool
            assert len({theirs.ids[c.key] for c in nearest} & set(ours.ids.values())) >= 9
            assert ours.statistics.mean_cosine == pytest.approx(theirs.statistics.mean_cosine, abs=0.01)

    def test_what_an_index_service_found_is_taken_over(self, crowded: Database) -> None:
        similar = {"r1": 0.9, "r2": 0.8, "gone": 0.7}
        search = asked(random.Random(5), terms=(), vectors=None, model=None, similar=similar)
        agree(crowded, search)
        search = asked(random.Random(5), terms=(), similar=similar)
        assert set(crowded.search(search).ids.values()) == {"r1", "r2"}


def test_an_index_that_comes_back_short_is_not_believed(database: Database) -> None:
    database.add(many(random.Random(1), vectors=0.01))
    database.build()
    rng = random.Random(2)
    for _ in range(3):
        agree(database, asked(rng))


def test_numbers_of_large_owners_are_refreshed(database: Database) -> None:
    now = [0.0]
    database.searcher = Searcher(clock=lambda: now[0])
    database.add(many(random.Random(1)))
    search = asked(random.Random(2))
    assert database.search(search).statistics.documents == MANY
    database.add([(replace(many(random.Random(3))[0][0], id="new"), None)])
    now[0] += 61
    assert database.search(search).statistics.documents == MANY + 1


def test_who_speaks_is_asked_again_after_a_while_or_a_write(database: Database) -> None:
    now = [0.0]
    database.searcher = Searcher(clock=lambda: now[0])

    def say(start: int) -> None:
        turns = [
            Record(
                id=f"r{n}",
                scope=Scope(user_id="ann", session_id="talk"),
                content=f"Ana: {n}",
                created_at=START,
                updated_at=START,
            )
            for n in range(start, start + 2)
        ]
        database.add([(turn, None) for turn in turns])

    ann, everybody = Scope(user_id="ann"), Scope()
    say(0)
    assert database.actors(ann) == frozenset()
    say(2)
    assert database.actors(everybody) == {"ana"}
    assert database.actors(Scope(user_id="bob")) == frozenset()
    assert database.actors(Scope(tenant_id="other")) == frozenset()
    for other in (Scope(user_id="bob"), Scope(tenant_id="other"), Scope(tenant_id="other", user_id="ann")):
        record = Record(id="x", scope=other, content="x", created_at=START, updated_at=START)
        database.searcher.forget([Insert(record=record), Delete(scope=other, ids=("x",))])
        assert database.actors(ann) == frozenset(), "another owner's write was taken for hers"
    database.searcher.forget([Delete(scope=Scope(), ids=("x",))])  # of any user of the tenant
    assert database.actors(ann) == {"ana"}


# ------------------------------------------------------------------------------------------------- indexes


class TestIndexes:
    def test_there_are_none_before_there_are_vectors(self, database: Database) -> None:
        assert database.call(indexes.status) == []
        with pytest.raises(InvalidInput, match="none"):
            database.build()

    def test_an_index_is_made_replaced_and_dropped(self, database: Database) -> None:
        database.add(many(random.Random(1))[:50])
        assert database.call(indexes.status)[0].kind is None
        assert database.build().kind == "hnsw"
        assert database.build(kind="ivfflat", metric="l2", concurrently=False).metric == "l2"
        assert database.call(indexes.drop, MODEL)
        assert not database.call(indexes.drop, MODEL)

    def test_it_comes_when_it_is_due_and_once(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.add(many(random.Random(1))[:50])
        assert database.call(indexes.keep_up) == []
        monkeypatch.setattr(indexes, "GROWN", 50)
        assert database.call(indexes.keep_up) == [MODEL]
        assert database.call(indexes.keep_up) == []

    def test_many_small_owners_need_none(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(indexes, "GROWN", 30)
        owned = [
            (replace(record, scope=Scope(user_id=f"u{n % 2}")), embedding)
            for n, (record, embedding) in enumerate(many(random.Random(1))[:50])
        ]
        database.add(owned)
        assert database.call(indexes.keep_up) == []
        monkeypatch.setattr(indexes, "_ALL", 1)
        assert database.call(indexes.keep_up) == [MODEL]

    def test_what_a_killed_build_left_behind_is_reported_and_replaced(self, database: Database) -> None:
        database.add(many(random.Random(1))[:50])
        database.build()
        database.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'vectors_1_near'::regclass"
        )
        assert not database.call(indexes.status)[0].valid
        assert database.build().valid

    def test_two_do_not_build_at_once(self, database: Database, postgres: Service) -> None:
        database.add(many(random.Random(1))[:50])
        with psycopg.connect(postgres.url, options=f"-c search_path={database.schema},public") as other:
            other.execute("SELECT pg_try_advisory_lock(1835365242, 'models'::regclass::oid::int)")
            assert database.call(indexes.keep_up) == []
            with pytest.raises(Unavailable, match="another process"):
                database.build()

    def test_a_build_outlives_a_deadlock_with_an_analyze(self, database: Database, postgres: Service) -> None:
        database.add(many(random.Random(1))[:50])
        options = f"-c search_path={database.schema},public -c deadlock_timeout=60s"

        async def count(other: psycopg.AsyncConnection[Any]) -> None:
            await other.execute("ANALYZE vectors_1")
            await other.commit()

        async def both(connection: Any) -> indexes.Index:
            async with await psycopg.AsyncConnection.connect(postgres.url, options=options) as other:
                await other.execute("SELECT pg_export_snapshot()")  # keeps what it sees until it ends
                building = asyncio.create_task(indexes.create(connection, MODEL))
                await waiting(other)
                await asyncio.gather(building, count(other))
                return building.result()

        async def waiting(other: psycopg.AsyncConnection[Any]) -> None:
            """Return when the build waits for the transaction."""
            async with await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as third:
                query = "SELECT FROM pg_locks WHERE NOT granted AND locktype = 'virtualxid'"
                while not (await third.execute(query)).rowcount:
                    pass

        assert database.call(both).valid

    def test_a_build_takes_more_care_than_what_comes_one_by_one(
        self, database: Database, postgres: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        database.add(many(random.Random(1))[:50])
        described = "SELECT reloptions FROM pg_class WHERE oid = to_regclass('vectors_1_near')"
        assert "ef_construction = 128" in indexes.index_statements(1, DIMENSION, kind="hnsw")[0]
        assert database.build().valid
        assert database.execute(described) == [(None,)]
        options = f"-c search_path={database.schema},public"
        with psycopg.connect(postgres.url, options=options) as other:  # it reads by the index, and goes on
            other.execute("SET enable_seqscan = off")
            [found] = database.call(indexes.status)
            database.execute(f"ALTER INDEX {found.name} SET (ef_construction = 128)")
            other.execute(
                "SELECT key FROM vectors_1 ORDER BY vec::vector(8) <=> %s LIMIT 1", ("[1,0,0,0,0,0,0,0]",)
            )
            database.call(indexes._relax, found)
        assert database.execute(described) == [(["ef_construction=128"],)]
        assert "is in use" in caplog.text

    def test_what_cannot_be_is_refused(self, database: Database) -> None:
        database.add(many(random.Random(1))[:5])
        for options in ({"kind": "btree"}, {"metric": "hamming"}, {"lists": 5}):
            with pytest.raises(ConfigError):
                database.build(**options)

    def test_long_vectors_are_indexed_in_half_precision_and_endless_ones_not_at_all(self) -> None:
        [text] = indexes.index_statements(3, 3072, kind="hnsw")
        assert "vec::halfvec(3072)) halfvec_cosine_ops" in text
        assert indexes.index_statements(3, 4096, kind="hnsw") == []
