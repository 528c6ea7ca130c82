"""Stores that overlook something rare: an option, an import, a relationship to oneself, a filter over long pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.testing.mutants.harness import Mutants

from memwell import filters
from memwell.backends.memory.store import MemoryStore
from memwell.backends.memory.store.state import State
from memwell.errors import Conflict
from memwell.ports import Delete, Embed, Insert, SetLink, Touch, Update
from memwell.ports.store.search import DEFAULT, Found, Search
from memwell.types import Link, Record, Scope, Stats, Version, Where

OVERLOOKED = Mutants()
breaks = OVERLOOKED.breaks
RARE = "test_large_counters_and_empty_values_come_back"
DUPLICATE = "test_a_duplicate_takes_over_the_fields_that_the_insert_overwrites"
DATED = "test_a_relationship_keeps_the_date_that_it_was_given"
SEVERAL = "test_records_may_be_related_in_several_ways_and_to_themselves"
EXPIRED_LINKS = "test_relationships_of_the_expired_are_returned_until_a_sweep"
PASSAGES = "test_any_number_of_passages_comes_back_and_may_be_replaced"
VECTORS = "test_vectors_outlive_every_change_but_that_of_the_content"
RECALLS = "test_recalls_of_many_records_are_counted_one_by_one"
WALL = "test_every_part_of_a_scope_is_a_wall_for_every_call"
AS_MODEL = "test_a_search_returns_what_the_in_memory_store_returns"


def viewed(name: str, doc: str, test: str, change: Callable[[Record], Record]) -> None:
    """Add stores that return each record changed."""

    class Changed(State):
        def record(self, key: int) -> Record:
            return change(super().record(key))

    def start(self: MemoryStore) -> None:
        MemoryStore.__init__(self)
        self._state = Changed()

    breaks(test)(type(name, (MemoryStore,), {"__doc__": doc, "__init__": start}))


def written(name: str, doc: str, test: str, change: Callable[[MemoryStore, Any], Any]) -> None:
    """Add stores that carry out other operations."""

    async def write(self: MemoryStore, operations: Sequence[Any], now: datetime) -> list[Any]:
        return await MemoryStore._write(self, [change(self, operation) for operation in operations], now)

    breaks(test)(type(name, (MemoryStore,), {"__doc__": doc, "_write": write}))


def searched(name: str, doc: str, change: Callable[[Search], Search]) -> None:
    """Add stores that search for something else."""

    async def search(self: MemoryStore, search: Search) -> Found:
        return await MemoryStore._search(self, change(search))

    breaks(AS_MODEL)(type(name, (MemoryStore,), {"__doc__": doc, "_search": search}))


viewed("SmallCounter", "A counter has 15 bits.", RARE, lambda r: replace(r, reinforced=r.reinforced & 0x7FFF))
viewed(
    "EmptyIsNull",
    "An empty text is no text.",
    RARE,
    lambda r: replace(r, source=r.source or None, tier=r.tier or None, category=r.category or None),
)
viewed(
    "EmptyListsLost",
    "Empty lists of the metadata are lost.",
    RARE,
    lambda r: replace(r, metadata={k: v for k, v in r.metadata.items() if v != []}),
)
viewed(
    "TagsAreDistinct", "A tag is kept once.", RARE, lambda r: replace(r, tags=tuple(dict.fromkeys(r.tags)))
)
written(
    "OverwritesNothing",
    "What an insert overwrites is ignored.",
    DUPLICATE,
    lambda _, op: replace(op, overwrite=()) if isinstance(op, Insert) else op,
)
written(
    "DatesRelationshipsItself",
    "The date of a relationship is always that of the write.",
    DATED,
    lambda _, op: replace(op, link=replace(op.link, created_at=None)) if isinstance(op, SetLink) else op,
)
written(
    "ImportsNoChanges",
    "Imported versions forget what changed.",
    "test_an_import_keeps_what_each_version_changed",
    lambda _, op: (
        replace(op, past=tuple(replace(v, changed=()) for v in op.past)) if isinstance(op, Insert) else op
    ),
)
written(
    "CountsOneRecall",
    "Of several records, each recall counts once.",
    RECALLS,
    lambda _, op: (
        replace(op, accesses={id: (1, at) for id, (_, at) in op.accesses.items()})
        if isinstance(op, Touch) and len(op.accesses) > 1
        else op
    ),
)
written(
    "FirstRecalls",
    "The first 500 recalls of a write count.",
    RECALLS,
    lambda _, op: (
        replace(op, accesses=dict(list(op.accesses.items())[:500])) if isinstance(op, Touch) else op
    ),
)
written(
    "EightPassages",
    "Eight passages are kept.",
    PASSAGES,
    lambda _, op: (
        replace(
            op,
            embedding=replace(op.embedding, vectors=op.embedding.vectors[:8], spans=op.embedding.spans[:8]),
        )
        if isinstance(op, Embed)
        else op
    ),
)
written(
    "IgnoresTheFilterOfOne",
    "A delete of one id ignores its filter.",
    "test_a_filter_chooses_what_is_deleted",
    lambda _, op: replace(op, where=None) if isinstance(op, Delete) and len(op.ids or ()) == 1 else op,
)
searched("FirstPhrase", "One phrase counts.", lambda search: replace(search, phrases=search.phrases[:1]))
searched("OwnWeights", "The shape of windows is fixed.", lambda search: replace(search, weights=DEFAULT))


def _embeds_loosely(store: MemoryStore, operation: Any) -> Any:
    if not isinstance(operation, Embed):
        return operation
    key = store._state.ids.get((operation.tenant_id, operation.id))
    held = operation.content if key is None else store._state.rows[key].record.content
    same = held.strip().casefold() == operation.content.strip().casefold()
    return replace(operation, content=held) if same else operation


written("EmbedsLoosely", "Vectors of nearly the same content are taken.", PASSAGES, _embeds_loosely)


@breaks("test_two_records_may_come_to_hold_the_same")
class UniqueContent(MemoryStore):
    """An update to the content of another record is refused, as by a unique index."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        held = {row.record.content for row in self._state.rows.values()}
        if any(isinstance(op, Update) and op.changes.get("content") in held for op in operations):
            raise Conflict("the content is taken")
        return await super()._write(operations, now)


@breaks(VECTORS)
class VectorsOfTheKind(MemoryStore):
    """Vectors are dropped when the kind changes."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        results = await super()._write(operations, now)
        for operation, result in zip(operations, results, strict=True):
            if isinstance(operation, Update) and "kind" in operation.changes:
                key = self._state.ids[result.tenant_id, result.id]
                with self._transaction():
                    self._state.replace_row(key, replace(self._state.rows[key], vectors={}))
        return (
            await self._get(operations[0].scope, [r.id for r in results], now)
            if (isinstance(operations[0], Update))
            else results
        )


@breaks("test_a_filter_holds_over_pages_of_which_it_leaves_little")
class FiltersAPage(MemoryStore):
    """A later page is filtered after it was cut."""

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
        if after is None or where is None:
            return await super()._scan(scope, now, where, order, descending, limit, after)
        page = await super()._scan(scope, now, None, order, descending, max(limit, 50), after)
        return [record for record in page if filters.matches(record, where)][:limit]


@breaks(WALL)
class HistoryOfAllAgents(MemoryStore):
    """A history is read whatever agent asks."""

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        return await super()._history(replace(scope, agent_id=None), id, now)


@breaks(SEVERAL)
class OneOfAPair(MemoryStore):
    """Of several relationships of a pair, one is found from its target."""

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        found = await super()._links(scope, ids, incoming)
        return list({(id, link.target): (id, link) for id, link in found}.values()) if incoming else found


@breaks(SEVERAL)
class NotToItself(MemoryStore):
    """A relationship of a record to itself is not found from its target."""

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        found = await super()._links(scope, ids, incoming)
        return [(id, link) for id, link in found if not incoming or id != link.target]


@breaks(SEVERAL)
class CountsPairs(MemoryStore):
    """Statistics count related pairs."""

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        records = [self._state.record(key) for key in self._keys(scope, now, None)]
        pairs = {(record.id, link.target) for record in records for link in record.links}
        return replace(await super()._stats(scope, now), links=len(pairs))


@breaks(EXPIRED_LINKS)
class LiveLinks(MemoryStore):
    """Relationships of records that may expire are hidden."""

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        mortal = {row.record.id for row in self._state.rows.values() if row.record.expires_at is not None}
        found = await super()._links(scope, ids, incoming)
        return [(id, link) for id, link in found if not mortal & {id, link.target}]


@breaks("test_what_has_expired_is_deleted_with_the_rest")
class DeletesTheLiving(MemoryStore):
    """A delete without ids leaves out what has expired."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        live = tuple(
            row.record.id
            for row in self._state.rows.values()
            if row.record.expires_at is None or row.record.expires_at > now
        )
        return await super()._write(
            [replace(op, ids=live) if isinstance(op, Delete) and op.ids is None else op for op in operations],
            now,
        )


@breaks("test_speakers_who_came_or_went_are_noticed")
class FirstSpeakers(MemoryStore):
    """The speakers of a scope are learnt once."""

    def __init__(self) -> None:
        super().__init__()
        self._speakers: dict[Scope, frozenset[str]] = {}

    async def _actors(self, scope: Scope) -> frozenset[str]:
        if scope not in self._speakers:
            self._speakers[scope] = await super()._actors(scope)
        return self._speakers[scope]


@breaks("test_a_large_batch_that_fails_leaves_nothing")
class CommitsByFifty(MemoryStore):
    """Every 50 operations are a transaction of their own."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        results: list[Any] = []
        for at in range(0, len(operations), 50):
            results += await super()._write(operations[at : at + 50], now)
        return results


@breaks("test_a_lease_ends_with_its_time")
class ForgetsThePosition(MemoryStore):
    """Whoever takes over an expired lease begins anew."""

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        before = self._followers._known.get(follower)
        position = await super()._claim(follower, holder, seconds, now)
        return (
            0 if position is not None and before is not None and before[1] not in (None, holder) else position
        )


@breaks("test_no_change_is_skipped_silently")
class PositionBefore(MemoryStore):
    """The position is that of the change before the last."""

    async def _position(self) -> int:
        return self._state.last_seq - (self._state.last_seq > 100)


@breaks(AS_MODEL)
class WholeQuestions(MemoryStore):
    """A content asks, or it does not."""

    async def _search(self, search: Search) -> Found:
        found = await super()._search(search)
        for candidate in found.candidates:
            share = round(candidate.features.question_share)
            candidate.features = replace(candidate.features, question_share=share)
        return found
