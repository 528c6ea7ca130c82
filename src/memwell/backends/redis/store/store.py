"""A store on Redis 6.2 or later, without search modules. Combine it with a vector index when owners have many records.

**Layout.** A store has sixteen keys (`server.TABLES`) that share a hash tag: rows, words, digests, relationships, older
versions, vectors of any number of models, the change sequence. So it is on one shard of a Cluster. No key has a time to
live (except the tokens of commits, one minute): expired records are hidden at once and removed by `sweep`.

**Writing.** A batch reads what it needs in one round trip, computes the new values in Python with the functions that
all stores share, and commits in a second round trip by a script, if nothing it depends on has changed; otherwise it
starts over (`transaction`). So any number of processes may write at once, and one that dies leaves no lock. When the
answer to a commit is lost, its token shows whether it was done, or prevents it: a call that raises has stored nothing,
unless its error says that the outcome is unknown.

**Reading.** By id in one round trip. Words, vectors, filters, listings and counts are evaluated in this process,
exactly. It holds replicas of the owners in use (`mirror`, `memwell.retrieval.index.corpora`) and reads the latest
changes before each answer. The first listing or search for an owner loads all of the owner's memories (about 0.2 s for
10,000) into memory: about 1 KB each for listings and filters, as much for words, and the vectors, unless an index holds
them (`Indexed(redis, index)`).

**Durability** is what the server's configuration gives. `capabilities.durable` is true when that says `appendonly
yes` and `appendfsync always`; with `everysec` the loss of the server may take two seconds of acknowledged writes.
Where CONFIG is forbidden, as it often is, `durable=true` asserts it. Redis answers before it sends writes to replicas,
so a failover may lose the last writes too. After a restart or a failover the change sequence continues beyond all
positions that it can have had (`scripts`), so that caches and indexes, which may have read lost writes, are rebuilt. A
server that evicts any key when its memory is full is refused with `ConfigError`, because it would lose memories
silently.

URL: `redis://user:password@host:port/db`, `rediss://` for TLS, with the options of `memwell.backends.redis.Settings`
and `durable=true|false`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Self

from redis.exceptions import RedisError

from memwell import filters
from memwell.backends.redis import Settings, SyncClients, translate
from memwell.backends.redis.connections import SyncClient
from memwell.backends.redis.memory import evicting, full
from memwell.backends.redis.store import models
from memwell.backends.redis.store.mirror import Mirror, Source
from memwell.backends.redis.store.reading import Reading
from memwell.backends.redis.store.reanalysis import analyse_again
from memwell.backends.redis.store.records import alive
from memwell.backends.redis.store.rows import name_of
from memwell.backends.redis.store.server import Server
from memwell.backends.redis.store.transaction import Transaction, transact
from memwell.backends.redis.store.writes import Write
from memwell.capabilities import Capabilities
from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError
from memwell.ports import Change, Embedding, Insert, Operation, Store
from memwell.ports.store.search import Found, Search
from memwell.records.codec import to_micros
from memwell.retrieval.index.corpora import Corpora
from memwell.retrieval.ranking.candidates import find
from memwell.types import Link, Record, Report, Scope, Stats, Trace, Version, Where
from memwell.urls import Url

__all__ = ["RedisStore"]

_SWEEP_BATCH: Final = 500


class RedisStore(Store):
    """See the module."""

    part = "redis"
    blocking = True

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        client: SyncClient | None = None,
        durable: bool | None = None,
    ) -> None:
        """`client`, if passed, is used instead of one created from the settings; it must return bytes and stays open.
        `durable`: whether acknowledged writes survive a crash, for a server that does not say.
        """
        self._clients = SyncClients(settings or Settings(), client)
        self._server = Server(self._clients, durable=durable)
        self._server.opened = partial(analyse_again, self._server)
        self._mirror = Mirror(self._server)
        self._reading = Reading(self._server, self._mirror)
        self._source = Source(self._server, self._reading.choose)
        self._corpora = Corpora(self._source)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """Open the store of a URL; nothing is connected yet."""
        durable = url.flag("durable", False) if "durable" in url.options else None
        return cls(Settings.from_url(url, "durable"), durable=durable)

    @property
    def capabilities(self) -> Capabilities:
        """Everything, durability as far as the server promises it. It is asked once, when this is first read."""
        return Capabilities(
            durable=self._server.durable,
            multiprocess=True,
            atomic_batches=True,
            lexical=True,
            times=True,
            vectors=True,
            filters=True,
            history=True,
            links=True,
            changes=True,
        )

    async def _ping(self) -> None:
        self._server.client().ping()
        memory = self._server.memory()
        if reason := evicting(memory):
            raise ConfigError(reason, part=self.part)
        if lost := self._server.lost():
            raise Corrupt(lost.detail, part=self.part)
        if reason := full(memory):
            raise BackendError(reason, part=self.part, readable=True)

    async def _close(self) -> None:
        self._corpora.clear()
        self._mirror.clear()
        self._clients.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, (RedisError, OSError)):
            return translate(error, self.part, operation)
        return super()._translate(error, operation)

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        def work(transaction: Transaction) -> list[Any]:
            return Write(transaction, self._mirror, now).apply_all(operations)

        return transact(self._server, work)

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        return self._reading.get(scope, ids, now)

    async def _scan(
        self,
        scope: Scope,
        now: datetime,
        where: Where | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]:
        return self._reading.scan(scope, now, _node(where), order, descending, limit, after)

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        return self._reading.count(scope, now, _node(where))

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        return Write(Transaction(self._server), self._mirror, now).known(inserts)

    async def _search(self, search: Search) -> Found:
        try:
            return find(self._corpora, self._source, search, part=self.part)
        except BaseException:
            self._corpora.drop(search.scope)
            raise

    async def _actors(self, scope: Scope) -> frozenset[str]:
        return self._corpora.actors(scope)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        return self._reading.history(scope, id, now)

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        return self._reading.links(scope, ids, incoming)

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        names = (name_of(scope.tenant_id, id) for id in ids)
        found = models.embeddings(self._server, names, model)
        return {row.record.id: vectors for row, vectors in found if scope.sees(row.record.scope)}

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        return self._reading.records(models.unembedded(self._server, model, limit))

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        found = models.embedded(self._server, model, after, limit)
        records = self._reading.records([row for row, _ in found])
        return [(record, vectors) for record, (_, vectors) in zip(records, found, strict=True)]

    async def _position(self) -> int:
        return int(self._server.command("HGET", "meta", "seq") or 0)

    async def _changes(self, after: int, limit: int) -> list[Change]:
        return models.changes(self._server, after, limit)

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        return transact(self._server, lambda write: models.claim(write, follower, holder, seconds, now))

    async def _advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        return transact(
            self._server, lambda write: models.advance(write, follower, holder, position, release)
        )

    async def _embedding_models(self) -> list[str]:
        return models.names(self._server)

    async def _serving(self) -> str | None:
        return self._source.serving()

    async def _serve(self, model: str, lacking: int) -> int:
        return models.serve(self._server, model, lacking)

    async def _drop_model(self, model: str) -> int:
        return models.drop(self._server, model)

    async def _sweep(self, now: datetime) -> int:
        total, gone = 0, _SWEEP_BATCH
        while gone == _SWEEP_BATCH:
            gone = transact(self._server, lambda transaction: self._sweep_some(transaction, now))
            total += gone
        return total

    def _sweep_some(self, transaction: Transaction, now: datetime) -> int:
        end = to_micros(now)
        names = self._server.command("ZRANGEBYSCORE", "expiring", "-inf", end, "LIMIT", 0, _SWEEP_BATCH)
        transaction.load(("records", name) for name in names)
        rows = filter(None, map(transaction.row, names))
        expired = [row for row in rows if not alive(row.record, now)]
        Write(transaction, self._mirror, now).remove(expired)
        models.trim(transaction)
        return len(expired)

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:  # noqa: ARG002
        self._corpora.drop(scope)
        return [Trace(place="redis server", state="remains", detail=self._server.kept_on_disk())]

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        return self._reading.stats(scope, now)

    async def _check(self, repair: bool) -> Report:
        from memwell.backends.redis.store import check

        return check.check(self._server, repair)


def _node(where: Where | None) -> filters.Node | None:
    return None if where is None else filters.parse(where)
