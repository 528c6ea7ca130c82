"""Every code block of the Memory Adapter Layer's document runs, on real services, with only the import root changed.

The addresses in it (localhost with the usual ports) are those of the servers of the tests.
"""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from memwell import compat
from memwell.compat.memory_adapters.api import MemoryAPI
from memwell.compat.memory_adapters.migrations.__main__ import main as migrations
from memwell.compat.memory_adapters.settings import POSTGRES, REDIS, VECTOR
from memwell.testing.services import Service

TEXT = Path(__file__).with_name("seed_blocks.md").read_text("utf-8")
BLOCKS = re.findall(r"^```([a-z ]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
DATABASE = "agent_framework"


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCKS if name == kind]


@pytest.fixture
def framework(postgres: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database and the user of the document, on the server of the tests."""
    monkeypatch.setenv("PGPORT", str(postgres.port))
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'postgres'").fetchone():
            connection.execute("CREATE ROLE postgres SUPERUSER LOGIN")
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    yield
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


def test_the_document_runs_from_the_migrations_to_the_statistics(
    framework: None,
    redis: Service,
    psql: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    migrations([str(tmp_path / "infra" / "migrations")])
    [shell] = blocks("bash")
    for line in shell.splitlines():
        if line.startswith("psql "):
            psql(*line.replace("your_database", DATABASE).split()[1:], cwd=tmp_path)
    capsys.readouterr()

    start, *configurations, monitoring, debugging = blocks("python")
    names: dict[str, Any] = {}
    quick = start.replace("from memory.api", "from memwell.compat.memory_adapters.api").replace(
        "6379", str(redis.port)
    )
    exec(compile(quick, "quick start", "exec"), names)
    assert capsys.readouterr().out == "Connected to all memory adapters\nUser ID: user_123\n"
    assert [doc["id"] for doc in names["similar_docs"]] == ["doc_001"]

    for text in configurations:
        exec(compile(text, "configuration", "exec"), names)
    names["redis_config"]["port"], names["postgres_config"]["port"] = redis.port, None
    whole = [names[f"{part}_config"] for part in ("redis", "postgres", "vector")]
    with MemoryAPI(*whole) as again:  # what the first one wrote is read by another
        assert [run["data"] for run in again.read_flow_run_history("flow_001")] == [
            {"status": "completed", "duration": 120}
        ]
        output = again.read_task_output("task_001")
        assert output is not None
        assert output["output"] == {"result": "success", "data": [1, 2, 3]}
        assert again.query_embeddings([0.1, 0.2, 0.3] * 256)[0]["metadata"] == {"type": "document"}
        assert again.get_context("user_session_123") is None
        names["memory_api"] = again
        exec(compile(monitoring, "monitoring", "exec"), names)
        assert names["health"]["overall_status"] == "healthy"
        shown = capsys.readouterr().out
        assert re.fullmatch(
            r"Redis memory usage: \d+\nPostgreSQL connections: [1-9]\d*\nVector embeddings: 1\n", shown
        )
        debug(debugging, again, capsys)


def debug(block: str, api: MemoryAPI, capsys: pytest.CaptureFixture[str]) -> None:
    """With structlog configured as the document says, the layer writes there."""
    import structlog

    exec(compile(block, "debugging", "exec"), {})
    try:
        api.connect()
        assert "connected" in capsys.readouterr().out
    finally:
        structlog.reset_defaults()


def test_the_root_of_the_document_itself_can_be_imported() -> None:
    compat.install("memory")
    try:
        names: dict[str, Any] = {}
        exec("from memory.api import MemoryAPI\nfrom memory.adapter import RedisMemoryAdapter", names)
        assert names["MemoryAPI"] is MemoryAPI
    finally:
        compat.uninstall()


def test_the_keys_of_the_configurations_are_those_of_the_document() -> None:
    names: dict[str, Any] = {}
    for text in blocks("python")[1:4]:
        exec(compile(text, "configuration", "exec"), names)
    for given, known in (("redis", REDIS), ("postgres", POSTGRES), ("vector", VECTOR)):
        config = names[f"{given}_config"]
        assert config.keys() <= known.keys()
        stated = {key: value for key, value in config.items() if key not in ("port", "password")}
        assert {key: known[key] for key in stated} == stated, "the defaults are those that it shows"


SIGNATURE = re.compile(r"memory_api\.(\w+)\((.*?)\)(?: -> ([^:\n]+))?(?::)?$", re.MULTILINE)
SIGNATURES = [found for text in blocks("python signatures") for found in SIGNATURE.findall(text)]


def test_every_signature_of_the_reference_was_read() -> None:
    assert len(SIGNATURES) == 15


@pytest.mark.parametrize(("name", "parameters", "result"), SIGNATURES, ids=[name for name, *_ in SIGNATURES])
def test_a_method_takes_what_the_reference_says(name: str, parameters: str, result: str) -> None:
    [stated] = ast.parse(f"def {name}({parameters}): ...").body
    assert isinstance(stated, ast.FunctionDef)
    ours = list(inspect.signature(getattr(MemoryAPI, name)).parameters.values())[1:]
    names = [argument.arg for argument in stated.args.args]
    assert [parameter.name for parameter in ours[: len(names)]] == names
    defaults = [ast.literal_eval(default) for default in stated.args.defaults]
    theirs = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    assert {p.name: p.default for p in ours if p.name in theirs} == theirs
    assert all(p.default is not p.empty for p in ours if p.name not in names or p.name in theirs)


def test_the_example_runs_without_and_with_services(
    redis_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = Path(__file__).parents[3] / "examples" / "memory_adapters" / "memory_example.py"
    for services in ({}, {"REDIS_URL": redis_url, "POSTGRES_URL": postgres_url}):
        for name, url in services.items():
            monkeypatch.setenv(name, url)
        runpy.run_path(str(example), run_name="__main__")
        assert capsys.readouterr().out.splitlines() == [
            "context: user_123 did login, search",
            "flow: nightly completed",
            "task: success by small",
            "embedding: doc_cats 1.00",
            "lock: only one holder at a time",
            "refused: data of a context cannot be written as JSON",
            "health: healthy, 1 audit entries",
            "stats: 3 embeddings",
        ]
