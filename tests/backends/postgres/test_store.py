"""The PostgreSQL store: the shared suites, and random operations against the model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memwell import AsyncMemory, Memory
from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.machine import check_memory
from memwell.testing.memory import MemoryConformance, OnALoop
from memwell.testing.stores import StoreConformance

Opening = Callable[..., Any]


class TestPostgres(StoreConformance):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        part = open_store(postgres_url)
        yield part
        run(part, part.close())


class TestWithoutLoop(StoreConformance):
    """The calls wait in the threads that make them."""

    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        part = open_store(postgres_url)
        part.blocking = True
        yield part
        run(part, part.close())


class TestMemory(MemoryConformance):
    """Without an event loop."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def lasting(self, postgres_url: str) -> str:
        return postgres_url

    def test_it_is_so(self, memory: Memory) -> None:
        assert memory._loop is None


@pytest.mark.parametrize(
    ("kind", "examples"),
    [(Memory, 12), (lambda *a, **o: OnALoop(AsyncMemory(*a, **o)), 5)],
    ids=["sync", "async"],
)
def test_it_does_what_the_model_does(postgres_url: str, kind: Opening, examples: int) -> None:
    numbers = itertools.count()
    last: list[str] = []

    def fresh(**options: Any) -> Any:
        last[:] = [f"{postgres_url}_{next(numbers)}"]
        return kind(last[0], **options)

    try:
        check_memory(fresh, again=lambda **options: kind(last[0], **options), examples=examples)
    finally:
        drop(postgres_url, range(next(numbers)))


def drop(url: str, numbers: range) -> None:
    """Drop the schemas that a test made beside its own."""
    import psycopg

    server, _, schema = url.partition("?schema=")
    with psycopg.connect(server, autocommit=True) as connection:
        for number in numbers:
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema}_{number}" CASCADE'.encode())
