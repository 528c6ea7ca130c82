"""The SQLite store: the shared suite on a file and in memory, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.stores import StoreConformance
from memwell.testing.stores.batches import Batches
from memwell.testing.stores.keeping import Keeping
from memwell.testing.stores.searching import Searching


class TestSqliteFile(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        part = open_store(f"sqlite:///{tmp_path / 'store.db'}")
        yield part
        run(part, part.close())


class TestSqliteInMemory(Batches, Keeping, Searching):
    """What is the same as in a file needs no second proof."""

    many = 2_000

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        part = open_store("sqlite://")
        yield part
        run(part, part.close())
