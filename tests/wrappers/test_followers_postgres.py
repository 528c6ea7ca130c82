"""An index and a mirror when PostgreSQL loses its last writes: they have seen them, and begin anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.wrappers.durable import Durable

from memwell import Memory, NewMemory
from memwell.followers import lease
from memwell.followers.index_projection.points import key_of
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import Words
from memwell.testing.samples import ANYBODY, START
from memwell.testing.services import postgres
from memwell.testing.services.postgres_server import PostgresServer
from memwell.wrappers import mirrored_store
from memwell.wrappers.mirrored_store import MirroredStore
from memwell.wrappers.threaded import threaded


@pytest.fixture
def lazy() -> Iterator[PostgresServer]:
    """A server that acknowledges writes before they are on the disk."""
    settings = {"synchronous_commit": "off", "wal_writer_delay": "10s", "autovacuum": "off"}
    with postgres(settings=settings) as server:
        yield server


class Opened:
    """A memory over the server, with an index or a mirror that outlives it."""

    def __init__(self, kind: str, server: PostgresServer, folder: Path) -> None:
        self.kind, self.index = kind, Durable(folder / "index.db")
        self.mirror = open_store(f"sqlite:///{folder / 'mirror.db'}")
        if kind == "index":
            self.memory = Memory(server.url, embedder=Words(), index=self.index)
        else:
            first = open_store(server.url)
            self.store = MirroredStore(first, {"copy": threaded(self.mirror)}, recovery_timeout=0)
            self.memory = Memory(self.store, embedder=None)

    def close(self) -> None:
        self.memory.close()
        run(self.index, self.index.close())
        if self.kind == "mirror":
            asyncio.run(self.store.close())  # and the mirror
        else:
            run(self.mirror, self.mirror.close())

    def ids(self) -> set[str]:
        if self.kind == "index":
            return {key_of(name)[1] for name in run(self.index, self.index.ids(limit=1000))}
        return {record.id for record in run(self.mirror, self.mirror.scan(ANYBODY, now=START, limit=1000))}


@pytest.mark.parametrize("kind", ["index", "mirror"])
@pytest.mark.parametrize("whose", ["this", "next"])
def test_what_postgresql_lost_goes_from_indexes_and_mirrors_too(
    lazy: PostgresServer, tmp_path: Path, kind: str, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE", 0.5)  # that it was released may be lost, too
    monkeypatch.setattr(mirrored_store, "_LEASE", 0.5)
    opened = Opened(kind, lazy, tmp_path)
    opened.memory.remember([NewMemory(content=f"apple {n}", id=f"kept{n}") for n in range(10)])
    with psycopg.connect(lazy.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    opened.memory.remember([NewMemory(content=f"pear {n}", id=f"lost{n}") for n in range(3)])
    opened.memory.forget("kept0")
    opened.memory.recall("pear")
    assert opened.ids() == {*(f"kept{n}" for n in range(1, 10)), "lost0", "lost1", "lost2"}
    lazy.kill()
    lazy.start()
    if whose == "next":
        opened.close()
        opened = Opened(kind, lazy, tmp_path)
    with Memory(lazy.url, embedder=Words() if kind == "index" else None) as other:
        other.remember([NewMemory(content=f"plum {n}", id=f"new{n}") for n in range(5)])
    opened.memory.remember("fig", id="fig")
    opened.memory.recall("fig")
    assert opened.memory.doctor().ok
    assert opened.ids() == {*(f"kept{n}" for n in range(10)), *(f"new{n}" for n in range(5)), "fig"}
    opened.close()
