"""The PostgreSQL store: the shared suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.stores import StoreConformance


class TestPostgres(StoreConformance):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        part = open_store(postgres_url)
        yield part
        run(part, part.close())
