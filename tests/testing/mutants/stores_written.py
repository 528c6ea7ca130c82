"""Stores that lose or change something when they write, or that delete too much."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from tests.testing.mutants.harness import Mutants

from memwell.backends.memory.store import MemoryStore
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, SetLink, Touch, Update
from memwell.types import Record, Scope

WRITTEN = Mutants()
breaks = WRITTEN.breaks


class Rewriting(MemoryStore):
    """Changes operations before they are carried out."""

    def changed(self, operation: Any) -> Operation:
        """The operation that is carried out instead."""
        if isinstance(operation, Insert):
            return replace(operation, record=self.record(operation.record), digest=None)
        if isinstance(operation, Update):
            return replace(operation, changes={n: self.value(n, v) for n, v in operation.changes.items()})
        return operation  # type: ignore[no-any-return]

    def record(self, record: Record) -> Record:
        """A record that is inserted."""
        names = (
            "content",
            "metadata",
            "tags",
            "category",
            "importance",
            "expires_at",
            "created_at",
            "updated_at",
        )
        return replace(record, **{name: self.value(name, getattr(record, name)) for name in names})

    def value(self, name: str, value: Any) -> Any:
        """The value of a field."""
        return value

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        return await super()._write([self.changed(operation) for operation in operations], now)


def seconds(moment: datetime | None) -> datetime | None:
    """A time without its fraction of a second."""
    return None if moment is None else moment.replace(microsecond=0)


def anywhere(value: Any, change: Any) -> Any:
    """A JSON value with `change` applied to everything that is neither list nor mapping."""
    if isinstance(value, Mapping):
        return {key: anywhere(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [anywhere(inner, change) for inner in value]
    return change(value)


# --------------------------------------------------------------------------------------------------- content


@breaks("test_content_comes_back_to_the_byte")
class ComposesContent(Rewriting):
    """Content is normalised to NFC."""

    def value(self, name: str, value: Any) -> Any:
        return unicodedata.normalize("NFC", value) if name == "content" else value


@breaks("test_content_comes_back_to_the_byte")
class StripsContent(Rewriting):
    """Spaces at the ends of a content are lost."""

    def value(self, name: str, value: Any) -> Any:
        return value.strip() if name == "content" else value


@breaks("test_content_comes_back_to_the_byte")
class OneKindOfNewline(Rewriting):
    """Carriage returns become newlines."""

    def value(self, name: str, value: Any) -> Any:
        return value.replace("\r\n", "\n").replace("\r", "\n") if name == "content" else value


@breaks("test_a_content_of_one_megabyte_comes_back")
class ShortContent(Rewriting):
    """Content is cut at 65,535 characters."""

    def value(self, name: str, value: Any) -> Any:
        return value[:65_535] if name == "content" else value


# -------------------------------------------------------------------------------------------------- metadata


@breaks("test_metadata_comes_back_value_by_value_with_its_types")
class NumbersAreFloats(Rewriting):
    """Whole numbers in metadata come back as floats."""

    def value(self, name: str, value: Any) -> Any:
        return anywhere(value, lambda v: float(v) if type(v) is int else v) if name == "metadata" else value


@breaks("test_metadata_comes_back_value_by_value_with_its_types")
class WholeFloatsAreIntegers(Rewriting):
    """`1.0` in metadata comes back as `1`."""

    def value(self, name: str, value: Any) -> Any:
        if name != "metadata":
            return value
        return anywhere(value, lambda v: int(v) if isinstance(v, float) and v.is_integer() else v)


@breaks("test_metadata_comes_back_value_by_value_with_its_types")
class FifteenDigits(Rewriting):
    """Numbers in metadata keep 15 digits."""

    def value(self, name: str, value: Any) -> Any:
        if name != "metadata":
            return value
        return anywhere(value, lambda v: float(f"{v:.15g}") if isinstance(v, float) else v)


@breaks("test_metadata_comes_back_value_by_value_with_its_types")
class NullsAreLeftOut(Rewriting):
    """Empty values inside metadata are left out."""

    def value(self, name: str, value: Any) -> Any:
        def without(item: Any) -> Any:
            if isinstance(item, Mapping):
                return {key: without(inner) for key, inner in item.items() if inner is not None}
            return [without(inner) for inner in item] if isinstance(item, list | tuple) else item

        return without(value) if name == "metadata" else value


@breaks("test_metadata_of_64_kilobytes_and_16_levels_comes_back")
class SmallMetadata(Rewriting):
    """Metadata beyond 32 kilobytes is left out."""

    def value(self, name: str, value: Any) -> Any:
        return {} if name == "metadata" and len(str(value)) > 32_000 else value


@breaks("test_metadata_of_64_kilobytes_and_16_levels_comes_back")
class ShallowMetadata(Rewriting):
    """Metadata is cut at ten levels."""

    def value(self, name: str, value: Any) -> Any:
        def cut(item: Any, level: int) -> Any:
            if level > 10:
                return None
            if isinstance(item, Mapping):
                return {key: cut(inner, level + 1) for key, inner in item.items()}
            return [cut(inner, level + 1) for inner in item] if isinstance(item, list | tuple) else item

        return cut(value, 0) if name == "metadata" else value


# ------------------------------------------------------------------------------------ tags, numbers and times


@breaks("test_tags_may_hold_any_text_and_keep_their_order")
class SortsTags(Rewriting):
    """Tags are kept in the order of their names."""

    def value(self, name: str, value: Any) -> Any:
        return tuple(sorted(value)) if name == "tags" else value


@breaks("test_tags_may_hold_any_text_and_keep_their_order")
class JoinsTags(Rewriting):
    """Tags are kept joined by commas."""

    def value(self, name: str, value: Any) -> Any:
        return tuple(",".join(value).split(",")) if name == "tags" and value else value


@breaks("test_tags_may_hold_any_text_and_keep_their_order")
class StripsTags(Rewriting):
    """Spaces around a tag are lost."""

    def value(self, name: str, value: Any) -> Any:
        return tuple(tag.strip() for tag in value) if name == "tags" else value


@breaks("test_importance_and_strength_keep_their_bits")
class SinglePrecision(Rewriting):
    """Importance is kept in 32 bits."""

    def value(self, name: str, value: Any) -> Any:
        return float(np.float32(value)) if name == "importance" else value


@breaks("test_importance_and_strength_keep_their_bits")
class RoundedStrength(Rewriting):
    """The strength of a relationship keeps 15 digits."""

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, SetLink):
            strength = float(f"{operation.link.strength:.15g}")
            return replace(operation, link=replace(operation.link, strength=strength))
        return super().changed(operation)


@breaks("test_every_time_keeps_its_microseconds")
class WholeSeconds(Rewriting):
    """Records are created at whole seconds."""

    def value(self, name: str, value: Any) -> Any:
        return seconds(value) if name == "created_at" else value


@breaks("test_every_time_keeps_its_microseconds")
class ExpiryInMilliseconds(Rewriting):
    """Expiries keep milliseconds."""

    def value(self, name: str, value: Any) -> Any:
        if name == "expires_at" and value:
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
        return value


@breaks("test_every_time_keeps_its_microseconds")
class RecallsInSeconds(Rewriting):
    """Recalls are dated by the second."""

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, Touch):
            accesses = {id: (count, seconds(at)) for id, (count, at) in operation.accesses.items()}
            return replace(operation, accesses=accesses)  # type: ignore[arg-type]
        return super().changed(operation)


@breaks("test_every_time_keeps_its_microseconds")
class WritesInSeconds(MemoryStore):
    """The moment of a write is kept by the second."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        return await super()._write(operations, now.replace(microsecond=0))


# ----------------------------------------------------------------------------------------------------- names


def cut_short(name: str) -> type[MemoryStore]:
    """Stores that keep 255 characters of a field."""

    class Short(Rewriting):
        def record(self, record: Record) -> Record:
            if name == "id":
                return replace(record, id=record.id[:255])
            if hasattr(record.scope, name):
                value = getattr(record.scope, name)
                return replace(record, scope=replace(record.scope, **{name: value and value[:255]}))
            value = getattr(record, name)
            return replace(record, **{name: value and value[:255]})

    Short.__name__, Short.__doc__ = f"Short_{name}", f"255 characters of `{name}` are kept."
    return Short


for field in ("id", "kind", "category", "tier", "source", "user_id", "session_id", "namespace"):
    breaks("test_texts_of_256_characters_are_distinguished_by_the_last")(cut_short(field))
breaks("test_tenants_of_256_characters_are_distinguished_by_the_last")(cut_short("tenant_id"))


class Joined(dict[Any, Any]):
    """A table under keys that are joined or folded."""

    def __init__(self, join: Any) -> None:
        self.join = join

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.join(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self.join(key), value)

    def __contains__(self, key: Any) -> bool:
        return super().__contains__(self.join(key))

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self.join(key), default)

    def pop(self, key: Any, *default: Any) -> Any:
        return super().pop(self.join(key), *default)


def keyed(name: str, doc: str, join: Any) -> type[MemoryStore]:
    """Stores that find records under another key than tenant and id."""

    class Keyed(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self._state.ids = Joined(join)

    Keyed.__name__, Keyed.__doc__ = name, doc
    return Keyed


for sign in (":", "/", "\x1f"):
    breaks("test_names_with_separators_do_not_meet")(
        keyed(f"JoinedBy{ord(sign)}", "Tenant and id are joined in one key.", sign.join)
    )
for name, fold in {
    "Casefolded": str.casefold,
    "Composed": lambda text: unicodedata.normalize("NFC", text),
    "Trimmed": str.rstrip,
    "OneWidth": lambda text: unicodedata.normalize("NFKC", text),
}.items():
    breaks("test_ids_are_compared_exactly_by_every_call")(
        keyed(f"{name}Ids", "Ids that look alike meet.", lambda key, fold=fold: (key[0], fold(key[1])))
    )


# ------------------------------------------------------------------------------------------------ duplicates


def alike(name: str, doc: str, same: Any) -> type[MemoryStore]:
    """Stores that take a record for a duplicate of one that is only like it."""

    class Alike(Rewriting):
        def record(self, record: Record) -> Record:
            for row in self._state.rows.values():
                if row.record.scope == record.scope and same(row.record) == same(record):
                    return replace(record, content=row.record.content, tags=row.record.tags)
            return record

        async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
            return await super()._duplicates([self.changed(insert) for insert in inserts], now)  # type: ignore[misc]

    Alike.__name__, Alike.__doc__ = name, doc
    return Alike


for name, same in {
    "DuplicatesWithoutCase": lambda r: (r.content.casefold(), r.tags),
    "DuplicatesWithoutSpaces": lambda r: (" ".join(r.content.split()), r.tags),
    "DuplicatesOfOneComposition": lambda r: (unicodedata.normalize("NFC", r.content), r.tags),
    "DuplicatesOfSortedTags": lambda r: (r.content, sorted(r.tags)),
}.items():
    breaks("test_a_duplicate_is_the_same_to_the_byte")(
        alike(name, "Records only alike are duplicates.", same)
    )


# -------------------------------------------------------------------------------------- deletes, and batches


@breaks("test_no_ids_are_not_all_ids")
class NoIdsAreAllIds(Rewriting):
    """`Delete(ids=())` deletes the whole scope."""

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, Delete):
            return replace(operation, ids=operation.ids or None)
        return super().changed(operation)


@breaks("test_ids_are_compared_exactly_by_every_call")
class DeletesWithoutCase(Rewriting):
    """Ids to delete are compared without case."""

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, Delete) and operation.ids:
            folded = {id.casefold() for id in operation.ids}
            ids = [row.record.id for row in self._state.rows.values() if row.record.id.casefold() in folded]
            return replace(operation, ids=tuple(ids))
        return super().changed(operation)


@breaks("test_an_id_asked_twice_is_removed_once")
class TellsTwiceWhatWasRemoved(MemoryStore):
    """An id asked twice is told twice."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        results = await super()._write(operations, now)
        for place, operation in enumerate(operations):
            if isinstance(operation, Delete) and operation.ids:
                results[place] = [id for id in operation.ids if id in results[place]]
        return results


@breaks("test_pages_counts_and_batches_may_be_large")
class DeletesAThousand(Rewriting):
    """At most 1,000 ids are deleted at once."""

    plenty = 2_100

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, Delete) and operation.ids:
            return replace(operation, ids=operation.ids[:1000])
        return super().changed(operation)


@breaks("test_pages_counts_and_batches_may_be_large")
class WritesAThousand(MemoryStore):
    """At most 1,000 operations are carried out at once."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        return await super()._write(operations[:1_000], now)


@breaks("test_a_failing_last_operation_leaves_nothing")
class WritesInPieces(MemoryStore):
    """Each operation is a transaction of its own."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        return [(await MemoryStore._write(self, [one], now))[0] for one in operations]


@breaks("test_arguments_are_not_modified")
class EmptiesWhatIsHandedIn(MemoryStore):
    """Metadata handed in is emptied after it was stored."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        results = await super()._write(operations, now)
        for operation in operations:
            if isinstance(operation, Update) and isinstance(operation.changes.get("metadata"), dict):
                operation.changes["metadata"].clear()
        return results


@breaks("test_arguments_are_not_modified")
class ScalesWhatIsHandedIn(MemoryStore):
    """Vectors handed in are changed in place."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        results = await super()._write(operations, now)
        for operation in operations:
            if isinstance(operation, Insert) and operation.embedding is not None:
                operation.embedding.vectors[:] *= 0.5
        return results


# --------------------------------------------------------------------------------------------------- vectors


def without_spans(kind: type) -> type[MemoryStore]:
    """Stores that lose the passages of vectors which come with one kind of operation."""

    class Spanless(Rewriting):
        def changed(self, operation: Any) -> Operation:
            embedding: Embedding | None = getattr(operation, "embedding", None)
            if isinstance(operation, kind) and embedding is not None:
                return replace(operation, embedding=replace(embedding, spans=()))  # type: ignore[type-var]
            return super().changed(operation)

    Spanless.__name__, Spanless.__doc__ = f"Spanless{kind.__name__}", "The passages of vectors are lost."
    return Spanless


for kind in (Insert, Update, Embed):
    breaks("test_passages_come_back_however_their_vectors_came")(without_spans(kind))


@breaks("test_relationships_and_models_are_named_exactly")
class ModelsWithoutCase(Rewriting):
    """Models are told apart without case."""

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, Embed):
            embedding = replace(operation.embedding, model=operation.embedding.model.casefold())
            return replace(operation, embedding=embedding)
        return super().changed(operation)

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        return await super()._embeddings(scope, ids, model.casefold())


@breaks("test_relationships_and_models_are_named_exactly")
class KindsWithoutCase(Rewriting):
    """Kinds of relationships are told apart without case."""

    def changed(self, operation: Any) -> Operation:
        if isinstance(operation, SetLink):
            return replace(operation, link=replace(operation.link, kind=operation.link.kind.casefold()))
        return super().changed(operation)
