"""Slightly broken vector indexes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from tests.testing.mutants.harness import Mutants, cut

from memwell import filters
from memwell.filters import Node
from memwell.indexes.exact import Exact
from memwell.ports import Match, Point, Vectors
from memwell.types import Where

INDEXES = Mutants()
breaks = INDEXES.breaks
TEXTS = "test_texts_are_compared_exactly"
IDS = "test_ids_are_compared_exactly"


@breaks("test_a_parsed_filter_is_a_filter")
class IgnoresParsedFilters(Exact):
    """A parsed filter is ignored; a mapping is not."""

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        return await super()._search(vector, limit, where if isinstance(where, Mapping) else None)


@breaks("test_the_filter_comes_before_the_cut")
class FiltersAfterTheCut(Exact):
    """The nearest 100 are filtered."""

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        nearest = {match.id for match in await super()._search(vector, 100, None)}
        return [match for match in await super()._search(vector, limit, where) if match.id in nearest]


def capped(most: int) -> None:
    """Add indexes that give at most so many."""

    async def search(self: Exact, vector: Vectors, limit: int, where: Any) -> list[Match]:
        return await Exact._search(self, vector, min(limit, most), where)

    async def ids(self: Exact, after: str | None, limit: int) -> list[str]:
        return await Exact._ids(self, after, min(limit, most))

    async def vectors(self: Exact, names: Sequence[str]) -> dict[str, Vectors]:
        return await Exact._vectors(self, names[:most])

    async def delete(self: Exact, names: Sequence[str]) -> None:
        await Exact._delete(self, names[:most])

    async def upsert(self: Exact, points: Sequence[Point]) -> None:
        await Exact._upsert(self, points[:most])

    hooks = {"_ids": ids, "_vectors": vectors, "_delete": delete, "_upsert": upsert}
    for name, hook in hooks.items():
        part = type(f"{name}_{most}", (Exact,), {"__doc__": f"At most {most} at once.", name: hook})
        breaks("test_calls_may_name_many_ids")(part)
    part = type(f"_search_{most}", (Exact,), {"__doc__": f"At most {most} are found.", "_search": search})
    breaks("test_a_large_limit_gives_them_all_and_clear_removes_them_all")(part)


for most in (300, 1_000):
    capped(most)


def named(name: str, doc: str, change: Callable[[str], str], test: str = IDS) -> None:
    """Add indexes that keep points under another id."""

    async def upsert(self: Exact, points: Sequence[Point]) -> None:
        await Exact._upsert(self, [replace(point, id=change(point.id)) for point in points])

    async def delete(self: Exact, names: Sequence[str]) -> None:
        await Exact._delete(self, [change(name) for name in names])

    async def vectors(self: Exact, names: Sequence[str]) -> dict[str, Vectors]:
        found = await Exact._vectors(self, [change(name) for name in names])
        return {name: found[change(name)] for name in names if change(name) in found}

    hooks = {"__doc__": doc, "_upsert": upsert, "_delete": delete, "_vectors": vectors}
    breaks(test)(type(name, (Exact,), hooks))


named("IdsWithoutCase", "Ids are compared without case.", str.casefold)
named("IdsStripped", "Spaces around an id are lost.", str.strip)
named("IdsComposed", "Ids are normalised to NFC.", lambda id: unicodedata.normalize("NFC", id))
named("Ids255", "255 characters of an id count.", lambda id: id[:255], "test_ids_may_be_any_text")


def anywhere(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: anywhere(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [anywhere(inner, change) for inner in value]
    return change(value)


def blurred(name: str, doc: str, change: Callable[[Any], Any], test: str) -> None:
    """Add indexes whose filters take for equal what `change` makes alike."""

    async def upsert(self: Exact, points: Sequence[Point]) -> None:
        await Exact._upsert(self, [replace(p, fields=anywhere(p.fields, change)) for p in points])

    async def search(self: Exact, vector: Vectors, limit: int, where: Any) -> list[Match]:
        node = filters.parse(anywhere(where or {}, change))
        return await Exact._search(self, vector, limit, node)

    breaks(test)(type(name, (Exact,), {"__doc__": doc, "_upsert": upsert, "_search": search}))


def text(change: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: change(value) if isinstance(value, str) else value


def _milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    try:
        return _milliseconds(datetime.fromisoformat(value)).isoformat() if isinstance(value, str) else value
    except ValueError:
        return value


def _number(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: float(kind(value)) if type(value) in (int, float) else value


NUMBERS = "test_numbers_are_compared_exactly"
blurred("TextsWithoutCase", "Texts are compared without case.", text(str.casefold), TEXTS)
blurred("TextsStripped", "Spaces at the end are lost.", text(str.rstrip), TEXTS)
blurred(
    "TextsComposed", "Texts are normalised to NFC.", text(lambda t: unicodedata.normalize("NFC", t)), TEXTS
)
blurred("Texts255", "255 characters of a text count.", text(lambda t: t[:255]), TEXTS)
blurred(
    "Texts512Bytes",
    "510 bytes of a text count.",
    text(cut(510)),
    TEXTS,
)
blurred("Floats", "Numbers are floats.", _number(float), NUMBERS)
blurred("SingleFloats", "Numbers have 32 bits.", _number(np.float32), NUMBERS)
blurred("Milliseconds", "Times have milliseconds.", _milliseconds, "test_times_are_compared_by_microseconds")


@breaks("test_ties_are_ordered_by_id_also_where_the_limit_cuts")
class TiesAsTheyCame(Exact):
    """Ties are in the order of their rows."""

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        found = await super()._search(vector, 10**6, where)
        return sorted(found, key=lambda m: (-m.similarity, self._table.row[m.id]))[:limit]


@breaks("test_arguments_are_not_modified")
class ScalesWhatIsHandedIn(Exact):
    """Vectors handed in are scaled in place."""

    async def _upsert(self, points: Sequence[Point]) -> None:
        await super()._upsert(points)
        for point in points:
            point.vector[:] /= np.linalg.norm(point.vector)


@breaks("test_arguments_are_not_modified")
class ScalesTheQuestion(Exact):
    """The vector asked is scaled in place."""

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        found = await super()._search(vector, limit, where)
        vector[:] /= np.linalg.norm(vector)
        return found


@breaks("test_fields_come_back")
class KeepsOnlyMetadata(Exact):
    """Of the fields, only the metadata come back."""

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found = await super()._fields(ids)
        return {id: {"metadata": fields["metadata"]} for id, fields in found.items()}


@breaks("test_arguments_are_not_modified")
class EmptiesTheFilter(Exact):
    """The filter handed in is emptied."""

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        found = await super()._search(vector, limit, where)
        if isinstance(where, dict):
            where.clear()
        return found


@breaks("test_arguments_are_not_modified")
class SharesItsVectors(Exact):
    """What comes back is its own memory."""

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        found = await super()._vectors(ids)
        shared = self.__dict__.setdefault("shared", {})
        return {name: shared.setdefault(name, vector) for name, vector in found.items()}

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        lost = {name for name, held in self.__dict__.get("shared", {}).items() if not held.any()}
        return [match for match in await super()._search(vector, limit, where) if match.id not in lost]


@breaks("test_ids_may_be_any_text")
class OrderedByUtf16(Exact):
    """Ids are ordered by their UTF-16 code units."""

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        units = {name.encode("utf-16-be"): name for name in await super()._ids(None, 10**6)}
        start = "" if after is None else after
        return [units[key] for key in sorted(units) if key > start.encode("utf-16-be")][:limit]


@breaks("test_what_was_deleted_is_never_found")
class StopsAtTheUnknown(Exact):
    """A delete stops at the first unknown id."""

    async def _delete(self, ids: Sequence[str]) -> None:
        held = await self._vectors(ids)
        unknown = [at for at, id in enumerate(ids) if id not in held]
        await super()._delete(ids[: unknown[0]] if unknown else ids)


def clauses(name: str, doc: str, test: str, change: Callable[[filters.Clause], Node]) -> None:
    """Add indexes that search with other comparisons."""

    def changed(node: Node) -> Node:
        if isinstance(node, filters.Clause):
            return change(node)
        if isinstance(node, filters.Not):
            return filters.Not(changed(node.part))
        return type(node)(tuple(changed(part) for part in node.parts))

    async def search(self: Exact, vector: Vectors, limit: int, where: Any) -> list[Match]:
        return await Exact._search(self, vector, limit, changed(filters.parse(where or {})))

    breaks(test)(type(name, (Exact,), {"__doc__": doc, "_search": search}))


def _first_hundred(clause: filters.Clause) -> Node:
    if clause.operator not in ("$in", "$nin"):
        return clause
    return replace(clause, operand=filters.Choices(list(clause.operand)[:100]))


def _also_lower_case(clause: filters.Clause) -> Node:
    if clause.operator != "$contains" or not isinstance(clause.operand, str):
        return clause
    return filters.Or((clause, replace(clause, operand=clause.operand.lower())))


clauses("FirstChoices", "100 values of a list count.", "test_in_takes_many_values", _first_hundred)
clauses(
    "ContainsWithoutCase",
    "Texts are searched without case.",
    "test_nested_keys_lists_and_texts_are_searched",
    _also_lower_case,
)
clauses(
    "ThreeLevels",
    "Three levels of a path count.",
    "test_nested_keys_lists_and_texts_are_searched",
    lambda clause: replace(clause, path=clause.path[:3]),
)
clauses(
    "ListsAreTheirItems",
    "A list equals each of its items.",
    "test_nested_keys_lists_and_texts_are_searched",
    lambda clause: (
        filters.Or((clause, replace(clause, operator="$contains"))) if clause.operator == "$eq" else clause
    ),
)


@breaks("test_what_was_deleted_is_never_found")
class CountsTombstones(Exact):
    """What was deleted counts towards the limit of a search."""

    gone = 0

    async def _delete(self, ids: Sequence[str]) -> None:
        self.gone += len(await self._vectors(ids))
        await super()._delete(ids)

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        return (await super()._search(vector, limit, where))[: max(1, limit - self.gone)]


@breaks("test_a_large_limit_gives_them_all_and_clear_removes_them_all")
class ClearsThousand(Exact):
    """A clear removes 1,000 points."""

    async def _clear(self) -> None:
        await self._delete(await self._ids(None, 1_000))
