"""The SQL of a filter finds exactly the records that `filters.matches` lets through."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.backends.filter_cases import FilterCases, Select

from memwell import filters
from memwell.backends.sqlite.store.filter_sql import compile as compile_filter
from memwell.backends.sqlite.store.sql_functions import FUNCTIONS
from memwell.records.codec import dumps, to_micros
from memwell.types import Record

SCHEMA = """
CREATE TABLE records (
  key INTEGER PRIMARY KEY, id TEXT, kind TEXT, category TEXT, tier TEXT, source TEXT, content TEXT,
  tenant_id TEXT, user_id TEXT, agent_id TEXT, session_id TEXT, namespace TEXT,
  importance REAL, version INTEGER, reinforced INTEGER,
  created_at INTEGER, updated_at INTEGER, expires_at INTEGER, valid_from INTEGER, valid_to INTEGER,
  tags TEXT, metadata TEXT);
CREATE INDEX by_category ON records (category);
CREATE TABLE access (key INTEGER PRIMARY KEY, count INTEGER, at INTEGER);
"""


def row(key: int, r: Record) -> list[Any]:
    texts = [r.id, r.kind, r.category, r.tier, r.source, r.content]
    owner = [r.scope.tenant_id, r.scope.user_id, r.scope.agent_id, r.scope.session_id, r.scope.namespace]
    times = [t and to_micros(t) for t in (r.created_at, r.updated_at, r.expires_at, r.valid_from, r.valid_to)]
    rest = [dumps(list(r.tags)), dumps(dict(r.metadata))]
    return [key, *texts, *owner, r.importance, r.version, r.reinforced, *times, *rest]


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(name, arguments, function, deterministic=True)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def select(database: sqlite3.Connection) -> Select:
    """Stores the records, and gives the keys (positions) that the SQL finds."""

    def run(records: Sequence[Record], where: Any) -> list[int]:
        database.execute("DELETE FROM records")
        database.execute("DELETE FROM access")
        marks = ", ".join("?" * 22)
        database.executemany(
            f"INSERT INTO records VALUES ({marks})", [row(i, r) for i, r in enumerate(records)]
        )
        accessed = [
            (i, r.access_count, to_micros(r.last_accessed_at))
            for i, r in enumerate(records)
            if r.last_accessed_at
        ]
        database.executemany("INSERT INTO access VALUES (?, ?, ?)", accessed)
        sql, values = compile_filter(filters.parse(where))
        return [
            key for (key,) in database.execute(f"SELECT r.key FROM records r WHERE {sql} ORDER BY 1", values)
        ]

    return run


class TestSqliteFilters(FilterCases):
    pass


def test_nothing_is_spliced_into_the_sql() -> None:
    evil = "'; DROP TABLE records; --"
    sql, values = compile_filter(filters.parse({f"metadata.{evil}": evil, "category": evil}))
    assert "DROP" not in sql
    assert evil in values


def test_equality_on_a_column_uses_its_index(database: sqlite3.Connection) -> None:
    for where in ({"category": "a"}, {"category": {"$in": ["a", "b"]}}):
        sql, values = compile_filter(filters.parse(where))
        plan = database.execute(f"EXPLAIN QUERY PLAN SELECT * FROM records r WHERE {sql}", values).fetchall()
        assert "by_category" in str(plan)
