"""Stores that memwell 0.1.0 wrote, opened with today's code: everything is there, and writing goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
import redis as driver
from tests.backends.old_files.contents import ANA, FIRST, NOW, SECOND, describe, describe_parts
from tests.backends.old_files.make import PREFIX

from memwell.backends.sqlite.migrations.runner import _bring_up_to_date
from memwell.backends.sqlite.store.store import _scripts
from memwell.errors import ConfigError, NotSupported
from memwell.ports import Change, Insert, Port, Store
from memwell.ports.store.search import Search
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.services import Service
from memwell.types import Record

HERE = Path(__file__).parent


@pytest.fixture
def sqlite_file(tmp_path: Path) -> str:
    shutil.copyfile(HERE / "sqlite.file", tmp_path / "old.db")
    return f"sqlite:///{tmp_path}/old.db"


@pytest.fixture
def postgres_file(postgres: Service) -> Iterator[str]:
    name = f"old_{token_hex(4)}"
    with psycopg.connect(postgres.url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        url = postgres.url.rpartition("/")[0] + f"/{name}"
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute((HERE / "postgres.sql").read_bytes())
                _pass_old_numbers(connection)
            yield url
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _pass_old_numbers(connection: psycopg.Connection[Any]) -> None:
    """A server that is younger than the file gives transactions numbers that the file has already."""
    [(last,)] = connection.execute("SELECT max(xid) FROM memwell.changes")
    while connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0] <= last:  # type: ignore[index]
        pass


@pytest.fixture
def redis_file(redis_url: str) -> str:
    prefix = redis_url.partition("prefix=")[2].encode()
    client = driver.Redis.from_url(redis_url.partition("?")[0])
    for line in (HERE / "redis.jsonl").read_text("utf-8").splitlines():
        command, key, *words = (bytes.fromhex(word) for word in json.loads(line))
        client.execute_command(command, key.replace(PREFIX.encode(), prefix), *words)
    client.close()
    return redis_url


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{kind}_file"))


@pytest.fixture
def written(kind: str) -> Any:
    """What the old code read back."""
    return json.loads((HERE / f"{kind}.json").read_text("utf-8"))


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[Callable[[str], Port]], Any]]:
    parts: list[Port] = []

    def open_part(way: Callable[[str], Port]) -> Port:
        parts.append(way(url))
        return parts[-1]

    yield open_part
    for part in parts:
        run(part, part.close())


@pytest.fixture
def store(opened: Callable[[Callable[[str], Port]], Any]) -> Store:
    found: Store = opened(open_store)
    return found


def test_every_record_version_link_and_vector_is_as_it_was(store: Store, written: Any) -> None:
    assert len(written["records"]) == 6
    _holds(
        describe(store),
        {name: written[name] for name in ("records", "models", "serving", "count", "filtered")},
    )


def test_values_and_streams_are_as_they_were(opened: Callable[..., Any], written: Any) -> None:
    values, log = opened(open_keyvalue), opened(open_log)
    _holds(describe_parts(values, log), {name: written[name] for name in ("values", "entries")})
    assert run(values, values.increment("counter", 1)) == 42
    [position] = run(log, log.append("events", [b"four"]))
    assert position > written["entries"][-1][0]
    [position] = run(log, log.append("emptied", [b"next"]))
    assert [entry.data for entry in run(log, log.read("emptied"))] == [b"next"]


def test_followers_are_where_they_were(kind: str, store: Store, written: Any) -> None:
    assert run(store, store.claim("index", "new", seconds=60, now=NOW)) == written["index"]
    assert run(store, store.claim("mirror", "new", seconds=60, now=NOW + timedelta(seconds=59))) is None
    assert run(store, store.claim("mirror", "new", seconds=60, now=NOW + timedelta(seconds=61))) == 0
    if kind == "redis":  # another server: the sequence goes on beyond what the old one may have given
        assert run(store, store.position()) > written["position"]
        with pytest.raises(NotSupported):
            run(store, store.changes(written["position"], limit=100))
    else:
        assert run(store, store.position()) >= written["position"]
        changes: list[Change] = run(store, store.changes(0, limit=100))
        assert written["position"] in {change.seq for change in changes}
        assert {change.id for change in changes if change.kind == "delete"} == {"gone"}


def test_it_is_sound_and_writing_goes_on(store: Store, written: Any) -> None:
    found = run(store, store.check())
    assert (found.ok, found.problems, found.checked) == (True, (), 7)
    before = run(store, store.position())
    new = Record(id="new", scope=ANA, content="Ana paints", created_at=NOW, updated_at=NOW)
    run(store, store.write([Insert(record=new)], now=NOW))
    assert [record.id for record in run(store, store.get(ANA, ["new"], now=NOW))] == ["new"]
    changes = run(store, store.changes(max(before, run(store, store.position()) - 1), limit=10))
    assert [change.id for change in changes] == ["new"]
    assert run(store, store.count(ANA, now=NOW)) == written["count"] + 1
    assert run(store, store.sweep(NOW)) == 1
    assert run(store, store.drop_model(FIRST)) == 4
    assert run(store, store.embedding_models()) == [SECOND]
    assert run(store, store.check()).ok


def test_what_an_older_analysis_stored_is_found_by_todays(url: str, store: Store) -> None:
    """Only today's analysis makes a term of a time, of a Chinese character, of a person's own key."""

    def found(opened: Store, terms: tuple[str, ...]) -> dict[str, list[int]]:
        search = Search(scope=ANA, now=NOW, terms=terms)
        result = run(opened, opened.search(search))
        return {
            result.ids[each.key]: [term for term, _ in each.matches]
            for each in result.candidates
            if each.matches
        }

    assert found(store, ("16.00", "茶")) == {"every-field": [0, 1]}
    before = run(store, store.position())
    again = open_store(url)
    try:
        assert found(again, ("16.00",)) == {"every-field": [0]}
        assert run(again, again.position()) == before, "analysed once, not at every opening"
    finally:
        run(again, again.close())
    assert run(store, store.check()).ok


def test_a_file_that_cannot_be_written_is_analysed_as_it_is_read(sqlite_file: str) -> None:
    path = sqlite_file.removeprefix("sqlite:///")
    with pytest.raises(ConfigError, match="open it once where it can be written"):
        open_store(f"{sqlite_file}?mode=ro")
    with closing(sqlite3.connect(path)) as connection:  # all of an opening but the analysis
        _bring_up_to_date(connection, "store", _scripts(), path)
        connection.commit()
    before = Path(path).read_bytes()
    store = open_store(f"{sqlite_file}?mode=ro")
    try:
        result = run(store, store.search(Search(scope=ANA, now=NOW, terms=("16.00",))))
        assert [result.ids[each.key] for each in result.candidates if each.matches] == ["every-field"]
    finally:
        run(store, store.close())
    assert Path(path).read_bytes() == before


def test_without_migrations_the_old_terms_are_searched_and_the_hits_say_so(postgres_file: str) -> None:
    first = open_store(postgres_file)
    run(first, first.position())
    run(first, first.close())
    with psycopg.connect(postgres_file, autocommit=True) as connection:
        connection.execute("DELETE FROM memwell.memwell_migrations WHERE component = 'analysis'")
    store = open_store(f"{postgres_file}?migrate=off")
    try:
        result = run(store, store.search(Search(scope=ANA, now=NOW, terms=("tea",))))
        assert [result.ids[each.key] for each in result.candidates] == ["every-field"]
        assert any("memwell db migrate" in note for note in result.notes)
    finally:
        run(store, store.close())


def _holds(found: Any, written: Any) -> None:
    """All that was written is found; later releases may tell more."""
    if isinstance(written, dict):
        assert set(written) <= set(found)
        for name, value in written.items():
            _holds(found[name], value)
    elif isinstance(written, list):
        assert len(found) == len(written)
        for one, value in zip(found, written, strict=True):
            _holds(one, value)
    else:
        assert found == written
