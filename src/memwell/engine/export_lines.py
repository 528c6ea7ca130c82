"""The lines of an export, checked: whatever could not have been stored here is `Corrupt`, with line and reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Final, Protocol

from memwell._dataclasses import dataclass
from memwell.engine.validation import LIMITS, check_id, check_link, check_stored, scope_of
from memwell.errors import Corrupt, InvalidInput
from memwell.ports import Embed, Embedding, Insert, Operation
from memwell.records.codec import embedding_from_json, link_from_json, record_from_json, version_from_json
from memwell.types import Link, Record, Scope, Version

__all__ = ["Line", "Links", "Memory", "Opened", "line_of"]

_COUNTS: Final = ("version", "access_count", "reinforced")
_FIELDS: Final = frozenset(field.name for field in fields(Record))
_COUNT_LIMIT: Final = 10**9
"""More versions, recalls or repetitions than any memory has: room for the next ones stays in 64 bits."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory as it was exported."""

    record: Record
    past: tuple[Version, ...]
    embeddings: tuple[Embedding, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and id."""
        return self.record.scope.tenant_id, self.record.id

    def operations(self) -> Iterator[Operation]:
        """What stores it."""
        first, *more = self.embeddings or (None,)
        yield Insert(record=self.record, embedding=first, named=True, dated=True, past=self.past)
        tenant, record = self.record.scope.tenant_id, self.record
        for embedding in filter(None, more):
            yield Embed(tenant_id=tenant, id=record.id, content=record.content, embedding=embedding)


@dataclass(frozen=True, slots=True)
class Links:
    """The relationships that leave one memory."""

    scope: Scope
    source: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """What one line holds."""

    memory: Memory | None
    links: tuple[Links, ...]


class Opened(Protocol):
    """Decrypts what an encrypted export holds."""

    def record(self, record: Record) -> Record:
        """A record or an older version."""
        ...

    def embedding(self, record: Record, embedding: Embedding) -> Embedding:
        """Vectors of a record, given as it was exported."""
        ...


def line_of(value: Mapping[str, Any], opened: Opened | None = None) -> Line:
    """A line of an export but the first and the last. Raises `Corrupt` with the reason."""
    if not {"record", "links"} & value.keys():
        raise Corrupt("it holds neither a memory nor relationships")
    try:
        memory = _memory(value, opened) if "record" in value else None
        return Line(memory, tuple(_links(value.get("links", ()))))
    except Corrupt as error:
        raise Corrupt(error.message) from error
    except InvalidInput as error:
        raise Corrupt(error.message) from error
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise Corrupt(f"it is not what an export holds: {error!r:.200}") from error


def _memory(value: Mapping[str, Any], opened: Opened | None) -> Memory:
    exported = record_from_json(value["record"])
    record = _checked(opened.record(exported) if opened else exported)
    versions = map(version_from_json, value.get("past", ()))
    past = tuple(replace(v, record=opened.record(v.record)) if opened else v for v in versions)
    before = 0
    for version in past:
        old = _checked(version.record)
        if (old.id, old.scope) != (record.id, record.scope) or not before < old.version < record.version:
            raise InvalidInput(f"the past of {record.id!r} is not its own, or not in order")
        if not all(isinstance(name, str) and name in _FIELDS for name in version.changed):
            raise InvalidInput(f"the past of {record.id!r} names fields that a memory does not have")
        before = old.version
    embeddings = tuple(embedding_from_json(found) for found in value.get("vectors", ()))
    if opened:
        embeddings = tuple(opened.embedding(exported, embedding) for embedding in embeddings)
    if len({embedding.model for embedding in embeddings}) < len(embeddings):
        raise InvalidInput(f"{record.id!r} has vectors of one model twice")
    for embedding in embeddings:
        _check_vectors(embedding, record)
    return Memory(record, past, embeddings)


def _checked(record: Record) -> Record:
    """The record within the limits of `remember`."""
    for name in _COUNTS:
        count, least = getattr(record, name), int(name == "version")
        if type(count) is not int or not least <= count <= _COUNT_LIMIT:
            raise InvalidInput(
                f"{name} of {record.id!r} is not a whole number from {least} to {_COUNT_LIMIT:,}"
            )
    return replace(check_stored(record), links=())


def _check_vectors(embedding: Embedding, record: Record) -> None:
    """Rows of unit length, one for each passage of the content, under a proper model name."""
    import numpy as np

    model, vectors = embedding.model, embedding.vectors
    if (
        not isinstance(model, str)
        or not model.strip()
        or len(model) > LIMITS["text"]
        or not model.isprintable()
    ):
        raise InvalidInput(f"{model!r:.100} is not the name of an embedding model")
    squares = np.einsum("ij,ij->i", vectors, vectors)
    unit = bool((((squares > 0.98) & (squares < 1.02)) | (squares == 0)).all())
    length = len(record.content)
    spans = embedding.spans or ((0, length),)
    inside = all(0 <= start < end <= length for start, end in spans)
    if not (unit and inside and len(spans) == len(squares)):
        raise InvalidInput(f"the vectors of {record.id!r} do not fit its content")


def _links(rows: Any) -> Iterator[Links]:
    for tenant_id, source, raw in rows:
        links = tuple(link_from_json(link) for link in raw)
        for link in links:
            check_link(link.kind, link.strength)
            if check_id(link.target) == source:
                raise InvalidInput(f"{source!r} is related to itself")
        yield Links(scope_of(tenant_id), check_id(source), links)
