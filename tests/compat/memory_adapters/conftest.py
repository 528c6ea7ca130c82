"""The backends that the layer runs on, and the address of PostgreSQL for `psql`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from memwell.compat.memory_adapters.api import MemoryAPI
from memwell.testing.services import Service
from memwell.testing.services.postgres_server import _binaries
from memwell.urls import Url

VECTORS = {"dimension": 3}


@pytest.fixture
def postgres_config(postgres: Service, postgres_url: str) -> dict[str, Any]:
    """A schema of its own, which is dropped afterwards."""
    schema = Url.parse(postgres_url).options["schema"]
    login = {"user": "memwell", "database": "memwell"}
    return {"host": "127.0.0.1", "port": postgres.port, "schema": schema, **login}


@pytest.fixture
def redis_config(redis: Service) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": redis.port, "key_prefix": f"t_{token_hex(6)}:"}


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis+postgres"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The arguments of a `MemoryAPI`."""
    if request.param == "memory":
        return {"vector_config": VECTORS}
    if request.param == "sqlite":
        return {"vector_config": VECTORS, "path": tmp_path / "agents.db"}
    names = [f"{name}_config" for name in request.param.split("+")]
    return {"vector_config": VECTORS, **{name: request.getfixturevalue(name) for name in names}}


@pytest.fixture
def api(options: dict[str, Any]) -> Iterator[MemoryAPI]:
    with MemoryAPI(**options) as made:
        yield made


@pytest.fixture
def psql(postgres: Service) -> Callable[..., str]:
    """Runs the real psql; its output without alignment. A statement that fails is a failure."""
    program = shutil.which("psql") or str(_binaries(18, None) / "psql")

    def run(
        *arguments: str, schema: str = "public", cwd: Path | None = None, database: str = "memwell"
    ) -> str:
        environment = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGUSER": "memwell",
            "PGDATABASE": database,
            "PGOPTIONS": f"-c search_path={schema} -c client_min_messages=warning",
        }
        command = [program, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr, done.stderr
        return done.stdout.strip()

    return run
