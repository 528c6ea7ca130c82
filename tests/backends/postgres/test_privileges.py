"""What the page about PostgreSQL says of a user who owns no tables is enough, and no more is needed."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from memwell import ConfigError, Memory
from memwell.backends.postgres.store import PostgresStore, indexes
from memwell.registry import Url, open_keyvalue, open_log
from memwell.testing import run

PAGE = Path(__file__).parents[3] / "docs" / "postgresql.md"
MANY = 1000
"""Of these written at once the keys are drawn from their sequence beforehand."""


@pytest.fixture
def admin(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner, to a schema whose tables are there."""
    with Memory(postgres_url, embedder=None) as memory:
        memory.count()
    with psycopg.connect(postgres_url.partition("?")[0], autocommit=True) as connection:
        yield connection


@pytest.fixture
def user(admin: psycopg.Connection) -> Iterator[str]:
    """A user of the database who may nothing yet."""
    name = f"app_{uuid4().hex[:12]}"
    admin.execute(f"CREATE ROLE {name} LOGIN".encode())
    yield name
    admin.execute(f"DROP OWNED BY {name}".encode())
    admin.execute(f"DROP ROLE {name}".encode())


def url_of(user: str, postgres_url: str) -> str:
    return re.sub(r"//[^@]*@", f"//{user}@", postgres_url) + "&migrate=off"


def granted(user: str, postgres_url: str) -> list[str]:
    """The statements of the page, for this user and schema."""
    (block,) = re.findall(r"```sql\n(GRANT.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    schema = postgres_url.partition("schema=")[2]
    text = block.replace(" memwell", f" {schema}").replace(" TO app", f" TO {user}")
    return [statement for statement in text.split(";") if statement.strip()]


def test_the_rights_of_the_page_are_enough(
    admin: psycopg.Connection, user: str, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for part in open_keyvalue(postgres_url), open_log(postgres_url):
        run(part, part.ping())
        run(part, part.close())
    for statement in granted(user, postgres_url):
        admin.execute(statement.encode())
    with Memory(postgres_url, embedder="hashing") as memory:
        memory.remember("the first of the model", user_id="ann")
    url = url_of(user, postgres_url)
    with Memory(url, embedder="hashing") as memory:
        many = memory.remember([f"note {number}" for number in range(MANY)], user_id="ann")
        record = memory.remember("Ann keeps bees", user_id="ann")
        assert memory.recall("bees", user_id="ann")[0].record.id == record.id
        assert memory.update(record.id, content="Ann keeps goats").version == 2
        memory.relate(record.id, many[0].id)
        assert len(memory.forget([record.id, many[1].id])) == 2
        assert memory.repair().ok
    keyvalue, log = open_keyvalue(url), open_log(url)
    assert run(keyvalue, keyvalue.increment("visits")) == 1
    assert len(run(log, log.append("audit", [b"one"]))) == 1
    run(keyvalue, keyvalue.close())
    run(log, log.close())
    assert [entry for entry in caplog.records if entry.levelno >= logging.WARNING] == []


def test_without_rights_the_error_says_which_is_missing(
    admin: psycopg.Connection, user: str, postgres_url: str
) -> None:
    del admin
    with pytest.raises(ConfigError, match=r"lacks a right.*permission denied for schema"):
        _remember(url_of(user, postgres_url))


def test_the_first_vector_of_a_model_is_the_owners(
    admin: psycopg.Connection, user: str, postgres_url: str
) -> None:
    for statement in granted(user, postgres_url):
        admin.execute(statement.encode())
    with pytest.raises(ConfigError, match="first vector of a model"):
        _remember(url_of(user, postgres_url))


def test_who_may_not_build_an_index_that_is_due_is_logged_once(
    admin: psycopg.Connection,
    user: str,
    postgres_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(indexes, "GROWN", 5)
    with Memory(postgres_url, embedder="hashing") as memory:
        memory.remember([f"note {number}" for number in range(10)], user_id="ann")
    for statement in granted(user, postgres_url):
        admin.execute(statement.encode())

    async def sweep(store: PostgresStore) -> None:
        async with store:
            for _ in range(3):
                await store.sweep(datetime.now(UTC))
                if store._building is not None:
                    await store._building

    asyncio.run(sweep(PostgresStore.from_url(Url.parse(url_of(user, postgres_url)))))
    assert caplog.text.count("memwell db maintain") == 1


def _remember(url: str) -> None:
    with Memory(url, embedder="hashing") as memory:
        memory.remember("refused", user_id="ann")
