"""Types of the values sent: one type for all integers, so that a statement is prepared once, not once per width."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import adapters
from psycopg.adapt import AdaptersMap, Buffer, Dumper, Loader, PyFormat
from psycopg.pq import Format
from psycopg.types.numeric import (
    Int8,
    Int8BinaryDumper,
    Int8Dumper,
    IntNumeric,
    IntNumericBinaryDumper,
    IntNumericDumper,
)

__all__ = ["ADAPTERS", "FIRST", "LAST", "Raw"]

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
"""What times outside the years 1 to 9999, such as `infinity`, are read as."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Raw(bytes):
    """A value in the binary form of the type that the statement casts it to."""


class _Raw(Dumper):
    format = Format.BINARY

    def dump(self, obj: Raw) -> Buffer | None:
        return bytes(obj)


class _Whole(Dumper):
    """Integers are sent as `bigint`, larger ones as `numeric`."""

    _text = Int8Dumper(Int8)
    _binary = Int8BinaryDumper(Int8)
    _large = IntNumericDumper(IntNumeric)
    _large_binary = IntNumericBinaryDumper(IntNumeric)

    def dump(self, obj: Any) -> Buffer | None:
        raise TypeError(f"{obj!r} was not dispatched")

    def get_key(self, obj: int, format: PyFormat) -> type:
        return self.upgrade(obj, format).cls

    def upgrade(self, obj: int, format: PyFormat) -> Dumper:
        fits, text = -(2**63) <= obj < 2**63, format is PyFormat.TEXT
        if fits:
            return self._text if text else self._binary
        return self._large if text else self._large_binary


class _WholeBinary(_Whole):
    format = Format.BINARY


class _Moment(Loader):
    """Times are returned in UTC, whatever the session's time zone. Those outside the years 1 to 9999, which memwell
    does not write, become `FIRST` or `LAST`, so that the other memories can be read.
    """

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        micros = int.from_bytes(data, "big", signed=True)
        try:
            return _EPOCH + timedelta(microseconds=micros)
        except OverflowError:
            return FIRST if micros < 0 else LAST


class _Json(Loader):
    """`jsonb` with a short way for what most records hold: nothing."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        body = bytes(data)[1:]  # after the number of the form
        if body == b"{}":
            return {}
        return [] if body == b"[]" else json.loads(body.decode())


def _adapters() -> AdaptersMap:
    found = AdaptersMap(adapters)
    found.register_dumper(int, _WholeBinary)
    found.register_dumper(int, _Whole)
    found.register_dumper(Raw, _Raw)
    found.register_loader("timestamptz", _Moment)
    found.register_loader("jsonb", _Json)
    return found


ADAPTERS: Final = _adapters()
"""The adapters of all connections."""
