"""Metadata as callers give it, checked against the limits and turned into read-only JSON values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from memwell.errors import InvalidInput, shown
from memwell.fields import LIMITS
from memwell.filters import instant
from memwell.frozen import FrozenDict, FrozenList
from memwell.records.codec import dumps

__all__ = ["check_metadata", "encoded"]


def check_metadata(metadata: Mapping[str, Any], *, dots: bool = False) -> FrozenDict:
    """Metadata as read-only JSON values of our own: datetimes as ISO 8601 text in UTC, tuples as lists.

    A key with a dot is refused unless `dots`: `service.name` in a filter means the key `name` inside `service`.
    """
    if not isinstance(metadata, Mapping):
        raise InvalidInput(f"metadata is a mapping, not {type(metadata).__name__}")
    plain: FrozenDict = _Metadata(dots=dots).plain(metadata, 1)
    size = len(encoded("metadata", dumps(plain)))
    if size > LIMITS["metadata_bytes"]:
        limit = LIMITS["metadata_bytes"]
        raise InvalidInput(
            f"metadata has {size:,} bytes as JSON, the limit is {limit:,}; put long texts into content"
        )
    return plain


class _Metadata:
    """One metadata being copied, and how many values it has so far: a list that holds another one many times is small
    in memory and large as JSON.
    """

    __slots__ = ("_dots", "_values")

    def __init__(self, *, dots: bool) -> None:
        self._dots, self._values = dots, 0

    def plain(self, value: Any, depth: int) -> Any:
        self._values += 1
        if self._values > LIMITS["metadata_bytes"]:
            limit = LIMITS["metadata_bytes"]
            raise InvalidInput(f"metadata has more than {limit:,} bytes as JSON; put long texts into content")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            encoded("metadata text", value)
            return value
        if isinstance(value, int | float):
            return _number(value)
        if isinstance(value, date):
            return _time(value)
        if depth > LIMITS["metadata_depth"]:
            raise InvalidInput(f"metadata nests deeper than {LIMITS['metadata_depth']} levels")
        if isinstance(value, Mapping):
            return FrozenDict([(self._key(key), self.plain(item, depth + 1)) for key, item in value.items()])
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
            return FrozenList([self.plain(item, depth + 1) for item in value])
        raise InvalidInput(f"metadata holds a {type(value).__name__}; JSON values and datetimes are taken")

    def _key(self, key: object) -> str:
        if not isinstance(key, str) or not key or '"' in key:
            raise InvalidInput(f"a metadata key is a non-empty text without quotes, not {shown(key)}")
        if "." in key and not self._dots:
            raise InvalidInput(
                f"the metadata key {shown(key)} holds a dot, with which filters name nested keys;"
                f" nest it ({_nested(key)}) or write it with another character, such as _"
            )
        encoded("metadata key", key)
        return key


def _time(value: date) -> str:
    moment = instant(value)
    if moment is None:
        raise InvalidInput(f"metadata holds {shown(value)}, which is no time from the year 1 to 9999 in UTC")
    return moment.isoformat()


def _nested(key: str) -> str:
    first, _, rest = key[:40].partition(".")
    return f"{{{first!r}: {{{rest!r}: …}}}}"


def _number(value: float) -> float:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidInput("metadata holds an integer beyond 64 bits; give it as text")
        return int(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidInput("metadata holds NaN or infinity, which JSON does not know")
    return float(value)


def encoded(name: str, text: str) -> bytes:
    """A text as UTF-8. Raises `InvalidInput` for one that some store cannot keep."""
    if "\0" in text:
        raise InvalidInput(f"{name} holds a NUL character, which some stores cannot keep; remove it")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name} holds a lone surrogate and is not valid unicode; repair the text"
        ) from error
