"""Batches on PostgreSQL: the server stores a part while the next one is encoded."""

from __future__ import annotations

import pytest

from memwell.backends.postgres.store import PostgresStore, binary
from memwell.errors import BackendError
from memwell.ports import Insert
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.samples import ANYBODY, START, record

TAKE_ID = """
CREATE TEMP TABLE one AS SELECT * FROM records;
UPDATE one SET id = 'r5', key = key + 1000000;
INSERT INTO records SELECT * FROM one
"""


@pytest.mark.parametrize("here", [False, True])
def test_a_batch_that_fails_does_not_wait_for_the_part_that_the_server_stores(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    """The server may wait for another transaction, here one that has taken an id of the batch."""
    encode, parts = binary.records, list[binary.Given]()

    def fail_later(given: binary.Given) -> bytes:
        parts.append(given)
        if len(parts) > 10:
            raise MemoryError
        return encode(given)

    async def use() -> None:
        await store.write([Insert(record=record("first", id="first"))], now=START)
        async with store._database.session() as other, other.transaction(force_rollback=True):
            await other.execute(TAKE_ID)
            with pytest.raises(BackendError, match="MemoryError"):  # not that of the limit on statements
                await store.write(batch, now=START)
        assert [found.id for found in await store.scan(ANYBODY, now=START, limit=9)] == ["first"]
        await store.close()

    monkeypatch.setattr(binary, "records", fail_later)
    batch = [Insert(record=record(f"text {n}", id=f"r{n}")) for n in range(1000)]
    store = open_store(f"{postgres_url}&statement_timeout=4")
    assert isinstance(store, PostgresStore)
    store.blocking = here
    run(store, use())
