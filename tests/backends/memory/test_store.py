"""The in-memory store: the shared suite, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memwell.errors import ConfigError
from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.stores import StoreConformance


class TestMemoryStore(StoreConformance):
    many = 5_000
    plenty = 1_050

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        part = open_store("memory://")
        yield part
        run(part, part.close())


def test_two_stores_in_memory_share_nothing() -> None:
    first, second = open_store("memory://"), open_store("memory://")
    assert first is not second
    assert not first.capabilities.durable


def test_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="has no option"):
        open_store("memory://?durability=full")
