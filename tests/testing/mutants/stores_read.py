"""Stores that find too much, too little or something else when records are read, listed, counted or filtered."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.testing.mutants.harness import Mutants

from memwell import filters
from memwell.backends.memory.store import MemoryStore
from memwell.filters import And, Clause, Node, Not, Or
from memwell.ports import Embedding
from memwell.types import Link, Record, Scope, Stats, Version, Where

READ = Mutants()
breaks = READ.breaks
MICROSECOND = timedelta(microseconds=1)


def class_of(name: str, doc: str, **hooks: Any) -> type[MemoryStore]:
    """A store with other hooks."""
    return type(name, (MemoryStore,), {"__doc__": doc, **hooks})


# ------------------------------------------------------------------------------------------------------ expiry


def shifted(hook: str, by: timedelta) -> type[MemoryStore]:
    """Stores one of whose reads asks about another moment."""
    place = list(inspect.signature(getattr(MemoryStore, hook)).parameters).index("now") - 1

    async def read(self: MemoryStore, *arguments: Any) -> Any:
        values = list(arguments)
        values[place] += by
        return await getattr(MemoryStore, hook)(self, *values)

    name = f"{hook.strip('_').title()}{'Late' if by < timedelta(0) else 'Early'}"
    return class_of(name, f"`{hook}` is off by a microsecond.", **{hook: read})


for hook in ("_get", "_scan", "_count", "_stats", "_history", "_duplicates"):
    for by in (MICROSECOND, -MICROSECOND):
        breaks("test_every_call_returns_a_record_until_its_last_microsecond")(shifted(hook, by))


async def _search_late(self: MemoryStore, search: Any) -> Any:
    return await MemoryStore._search(self, replace(search, now=search.now - MICROSECOND))


async def _search_early(self: MemoryStore, search: Any) -> Any:
    return await MemoryStore._search(self, replace(search, now=search.now + MICROSECOND))


for name, searching in (("SearchLate", _search_late), ("SearchEarly", _search_early)):
    breaks("test_every_call_returns_a_record_until_its_last_microsecond")(
        class_of(name, "Searches are off by a microsecond.", _search=searching)
    )

# -------------------------------------------------------------------------------------------- order and limits


def ordered(key: Callable[[Record, str], Any]) -> Any:
    """A listing in another order."""

    async def scan(
        self: MemoryStore,
        scope: Scope,
        now: datetime,
        where: Any,
        order: str,
        down: bool,
        limit: int,
        after: Any,
    ) -> list[Record]:
        found = await MemoryStore._scan(self, scope, now, where, order, down, 10**6, after)
        return sorted(found, key=lambda record: key(record, order), reverse=down)[:limit]

    return scan


def _by_second(record: Record, order: str) -> Any:
    value = getattr(record, order)
    return (value.replace(microsecond=0) if isinstance(value, datetime) else value, record.id)


breaks("test_a_listing_is_ordered_by_microseconds")(
    class_of("OrderedBySeconds", "Listings are ordered by the second.", _scan=ordered(_by_second))
)
breaks("test_texts_are_ordered_by_code_point")(
    class_of(
        "OrderedWithoutCase",
        "Ids are ordered without case.",
        _scan=ordered(lambda r, o: r.id.casefold() if o == "id" else (getattr(r, o), r.id)),
    )
)


@breaks("test_a_listing_is_ordered_and_ties_are_broken_by_id")
class TiesAsTheyCame(MemoryStore):
    """Ties are in the order of their writing."""

    async def _scan(self, *arguments: Any) -> list[Record]:
        found = await super()._scan(*arguments)
        order = arguments[3]
        keys = self._state.ids
        return sorted(
            found,
            key=lambda r: (getattr(r, order), keys[r.scope.tenant_id, r.id]),
            reverse=arguments[4],
        )


@breaks("test_a_listing_is_ordered_and_ties_are_broken_by_id")
class TiesAlwaysAscend(MemoryStore):
    """Ties ascend in descending listings too."""

    async def _scan(self, *arguments: Any) -> list[Record]:
        found = sorted(await super()._scan(*arguments), key=lambda r: r.id)
        return sorted(found, key=lambda r: getattr(r, arguments[3]), reverse=arguments[4])


def capped(hook: str, most: int, cut: Callable[[Any, int], Any], test: str) -> None:
    """Add stores that give no more than so many of something."""

    async def read(self: MemoryStore, *arguments: Any) -> Any:
        return cut(await getattr(MemoryStore, hook)(self, *arguments), most)

    name, doc = f"{hook.strip('_').title()}{most}", f"`{hook}` gives at most {most}."
    breaks(test)(class_of(name, doc, plenty=most + 50, **{hook: read}))


def _first(found: Any, most: int) -> Any:
    return found[:most]


LARGE = "test_pages_counts_and_batches_may_be_large"
MANY_IDS = "test_relationships_and_vectors_of_many_ids_come_at_once"
for most in (100, 10_000):
    capped("_scan", most, _first, LARGE)
    capped("_count", most, min, LARGE)
for most in (300, 1_000):
    capped("_scan", most, _first, LARGE)
    capped("_get", most, _first, LARGE)
    capped("_count", most, min, LARGE)
    capped("_unembedded", most, _first, LARGE)
    capped("_changes", most, _first, LARGE)
for most in (300, 1_000):
    capped("_links", most, _first, MANY_IDS)
    capped("_embeddings", most, lambda found, most: dict(list(found.items())[:most]), MANY_IDS)
    capped("_embedded", most, _first, MANY_IDS)
capped(
    "_history",
    100,
    lambda found, most: found[-most:],
    "test_a_history_of_many_versions_is_whole_and_in_order",
)

# ----------------------------------------------------------------------------------------------------- filters


def filtered(name: str, doc: str, holds: Callable[[Record, Node], bool], test: str) -> None:
    """Add stores whose filters mean something else."""

    def keys(self: MemoryStore, scope: Scope, now: datetime, where: Where | None) -> list[int]:
        found = MemoryStore._keys(self, scope, now, None)
        node = None if where is None else filters.parse(where)
        return [key for key in found if node is None or holds(self._state.record(key), node)]

    breaks(test)(class_of(name, doc, _keys=keys))


def mapped(node: Node, clause: Callable[[Clause], Node]) -> Node:
    """A filter with other clauses."""
    if isinstance(node, Clause):
        return clause(node)
    if isinstance(node, Not):
        return Not(mapped(node.part, clause))
    return type(node)(tuple(mapped(part, clause) for part in node.parts))


def changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value with a change made to all its texts, numbers and times."""
    if isinstance(value, list | tuple):
        return [changed(inner, change) for inner in value]
    if hasattr(value, "items"):
        return {key: changed(inner, change) for key, inner in value.items()}
    return change(value)


def blurred(change: Callable[[Any], Any]) -> Callable[[Record, Node], bool]:
    """A meaning for which values that `change` makes alike are equal."""

    def holds(record: Record, node: Node) -> bool:
        blurry = mapped(node, lambda clause: replace(clause, operand=changed(clause.operand, change)))
        return filters.holds(blurry, lambda clause: changed(filters.value_of(record, clause), change))

    return holds


def text(change: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: change(value) if isinstance(value, str) else value


def _by_millisecond(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def _wide(value: Any) -> Any:
    return float(value) if type(value) is int else value


for name, change in {
    "WithoutCase": str.casefold,
    "WithoutSpacesAtTheEnd": str.rstrip,
    "OfOneComposition": lambda value: unicodedata.normalize("NFC", value),
    "OfOneWidth": lambda value: unicodedata.normalize("NFKC", value),
}.items():
    filtered(
        f"Filters{name}",
        "Texts only alike are equal.",
        blurred(text(change)),
        "test_equality_of_texts_is_exact",
    )
filtered(
    "FiltersByMillisecond",
    "Times are compared by milliseconds.",
    blurred(_by_millisecond),
    "test_record_times_are_compared_by_microseconds",
)
filtered(
    "FiltersInFloats",
    "Whole numbers are compared as floats.",
    blurred(_wide),
    "test_numbers_are_compared_with_all_their_bits",
)


def rewritten(change: Callable[[Clause], Node]) -> Callable[[Record, Node], bool]:
    """A meaning in which clauses are others."""
    return lambda record, node: filters.matches(record, mapped(node, change))


def _collated(record: Record, node: Node) -> bool:
    """Orders of texts without case."""

    def one(clause: Clause, value: Any) -> Any:
        return (
            value.casefold()
            if clause.operator in ("$gt", "$gte", "$lt", "$lte") and isinstance(value, str)
            else value
        )

    folded = mapped(node, lambda clause: replace(clause, operand=one(clause, clause.operand)))
    return filters.holds(folded, lambda clause: one(clause, filters.value_of(record, clause)))


def _short_in(clause: Clause) -> Clause:
    many = clause.operator in ("$in", "$nin")
    return replace(clause, operand=clause.operand[:1000]) if many else clause


def _no_null(clause: Clause) -> Clause:
    if clause.operator != "$nin":
        return clause
    return replace(clause, operand=[value for value in clause.operand if value is not None])


def _undone_once(node: Node) -> Node:
    if isinstance(node, Not):
        return (
            Not(_undone_once(node.part.part)) if isinstance(node.part, Not) else Not(_undone_once(node.part))
        )
    return node if isinstance(node, Clause) else type(node)(tuple(map(_undone_once, node.parts)))


def _shallow(node: Node, level: int = 0) -> Node:
    if level > 10:
        return And(())
    if isinstance(node, Clause):
        return node
    if isinstance(node, Not):
        return Not(_shallow(node.part, level + 1))
    return type(node)(tuple(_shallow(part, level + 1) for part in node.parts))


def _short(node: Node) -> Node:
    return Or(node.parts[:100]) if isinstance(node, Or) else node


def _part_of_a_tag(record: Record, node: Node) -> bool:
    def value(clause: Clause) -> Any:
        found = filters.value_of(record, clause)
        return "\n".join(found) if clause.field == "tags" and clause.operator == "$contains" else found

    return filters.holds(node, value)


def _tags_in_any_order(record: Record, node: Node) -> bool:
    def one(clause: Clause) -> Clause:
        whole = clause.field == "tags" and clause.operator in ("$eq", "$ne")
        return replace(clause, operand=sorted(clause.operand)) if whole else clause

    return filters.matches(replace(record, tags=tuple(sorted(record.tags))), mapped(node, one))


def _numbered(record: Record, node: Node) -> bool:
    def value(clause: Clause) -> Any:
        found: Any = record.metadata
        if clause.field is not None:
            return filters.value_of(record, clause)
        for key in clause.path:
            if isinstance(found, list | tuple) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif hasattr(found, "items") and key in found:
                found = found[key]
            else:
                return filters.MISSING
        return found

    return filters.holds(node, value)


LEVELS = "test_filters_have_as_many_clauses_and_levels_as_they_may"
filtered(
    "CollatesTexts", "Texts are ordered without case.", _collated, "test_filters_order_texts_by_code_point"
)
filtered("ShortIn", "`$in` takes 1,000 values.", rewritten(_short_in), "test_in_takes_many_values")
filtered(
    "NullIsNoValue",
    "`$nin` with null keeps the missing.",
    rewritten(_no_null),
    "test_null_among_the_values_means_the_missing_too",
)
filtered(
    "NotOnce",
    "A not inside a not is one not.",
    lambda record, node: filters.matches(record, _undone_once(node)),
    "test_a_not_inside_a_not_is_undone",
)
filtered(
    "ShallowFilters",
    "Filters hold to ten levels.",
    lambda r, node: filters.matches(r, _shallow(node)),
    LEVELS,
)
filtered(
    "ShortFilters", "Filters have 100 clauses.", lambda r, node: filters.matches(r, _short(node)), LEVELS
)
filtered(
    "PartsOfTags", "A part of a tag is a tag.", _part_of_a_tag, "test_a_tag_is_a_whole_and_tags_are_in_order"
)
filtered(
    "TagsAreASet", "Tags are in no order.", _tags_in_any_order, "test_a_tag_is_a_whole_and_tags_are_in_order"
)
filtered("NumberedLists", "Lists have numbered keys.", _numbered, "test_a_list_has_no_numbered_keys")


# ----------------------------------------------------------------------------------------- owners, statistics


def _folded(scope: Scope) -> Scope:
    return replace(scope, user_id=scope.user_id and scope.user_id.casefold())


@breaks("test_owners_are_compared_exactly")
class CountsWithoutCase(MemoryStore):
    """Counts compare users without case."""

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        keys = self._keys(replace(scope, user_id=None), now, where)
        return sum(_folded(scope).sees(_folded(self._state.rows[key].record.scope)) for key in keys)


@breaks("test_owners_are_compared_exactly")
class DeletesUsersWithoutCase(MemoryStore):
    """A scope to be deleted is compared without case."""

    async def _write(self, operations: Sequence[Any], now: datetime) -> list[Any]:
        results = await super()._write(operations, now)
        for operation in operations:
            if type(operation).__name__ == "Delete" and operation.ids is None and operation.scope.user_id:
                for row in list(self._state.rows.values()):
                    if _folded(operation.scope).sees(_folded(row.record.scope)):
                        self._state.remove(self._state.ids[row.record.scope.tenant_id, row.record.id])
        return results


def counted(name: str, test: str = "test_nothing_of_others_and_nothing_expired_is_counted") -> None:
    """Add stores whose statistics count one thing in the whole tenant, or among the expired too."""

    async def wide(self: MemoryStore, scope: Scope, now: datetime) -> Stats:
        other = await MemoryStore._stats(self, Scope(tenant_id=scope.tenant_id), now)
        return replace(await MemoryStore._stats(self, scope, now), **{name: getattr(other, name)})

    async def long(self: MemoryStore, scope: Scope, now: datetime) -> Stats:
        other = await MemoryStore._stats(self, scope, now - timedelta(seconds=5))
        return replace(await MemoryStore._stats(self, scope, now), **{name: getattr(other, name)})

    breaks(test)(class_of(f"Wide_{name}", f"`{name}` counts other users.", _stats=wide))
    if name != "expired":
        breaks(test)(class_of(f"Long_{name}", f"`{name}` counts the expired.", _stats=long))


for name in (
    "versions",
    "links",
    "embedded",
    "unembedded",
    "sessions",
    "by_kind",
    "by_category",
    "oldest",
    "newest",
):
    counted(name)
counted("expired")


# ------------------------------------------------------------------------------------------ history and links


def reported(name: str, doc: str, change: Callable[[Record], Record], test: str) -> None:
    """Add stores whose older versions are others."""

    async def history(self: MemoryStore, scope: Scope, id: str, now: datetime) -> list[Version]:
        found = await MemoryStore._history(self, scope, id, now)
        return [v if v.current else replace(v, record=change(v.record)) for v in found]

    breaks(test)(class_of(name, doc, _history=history))


WHOLE = "test_older_versions_are_whole"
reported(
    "VersionsWithoutMetadata", "Older versions have no metadata.", lambda r: replace(r, metadata={}), WHOLE
)
reported("VersionsWithoutTags", "Older versions have no tags.", lambda r: replace(r, tags=()), WHOLE)
reported(
    "VersionsWithoutCategory", "Older versions have no category.", lambda r: replace(r, category=None), WHOLE
)
reported(
    "VersionsWithoutExpiry", "Older versions have no expiry.", lambda r: replace(r, expires_at=None), WHOLE
)
reported(
    "VersionsWithoutImportance",
    "Older versions forget importance.",
    lambda r: replace(r, importance=0.5),
    WHOLE,
)
reported(
    "VersionsWithoutNamespace",
    "Older versions forget whose they are.",
    lambda r: replace(r, scope=Scope()),
    WHOLE,
)


@breaks("test_a_history_of_many_versions_is_whole_and_in_order")
class VersionsAsTexts(MemoryStore):
    """Versions are ordered as texts."""

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        return sorted(await super()._history(scope, id, now), key=lambda v: (v.current, str(v.version)))


def linked(name: str, doc: str, change: Callable[[Link], Link]) -> None:
    """Add stores that tell less of a relationship from its target."""

    async def links(
        self: MemoryStore, scope: Scope, ids: Sequence[str], incoming: bool
    ) -> list[tuple[str, Link]]:
        found = await MemoryStore._links(self, scope, ids, incoming)
        return [(source, change(link)) for source, link in found] if incoming else found

    breaks("test_strength_and_date_are_returned_from_both_ends")(class_of(name, doc, _links=links))


linked(
    "StrengthFromOneEnd", "Strength is not told from the target.", lambda link: replace(link, strength=1.0)
)
linked("DateFromOneEnd", "The date is not told from the target.", lambda link: replace(link, created_at=None))


@breaks("test_relationships_are_found_from_both_ends")
class LinksFromOneEnd(MemoryStore):
    """Relationships are found from their source only."""

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        return [] if incoming else await super()._links(scope, ids, incoming)


# ---------------------------------------------------------------------------------------------------- vectors

ONCE = "test_embedded_gives_every_record_with_vectors_once_by_tenant_and_id"
Some = list[tuple[Record, Embedding]]


@breaks(ONCE)
class EmbeddedById(MemoryStore):
    """Records with vectors come by id, whatever their tenant."""

    async def _embedded(self, model: str, after: tuple[str, str] | None, limit: int) -> Some:
        found = sorted(await super()._embedded(model, None, 10**6), key=lambda item: item[0].id)
        return [item for item in found if after is None or item[0].id > after[1]][:limit]


@breaks(ONCE)
class EmbeddedTwice(MemoryStore):
    """The last of a page comes again with the next."""

    async def _embedded(self, model: str, after: tuple[str, str] | None, limit: int) -> Some:
        found = await super()._embedded(model, None, 10**6)
        return [f for f in found if after is None or (f[0].scope.tenant_id, f[0].id) >= after][:limit]


@breaks(ONCE)
class EmbeddedOfEveryModel(MemoryStore):
    """Records come with the vectors of whatever model."""

    async def _embedded(self, model: str, after: tuple[str, str] | None, limit: int) -> Some:
        found = [
            item
            for name in self._state.embedded
            for item in await MemoryStore._embedded(self, name, after, limit)
        ]
        return sorted(found, key=lambda item: (item[0].scope.tenant_id, item[0].id))[:limit]
