"""Behind a real pgbouncer, which hands a connection to somebody else after each transaction, or each session."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest

from memwell import ConfigError, Memory
from memwell.ports import Store
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.services import PgBouncer, Service
from memwell.testing.stores.batches import Batches
from memwell.testing.stores.feeding import Feeding
from memwell.testing.stores.searching import Searching


@pytest.fixture(scope="module")
def pooler(postgres: Service) -> Iterator[Service]:
    with PgBouncer(postgres) as service:
        yield service


@pytest.fixture
def plain_url(postgres: Service, pooler: Service, postgres_url: str) -> str:
    return postgres_url.replace(f":{postgres.port}/", f":{pooler.port}/")


@pytest.fixture
def pooled_url(plain_url: str) -> str:
    return f"{plain_url}&prepare=false"


class TestStore(Batches, Searching, Feeding):
    """What holds a transaction, a lock or a session, which a pooler might break."""

    many = 2_000

    @pytest.fixture
    def store(self, pooled_url: str) -> Iterator[Store]:
        part = open_store(pooled_url)
        yield part
        run(part, part.close())


def test_keys_and_logs_go_through_it_too(pooled_url: str) -> None:
    keys, log = open_keyvalue(pooled_url), open_log(pooled_url)
    assert [run(keys, keys.increment("visits")) for _ in range(7)] == list(range(1, 8))
    positions = [run(log, log.append("audit", [b"one", b"two"])) for _ in range(7)]
    assert [entry.position for entry in run(log, log.read("audit", limit=20))] == [
        *chain.from_iterable(positions)
    ]
    run(keys, keys.close())
    run(log, log.close())


def test_hot_owners_are_replicated_behind_a_pooler(pooled_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with Memory(pooled_url, embedder="hashing") as memory:
        for number in range(12):
            memory.remember(f"Ana keeps {number} bees", user_id="ana")
            assert memory.recall(f"{number} bees", user_id="ana")[0].record.content.endswith(f"{number} bees")
    assert "could not be read into memory" not in caplog.text


def test_a_pooler_that_was_not_configured_is_a_matter_of_configuration(plain_url: str) -> None:
    with Memory(plain_url, embedder=None) as memory, pytest.raises(ConfigError, match="prepare=false"):
        memory.count()


def test_in_session_mode_it_works_as_well(postgres: Service, postgres_url: str) -> None:
    with PgBouncer(postgres, mode="session") as service:
        url = f"{postgres_url.replace(f':{postgres.port}/', f':{service.port}/')}&prepare=false"
        with Memory(url, embedder="hashing") as memory:
            record = memory.remember("Ana likes tea", user_id="ana")
            assert memory.update(record.id, content="Ana likes coffee").version == 2
            assert memory.recall("coffee", user_id="ana")[0].record.id == record.id
            assert len(memory.history(record.id)) == 2
            assert memory.stats().records == 1
