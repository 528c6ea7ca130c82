"""Encodes operations of a store as bytes and back, so that a log can store them until they are replayed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from memwell.errors import Corrupt
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.records.codec import (
    dumps,
    embedding_from_json,
    embedding_to_json,
    link_from_json,
    loads,
    record_from_json,
    record_to_json,
    scope_to_json,
    version_from_json,
    version_to_json,
)
from memwell.types import Link, Scope

__all__ = ["pack", "unpack"]


def pack(operations: Sequence[Operation], now: datetime) -> bytes:
    """The operations of one write and its moment."""
    packed = [[type(operation).__name__, _packed(operation)] for operation in operations]
    return dumps({"now": now.isoformat(), "operations": packed}).encode()


def unpack(data: bytes) -> tuple[list[Operation], datetime]:
    """The inverse of `pack`. Raises `Corrupt` for anything else."""
    try:
        found = loads(data.decode())
        operations = [_MADE[kind](fields) for kind, fields in found["operations"]]
        return operations, datetime.fromisoformat(found["now"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"not a write of memwell: {error!r}") from error


def _packed(operation: Operation) -> dict[str, Any]:
    """The fields of an operation as JSON values."""
    names = [name for name in type(operation).__dataclass_fields__ if name != "digest"]  # computed again
    return {name: _plain(name, getattr(operation, name)) for name in names}


def _plain(name: str, value: Any) -> Any:
    if name == "record":
        return record_to_json(value)
    if name == "past":
        return [version_to_json(version) for version in value]
    if isinstance(value, Embedding):
        return embedding_to_json(value)
    if isinstance(value, Scope):
        return scope_to_json(value)
    if isinstance(value, Link):
        since = value.created_at.isoformat() if value.created_at else None
        return {"target": value.target, "kind": value.kind, "strength": value.strength, "created_at": since}
    return _value(value)


def _value(value: Any) -> Any:
    """A value with datetimes, tuples and mappings marked, to distinguish them from text and lists."""
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    if isinstance(value, Mapping):
        return {"map": [[key, _value(each)] for key, each in value.items()]}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_value(each) for each in value]}
    return value


def _real(value: Any) -> Any:
    """The inverse of `_value`."""
    if not isinstance(value, dict):
        return value
    ((kind, inside),) = value.items()
    if kind == "at":
        return datetime.fromisoformat(inside)
    if kind == "map":
        return {key: _real(each) for key, each in inside}
    found = [_real(each) for each in inside]
    return tuple(found) if kind == "tuple" else found


def _embedding(found: Any) -> Embedding | None:
    return None if found is None else embedding_from_json(found)


def _insert(found: dict[str, Any]) -> Insert:
    return Insert(
        record=record_from_json(found["record"]),
        embedding=_embedding(found["embedding"]),
        named=found["named"],
        dated=found["dated"],
        past=tuple(version_from_json(version) for version in found["past"]),
        overwrite=_real(found["overwrite"]) if "overwrite" in found else (),
    )


def _update(found: dict[str, Any]) -> Update:
    return Update(
        scope=Scope(**found["scope"]),
        id=found["id"],
        changes=_real(found["changes"]),
        embedding=_embedding(found["embedding"]),
        expected_version=found["expected_version"],
    )


def _delete(found: dict[str, Any]) -> Delete:
    return Delete(scope=Scope(**found["scope"]), ids=_real(found["ids"]), where=_real(found["where"]))


def _set_link(found: dict[str, Any]) -> SetLink:
    return SetLink(scope=Scope(**found["scope"]), source=found["source"], link=link_from_json(found["link"]))


def _unlink(found: dict[str, Any]) -> Unlink:
    return Unlink(**(found | {"scope": Scope(**found["scope"])}))


def _touch(found: dict[str, Any]) -> Touch:
    return Touch(tenant_id=found["tenant_id"], accesses=_real(found["accesses"]))


def _embed(found: dict[str, Any]) -> Embed:
    return Embed(**(found | {"embedding": embedding_from_json(found["embedding"])}))


def _recode(found: dict[str, Any]) -> Recode:
    return Recode(**(found | {"forms": _real(found["forms"])}))


_MADE: Final[Mapping[str, Callable[[dict[str, Any]], Operation]]] = {
    "Insert": _insert,
    "Update": _update,
    "Delete": _delete,
    "SetLink": _set_link,
    "Unlink": _unlink,
    "Touch": _touch,
    "Embed": _embed,
    "Recode": _recode,
}
