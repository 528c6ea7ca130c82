"""A folder of its own for each test, and none of the variables of whoever runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memwell.compat.memoric import Memoric

VARIABLES = (
    "DATABASE_URL",
    "MEMORIC_ENCRYPTION_KEY",
    "MEMORIC_STRICT_CONFIG",
    "OPENAI_API_KEY",
    "PINECONE_API_KEY",
    "PINECONE_ENVIRONMENT",
    "REDIS_HOST",
    "REDIS_PASSWORD",
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["sqlite", "postgres"])
def memoric(request: pytest.FixtureRequest) -> Iterator[Memoric]:
    dsn = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with Memoric(overrides={"database": {"dsn": dsn}, "integrations": {"embedder": None}}) as made:
        yield made
