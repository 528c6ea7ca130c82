"""The owners who are asked often, held in this process: their words and vectors, abreast of the database.

The first searches of an owner are answered in the database. One who is asked `_OFTEN` times within a minute becomes
warm: words and vectors are read beside all else into a `Corpus`, and searches then cost one short statement, which says
what has changed since, and the same code in memory as on SQLite. So an answer always sees every write that was
acknowledged before it was asked for, whichever process made it.

Searches that see less than an owner has (a filter, a session, a time) are the database's. So are owners with very
many records, and all of them while the process holds that many in all: the least recently asked make room. About 3 KB
a record of 384 dimensions. Each event loop has its own; nothing is shared with a forked child.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

import psycopg

from memwell.errors import MemwellError
from memwell.matrix import numpy
from memwell.retrieval.candidates import SearchSource, find, narrowed
from memwell.retrieval.corpus import Corpus, Partition, Row
from memwell.retrieval.search import Found, Search
from memwell.retrieval.vectorset import Chunked, VectorSet
from memwell.stores.postgres.statements import owner
from memwell.types import Scope

if TYPE_CHECKING:
    from memwell.postgres import Connection, Database

__all__ = ["Warm"]

log = logging.getLogger("memwell.stores.postgres")

_OFTEN: Final = 4
"""Searches within a minute that make an owner warm."""
_MINUTE: Final = 60.0
_REST: Final = 600.0
"""Seconds before an owner who has too many records is counted again."""
_PAGE: Final = 500
"""Rows read at a time, so that the event loop comes round in between."""
_FAR: Final = 1000
"""Changes after which reading anew is quicker than following."""
_LARGEST: Final = 50_000
"""Records of one owner, at most: beyond, the vector index of the database is as quick as comparing all."""
_AT_ONCE: Final = 20_000
"""Records that may be searched on the event loop itself; more take some milliseconds, and so a thread."""
_REMEMBERED: Final = 10_000
"""Owners whose searches are counted."""

_ROW: Final = (
    "r.key, r.id, r.user_id, r.session_id, (extract(epoch FROM r.created_at) * 1000000)::int8,"
    " (extract(epoch FROM r.expires_at) * 1000000)::int8, r.signals, r.lexemes"
)
_PLACE: Final = (
    "SELECT coalesce(p.xid, div(t.position, 4294967296)::int8), coalesce(p.ordinal, mod(t.position, 4294967296)::int8)"
    " FROM trimmed t LEFT JOIN memwell_position() p ON true"
)
_SERVING: Final = "(SELECT m.number FROM models m WHERE m.serving)"


@dataclass(slots=True, eq=False)
class _Owner:
    """What is known of one owner on one event loop."""

    lock: asyncio.Lock
    """Held while changes are taken over, which must happen in their order."""
    asked: list[float] = field(default_factory=list)
    """When it was asked, of late."""
    resting: float = 0.0
    """Not to be read before."""
    reading: asyncio.Task[None] | None = None
    corpus: Corpus | None = None
    model: tuple[int, str] | None = None
    """Number and name of the model whose vectors are held."""
    linked: bool = True
    """Whether there are relationships in the store at all."""
    place: tuple[int, int] = (0, 0)
    """Transaction and place within it up to which nothing can come any more."""
    ahead: set[tuple[int, int]] = field(default_factory=set)
    """Changes beyond it that were taken over already."""


class Warm:
    """See the module. `most`: records held for each event loop, 0 for none."""

    def __init__(
        self, database: Database, *, part: str, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._part, self._most, self._clock = database, part, most, clock
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[Partition, _Owner]] = (
            WeakKeyDictionary()
        )

    async def search(self, search: Search) -> Found | None:
        """The candidates, or `None` when the database is to be asked."""
        if not self._most or narrowed(search) or search.similar is not None:
            return None
        known = self._owner(search.scope)
        if known.corpus is None:
            self._note(known, search.scope)
            return None
        async with known.lock:
            if not await self._followed(known, search.scope):
                return None
            corpus, model = known.corpus, known.model
        if corpus is None or (search.model is not None and (model is None or model[1] != search.model)):
            return None
        if search.model is not None and (corpus.vectors is None or corpus.vectors.whole is None):
            return None
        held = _Held(corpus, None if model is None else model[1])
        source = cast("SearchSource", held)  # of which nothing else is asked: all is here
        if len(corpus.slots) <= _AT_ONCE:
            found = find(held, source, search, part=self._part)
        else:
            found = await asyncio.to_thread(find, held, source, search, part=self._part)
        return found if known.linked else replace(found, incoming=())

    def actors(self, scope: Scope) -> frozenset[str] | None:
        """Who recurs as the speaker of a warm owner's records; `None` where it is not warm."""
        known = self._owners().get((scope.tenant_id, scope.user_id))
        if known is None or known.corpus is None:
            return None
        with known.corpus.lock:
            return known.corpus.speakers()

    def cool(self) -> None:
        """Forget all owners of the running loop: for what may change answers without a change in the sequence."""
        for known in self._owners().values():
            known.corpus = None
            known.asked.clear()

    async def close(self) -> None:
        """Stop reading."""
        for known in self._owners().values():
            if known.reading is not None:
                known.reading.cancel()
                await asyncio.wait([known.reading])
        self._loops.pop(asyncio.get_running_loop(), None)

    def _owners(self) -> OrderedDict[Partition, _Owner]:
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            found = self._loops[loop] = OrderedDict()
        return found

    def _owner(self, scope: Scope) -> _Owner:
        owners, partition = self._owners(), (scope.tenant_id, scope.user_id)
        found = owners.get(partition)
        if found is None:
            found = owners[partition] = _Owner(asyncio.Lock())
            if len(owners) > _REMEMBERED:
                owners.popitem(last=False)
        owners.move_to_end(partition)
        return found

    # -------------------------------------------------------------------------------------------- reading

    def _note(self, known: _Owner, scope: Scope) -> None:
        """An owner was asked who is not warm: perhaps it shall be."""
        now = self._clock()
        known.asked = [at for at in known.asked[-_OFTEN:] if at > now - _MINUTE]
        known.asked.append(now)
        if len(known.asked) < _OFTEN or known.resting > now or known.reading is not None:
            return
        known.reading = asyncio.get_running_loop().create_task(self._read(known, scope))

    async def _read(self, known: _Owner, scope: Scope) -> None:
        try:
            await self._filled(known, scope)
        except (psycopg.Error, MemwellError) as error:  # the database answers meanwhile
            known.resting = self._clock() + _MINUTE
            log.warning("an owner who is asked often could not be read into memory: %s", error)
        finally:
            known.reading = None
            known.asked.clear()

    async def _filled(self, known: _Owner, scope: Scope) -> None:
        """Read an owner as of one moment, and where that is in the change sequence."""
        text, values = owner(scope)
        async with self._database.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor = await connection.execute(_PLACE)
            xid, ordinal = await cursor.fetchone() or (0, 0)
            cursor = await connection.execute("SELECT m.number, m.name FROM models m WHERE m.serving")
            model = await cursor.fetchone()
            most = min(self._most, _LARGEST)
            rows: list[Row] = await _all(
                connection, f"SELECT {_ROW} FROM records r WHERE {text}", values, most
            )
            if len(rows) > most:
                known.resting = self._clock() + _REST
                return
            vectors: list[tuple[int, bytes]] = []
            if model is not None:
                query = (
                    "SELECT v.key, vector_send(v.vec) FROM records r JOIN vectors v ON v.key = r.key"
                    f" AND v.model = {int(model[0])} WHERE {text}"
                )
                vectors = await _all(connection, query, values, most)
        partition = (scope.tenant_id, scope.user_id)
        corpus = await asyncio.to_thread(_made, partition, rows, None if model is None else model[1], vectors)
        known.place, known.ahead, known.model, known.corpus = (xid, ordinal), set(), model, corpus
        self._make_room()

    def _make_room(self) -> None:
        """Let go of those who were asked least recently, beyond what may be held."""
        held = [known for known in self._owners().values() if known.corpus is not None]
        total = sum(len(known.corpus.ids) for known in held if known.corpus is not None)
        for known in held[:-1]:
            if total <= self._most:
                return
            total -= len(known.corpus.ids) if known.corpus is not None else 0
            known.corpus = None

    # ------------------------------------------------------------------------------------------ following

    async def _followed(self, known: _Owner, scope: Scope) -> bool:
        """Take over what has changed; whether the owner is still warm."""
        corpus = known.corpus
        if corpus is None:
            return False
        text, values = _changes(scope, known.model)
        async with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(text.encode(), [*known.place, *values, *known.place], prepare=True)
            head, *rows = await cursor.fetchall()
        xid, ordinal, serving, kept = head[1], head[2], head[3], head[12]
        known_model = None if known.model is None else known.model[0]
        if len(rows) > _FAR or serving != known_model or not kept or corpus.sparse:
            known.corpus = None
            return False
        fresh = [row for row in rows if (row[1], row[2]) not in known.ahead]
        if fresh:
            _take_over(corpus, fresh)
        known.linked = head[13]
        place = max(known.place, (xid, ordinal))
        known.ahead = {(row[1], row[2]) for row in rows if (row[1], row[2]) > place}
        known.place = place
        return True


class _Held:
    """A corpus that is abreast already, as the search in memory asks for it."""

    def __init__(self, corpus: Corpus, model: str | None) -> None:
        self._corpus, self._model = corpus, model

    def current(self, scope: Scope) -> Corpus:  # noqa: ARG002  it is the corpus of that scope
        """The corpus."""
        return self._corpus

    def serving(self) -> str | None:
        """The model whose vectors are held."""
        return self._model


def _made(
    partition: Partition, rows: Sequence[Row], model: str | None, vectors: Sequence[tuple[int, bytes]]
) -> Corpus:
    corpus = Corpus(partition, 0, rows)
    if model is not None:
        corpus.vectors = VectorSet(model)
        corpus.vectors.add(corpus.slots, _native(vectors))
    return corpus


def _take_over(corpus: Corpus, rows: Sequence[Any]) -> None:
    """Bring the corpus abreast of changed rows, the last change of each key."""
    last = {row[3]: row for row in rows}
    with corpus.lock:
        touched = corpus.follow(
            0, [(key, None if row[4] is None else (key, *row[4:11])) for key, row in last.items()]
        )
        held = [(key, last[key][11]) for key in touched if last[key][11] is not None]
        if corpus.vectors is not None and held:
            corpus.vectors.add(corpus.slots, _native(held))


def _native(vectors: Sequence[tuple[int, bytes]]) -> Iterator[Chunked]:
    """Keys with vectors as they are sent (two 16-bit numbers, then big-endian float32) as little-endian float32."""
    np = numpy()
    for key, raw in vectors:
        yield key, None, np.frombuffer(raw, dtype=">f4", offset=4).astype("<f4").tobytes()


def _changes(scope: Scope, model: tuple[int, str] | None) -> tuple[str, list[Any]]:
    """The statement that tells what has changed since a place, and the values that stand between that and itself.

    The first row says how far the sequence has come, which model serves, and whether everything since is kept; each
    other one is a change: its place, the key, and the row of a record of the owner that is there. What others than the
    owner have changed is left out, but for what is gone and cannot be told apart.
    """
    text, values = owner(scope)
    vec, joined = "NULL::bytea", ""
    if model is not None:
        vec = "vector_send(v.vec)"
        joined = f" LEFT JOIN vectors v ON v.key = r.key AND v.model = {int(model[0])}"
    return (
        "SELECT 0, coalesce(p.xid, 0), coalesce(p.ordinal, 0), "
        f"{_SERVING}::int8, NULL::text, NULL::text, NULL::text, NULL::int8, NULL::int8, NULL::text, NULL::text,"
        " NULL::bytea, (SELECT position FROM trimmed) <= %s::numeric * 4294967296 + %s::numeric,"
        " EXISTS (SELECT FROM links)"
        " FROM (VALUES (1)) AS one LEFT JOIN memwell_position() p ON true"
        " UNION ALL (SELECT 1, c.xid, c.ordinal, c.key, r.id, r.user_id, r.session_id,"
        " (extract(epoch FROM r.created_at) * 1000000)::int8, (extract(epoch FROM r.expires_at) * 1000000)::int8,"
        f" r.signals, r.lexemes, {vec}, true, true FROM changes c"
        f" LEFT JOIN records r ON r.key = c.key AND {text}{joined}"
        " WHERE (c.xid, c.ordinal) > (%s, %s) AND (c.deleted OR r.key IS NOT NULL)"
        f" ORDER BY c.xid, c.ordinal LIMIT {_FAR + 1})",
        values,
    )


async def _all(connection: Connection, query: str, values: Sequence[Any], most: int) -> list[Any]:
    """The rows of a query, read some at a time; a few more than `most` where there are more. The cursor on the server
    ends with the transaction, however that ends."""
    rows: list[Any] = []
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(f"DECLARE memwell_warm NO SCROLL CURSOR FOR {query}".encode(), values)
        while len(rows) <= most:
            await cursor.execute(f"FETCH {_PAGE} FROM memwell_warm".encode())
            page = await cursor.fetchall()
            if not page:
                break
            rows += page
        await cursor.execute("CLOSE memwell_warm")
    return rows
