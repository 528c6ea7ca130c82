"""The SQLite store: the shared suite on a file and in memory, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memwell import Memory
from memwell.backends.sqlite.store.store import SqliteStore
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


def test_a_recall_of_an_unchanged_file_asks_only_whether_it_changed_and_for_the_records(
    tmp_path: Path,
) -> None:
    store = SqliteStore(str(tmp_path / "notes.db"))
    with Memory(store, embedder="hashing") as memory:
        first = memory.remember("Ana keeps bees", id="one", user_id="ana")
        memory.recall("bees", user_id="ana")
        reader = store._database.read()
        asked: list[str] = []
        reader.set_trace_callback(asked.append)
        assert [hit.id for hit in memory.recall("bees", user_id="ana")] == ["one"]
        assert [text.partition(" FROM")[0][:19] for text in asked] == [
            *2 * ["PRAGMA data_version"], "SELECT r.key, r.ten"
        ]  # fmt: skip

        memory.remember("Ana sold her bees", id="two", user_id="ana", supersedes=first.id)
        assert [hit.id for hit in memory.recall("bees", user_id="ana")] == ["two"]
    run(store, store.close())


def test_a_recall_after_a_write_reads_what_was_written_and_not_all_that_the_user_has(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "notes.db"))
    with Memory(store, embedder="hashing") as memory:
        memory.remember("Ana keeps bees", user_id="ana")
        memory.recall("bees", user_id="ana")
        memory.remember("Ana sold her bees", user_id="ana")
        reader, asked = store._database.read(), list[str]()
        reader.set_trace_callback(asked.append)
        assert len(memory.recall("bees", user_id="ana")) == 2
        reader.set_trace_callback(None)
        [changes] = [text for text in asked if "FROM changes" in text and "FROM records" in text]
        plan = [row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {changes}")]
        assert plan[0] == "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"
    run(store, store.close())
