"""`memwell db` over PostgreSQL, SQLite, and what has no tables."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.calling import Call, Done

from memwell.backends.postgres import Settings
from memwell.backends.postgres.keyvalue import PostgresKeyValue
from memwell.backends.postgres.log import PostgresLog
from memwell.registry import Url, open_keyvalue, open_log
from memwell.sync import Memory
from memwell.testing import run, services

LONG_AGO = 1_500_000_000.0


@pytest.fixture
def db(cli: Call, postgres_url: str) -> Call:
    """`memwell db …` over a schema of its own."""

    def call(*arguments: str, stdin: str | bytes | None = None) -> Done:
        return cli("db", *arguments, "--url", postgres_url, stdin=stdin)

    return call


def rows(done: Done, kind: str) -> dict[str, Any]:
    assert done.code == 0, done.err
    return {row["name"]: row for row in done.json if row["kind"] == kind}


def filled(url: str) -> None:
    """A memory, an expired memory, an expired key and a log entry of 2017."""
    with Memory(url, embedder=None) as memory:
        memory.remember("Ana likes tea", user_id="ana")
        memory.remember("gone by now", user_id="ana", ttl=3600)
    base, _, schema = url.partition("?schema=")
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(
            f"UPDATE {schema}.records SET expires_at = 'epoch' WHERE expires_at > now()".encode()
        )
    settings = Settings.from_url(Url.parse(url))
    keys = PostgresKeyValue(settings, clock=lambda: LONG_AGO)
    run(keys, keys.set("old", b"x", ttl=1))
    run(keys, keys.close())
    log = PostgresLog(settings, clock=lambda: LONG_AGO)
    run(log, log.append("events", [b"one", b"two"]))
    run(log, log.close())


def test_status_of_an_empty_database_shows_what_is_pending_and_changes_nothing(
    db: Call, postgres_url: str
) -> None:
    for _ in range(2):
        components = rows(db("status", "--json"), "component")
        assert {"store", "keyvalue", "log"} <= set(components)
        assert all(row["state"].startswith("0 applied") for row in components.values())
        assert " 0 pending" not in components["store"]["state"]
    base, _, schema = postgres_url.partition("?schema=")
    with psycopg.connect(base) as connection:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    assert found is None


def test_tables_of_others_in_the_schema_of_the_extension_are_not_taken_for_ours(
    cli: Call, postgres: services.Service
) -> None:
    url = postgres.url.rpartition("/")[0] + "/others"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE others")
        try:
            with psycopg.connect(url, autocommit=True) as inside:
                inside.execute("CREATE EXTENSION vector")
                inside.execute("CREATE TABLE records AS SELECT generate_series(1, 500) AS x")
                inside.execute("CREATE TABLE models (name text, number int, dimension int)")
                inside.execute("CREATE TABLE vectors (x int)")
            status = cli("db", "status", "--json", "--url", url)
            assert {row["kind"] for row in status.json} == {"server", "component", "extension"}
            assert " 0 memories" in cli("db", "fresh", "--url", url).err
            assert cli("db", "maintain", "--json", "--url", url).json == []
            assert cli("db", "index", "--json", "--url", url).json == []
            assert cli("db", "index", "--model", "theirs", "--url", url).code == 2
        finally:
            connection.execute("DROP DATABASE others WITH (FORCE)")


def test_migrate_applies_everything_once(db: Call) -> None:
    for _ in range(2):
        assert all(
            row["state"].endswith(", 0 pending")
            for row in rows(db("migrate", "--json"), "component").values()
        )
    done = db("status", "--json")
    assert {"records", "memwell_keyvalue", "memwell_log_entries"} <= set(rows(done, "table"))
    assert "0." in rows(done, "extension")["vector"]["state"]
    assert len(rows(done, "partition")) == 5
    assert rows(done, "server")
    assert rows(done, "table")["records"]["rows"] is None


def test_migrate_is_for_those_who_said_migrate_off(cli: Call, postgres_url: str) -> None:
    url = f"{postgres_url}&migrate=off"
    refused = cli("list", "--url", url)
    assert refused.code == 6
    assert "memwell db migrate" in refused.err
    assert cli("db", "migrate", "--url", url).code == 0
    assert cli("list", "--url", url).code == 0


def test_status_reads_well_in_a_pipe_and_in_a_terminal(db: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    db("migrate")
    lines = [line.split("\t") for line in db("status").out.splitlines()]
    assert {len(line) for line in lines} == {5}
    assert ["component", "log"] in [line[:2] for line in lines]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "kB" in db("status").out


def test_maintain_moves_sweeps_and_analyzes(db: Call, postgres_url: str) -> None:
    filled(postgres_url)
    planned = db("maintain", "--dry-run", "--json").json
    assert {"action": "create", "name": "memwell_log_entries_2017_07", "rows": None} in planned
    done = {(one["action"], one["name"]): one["rows"] for one in db("maintain", "--json").json}
    assert done["create", "memwell_log_entries_2017_07"] == 2
    assert done["sweep", "memories"] == 1
    assert done["sweep", "keys"] == 1
    assert any(action == "analyze" for action, _ in done)
    assert rows(db("status", "--json"), "table")["records"]["rows"] == 1
    again = db("maintain", "--json").json
    assert {one["action"] for one in again} == {"sweep", "analyze"}
    assert not any(one["rows"] for one in again)
    log = open_log(postgres_url)
    assert [entry.data for entry in run(log, log.read("events"))] == [b"one", b"two"]
    run(log, log.close())


def test_maintain_drops_what_is_older_than_the_months_to_keep(db: Call, postgres_url: str) -> None:
    filled(postgres_url)
    db("maintain")
    log = open_log(postgres_url)
    run(log, log.append("events", [b"today"]))
    done = db("maintain", "--keep-months", "12", "--ahead", "5", "--json").json
    assert [one["action"] for one in done if one["name"] == "memwell_log_entries_2017_07"] == ["drop"]
    assert [entry.data for entry in run(log, log.read("events"))] == [b"today"]
    run(log, log.close())
    assert len(rows(db("status", "--json"), "partition")) == 7


def with_vectors(url: str, count: int = 200) -> str:
    """Memories with vectors; the name of their model."""
    with Memory(url, embedder="hashing") as memory:
        memory.remember([f"note {number} about tea" for number in range(count)], user_id="ana")
        return next(iter(memory.stats().embedded))


def test_an_index_is_built_and_built_again_as_another(db: Call, cli: Call, postgres_url: str) -> None:
    model = with_vectors(postgres_url)
    assert "no index" in rows(db("status", "--json"), "model")[model]["state"]
    made = rows(db("index", "--json"), "model")[model]
    assert "hnsw by cosine" in made["state"]
    assert made["rows"] == 200
    assert made["size"] > 0
    other = db(
        "index",
        "--type",
        "ivfflat",
        "--lists",
        "4",
        "--metric",
        "dot",
        "--model",
        model,
        "--blocking",
        "--json",
    )
    assert "ivfflat by dot" in rows(other, "model")[model]["state"]
    hits = cli("recall", "note 7 about tea", "--embedder", "hashing", "--url", postgres_url, "--json").lines
    assert hits[0]["content"] == "note 7 about tea"


def test_what_takes_long_is_not_bound_to_the_limits_of_calls(cli: Call, postgres_url: str) -> None:
    with_vectors(postgres_url)
    url = f"{postgres_url}&prepare=false&statement_timeout=0.01&pool=1"
    assert cli("db", "index", "--url", url).code == 0
    assert "hnsw" in next(iter(rows(cli("db", "status", "--json", "--url", url), "model").values()))["state"]


def test_an_index_that_cannot_be_is_refused(db: Call, postgres_url: str) -> None:
    assert db("index", "--json").json == []
    with_vectors(postgres_url, 1)
    assert "models with vectors: hashing" in db("index", "--model", "other").err
    assert db("index", "--lists", "4").code == 2
    assert db("index", "--type", "flat").code == 2


def test_maintain_before_anything_was_stored_has_nothing_to_do(db: Call) -> None:
    assert db("maintain", "--json").json == []


@pytest.mark.parametrize("option", [("--ahead", "-1"), ("--keep-months", "0")])
def test_maintain_refuses_months_that_cannot_be(db: Call, option: tuple[str, str]) -> None:
    assert db("maintain", *option).code == 2


def test_fresh_asks_and_starts_over(db: Call, cli: Call, postgres_url: str) -> None:
    filled(postgres_url)
    refused = db("fresh")
    assert refused.code == 2
    assert "2 memories" in refused.err
    assert "--yes" in refused.err
    assert cli("list", "--url", postgres_url, "--json").lines
    assert db("fresh", "--yes").code == 0
    assert cli("list", "--url", postgres_url, "--json").lines == []
    keys = open_keyvalue(postgres_url)
    assert run(keys, keys.get("old")) is None
    run(keys, keys.close())


def test_fresh_leaves_alone_what_others_keep_in_the_schema(db: Call, postgres_url: str) -> None:
    db("migrate")
    base, _, schema = postgres_url.partition("?schema=")
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {schema}.theirs AS SELECT 1 AS one".encode())
        assert db("fresh", "--yes").code == 0
        assert connection.execute(f"SELECT one FROM {schema}.theirs".encode()).fetchone() == (1,)


def test_a_server_that_is_down_is_unavailable(cli: Call) -> None:
    with services.redis() as other:
        port = other.port
    for command in (("status",), ("migrate",), ("maintain",), ("fresh", "--yes")):
        done = cli("db", *command, "--url", f"postgresql://nobody:hush@127.0.0.1:{port}/none")
        assert done.code == 5
        assert "hush" not in done.err
        assert len(done.err.splitlines()) == 1


def test_sqlite_shows_its_file_and_is_swept(cli: Call, tmp_path: Path) -> None:
    missing = cli("db", "status")
    assert missing.code == 6
    cli("remember", "tea", "--ttl", "1h")
    with sqlite3.connect(tmp_path / "cli.db") as connection:
        connection.execute("UPDATE records SET expires_at = 1")
    connection.close()
    done = cli("db", "status", "--json")
    assert rows(done, "component")["store"]["state"].endswith(" applied")
    assert [row["size"] > 0 for row in rows(done, "file").values()] == [True]
    assert cli("db", "maintain", "--dry-run", "--json").json == [
        {"action": "sweep", "name": "memories", "rows": None}
    ]
    assert cli("db", "maintain", "--json").json == [{"action": "sweep", "name": "memories", "rows": 1}]
    assert rows(cli("db", "migrate", "--json"), "component")


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (("fresh", "--yes"), "remove "),
        (("index",), "nothing to build"),
        (("maintain", "--keep-months", "3"), "trim its streams"),
    ],
)
def test_what_sqlite_does_not_need_is_said(cli: Call, command: tuple[str, ...], advice: str) -> None:
    cli("remember", "tea")
    done = cli("db", *command)
    assert done.code == 1
    assert advice in done.err


@pytest.mark.parametrize("url", ["memory://", "redis://localhost"])
def test_a_store_without_tables_has_nothing_to_look_after(cli: Call, url: str) -> None:
    done = cli("db", "status", "--url", url)
    assert done.code == 1
    assert "no tables" in done.err


def test_an_unknown_store_is_a_wrong_setting(cli: Call) -> None:
    assert cli("db", "status", "--url", "oracle://x").code == 6


def test_without_a_url_the_file_in_the_data_directory_is_meant(
    cli: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = cli("--url", "", "db", "status")
    assert "memory.db" in done.err


def test_a_file_is_named_by_its_path_everywhere(cli: Call) -> None:
    cli("remember", "Ana keeps bees", "--url", "hive.db")
    assert cli("db", "status", "--url", "hive.db").code == 0
    assert cli("config", "check", "--url", "hive.db").code == 0
    assert cli("list", "--url", "sqlite:///hive.db").out
