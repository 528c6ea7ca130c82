"""Builds a record of the Redis store from its row, links and accesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from memwell.backends.redis.store.rows import Row, links_of
from memwell.records.codec import dumps, from_micros, loads, to_micros, version_to_json
from memwell.records.revisions import stored_version
from memwell.types import Record, Version

__all__ = ["access_of", "access_text", "alive", "history_field", "past_of", "record_of", "version_text"]


def record_of(row: Row, links: bytes | None, access: bytes | None) -> Record:
    """The record of a row, with its links and accesses."""
    count, last = access_of(access)
    return replace(
        row.record,
        links=links_of(links),
        access_count=count,
        last_accessed_at=last,
        embedded=bool(row.models),
    )


def alive(record: Record, now: datetime) -> bool:
    """Whether a record has not expired."""
    return record.expires_at is None or record.expires_at > now


def access_of(text: bytes | None) -> tuple[int, datetime | None]:
    """How often and when last a record was recalled."""
    if text is None:
        return 0, None
    count, at = loads(text.decode())
    return count, from_micros(at)


def history_field(name: bytes, number: int) -> bytes:
    """The field of an older version."""
    return b"%s\0%d" % (name, number)


def past_of(texts: Sequence[bytes | None], id: str) -> list[Version]:
    """Older versions, of those texts that are there. Raises `Corrupt` naming the first that cannot be read."""
    return [
        stored_version(partial(_mapping, text), number, id, part="redis")
        for number, text in enumerate(texts, 1)
        if text is not None
    ]


def _mapping(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = loads(text.decode())
    return found


def access_text(count: int, at: datetime) -> bytes:
    """The inverse of `access_of`."""
    return dumps([count, to_micros(at)]).encode()


def version_text(version: Version) -> bytes:
    """An older version as it is stored."""
    return dumps(version_to_json(version)).encode()
