"""Entries that are appended with a write to an encrypted store: they are made of results before sealing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from memwell.errors import Corrupt, Unavailable
from memwell.ports import Append, Insert, Operation, Store, Update, call, declared
from memwell.security import sealing
from memwell.security.ciphers import Ciphers
from memwell.types import Record

__all__ = ["appending"]


async def appending(
    ciphers: Ciphers,
    inner: Store,
    operations: Sequence[Operation],
    prepared: Sequence[Operation],
    now: datetime,
) -> Append:
    """The append at the end of `operations`, for the store inside. In its transaction nothing can be read, so the keys
    of records that are updated are read before it.
    """
    append = operations[-1]
    assert isinstance(append, Append)
    for operation in operations:
        if isinstance(operation, Update):
            found = await call(inner, declared(Store.get), (operation.scope, [operation.id], now))
            await ciphers.opened(found)

    def entries(results: list[Any], newest: bytes | None) -> Sequence[bytes]:
        pairs = zip(operations, prepared, results, strict=False)
        return append.entries([_plain(ciphers, *pair) for pair in pairs], newest)

    return replace(append, entries=entries)


def _plain(ciphers: Ciphers, given: Operation, written: Operation, result: Any) -> Any:
    """A result as it was before it was sealed. An insert gives what it was given, or a record with the same text."""
    if isinstance(given, Insert) and isinstance(written, Insert):
        if result is written.record:
            return given.record
        return sealing.with_text(result, given.record.content, given.record.metadata)
    return _opened(ciphers, result) if isinstance(given, Update) else result


def _opened(ciphers: Ciphers, record: Record) -> Record:
    try:
        return sealing.opened(ciphers.last_known(record.scope.tenant_id), record)
    except (KeyError, Corrupt) as error:
        raise Unavailable(
            "the keys of the tenant were rotated at this moment; try again", part="encrypted", unsent=True
        ) from error
