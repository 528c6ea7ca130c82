"""Memories in Memoric's shape, and its filters in memwell's."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from memwell.compat.labels import LEVELS, between, label_of
from memwell.compat.memoric.scoring import WRITE_WEIGHTS, ScoringEngine
from memwell.compat.shapes import metadata_of
from memwell.types import Record

__all__ = ["id_of", "new_id", "row_of", "shown_id", "where_of"]

_SUMMARIES = ("thread_summary", "summary")
_WRITE = ScoringEngine(weights=WRITE_WEIGHTS, decay_days=30)


def new_id() -> str:
    """The id of a new memory: a number of 53 bits, which JSON and JavaScript keep."""
    return str(secrets.randbelow(2**53 - 1) + 1)


def shown_id(id: str) -> int | str:
    """An id as Memoric shows it: those of its own memories are integers, others texts."""
    return int(id) if id.isascii() and id.isdecimal() and str(int(id)) == id else id


def id_of(id: int | str) -> str:
    """The id in memwell."""
    return str(id)


def row_of(record: Record, *, summarized: bool = False) -> dict[str, Any]:
    """A memory as `retrieve` gives it, without its `_score`."""
    metadata = metadata_of(record, "session_id", "namespace", "tier", "importance")
    metadata.setdefault("importance", label_of(record.importance))
    if record.kind == "summary":
        threads = metadata.get("summary_of", {}).get("by") == "session"
        metadata["kind"] = "thread_summary" if threads else "summary"
    if record.reinforced:
        metadata.setdefault("seen_count", record.reinforced)
    row = {
        "id": shown_id(record.id),
        "user_id": record.user_id,
        "namespace": record.namespace,
        "thread_id": record.session_id,
        "content": record.content,
        "tier": record.tier,
        "metadata": metadata,
        "related_threads": list(metadata.get("related_threads") or ()),
        "summarized": summarized,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }
    return {**row, "score": _WRITE.compute(row, now=record.updated_at)}


def where_of(metadata_filter: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """memwell's filter for memories whose metadata contain these: mappings at every level, lists as subsets."""
    conditions = list(_contained("", metadata_filter or {}))
    return {"$and": conditions} if conditions else None


def _contained(path: str, wanted: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for key, value in wanted.items():
        if not path and key in ("importance", "kind"):
            yield _named(key, value)
            continue
        name = f"{path}{key}" if path or key in ("category", "tags") else f"metadata.{key}"
        if isinstance(value, Mapping):
            yield from _contained(f"{name}.", value)
        elif isinstance(value, list | tuple):
            yield from ({name: {"$contains": item}} for item in value)
        else:
            yield {name: {"$eq": value}}


def _named(key: str, value: Any) -> dict[str, Any]:
    """What `row_of` shows among the metadata, and memwell has as a field."""
    if key == "kind":
        return {"kind": "summary"} if value in _SUMMARIES else {"metadata.kind": value}
    if isinstance(value, str) and value.lower() in LEVELS:
        return {"importance": between(value)}
    return {"importance": value}
