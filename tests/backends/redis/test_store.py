"""The Redis store: the shared suites on a real server, and random operations against the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Any

import pytest

from memwell import AsyncMemory, Memory
from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.machine import check_memory
from memwell.testing.memory import MemoryConformance, OnALoop
from memwell.testing.services import Service
from memwell.testing.stores import StoreConformance

Opening = Callable[..., Any]


class TestRedis(StoreConformance):
    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[Store]:
        part = open_store(redis_url)
        yield part
        run(part, part.close())


class TestMemory(MemoryConformance):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


def stores(redis: Service, kind: Opening) -> tuple[Opening, Opening]:
    """Open a new store, and open the last one again."""
    last: list[str] = []

    def fresh(**options: Any) -> Any:
        last[:] = [f"{redis.url}?prefix=t_{token_hex(6)}:"]
        return kind(last[0], **options)

    return fresh, lambda **options: kind(last[0], **options)


def test_it_does_what_the_model_does(redis: Service) -> None:
    fresh, again = stores(redis, Memory)
    check_memory(fresh, again=again, examples=15)


def test_beside_an_event_loop_it_does_what_the_model_does(redis: Service) -> None:
    fresh, again = stores(redis, lambda *a, **o: OnALoop(AsyncMemory(*a, **o)))
    check_memory(fresh, again=again, examples=5)
