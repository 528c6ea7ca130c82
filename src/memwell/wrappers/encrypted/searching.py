"""Search over encrypted vectors: the vectors of an owner are decrypted into this process and compared there.

What is held follows the change sequence of the store inside, and is limited to some hundred thousand records together;
the owners that were asked about least recently are dropped first. It is the search that the embedded store has, over
records that are read through the port.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import field
from typing import Final

from memwell._dataclasses import dataclass
from memwell.errors import NotSupported
from memwell.ports import Embedding, Store, call, declared
from memwell.ports.store.search import Found, Search, check_model
from memwell.ports.store.visibility import EVER
from memwell.records.codec import dumps, to_micros
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.retrieval.index.corpus import Corpus, Partition, Row
from memwell.retrieval.index.vectors import Chunked, VectorSet
from memwell.retrieval.ranking.candidates import find, narrowed
from memwell.sealed import fingerprint_of
from memwell.security.ciphers import Ciphers
from memwell.security.sealed_vectors import inner_name, opened_embedding
from memwell.types import Record, Scope

__all__ = ["VectorSearch"]

_BUDGET: Final = 400_000
"""Records held together."""
_PAGE: Final = 1000
_FAR: Final = 20_000
"""With more changes than this, loading again is quicker than following."""


@dataclass(slots=True, eq=False)
class _Owner:
    """The decrypted vectors of one owner, with the index terms as they are stored."""

    corpus: Corpus
    model: str
    keys: dict[str, int] = field(default_factory=dict)
    """Id of a record → its key in the corpus."""

    def key(self, id: str) -> int:
        return self.keys.setdefault(id, len(self.keys))

    def row(self, record: Record) -> Row:
        lexemes, signals = lexemes_and_signals(record)
        expires = None if record.expires_at is None else to_micros(record.expires_at)
        created = to_micros(record.created_at)
        return (
            self.key(record.id), record.id, record.user_id, record.session_id, created, expires, signals, lexemes
        )  # fmt: skip


class _View:
    """An owner as `find` reads it: everything was read before."""

    def __init__(self, owner: _Owner, seen: set[int]) -> None:
        self._owner, self._seen = owner, seen

    def current(self, scope: Scope) -> Corpus:
        del scope
        return self._owner.corpus

    def visible(self, search: Search) -> set[int]:
        del search
        return self._seen

    def serving(self) -> str:
        return self._owner.model

    def position(self) -> int:
        return self._owner.corpus.position

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        raise NotImplementedError(partition)

    def changes(self, after: int, partition: Partition, limit: int) -> None:
        raise NotImplementedError(after, partition, limit)

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        del partition, model
        corpus = self._owner.corpus
        known = corpus.vectors
        if known is None or known.whole is None:
            return
        for key in corpus.slots if keys is None else keys:
            row = known.row(corpus.slots.get(key, -1))
            if row is not None:
                yield key, None, known.whole.take([row]).tobytes()


class VectorSearch:
    """Searches the encrypted vectors of `store`."""

    def __init__(self, store: Store, ciphers: Ciphers, budget: int = _BUDGET) -> None:
        self._store, self._ciphers, self._budget = store, ciphers, budget
        self._owners: OrderedDict[Partition, _Owner] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Drop everything that was decrypted."""
        with self._lock:
            self._owners.clear()

    async def search(self, search: Search, serving: str | None, *, part: str) -> Found:
        """Candidates of a search whose terms and filter are those of the store, and whose vectors are plain."""
        assert search.model is not None
        check_model(search.model, serving, part=part)
        owner = await self._current((search.scope.tenant_id, search.scope.user_id), search.model)
        seen = await self._visible(owner, search) if narrowed(search) else set()
        return find(_View(owner, seen), _View(owner, seen), search, part=part)

    async def _current(self, partition: Partition, model: str) -> _Owner:
        """The owner, up to date with the store."""
        while True:
            with self._lock:
                owner = self._owners.get(partition)
                if owner is not None:
                    self._owners.move_to_end(partition)
            if owner is None or owner.model != model or owner.corpus.sparse:
                return await self._load(partition, model)
            before = owner.corpus.position
            if await self._store.position() == before:
                return owner
            changed = await self._changed(partition, before)
            if changed is None:
                return await self._load(partition, model)
            position, ids = changed
            records = await self._records(partition, ids)
            chunks = await self._chunks(owner, partition, records)
            with owner.corpus.lock:
                if owner.corpus.position == before:  # no other call has followed meanwhile
                    self._follow(owner, position, ids, records, chunks)
                    return owner

    def _follow(
        self, owner: _Owner, position: int, ids: list[str], records: list[Record], chunks: list[Chunked]
    ) -> None:
        rows = {record.id: owner.row(record) for record in records}
        corpus = owner.corpus
        corpus.follow(position, [(owner.key(id), rows.get(id)) for id in ids])
        assert corpus.vectors is not None
        corpus.vectors.add(corpus.slots, iter(chunks))

    async def _load(self, partition: Partition, model: str) -> _Owner:
        tenant, user = partition
        scope, position = Scope(tenant_id=tenant, user_id=user), await self._store.position()
        owner, rows, chunks = _Owner(Corpus(partition, 0, ()), model), [], []
        async for page in self._pages(Search(scope=scope, now=EVER), "created_at"):
            rows += [owner.row(record) for record in page]
            chunks += await self._chunks(owner, partition, page)
        owner.corpus = corpus = Corpus(partition, position, rows)
        corpus.vectors = VectorSet(model)
        corpus.vectors.add(corpus.slots, iter(chunks))
        with self._lock:
            self._owners[partition] = owner
            while (
                len(self._owners) > 1 and sum(len(o.corpus.ids) for o in self._owners.values()) > self._budget
            ):
                self._owners.popitem(last=False)
        return owner

    async def _changed(self, partition: Partition, after: int) -> tuple[int, list[str]] | None:
        """The position of the last change and the ids that changed; `None` when they are too many, or not kept."""
        tenant, user = partition
        ids: dict[str, None] = {}
        try:
            for _ in range(_FAR // _PAGE):
                found = await self._store.changes(after, limit=_PAGE)
                mine = [c for c in found if c.tenant_id == tenant and user in (None, c.user_id)]
                ids |= dict.fromkeys(change.id for change in mine)
                after = found[-1].seq if found else after
                if len(found) < _PAGE:
                    return after, list(ids)
        except NotSupported:
            pass
        return None

    async def _records(self, partition: Partition, ids: list[str]) -> list[Record]:
        scope = Scope(tenant_id=partition[0], user_id=partition[1])
        return [
            record
            for at in range(0, len(ids), _PAGE)
            for record in await call(self._store, declared(Store.get), (scope, ids[at : at + _PAGE], EVER))
        ]

    async def _chunks(self, owner: _Owner, partition: Partition, records: Sequence[Record]) -> list[Chunked]:
        """The decrypted vectors of some records."""
        opened = await self.embeddings(Scope(tenant_id=partition[0]), records, owner.model)
        return [
            (owner.key(id), dumps(each.spans) if each.spans else None, each.vectors.astype("<f4").tobytes())
            for id, each in opened.items()
        ]

    async def embeddings(self, scope: Scope, records: Sequence[Record], model: str) -> dict[str, Embedding]:
        """The decrypted vectors of records as they are stored."""
        if not records:
            return {}
        ids = [record.id for record in records]
        cipher = await self._ciphers.reading(scope.tenant_id)
        sealed = await call(self._store, declared(Store.embeddings), (scope, ids, inner_name(model)))
        return {
            record.id: opened_embedding(cipher, fingerprint_of(record.content), sealed[record.id])
            for record in records
            if record.id in sealed
        }

    async def _visible(self, owner: _Owner, search: Search) -> set[int]:
        """The keys that a search may find, by scope, expiry, filter and time."""
        return {
            owner.keys[record.id]
            async for page in self._pages(search, "id")
            for record in page
            if record.id in owner.keys
            and (search.created_until is None or record.created_at <= search.created_until)
        }

    async def _pages(self, search: Search, order: str) -> AsyncIterator[list[Record]]:
        after: tuple[object, str] | None = None
        arguments = (search.scope, search.now, search.where, order, False, _PAGE)
        while page := await call(self._store, declared(Store.scan), (*arguments, after)):
            yield page
            last = page[-1]
            after = getattr(last, order), last.id
