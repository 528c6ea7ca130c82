"""In-process replicas of the rows of the owners in use, for filters, listings and counts.

Redis without a search module cannot evaluate a filter. So the rows of a tenant and user (or of a whole tenant, for
calls that name no user) are loaded once and then follow the change sequence: each call reads the changes in one round
trip, and sees all writes before it. The corpora for searches follow in the same way (`Source`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from memwell import filters
from memwell._dataclasses import dataclass
from memwell.backends.redis.store.rows import (
    ANYBODY,
    Row,
    frame,
    name_of_member,
    read_vectors,
    row_of,
    unframe,
    user_mark,
    vector_field,
    words_of,
)
from memwell.backends.redis.store.scripts import FOLLOW
from memwell.backends.redis.store.server import TABLES, Server, in_parts
from memwell.ports.store.search import Search
from memwell.retrieval.index.corpus import Change, Partition
from memwell.retrieval.index.corpus import Row as CorpusRow
from memwell.retrieval.index.owner_cache import OwnerCache
from memwell.retrieval.index.vectors import Chunked
from memwell.types import Scope

__all__ = ["Mirror", "Shelf", "Source"]

R = TypeVar("R")
Place = tuple[Any, str, Row]
"""What a listing is ordered by: value, id, and the row itself."""

_MANY: Final = 20_000
_KNOWN: Final = 4096
_PART: Final = 2_000


@dataclass(frozen=True, slots=True)
class _Step(Generic[R]):
    """Changes up to a position, by key. With `more`, some values may be newer than the position."""

    position: int
    changes: dict[int, R | None]
    more: bool


class Follower(Generic[R]):
    """The values of one table by owner: all of them, or the changes since a position.

    Each position is remembered with the commit that ended there. So it is noticed when a server has lost its last
    writes and got others since.
    """

    def __init__(
        self, server: Server, table: str, read: Callable[[bytes, bytes], R], key: Callable[[R], int]
    ) -> None:
        self._server = server
        self._table = table
        self._read = read
        self._key = key
        self._commits: OrderedDict[int, bytes] = OrderedDict({0: b""})

    def position(self) -> int:
        """The end of the change sequence; −1 if another commit had that position before."""
        seq, commit = self._server.command("HMGET", "meta", "seq", "commit")
        position = int(seq or 0)
        return position if self._commits.get(position, commit or b"") == (commit or b"") else -1

    def load(self, partition: Partition) -> tuple[int, dict[int, R]]:
        """All values of the partition by key, as they stood at one position."""
        while True:
            seq, commit = self._server.command("HMGET", "meta", "seq", "commit")
            position = int(seq or 0)
            self._know(position, commit or b"")
            found: dict[int, R] = {}
            for names in in_parts(self.names(partition), _PART):
                values = zip(names, self._server.read(self._table, names), strict=True)
                found.update(self._keyed((name, value) for name, value in values if value is not None))
            step: _Step[R] | None = _Step(position, {}, more=True)
            while step is not None and step.more:
                step = self._step(step.position, partition, _MANY, partly=True)
                for key, row in step.changes.items() if step else ():
                    if row is None:
                        found.pop(key, None)
                    else:
                        found[key] = row
            if step is not None:
                return step.position, found

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, dict[int, R | None]] | None:
        """The new position and the changes by key: the current value, or `None` for a deleted one. Returns `None` if
        all must be loaded again.
        """
        step = self._step(after, partition, limit, partly=False)
        return None if step is None else (step.position, step.changes)

    def _step(self, after: int, partition: Partition, limit: int, *, partly: bool) -> _Step[R] | None:
        tenant, user = partition
        owner = (frame(tenant), ANYBODY if user is None else user_mark(user))
        commit = self._commits.get(after)
        if commit is None:
            return None
        table = list(TABLES).index(self._table) + 1
        arguments = (after, commit, *owner, limit, table, int(partly))
        last, ended, more, *entries = self._server.run(FOLLOW, *arguments)
        if last < 0:
            return None
        found: dict[int, R | None] = {}
        for name, key, deleted, value in zip(
            entries[::4], entries[1::4], entries[2::4], entries[3::4], strict=True
        ):
            if deleted == b"1":
                found[int(key)] = None
            elif value is not None:
                found.update(self._keyed([(name, value)]))
        self._know(last, ended)
        return _Step(int(last), found, more=bool(more))

    def _keyed(self, values: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[int, R]]:
        for name, value in values:
            row = self._read(name, value)
            yield self._key(row), row

    def names(self, partition: Partition) -> Iterator[bytes]:
        """The names of the partition's records."""
        tenant, user = partition
        head = frame(tenant) + b"\0" + (b"" if user is None else user_mark(user) + b"\0")
        return map(name_of_member, self._server.members("owners", head))

    def _know(self, position: int, commit: bytes) -> None:
        self._commits[position] = commit
        self._commits.move_to_end(position)
        while len(self._commits) > _KNOWN:
            self._commits.popitem(last=False)


class Shelf:
    """The rows of one partition at a position."""

    def __init__(self, position: int, rows: dict[int, Row]) -> None:
        self.position = position
        self.rows = rows
        self._orders: dict[str, list[Place]] = {}

    def follow(self, position: int, changes: dict[int, Row | None]) -> None:
        """Apply changes."""
        for key, row in changes.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        if changes:
            self._orders.clear()
        self.position = position

    def ordered(self, order: str, descending: bool, after: tuple[Any, str] | None) -> Iterator[Row]:
        """The rows by (order, id), those after a place if one is given."""
        places = self._orders.get(order)
        if places is None:
            places = [(getattr(row.record, order), row.record.id, row) for row in self.rows.values()]
            self._orders[order] = places = sorted(places, key=itemgetter(0, 1))
        if descending:
            end = len(places) if after is None else bisect_left(places, after, key=itemgetter(0, 1))
            return (places[at][2] for at in range(end - 1, -1, -1))
        start = 0 if after is None else bisect_right(places, after, key=itemgetter(0, 1))
        return (places[at][2] for at in range(start, len(places)))


class Mirror:
    """The shelves in use. Beyond `budget` rows in total, the least recently used one is dropped (see `OwnerCache`)."""

    def __init__(self, server: Server, budget: int = 200_000) -> None:
        self._follower = Follower(server, "records", row_of, lambda row: row.key)
        self._shelves = OwnerCache(self._followed, lambda shelf: len(shelf.rows), budget)

    def clear(self) -> None:
        """Drop all rows."""
        self._shelves.clear()

    def shelf(self, scope: Scope) -> AbstractContextManager[Shelf]:
        """The up-to-date shelf of a scope, locked until the end of the block."""
        return self._shelves.fresh((scope.tenant_id, scope.user_id))

    def rows(self, scope: Scope) -> tuple[int, list[Row]]:
        """A position, and the rows of the scope's owners as they stood there."""
        with self.shelf(scope) as shelf:
            return shelf.position, list(shelf.rows.values())

    def _followed(self, shelf: Shelf | None, partition: Partition) -> Shelf:
        found = None if shelf is None else self._follower.changes(shelf.position, partition, _MANY)
        if shelf is None or found is None:
            return Shelf(*self._follower.load(partition))
        shelf.follow(*found)
        return shelf


class Source:
    """The store as the corpora read it; see `memwell.retrieval.index.corpus.Source`."""

    def __init__(self, server: Server, choose: Callable[[Scope, datetime, filters.Node | None], list[Row]]):
        self._server = server
        self._choose = choose
        self._follower = Follower[CorpusRow](server, "words", words_of, itemgetter(0))

    def position(self) -> int:
        """The end of the change sequence."""
        return self._follower.position()

    def load(self, partition: Partition) -> tuple[int, list[CorpusRow]]:
        """Every row of a partition and the position they stand at."""
        position, found = self._follower.load(partition)
        return position, [found[key] for key in sorted(found)]

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[Change]] | None:
        """The new position and the changes; `None` if all must be loaded again."""
        found = self._follower.changes(after, partition, limit)
        return None if found is None else (found[0], list(found[1].items()))

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """The vectors of a partition under a model, or of some keys, in any order."""
        for part in in_parts(self._keys(partition) if keys is None else keys, _PART):
            values = self._server.read("vectors", [vector_field(model, key) for key in part])
            for key, value in zip(part, values, strict=True):
                if value is not None:
                    yield key, *read_vectors(value)

    def serving(self) -> str | None:
        """The model that searches use."""
        model = self._server.command("HGET", "meta", "serving")
        return None if model is None else unframe(model)

    def visible(self, search: Search) -> set[int]:
        """The keys that a search may find: scope, expiry, filter and time."""
        rows = self._choose(search.scope, search.now, search.where)
        until = search.created_until
        return {row.key for row in rows if until is None or row.record.created_at <= until}

    def _keys(self, partition: Partition) -> Iterator[int]:
        for names in in_parts(self._follower.names(partition), _PART):
            scores = self._server.command("ZMSCORE", "ages", *names)
            yield from (int(float(score)) for score in scores if score is not None)
