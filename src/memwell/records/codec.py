"""Values to JSON and back, for stores, exports and edges. Pure.

Times are ISO 8601 text in UTC here; stores that keep them as numbers use microseconds since the epoch
(`to_micros`). Vectors are base64 of little-endian float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from memwell import ports
from memwell.errors import Corrupt
from memwell.fields import FIELDS, SCOPE, named
from memwell.filters import instant
from memwell.frozen import EMPTY, FrozenDict, freeze
from memwell.records.compiled import json_of, values_of
from memwell.sealed import identity, mark_of
from memwell.types import Link, Record, Scope, Version

if TYPE_CHECKING:
    from memwell.ports import Embedding, Insert

__all__ = [
    "digest",
    "digest_of",
    "dumps",
    "embedding_from_json",
    "embedding_to_json",
    "from_micros",
    "json_mapping",
    "link_from_json",
    "link_to_json",
    "loads",
    "record_from_json",
    "record_to_json",
    "record_to_text",
    "scope_to_json",
    "to_micros",
    "version_from_json",
    "version_to_json",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ordered = json.JSONEncoder(sort_keys=True)
_mappings = json.JSONDecoder(object_hook=FrozenDict)


def dumps(value: Any) -> str:
    """Compact JSON text, unicode kept, NaN and infinity refused."""
    return _encoder.encode(value)


def loads(text: str) -> Any:
    """JSON text to values. Raises `Corrupt` for anything else."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise Corrupt(f"stored text is not JSON: {error}; run `memwell doctor`") from error


def json_mapping(text: str) -> FrozenDict:
    """JSON text of a mapping, read-only. Raises `Corrupt` for anything else."""
    if text == "{}":
        return EMPTY
    try:
        found = json.loads(text) if "[" in text else _mappings.decode(text)
        frozen = freeze(found)
    except (ValueError, TypeError, RecursionError) as error:
        raise Corrupt(f"stored text is not JSON: {error}; run `memwell doctor`") from error
    if not isinstance(frozen, FrozenDict):
        raise Corrupt(f"metadata is stored as {type(found).__name__}")
    return frozen


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(1024)
def from_micros(micros: int) -> datetime:
    """The instant in UTC, exactly. Records of one call have the same, so the latest are kept."""
    return _EPOCH + timedelta(0, 0, micros)


@cache
def _digested() -> Callable[[Record], tuple[str | None, ...]]:
    return values_of(
        named(digest=True),
        {
            "content": "identity(value)",
            "count": "str(value)",
            "metadata": "(mark_of(value) or ordered(value)) if value else None",
            "share": "repr(value)",
            "tags": "dumps(value) if value else None",
            "time": "value.isoformat()",
        },
        {"dumps": dumps, "identity": identity, "mark_of": mark_of, "ordered": _ordered.encode},
    )


_FIRST: Final = named(digest=True).index("tags")
"""How many short texts, the same in many records, a digest begins with."""


def digest(record: Record) -> int:
    """64 signed bits that name what makes two records exact duplicates: BLAKE2b over the length-framed parts."""
    parts = _digested()(record)
    end = len(parts)
    while parts[end - 1] is None:  # fields that were added later, and that this record does not have
        end -= 1
    framed = _beginning(parts[:_FIRST]) + _framed(parts[_FIRST:end])
    return int.from_bytes(hashlib.blake2b(framed.encode(), digest_size=8).digest(), "big", signed=True)


def _framed(parts: Sequence[str | None]) -> str:
    return "\0".join(["-" if part is None else f"{len(part)}:{part}" for part in parts])


@lru_cache(1024)
def _beginning(parts: tuple[str | None, ...]) -> str:
    return _framed(parts) + "\0"


def digest_of(insert: Insert) -> int:
    """The digest of an insert's record; computed here unless the insert carries it."""
    return digest(insert.record) if insert.digest is None else insert.digest


_JSON: Final = [f.name for f in fields(Record) if f.name in FIELDS]
_PLAIN: Final = [n for n in _JSON if FIELDS[n].type in ("text", "content", "share", "count")]
_TIMES: Final = [n for n in _JSON if FIELDS[n].type == "time"]


_OTHER: Final = [n for n in _JSON if n not in (*_PLAIN, *_TIMES) and FIELDS[n].type != "flag"]
_WRITTEN: Final = (*_PLAIN, *SCOPE, *_TIMES, *_OTHER)


@cache
def _values() -> Callable[[Record], tuple[Any, ...]]:
    return values_of(
        _WRITTEN,
        {
            "links": "[link_to_json(link) for link in value]",
            "metadata": "dict(value)",
            "tags": "list(value)",
            "time": "value.isoformat()",
        },
        {"link_to_json": lambda link: link_to_json(link)},
    )


def record_to_json(record: Record) -> dict[str, Any]:
    """Every field of a record as JSON values, absent ones left out."""
    values = zip(_WRITTEN, _values()(record), strict=True)
    return {name: value for name, value in values if value is not None}


def record_to_text(record: Record) -> str:
    """`dumps(record_to_json(record))`, in half the time."""
    return _text_of()(record)


@cache
def _text_of() -> Callable[[Record], str]:
    return json_of(
        _WRITTEN,
        {
            "content": "quote(value)",
            "count": "str(value)",
            "links": "dumps([link_to_json(link) for link in value]) if value else '[]'",
            "metadata": "dumps(value) if value else '{}'",
            "share": "repr(value)",
            "tags": "dumps(value) if value else '[]'",
            "text": "quote(value)",
            "time": "quote(value.isoformat())",
        },
        {
            "dumps": dumps,
            "link_to_json": lambda link: link_to_json(link),
            "quote": json.encoder.encode_basestring,
        },
    )


def record_from_json(data: Mapping[str, Any]) -> Record:
    """The inverse of `record_to_json`. Raises `Corrupt` when a field is missing or has the wrong form."""
    try:
        values: dict[str, Any] = {name: data[name] for name in _PLAIN if name in data}
        values.update({name: _moment(data[name]) for name in _TIMES if name in data})
        record = Record(
            scope=Scope(**{name: data[name] for name in SCOPE if name in data}),
            metadata=dict(data.get("metadata", {})),
            tags=_tags(data.get("tags", [])),
            links=tuple(link_from_json(link) for link in data.get("links", ())),
            **values,
        )
        from memwell.records.faults import faults

        found = faults(record)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise Corrupt(f"not a record of memwell: {error!r}") from error
    if found:
        raise Corrupt(f"not a record of memwell: {'; '.join(found)}")
    return record


def scope_to_json(scope: Scope) -> dict[str, str | None]:
    """Every part of a scope, `None` for those that are absent."""
    return {name: getattr(scope, name) for name in SCOPE}


def version_to_json(version: Version) -> dict[str, Any]:
    """A version with its record; the links of old versions are not kept."""
    record = record_to_json(version.record) | {"links": []}
    return {"record": record, "changed_at": version.changed_at.isoformat(), "changed": list(version.changed)}


def version_from_json(data: Mapping[str, Any]) -> Version:
    """The inverse of `version_to_json`."""
    try:
        return Version(
            record=record_from_json(data["record"]),
            changed_at=_moment(data["changed_at"]),
            changed=tuple(data["changed"]),
        )
    except (KeyError, TypeError) as error:
        raise Corrupt(f"not a version of memwell: {error!r}") from error


def embedding_to_json(embedding: Embedding) -> dict[str, Any]:
    """Vectors as base64 float32 with their shape."""
    import base64

    raw = embedding.vectors.astype("<f4").tobytes()
    rows, dimension = embedding.vectors.shape
    return {
        "model": embedding.model,
        "shape": [rows, dimension],
        "spans": [list(span) for span in embedding.spans],
        "float32": base64.b64encode(raw).decode("ascii"),
    }


def embedding_from_json(data: Mapping[str, Any]) -> Embedding:
    """The inverse of `embedding_to_json`. Needs numpy."""
    import base64

    import numpy as np

    try:
        rows, dimension = (_whole(size) for size in data["shape"])
        if not rows or not dimension:
            raise ValueError("there are none")
        flat = np.frombuffer(base64.b64decode(data["float32"], validate=True), dtype="<f4")
        vectors = flat.reshape(rows, dimension).astype(np.float32)
        spans = tuple((_whole(a), _whole(b)) for a, b in data["spans"])
        return ports.Embedding(model=data["model"], vectors=vectors, spans=spans)
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(f"not vectors of memwell: {error!r}") from error


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError(f"not a whole number of 0 or more: {number!r}")
    return number


def _tags(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise TypeError(f"tags are a list, not {type(found).__name__}")
    return tuple(found)


def _moment(text: Any) -> datetime:
    moment = instant(text)
    if moment is None:
        raise Corrupt(f"not a time: {text!r}")
    return moment


def link_to_json(link: Link) -> dict[str, Any]:
    """A relationship for an export."""
    found: dict[str, Any] = {"target": link.target, "kind": link.kind, "strength": link.strength}
    if link.created_at:
        found["created_at"] = link.created_at.isoformat()
    return found


def link_from_json(data: Mapping[str, Any]) -> Link:
    """A relationship from an export."""
    created = data.get("created_at")
    return Link(
        target=data["target"],
        kind=data["kind"],
        strength=data["strength"],
        created_at=_moment(created) if created else None,
    )
