"""A store with synchronous calls, a clock and shorthands for the suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from memwell.filters import parse
from memwell.ports import (
    Change,
    Delete,
    Embed,
    Embedding,
    Insert,
    Operation,
    SetLink,
    Store,
    Touch,
    Unlink,
    Update,
    Vectors,
)
from memwell.ports.store.search import Found, Search
from memwell.retrieval.analysis.text import analyze
from memwell.testing._run import run
from memwell.testing.samples import ANYBODY, MODEL, START, embedding, record
from memwell.types import Link, Record, Report, Scope, Stats, Version, Where

__all__ = ["Harness", "StoreSuite", "everything", "populate"]

T = TypeVar("T")


class Harness:
    """See the module. `now` is the moment of every call."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self._number = 0

    def run(self, call: Awaitable[T]) -> T:
        """A coroutine's result."""
        return run(self.store, call)

    def needs(self, *flags: str) -> None:
        """Skip the test when the store does not promise one of these capabilities."""
        for flag in flags:
            if not getattr(self.store.capabilities, flag):
                pytest.skip(f"the store does not promise `{flag}`")

    def can(self, flag: str) -> bool:
        """Whether the store promises a capability."""
        return bool(getattr(self.store.capabilities, flag))

    @property
    def foretells(self) -> bool:
        """Whether the store implements `duplicates`; it need not."""
        return type(self.store)._duplicates is not Store._duplicates

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    # ------------------------------------------------------------------------------------------ writing

    def write(self, *operations: Operation) -> list[Any]:
        """One transaction."""
        return self.run(self.store.write(operations, now=self.now))

    def new(self, content: str, id: str | None = None, **fields: Any) -> Record:
        """A record that is not stored yet."""
        self._number += 1
        fields.setdefault("at", self.now)
        return record(content, id=id or f"auto{self._number:04}", **fields)

    def insertion(
        self,
        content: str,
        id: str | None = None,
        *,
        embedding: Embedding | None = None,
        dated: bool = False,
        past: tuple[Version, ...] = (),
        **fields: Any,
    ) -> Insert:
        """An insert; with `id` the caller has chosen it. Vectors are given only to stores that take them."""
        found = self.new(content, id, **fields)
        if not self.store.capabilities.vectors:
            embedding = None
        return Insert(record=found, embedding=embedding, named=id is not None, dated=dated, past=past)

    def insert(self, content: str, id: str | None = None, **options: Any) -> Record:
        """Store one record."""
        found: Record = self.write(self.insertion(content, id, **options))[0]
        return found

    def update(
        self,
        id: str,
        *,
        scope: Scope = ANYBODY,
        embedding: Embedding | None = None,
        expected_version: int | None = None,
        **changes: Any,
    ) -> Record:
        """Change one record."""
        operation = Update(
            scope=scope, id=id, changes=changes, embedding=embedding, expected_version=expected_version
        )
        found: Record = self.write(operation)[0]
        return found

    def delete(self, *ids: str, scope: Scope = ANYBODY, where: Where | None = None) -> list[str]:
        """Remove records by id, or by scope and filter when no id is given; the ids in order."""
        gone: list[str] = self.write(Delete(scope=scope, ids=ids or None, where=where))[0]
        return sorted(gone)

    def link(
        self,
        source: str,
        target: str,
        kind: str = "related",
        strength: float = 1.0,
        scope: Scope = ANYBODY,
    ) -> None:
        """Relate two records."""
        self.write(
            SetLink(scope=scope, source=source, link=Link(target=target, kind=kind, strength=strength))
        )

    def unlink(self, source: str, target: str, kind: str | None = None, scope: Scope = ANYBODY) -> int:
        """Remove relationships."""
        count: int = self.write(Unlink(scope=scope, source=source, target=target, kind=kind))[0]
        return count

    def touch(self, id: str, count: int = 1, tenant_id: str = ANYBODY.tenant_id) -> None:
        """Note recalls, now."""
        self.write(Touch(tenant_id=tenant_id, accesses={id: (count, self.now)}))

    def embed(self, id: str, content: str, embedding: Embedding, tenant_id: str = ANYBODY.tenant_id) -> bool:
        """Store vectors."""
        done: bool = self.write(Embed(tenant_id=tenant_id, id=id, content=content, embedding=embedding))[0]
        return done

    # ------------------------------------------------------------------------------------------ reading

    def get(self, *ids: str, scope: Scope = ANYBODY) -> list[Record]:
        """Records by id."""
        return self.run(self.store.get(scope, ids, now=self.now))

    def one(self, id: str, scope: Scope = ANYBODY) -> Record:
        """The record with this id."""
        found = self.get(id, scope=scope)
        assert len(found) == 1, f"{id} is not there"
        return found[0]

    def scan(self, where: Where | None = None, *, scope: Scope = ANYBODY, **options: Any) -> list[Record]:
        """A part of a listing."""
        return self.run(self.store.scan(scope, now=self.now, where=where, **options))

    def ids(self, where: Where | None = None, *, scope: Scope = ANYBODY, **options: Any) -> list[str]:
        """The ids of a listing."""
        options.setdefault("order", "id")
        return [found.id for found in self.scan(where, scope=scope, **options)]

    def walk(self, limit: int, during: Callable[[int], object] = lambda _: None, **options: Any) -> list[str]:
        """The ids of a whole walk in pages of `limit`; `during` is called after each page with its number."""
        met: list[str] = []
        after: tuple[Any, str] | None = None
        for number in range(10_000):
            page = self.scan(limit=limit, after=after, **options)
            assert len(page) <= limit
            met += [found.id for found in page]
            if len(page) < limit:
                return met
            after = (getattr(page[-1], options.get("order", "created_at")), page[-1].id)
            during(number)
        raise AssertionError("the walk does not end")

    def count(self, where: Where | None = None, *, scope: Scope = ANYBODY) -> int:
        """How many."""
        return self.run(self.store.count(scope, now=self.now, where=where))

    def duplicates(self, *inserts: Insert) -> list[bool]:
        """Which inserts would only reinforce."""
        return self.run(self.store.duplicates(inserts, now=self.now))

    def history(self, id: str, scope: Scope = ANYBODY) -> list[Version]:
        """Every version."""
        return self.run(self.store.history(scope, id, now=self.now))

    def links(self, *ids: str, incoming: bool = False, scope: Scope = ANYBODY) -> set[tuple[str, str, str]]:
        """(source, target, kind) of the relationships at these records."""
        found = self.full_links(*ids, incoming=incoming, scope=scope)
        assert len(found) == len({(source, link.target, link.kind) for source, link in found})
        return {(source, link.target, link.kind) for source, link in found}

    def full_links(self, *ids: str, incoming: bool = False, scope: Scope = ANYBODY) -> list[tuple[str, Link]]:
        """(source, link) of the relationships at these records."""
        return self.run(self.store.links(scope, ids, incoming=incoming))

    def embeddings(self, *ids: str, model: str = MODEL, scope: Scope = ANYBODY) -> dict[str, Embedding]:
        """Stored vectors."""
        return self.run(self.store.embeddings(scope, ids, model))

    def unembedded(self, model: str = MODEL, *, limit: int = 1000) -> list[str]:
        """The ids of the records that lack vectors."""
        return [found.id for found in self.run(self.store.unembedded(model, limit=limit))]

    def changes(self, after: int = 0, *, limit: int = 1000) -> list[Change]:
        """The change sequence after a position."""
        return self.run(self.store.changes(after, limit=limit))

    def stats(self, scope: Scope = ANYBODY) -> Stats:
        """Counts."""
        return self.run(self.store.stats(scope, now=self.now))

    def check(self, *, repair: bool = False) -> Report:
        """What the doctor says."""
        return self.run(self.store.check(repair=repair))

    # ---------------------------------------------------------------------------------------- searching

    def search(
        self,
        words: str = "",
        *,
        vector: Vectors | None = None,
        where: Where | None = None,
        scope: Scope = ANYBODY,
        model: str = MODEL,
        **options: Any,
    ) -> Found:
        """The candidates for some words, a `(d,)` vector, or both."""
        search = Search(
            scope=scope,
            now=self.now,
            terms=tuple(dict.fromkeys(analyze(words))),
            where=None if where is None else parse(where),
            vectors=None if vector is None else vector[None, :],
            model=None if vector is None else model,
            **options,
        )
        return self.run(self.store.search(search))

    def found(self, words: str = "", **options: Any) -> set[str]:
        """The ids that a search finds: those with a matching word or, if a vector is given, with any cosine."""
        found = self.search(words, **options)
        return {
            found.ids[candidate.key]
            for candidate in found.candidates
            if candidate.matches or candidate.cosine is not None
        }

    def cosines(self, vector: Vectors, **options: Any) -> dict[str, float | None]:
        """The similarity of each candidate with a vector."""
        found = self.search(vector=vector, **options)
        return {found.ids[candidate.key]: candidate.cosine for candidate in found.candidates}


class StoreSuite:
    """What the parts of the suite share."""

    owners: tuple[str, ...] = ("tenant_id", "user_id", "agent_id", "session_id", "namespace")
    """The parts of a scope in which records may differ; fewer for a store that is confined to one namespace."""
    plenty: int = 10_050
    """Records that the largest call writes, lists or deletes."""

    def owner(self, **names: str) -> Scope:
        """A scope of those names that are among the `owners`."""
        return Scope(**{name: value for name, value in names.items() if name in self.owners})

    @pytest.fixture
    def store(self) -> Store:
        """An open, empty store. Closing it is up to the fixture; the suite may have done so before."""
        raise NotImplementedError("give the fixture `store`")

    @pytest.fixture
    def harness(self, store: Store) -> Harness:
        """The store with short forms of its calls."""
        return Harness(store)


def everything(harness: Harness, models: Sequence[str] = (MODEL,)) -> dict[str, Any]:
    """All that can be read of the default tenant, to be compared before and after."""
    records = harness.scan(limit=10_000, order="id")
    ids = [found.id for found in records]
    vectors = {
        (model, id): found.vectors.tobytes()
        for model in models
        for id, found in harness.embeddings(*ids, model=model).items()
    }
    return {
        "records": records,
        "history": {id: harness.history(id) for id in ids},
        "links": harness.links(*ids),
        "incoming": harness.links(*ids, incoming=True),
        "vectors": vectors,
        "unembedded": harness.unembedded(),
        "stats": replace(harness.stats(), bytes=None),
    }


def populate(harness: Harness) -> None:
    """Records with everything that can hang on them."""
    for id, content in (("a", "apple"), ("b", "banana"), ("c", "cherry")):
        harness.insert(content, id, embedding=embedding(10))
    harness.update("a", category="fruit")
    harness.update("c", category="fruit")
    for source, target in (("a", "b"), ("b", "a"), ("a", "c"), ("c", "b")):
        harness.link(source, target, strength=0.7)
    harness.touch("a", 3)
    harness.touch("c", 3)
