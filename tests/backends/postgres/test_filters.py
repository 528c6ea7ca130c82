"""The SQL of a PostgreSQL filter finds exactly the records that `filters.matches` lets through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from tests.backends.filter_cases import EXAMPLES, FilterCases, Select

from memwell import filters
from memwell.backends.postgres.store.filter_sql import as_jsonb, instants
from memwell.backends.postgres.store.filter_sql import compile as compile_filter
from memwell.testing.services import Service
from memwell.types import Record

SCHEMA = """
CREATE TEMP TABLE records (
  key int PRIMARY KEY, id text, kind text, category text, tier text, source text, content text,
  tenant_id text, user_id text, agent_id text, session_id text, namespace text,
  importance float8, version int, reinforced int,
  created_at timestamptz, updated_at timestamptz, expires_at timestamptz, valid_from timestamptz, valid_to timestamptz,
  tags jsonb, metadata jsonb, instants jsonb);
CREATE TEMP TABLE access (key int PRIMARY KEY, count int, at timestamptz);
"""


def row(key: int, r: Record) -> list[Any]:
    texts = [r.id, r.kind, r.category, r.tier, r.source, r.content]
    owner = [r.scope.tenant_id, r.scope.user_id, r.scope.agent_id, r.scope.session_id, r.scope.namespace]
    times = [r.created_at, r.updated_at, r.expires_at, r.valid_from, r.valid_to]
    rest = [as_jsonb(list(r.tags)), as_jsonb(dict(r.metadata)), instants(r.metadata)]
    return [key, *texts, *owner, r.importance, r.version, r.reinforced, *times, *rest]


@pytest.fixture(scope="module")
def database(postgres: Service) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield connection


@pytest.fixture(scope="module")
def select(database: psycopg.Connection[Any]) -> Select:
    """Stores the records, and gives the keys (positions) that the SQL finds."""

    def run(records: Sequence[Record], where: Any) -> list[int]:
        accessed = [
            (i, r.access_count, r.last_accessed_at) for i, r in enumerate(records) if r.last_accessed_at
        ]
        sql, values = compile_filter(filters.parse(where))
        with database.transaction(force_rollback=True), database.cursor() as cursor:
            marks = ", ".join(["%s"] * 23)
            cursor.executemany(
                f"INSERT INTO records VALUES ({marks})".encode(), [row(i, r) for i, r in enumerate(records)]
            )
            if accessed:
                cursor.executemany("INSERT INTO access VALUES (%s, %s, %s)", accessed)
            found = cursor.execute(f"SELECT r.key FROM records r WHERE {sql} ORDER BY 1".encode(), values)
            return [key for (key,) in found]

    return run


class TestPostgresFilters(FilterCases):
    """Each example is several round trips to the server, so fewer are tried."""

    filtered = EXAMPLES * 3 // 10


def test_nothing_is_spliced_into_the_sql() -> None:
    evil = "'; DROP TABLE records; --"
    sql, values = compile_filter(filters.parse({f"metadata.{evil}": {"$gt": evil}, "category": evil}))
    assert "DROP" not in sql
    assert evil in values


def test_equality_in_metadata_is_one_that_gin_can_answer(database: psycopg.Connection[Any]) -> None:
    sql, values = compile_filter(filters.parse({"metadata.a.b": "x"}))
    assert (sql, values) == ("r.metadata @> %s::jsonb", ['{"a":{"b":"x"}}'])


@pytest.mark.parametrize(
    "value", [1e16, -1e23, 1.7976931348623157e308, 2**70, 5e-324, 0.1, 1e15, '1e+22"', "a\\"]
)
def test_numbers_come_back_as_they_were(database: psycopg.Connection[Any], value: Any) -> None:
    [(text,)] = database.execute("SELECT (%s::jsonb)::text", [as_jsonb({"k": [value]})])
    [back] = json.loads(text)["k"]
    assert back == value
    assert type(back) is type(value)
