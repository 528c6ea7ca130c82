"""What is PostgreSQL's own: the URL, migrations, races, followers, crashes, a server that goes and comes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
import pytest
from tests.processes import Script

from memwell.backends.postgres import Component, Database, Settings, translate
from memwell.backends.postgres.store import COMPONENTS, PostgresStore, batches
from memwell.errors import (
    BackendError,
    ConfigError,
    Conflict,
    Corrupt,
    InvalidInput,
    MemwellError,
    NotFound,
    NotSupported,
    Unavailable,
)
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, SetLink, Store, Touch, Update
from memwell.ports.store.search import Search
from memwell.registry import Url, open_store
from memwell.testing.samples import ANYBODY, MODEL, START, embedding, record
from memwell.testing.services import Service, postgres
from memwell.types import Link

Action = Callable[[PostgresStore], Awaitable[Any]]


def opened(url: str) -> PostgresStore:
    store = open_store(url)
    assert isinstance(store, PostgresStore)
    return store


def using(url: str, action: Action) -> Any:
    """What an action on an open store gives, on a loop of its own."""

    async def run() -> Any:
        async with opened(url) as store:
            return await action(store)

    return asyncio.run(run())


def inserting(content: str, id: str = "a", **fields: Any) -> Insert:
    named = fields.pop("named", False)
    vectors = fields.pop("embedding", None)
    return Insert(record=record(content, id=id, **fields), embedding=vectors, named=named)


@contextmanager
def raw(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection around the store, which sees its tables."""
    server, _, schema = url.partition("?schema=")
    path = f"{schema},public" if schema else "public"
    with psycopg.connect(server, autocommit=True, options=f"-c search_path={path}") as connection:
        yield connection


# ------------------------------------------------------------------------------------------------------- the URL


@pytest.mark.parametrize(
    "options",
    [
        "colour=red", "schema=", "schema=a-b", "schema=pg_mine", "schema=x%22%3B", "schema=%C5%BF",
        "schema=Information_Schema", "pool=0", "pool=1.5", "pool=many", "timeout=-1", "timeout=nan", "timeout=1e9",
        "connect_timeout=0", "statement_timeout=soon", "statement_timeout=1e9", "prepare=maybe", "migrate=on",
        "replica=", "replica=mysql://x", "replica=postgresql://x?pool=1", "replica=:5", "host=/tmp",
        "application_name=me%00",
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_meant_is_refused(options: str) -> None:
    with pytest.raises(ConfigError):
        open_store(f"postgresql://u:secret@127.0.0.1:1/d?{options}")


def test_a_url_says_everything() -> None:
    url = (
        "postgresql://us%40er:p%3Ass@one:1,[::1]:2/base?schema=S_1&pool=3&timeout=1.5&connect_timeout=7"
        "&statement_timeout=2&prepare=false&migrate=off&sslmode=require&application_name=me&replica=three:3"
    )
    found = Settings.from_url(Url.parse(url))
    assert found.target == {
        "user": "us@er",
        "password": "p:ss",
        "host": "one,::1",
        "port": "1,2",
        "dbname": "base",
        "connect_timeout": 7,
        "sslmode": "require",
        "application_name": "me",
        "client_encoding": "UTF8",
        "keepalives_idle": 60,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }
    assert found.replica is not None
    assert (found.replica["host"], found.replica["port"], found.replica["user"]) == ("three", "3", "us@er")
    assert (found.schema, found.pool, found.timeout, found.statement_timeout) == ("S_1", 3, 1.5, 2)
    assert (found.prepare, found.migrate) == (False, False)
    assert "p:ss" not in repr(found)
    assert "p:ss" not in found.place
    assert "us@er" not in found.place


@pytest.mark.parametrize(
    "option",
    [
        "sslmode=x", "channel_binding=x", "gssencmode=x", "load_balance_hosts=x", "target_session_attrs=x",
        "ssl_min_protocol_version=x", "service=x", "keepalives=x", "tcp_user_timeout=x", "hostaddr=x",
        "options=-c%20colour%3Dred", "options=x",
    ],
)  # fmt: skip
def test_a_value_that_libpq_or_the_server_does_not_know_is_a_matter_of_configuration(
    postgres: Service, option: str
) -> None:
    with pytest.raises(ConfigError):
        using(f"{postgres.url}?{option}", lambda store: store.ping())


def test_the_shortest_limit_of_time_is_a_limit() -> None:
    settings = Settings.from_url(Url.parse("postgresql://h/d?statement_timeout=0.0001"))
    assert Database(settings)._session()["statement_timeout"] == "1"


def test_nothing_is_opened_before_the_first_call() -> None:
    store = open_store("postgresql://u:secret@127.0.0.1:1/d")

    async def use() -> None:
        with pytest.raises(Unavailable) as caught:
            await store.ping()
        assert "secret" not in str(caught.value)
        await store.close()

    asyncio.run(use())


def test_a_login_or_database_that_does_not_exist_is_a_matter_of_configuration(postgres: Service) -> None:
    for url in (
        postgres.url.replace("memwell@", "nobody_knows@"),
        postgres.url.rpartition("/")[0] + "/nowhere",
    ):
        with pytest.raises(ConfigError):
            using(url, lambda store: store.ping())


def test_the_schema_may_have_any_plain_name(postgres: Service) -> None:
    url = f"{postgres.url}?schema=Select"
    try:
        assert using(url, lambda store: store.count(ANYBODY, now=START)) == 0
    finally:
        with raw(postgres.url) as connection:
            connection.execute('DROP SCHEMA "Select" CASCADE')


# ------------------------------------------------------------------------------------------------------ errors

KINDS: list[tuple[type[psycopg.Error], type[MemwellError]]] = [
    (psycopg.errors.ConnectionFailure, Unavailable),
    (psycopg.errors.AdminShutdown, Unavailable),
    (psycopg.errors.CannotConnectNow, Unavailable),
    (psycopg.errors.QueryCanceled, Unavailable),
    (psycopg.errors.TooManyConnections, Unavailable),
    (psycopg.errors.SerializationFailure, Unavailable),
    (psycopg.errors.DeadlockDetected, Unavailable),
    (psycopg.errors.LockNotAvailable, Unavailable),
    (psycopg.OperationalError, Unavailable),
    (psycopg.errors.InvalidPassword, ConfigError),
    (psycopg.errors.InvalidCatalogName, ConfigError),
    (psycopg.errors.InsufficientPrivilege, ConfigError),
    (psycopg.errors.ReadOnlySqlTransaction, BackendError),
    (psycopg.errors.DiskFull, BackendError),
    (psycopg.errors.UniqueViolation, BackendError),
    (psycopg.errors.UndefinedTable, BackendError),
    (psycopg.errors.SyntaxError, BackendError),
    (psycopg.InterfaceError, BackendError),
    (psycopg.errors.NumericValueOutOfRange, InvalidInput),
    (psycopg.errors.ProgramLimitExceeded, InvalidInput),
    (psycopg.DataError, InvalidInput),
    (psycopg.errors.DataCorrupted, Corrupt),
]


@pytest.mark.parametrize(("native", "ours"), KINDS, ids=lambda kind: kind.__name__)
def test_every_error_of_the_server_has_its_kind(
    native: type[psycopg.Error], ours: type[MemwellError]
) -> None:
    found = translate(native("what\nVALUES ('secret')"), "postgres", "write", place="there")
    assert type(found) is ours
    assert "secret" not in str(found)


@pytest.mark.parametrize("content", ["nul \0", "half \ud83d of a pair"])
def test_a_text_that_postgresql_cannot_hold_is_refused(postgres_url: str, content: str) -> None:
    with pytest.raises(InvalidInput):
        using(
            postgres_url,
            lambda store: store.write([Insert(record=record(content, id="a"), digest=1)], now=START),
        )


def test_who_waits_too_long_for_a_connection_is_reported(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        async with store._database.connection():
            with pytest.raises(Unavailable):
                await store.ping()
        await store.ping()

    using(f"{postgres_url}&pool=1&timeout=0.05", use)


def test_a_slow_statement_is_given_up(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        async with store._database.connection() as connection:
            with pytest.raises(psycopg.errors.QueryCanceled):
                await connection.execute("SELECT pg_sleep(60)")
        await store.ping()

    using(f"{postgres_url}&statement_timeout=0.1", use)


# -------------------------------------------------------------------------------------------------- migrations

TOY = Component(
    "toy", ("CREATE TABLE toy (x int);", "CREATE FUNCTION toyed() RETURNS int LANGUAGE sql AS 'SELECT 1'")
)


def database(url: str, *components: Component) -> Database:
    return Database(Settings.from_url(Url.parse(url)), *(components or (TOY,)))


def test_migrations_are_applied_once_reported_and_started_over(postgres_url: str) -> None:
    async def use() -> None:
        base = database(postgres_url)
        assert [(s.applied, s.pending) for s in await base.status()] == [(0, 2)]
        assert [(s.applied, s.pending) for s in await base.migrate()] == [(2, 0)]
        async with base.connection() as connection:
            await connection.execute("INSERT INTO toy SELECT toyed()")
            await connection.execute("CREATE TABLE theirs (x int)")
        assert [(s.applied, s.pending) for s in await base.migrate()] == [(2, 0)]
        async with base.connection() as connection:
            assert (await (await connection.execute("SELECT count(*) FROM toy")).fetchone()) == (1,)
        await base.fresh()
        async with base.connection() as connection:
            assert (await (await connection.execute("SELECT count(*) FROM toy")).fetchone()) == (0,)
            assert (await (await connection.execute("SELECT count(*) FROM theirs")).fetchone()) == (0,)
        await base.close()
        await base.close()

    asyncio.run(use())


@pytest.mark.parametrize(
    "scripts", [TOY.scripts[:1], ("CREATE TABLE toy (y int);", TOY.scripts[1])], ids=["newer", "changed"]
)
def test_a_schema_that_another_memwell_made_is_refused(postgres_url: str, scripts: tuple[str, ...]) -> None:
    async def use() -> None:
        await database(postgres_url).migrate()
        with pytest.raises(ConfigError, match="memwell"):
            async with database(postgres_url, Component("toy", scripts)).connection():
                pass

    asyncio.run(use())


def test_without_leave_to_migrate_the_command_is_named(postgres_url: str) -> None:
    with pytest.raises(ConfigError, match="memwell db migrate"):
        using(f"{postgres_url}&migrate=off", lambda store: store.ping())
    using(postgres_url, lambda store: store.ping())
    using(f"{postgres_url}&migrate=off", lambda store: store.ping())


def test_starting_over_waits_for_others_no_longer_than_the_timeout(postgres_url: str) -> None:
    async def use() -> None:
        base = database(f"{postgres_url}&timeout=0.1")
        await base.migrate()
        with raw(postgres_url) as other:
            other.execute("BEGIN")
            other.execute("SELECT FROM toy")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await asyncio.wait_for(base.fresh(), 20)
        assert [(s.applied, s.pending) for s in await base.fresh()] == [(2, 0)]

    asyncio.run(use())


def test_a_failed_script_leaves_nothing(postgres_url: str) -> None:
    async def use() -> None:
        broken = Component("toy", (TOY.scripts[0], "CREATE TABLE x (y nothing)"))
        with pytest.raises(psycopg.errors.UndefinedObject):
            await database(postgres_url, broken).migrate()
        assert [(s.applied, s.pending) for s in await database(postgres_url).migrate()] == [(2, 0)]

    asyncio.run(use())


# ---------------------------------------------------------------------------------------------------- processes

HEAD = """
import asyncio, os, signal, sys
from memwell.errors import Conflict
from memwell.ports import Insert
from memwell.registry import open_store
from memwell.testing.samples import ANYBODY, START, embedding, record
signal.alarm(100)
url, name = sys.argv[1:3]
async def main():
    async with open_store(url) as store:
        await work(store)
"""


def started(url: str, script: str, name: str = "") -> Script:
    return Script(f"{HEAD}{script}\nasyncio.run(main())", url, name)


def together(url: str, script: str, count: int = 4) -> list[str]:
    """What several processes say that run the same at once."""
    running = [started(url, script, str(number)) for number in range(count)]
    said = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * count
    return said


def test_many_processes_start_at_once_and_store_the_same_once(postgres_url: str) -> None:
    script = """
async def work(store):
    for number in range(20):
        await store.write([Insert(record=record(f"text {number}", id=f"{name}-{number}"))], now=START)
"""
    together(postgres_url, script)
    found = using(postgres_url, lambda store: store.scan(ANYBODY, now=START, limit=100))
    assert sorted((r.content, r.reinforced) for r in found) == sorted(
        (f"text {number}", 3) for number in range(20)
    )


def test_many_processes_store_the_same_batch_once(postgres_url: str) -> None:
    script = """
async def work(store):
    await store.ping()
    for first in (0, 40):
        await store.write([Insert(record=record(f"text {n}", id=f"{name}-{n}"), embedding=embedding(n))
            for n in range(first, first + 40)], now=START)
"""
    together(postgres_url, script, count=3)
    found = using(postgres_url, lambda store: store.scan(ANYBODY, now=START, limit=1000))
    assert sorted((r.content, r.reinforced) for r in found) == sorted((f"text {n}", 2) for n in range(80))
    report = using(postgres_url, lambda store: store.check())
    assert report.ok


def test_of_many_processes_one_gets_the_id(postgres_url: str) -> None:
    script = """
async def work(store):
    await store.ping()
    for number in range(20):
        try:
            wanted = record(f"{name} wants {number}", id=f"id{number}")
            await store.write([Insert(record=wanted, named=True)], now=START)
            print("got")
        except Conflict:
            print("conflict")
"""
    said = "".join(together(postgres_url, script))
    assert (said.count("got"), said.count("conflict")) == (20, 60)


def test_changes_made_at_once_are_all_made(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> Any:
        await store.write([inserting("a")], now=START)
        await asyncio.gather(
            *(
                store.write([Update(scope=ANYBODY, id="a", changes={"category": f"c{n}"})], now=START)
                for n in range(12)
            )
        )
        return await store.history(ANYBODY, "a", now=START)

    history = using(postgres_url, use)
    assert [version.version for version in history] == list(range(1, 14))
    assert {version.record.category for version in history} == {None, *(f"c{n}" for n in range(12))}


def test_a_killed_process_loses_nothing_that_was_acknowledged(postgres_url: str) -> None:
    script = """
async def work(store):
    for number in range(100_000):
        pair = [Insert(record=record(f"{part} {number}", id=f"{part}{number}"), embedding=embedding(number))
            for part in "ab"]
        await store.write(pair, now=START)
        print(number, flush=True)
"""
    process = started(postgres_url, script)
    for _ in range(30):
        process.stdout.readline()
    process.kill()
    acknowledged = 30 + len(process.stdout.read().splitlines())
    process.wait()
    found = using(postgres_url, lambda store: store.scan(ANYBODY, now=START, limit=10_000))
    names = {r.id for r in found}
    assert {f"{part}{n}" for part in "ab" for n in range(acknowledged)} <= names
    assert len(names) in (2 * acknowledged, 2 * acknowledged + 2)  # the last one wholly or not at all
    assert using(postgres_url, lambda store: store.check()).ok


def test_batches_that_meet_the_same_records_in_opposite_orders_do_not_wait_for_each_other(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_ATTEMPTS", 1)  # a deadlock would not be tried again

    async def use(store: Store) -> None:
        ids = [f"b{number}" for number in range(6)]
        await store.write([Insert(record=record(id, id=id)) for id in ids], now=START)

        async def writer(number: int) -> None:
            order = ids if number % 2 else ids[::-1]
            for turn in range(5):
                changes = {"content": f"{number} {turn}"}
                updates = [Update(scope=ANYBODY, id=id, changes=changes) for id in order]
                link = SetLink(scope=ANYBODY, source=order[0], link=Link(target=order[-1], kind="after"))
                await store.write([*updates, link], now=START)

        await asyncio.gather(*map(writer, range(6)))
        versions = [found.version for found in await store.get(ANYBODY, ids, now=START)]
        assert versions == [31] * 6

    using(postgres_url, use)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_both_sides_of_a_fork_go_on(postgres_url: str) -> None:
    script = """
async def work(store):
    await store.write([Insert(record=record("before", id="before"))], now=START)
store = open_store(url)
def one(name): asyncio.run(store.write([Insert(record=record(name, id=name))], now=START))
async def main(): pass
loop = asyncio.new_event_loop()
loop.run_until_complete(work(store))
child = os.fork()
side = "parent" if child else "child"
for number in range(20):
    one(f"{side} {number}")
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
loop.run_until_complete(work(store))
loop.run_until_complete(store.close())
loop.close()
"""
    together(postgres_url, script, count=1)
    assert using(postgres_url, lambda store: store.count(ANYBODY, now=START)) == 41


# ------------------------------------------------------------------------------------------------------ followers


def test_a_follower_waits_for_what_began_earlier_and_misses_nothing(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        await store.write([inserting("first", "first")], now=START)
        start = await store.position()
        with raw(postgres_url) as slow:
            slow.execute("BEGIN")
            slow.execute("SELECT memwell_writing()")
            slow.execute("UPDATE records SET reinforced = 7 WHERE id = 'first'")
            await store.write([inserting("second", "second")], now=START)
            assert await store.changes(start, limit=10) == []
            assert await store.position() == start
            slow.execute("INSERT INTO changes (ordinal, key) SELECT 0, key FROM records WHERE id = 'first'")
            slow.execute("COMMIT")
        assert [change.id for change in await store.changes(start, limit=10)] == ["first", "second"]

    using(postgres_url, use)


def test_a_follower_does_not_wait_for_transactions_of_others(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        start = await store.position()
        with raw(postgres_url) as other:
            other.execute("BEGIN")
            other.execute("SELECT pg_current_xact_id()")
            await store.write([inserting("text")], now=START)
            assert [change.id for change in await store.changes(start, limit=10)] == ["a"]
            other.execute("COMMIT")

    using(postgres_url, use)


def test_followers_beside_many_writers_see_every_record(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        names: set[str] = set()
        place = await store.position()
        writers = [asyncio.ensure_future(_some(store, writer)) for writer in range(8)]
        while True:
            done = all(writer.done() for writer in writers)
            changes = await store.changes(place, limit=7)
            names |= {change.id for change in changes}
            place = changes[-1].seq if changes else place
            if done and not changes:
                break
        await asyncio.gather(*writers)
        assert names == {f"w{writer} {number}" for writer in range(8) for number in range(25)}

    using(postgres_url, use)


async def _some(store: PostgresStore, writer: int) -> None:
    for number in range(25):
        name = f"w{writer} {number}"
        await store.write([inserting(name, name)], now=START)


# ------------------------------------------------------------------------------------------- a server that goes


def test_a_store_outlives_its_server() -> None:
    with postgres() as server:

        async def use(store: PostgresStore) -> None:
            await store.write([inserting("before", "before", embedding=embedding(0))], now=START)
            await asyncio.gather(*(store.ping() for _ in range(10)))
            server.kill()
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await store.count(ANYBODY, now=START)
            server.start()
            await asyncio.gather(*(store.ping() for _ in range(20)))
            await store.write([inserting("after", "after", embedding=embedding(1))], now=START)
            assert await store.count(ANYBODY, now=START) == 2

        using(f"{server.url}?pool=5", use)


def test_connections_that_the_server_closed_are_replaced(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        await asyncio.gather(*(store.ping() for _ in range(8)))
        with raw(postgres_url) as connection:
            schema = postgres_url.partition("?schema=")[2]
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
                (schema,),
            )
        await asyncio.gather(*(store.ping() for _ in range(8)))

    using(f"{postgres_url}&application_name={postgres_url.partition('?schema=')[2]}", use)


def test_a_loop_after_the_other_may_use_a_store(postgres_url: str) -> None:
    store = opened(postgres_url)
    asyncio.run(store.ping())
    asyncio.run(store.ping())

    async def end() -> None:
        await store.ping()
        await store.close()

    asyncio.run(end())


def test_it_works_behind_a_pooler_that_keeps_no_session(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        await store.write([inserting("apples", "a", embedding=embedding(0))], now=START)
        await store.write(
            [inserting(f"pear {n}", f"p{n}", embedding=embedding(9)) for n in range(20)], now=START
        )
        await store.write([inserting("apples", "b")], now=START)
        vector = embedding(0).vectors
        found = await store.search(
            Search(scope=ANYBODY, now=START, terms=("appl",), vectors=vector, model=MODEL)
        )
        assert "a" in found.ids.values()
        async with store._database.connection() as connection:
            rows = await (await connection.execute("SELECT count(*) FROM pg_prepared_statements")).fetchone()
            assert rows == (0,)
        assert len(await store.history(ANYBODY, "a", now=START)) == 1
        assert (await store.stats(ANYBODY, now=START)).records == 21
        assert (await store.check()).ok
        assert await store.write([Delete(scope=ANYBODY, ids=("a",))], now=START) == [["a"]]

    using(f"{postgres_url}&prepare=false", use)


@pytest.mark.parametrize("there", [True, False])
def test_searches_ask_the_replica_and_the_primary_while_it_cannot_be_reached(
    postgres_url: str, postgres: Service, there: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(store: PostgresStore) -> None:
        await store.write([inserting("apples")], now=START)
        found = await store.search(Search(scope=ANYBODY, now=START, terms=("appl",)))
        assert list(found.ids.values()) == ["a"]

    port = postgres.port if there else 1
    using(f"{postgres_url}&replica=127.0.0.1:{port}", use)
    assert ("replica" in caplog.text) is not there


def test_a_replica_that_fails_is_let_alone_for_a_while(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(writer)
        writer.close()

    async def use() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with opened(f"{postgres_url}&replica=127.0.0.1:{port}") as store:
                await store.write([inserting("apples")], now=START)
                for _ in range(3):
                    await found_apples(store)

    asyncio.run(use())
    assert len(calls) == 1
    assert caplog.text.count("the replica failed") == 1


def test_what_a_replica_does_not_have_yet_the_primary_answers(
    postgres: Service, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    behind = postgres.url.rpartition("/")[0] + "/postgres"

    async def use(store: PostgresStore) -> None:
        await store.write([inserting("apples")], now=START)
        await found_apples(store)

    using(f"{postgres_url}&replica={behind}", use)
    assert "the replica failed" in caplog.text


async def found_apples(store: PostgresStore) -> None:
    found = await store.search(Search(scope=ANYBODY, now=START, terms=("appl",)))
    assert list(found.ids.values()) == ["a"]


# ---------------------------------------------------------------------------------------------------- the extension


@pytest.fixture
def modest(postgres: Service) -> Iterator[str]:
    """A database without the extension, and a user who may not create it."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE modest LOGIN")
        connection.execute("CREATE DATABASE modest")
        place = postgres.url.rpartition("/")[0] + "/modest"
        with psycopg.connect(place, autocommit=True) as inside:
            inside.execute("CREATE SCHEMA memwell AUTHORIZATION modest")
        yield place.replace("memwell@", "modest@")
        connection.execute("DROP DATABASE modest WITH (FORCE)")
        connection.execute("DROP ROLE modest")


def test_without_the_extension_it_finds_by_words_and_says_what_to_do(modest: str) -> None:
    async def lexical(store: PostgresStore) -> None:
        await store.write([inserting("apples")], now=START)
        assert not store.capabilities.vectors
        with pytest.raises(NotSupported, match="CREATE EXTENSION vector"):
            await store.write([inserting("pears", "b", embedding=embedding(0))], now=START)
        found = await store.search(Search(scope=ANYBODY, now=START, terms=("appl",)))
        assert list(found.ids.values()) == ["a"]
        assert await store.serving() is None
        assert await store.embeddings(ANYBODY, ["a"], MODEL) == {}
        assert [r.id for r in await store.unembedded(MODEL, limit=5)] == ["a"]
        assert (await store.check(repair=True)).ok
        assert (await store.stats(ANYBODY, now=START)).records == 1
        assert await store.write([Delete(scope=ANYBODY, ids=("a",))], now=START) == [["a"]]

    async def both(store: PostgresStore) -> None:
        await store.write([inserting("pears", "b", embedding=embedding(0))], now=START)
        assert store.capabilities.vectors

    using(modest, lexical)
    with psycopg.connect(modest.replace("modest@", "memwell@"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    using(modest, both)


def test_without_a_schema_to_share_the_extension_is_made_in_ours(postgres: Service) -> None:
    place = postgres.url.rpartition("/")[0] + "/private"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE private")
        try:
            with psycopg.connect(place, autocommit=True) as inside:
                inside.execute("DROP SCHEMA public")
            using(place, lambda store: store.write([inserting("apples", embedding=embedding(0))], now=START))
        finally:
            connection.execute("DROP DATABASE private WITH (FORCE)")


# ------------------------------------------------------------------------------------------------------- the rows


def test_metadata_come_back_as_they_were(postgres_url: str) -> None:
    metadata = {
        "floats": [1.0, -2.5, 1e22, 1e300, 5e-324, 0.1 + 0.2, 1.7976931348623157e308],
        "whole": [1, -1, 2**53 + 1, 10**30],
        "mixed": {"a": [True, None, "ż", {"": ""}], "1e+22": "1e+22"},
    }

    async def use(store: PostgresStore) -> Any:
        await store.write([inserting("a", metadata=metadata)], now=START)
        return (await store.get(ANYBODY, ["a"], now=START))[0].metadata

    found = using(postgres_url, use)
    assert found == metadata
    assert [type(x) for x in found["floats"]] == [float] * 7
    assert [type(x) for x in found["whole"]] == [int] * 4


def test_a_model_that_another_process_dropped_is_made_again(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        other = Embedding(model="other", vectors=embedding(3).vectors)
        await store.write([inserting("a", "a", embedding=embedding(0))], now=START)
        await store.write([inserting("b", "b", embedding=other)], now=START)
        async with opened(postgres_url) as second:
            assert await second.drop_model("other") == 1
        await store.write([inserting("c", "c", embedding=other)], now=START)
        assert list(await store.embeddings(ANYBODY, ["b", "c"], "other")) == ["c"]

    using(postgres_url, use)


def test_vectors_too_long_for_a_page_are_kept_as_well(postgres_url: str) -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((3, 3072)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    long = Embedding(model="long", vectors=rows, spans=((0, 2), (2, 4), (4, 6)))

    async def use(store: PostgresStore) -> None:
        await store.write([inserting("abcdef", "a", embedding=long)], now=START)
        found = (await store.embeddings(ANYBODY, ["a"], "long"))["a"]
        assert found.spans == long.spans
        assert (found.vectors == rows).all()

    using(postgres_url, use)


DAMAGE = {
    "lexemes": "UPDATE records SET lexemes = 'x' WHERE id = 'a'",
    "words": "UPDATE records SET words = '' WHERE id = 'a'",
    "digest": "UPDATE records SET digest = 1 WHERE id = 'a'",
    "embedded": "UPDATE records SET embedded = false WHERE id = 'a'",
    "vectors": "UPDATE vectors SET vec = '[9,9,9,9,9,9,9,9]'",
    "history": "INSERT INTO history VALUES (999, 1, now(), '[]', '{}')",
    "links": "INSERT INTO links VALUES (999, 998, 'x', 1, now())",
    "access": "INSERT INTO access VALUES (999, 1, now())",
    "changes": "INSERT INTO changes VALUES (1 << 50, 1, 1)",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_was_damaged_is_found_and_repaired(postgres_url: str, kind: str) -> None:
    async def use(store: PostgresStore) -> None:
        await store.write([inserting("apples", "a", embedding=embedding(0))], now=START)
        with raw(postgres_url) as connection:
            connection.execute(DAMAGE[kind].encode())
        found = await store.check()
        assert not found.ok
        assert kind in {problem.kind for problem in found.problems}
        repaired = await store.check(repair=True)
        assert repaired.ok
        assert repaired.repaired >= 1
        assert (await store.check()).ok

    using(postgres_url, use)


def test_after_a_restore_into_another_server_followers_start_over(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        await store.claim("index", "me", seconds=60, now=START)
        await store.advance("index", "me", 1 << 90, release=True)
        await store.write([inserting("apples")], now=START)
        with raw(postgres_url) as connection:
            connection.execute("UPDATE changes SET xid = 1 << 50")
        await store.check(repair=True)
        assert await store.claim("index", "you", seconds=60, now=START) == 0
        with pytest.raises(NotSupported):
            await store.changes(0, limit=1)
        start = await store.position()
        await store.write([inserting("pears", "b")], now=START)
        assert [change.id for change in await store.changes(start, limit=5)] == ["b"]

    using(postgres_url, use)


def test_the_same_taken_id_is_a_conflict_in_a_batch(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        await store.write([inserting("a", "n3", named=True)], now=START)
        with pytest.raises(Conflict):
            await store.write([inserting(f"text {n}", f"n{n}", named=True) for n in range(20)], now=START)
        assert await store.count(ANYBODY, now=START) == 1

    using(postgres_url, use)


def test_migrations_of_the_store_are_known_by_name() -> None:
    assert [component.name for component in COMPONENTS] == ["store", "vectors"]


def test_nothing_is_left_of_what_is_removed_while_others_change_it(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        for turn in range(25):
            await store.write(
                [inserting("apples", "a", embedding=embedding(0)), inserting("b", "b")], now=START
            )
            link = SetLink(scope=ANYBODY, source="a", link=Link(target="b"))
            other = Embedding(model="other", vectors=embedding(turn).vectors)
            operations: list[Operation] = [
                link,
                Touch(tenant_id=ANYBODY.tenant_id, accesses={"a": (1, START)}),
                Embed(tenant_id=ANYBODY.tenant_id, id="a", content="apples", embedding=other),
                Update(scope=ANYBODY, id="a", changes={"content": "pears"}, embedding=embedding(1)),
                Delete(scope=ANYBODY, ids=("a",)),
            ]
            order = operations[turn % 5 :] + operations[: turn % 5]
            found = await asyncio.gather(
                *(store.write([operation], now=START) for operation in order), return_exceptions=True
            )
            assert all(isinstance(x, list | NotFound) for x in found), found
            assert (await store.check()).ok
            await store.write([Delete(scope=ANYBODY)], now=START)

    using(postgres_url, use)


def test_vectors_of_an_older_content_do_not_outlive_it(postgres_url: str) -> None:
    async def use(store: PostgresStore) -> None:
        other = Embedding(model="other", vectors=embedding(5).vectors)
        for turn in range(25):
            await store.write([inserting("apples", "a")], now=START)
            first = Embed(tenant_id=ANYBODY.tenant_id, id="a", content="apples", embedding=other)
            then = Update(scope=ANYBODY, id="a", changes={"content": f"pears {turn}"}, embedding=embedding(1))
            await asyncio.gather(store.write([first], now=START), store.write([then], now=START))
            assert await store.embeddings(ANYBODY, ["a"], "other") == {}
            await store.write([Delete(scope=ANYBODY)], now=START)

    using(postgres_url, use)


def test_a_check_beside_writers_finds_nothing_wrong(postgres_url: str) -> None:
    async def change(store: PostgresStore, writer: int, looking: asyncio.Task[Any]) -> None:
        ids, turn = [f"w{writer} {number}" for number in range(8)], 0
        while not looking.done():
            turn += 1
            await store.write(
                [inserting(f"{id} {turn}", id, embedding=embedding(1)) for id in ids], now=START
            )
            changes = {"content": f"other {writer} {turn}"}
            await store.write([Update(scope=ANYBODY, id=ids[0], changes=changes)], now=START)
            await store.write([Delete(scope=ANYBODY, ids=tuple(ids))], now=START)

    async def use(store: PostgresStore) -> None:
        async def look() -> None:
            for turn in range(25):
                report = await store.check(repair=turn % 5 == 4)
                assert report.problems == ()

        looking = asyncio.ensure_future(look())
        await asyncio.gather(looking, *(change(store, writer, looking) for writer in range(4)))

    using(postgres_url, use)
