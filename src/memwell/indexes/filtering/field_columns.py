"""The fields of a point as flat columns, which every service can store and compare.

A point keeps its fields twice: as one JSON text (`encoded`), which says exactly what they are, and as columns that
filters are pushed down to (`columns`, `memwell.indexes.filtering.pushdown`). Each point has every column, and each
column one type, so that no answer depends on what a service makes of a missing, null or oddly typed value:

- `f_user_id` and the other texts: the text, `-` when there is none, `-` and a hash when it is long or begins with `-`;
- `f_created_at` and the other times: microseconds since 1970; `f_importance`: the number; `ABSENT` when there is none;
- `f_tags`: the tags, as texts are; `-` alone when there are none;
- `f_metadata`: what can be asked of the metadata, as words such as `topic:text` and `topic="food`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

from memwell import filters
from memwell.errors import Corrupt, InvalidInput
from memwell.fields import named, of_type

__all__ = [
    "ABSENT",
    "COLUMNS",
    "LISTS",
    "MOST",
    "NOTHING",
    "NUMBERS",
    "TEXTS",
    "TIMES",
    "columns",
    "decoded",
    "encoded",
    "number",
    "plain",
    "text",
    "word",
]

Column: TypeAlias = "str | float | list[str]"

_INDEXED: Final = frozenset(named(indexed=True))
TIMES: Final = of_type("time") & _INDEXED
NUMBERS: Final = TIMES | (of_type("share", "count") & _INDEXED)
TEXTS: Final = of_type("text") & _INDEXED
LISTS: Final = of_type("tags", "metadata") & _INDEXED
COLUMNS: Final = tuple(f"f_{name}" for name in sorted(NUMBERS | TEXTS | LISTS))
"""Every column. Other fields are compared here, after the service has answered."""

MOST: Final = 2.0**53
"""The largest integer that 64-bit floats distinguish from its neighbours, in either direction."""
ABSENT: Final = -(2.0**54)
"""The number of a field that has none."""
ODD: Final = -(2.0**55)
"""The number of a field whose value is no number."""
NOTHING: Final = "-"
"""The text of a field that has none, and the only element of an empty list."""
LONGEST: Final = 200
"""Maximum length of a text that is stored unchanged; longer ones are hashed."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def encoded(fields: Mapping[str, Any]) -> str:
    """The fields as JSON, times as ISO 8601 text. Raises `InvalidInput` for what is not JSON."""
    try:
        return json.dumps(fields, default=plain, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the fields of a point are JSON: {error}") from error


def decoded(payload: Any) -> dict[str, Any]:
    """The inverse of `encoded`. Raises `Corrupt` for any other value."""
    try:
        found = json.loads(payload)
        found["metadata"]
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise Corrupt(
            "a point of the index has no fields of memwell; run `memwell repair` to rebuild it"
        ) from error
    return dict(found)


def columns(fields: Mapping[str, Any]) -> dict[str, Column]:
    """Every column of a point."""
    found: dict[str, Column] = {f"f_{name}": _text(fields.get(name)) for name in TEXTS}
    found |= {f"f_{name}": number(fields.get(name), time=name in TIMES) for name in NUMBERS}
    found["f_tags"] = sorted({_text(tag) for tag in fields.get("tags") or ()}) or [NOTHING]
    words = {text(each) for each in _words(fields["metadata"], "")}
    found["f_metadata"] = sorted(words) or [NOTHING]
    return found


def text(value: str) -> str:
    """A text as a column value: different for different texts, and never equal to `NOTHING`."""
    if value and len(value) <= LONGEST and not value.startswith(NOTHING):
        return value
    return NOTHING + hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def number(value: Any, *, time: bool) -> float:
    """A number or time as a column value: in the same order, and equal for all beyond `MOST`."""
    if value is None:
        return ABSENT
    if time:
        moment = filters.instant(value)
        return ABSENT if moment is None else _clamped((moment - _EPOCH) // timedelta(microseconds=1))
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return ODD
    return _clamped(value)


def word(path: Sequence[str], mark: str, value: Any = None) -> str:
    """What `f_metadata` says of a place in the metadata: its type (`:text`, `:number`, `:flag`, `:null`, `:list`,
    `:map`), its value (`=`) or an element of its list (`[]=`)."""
    name = ".".join(path)
    return text(f"{name}{mark}" if mark.startswith(":") else f"{name}{mark}{_code(value)}")


def _text(value: Any) -> str:
    if value is None:
        return NOTHING
    return text(value) if isinstance(value, str) else f"{NOTHING}?"


def _clamped(value: float) -> float:
    return float(min(max(value, -MOST), MOST))


def _words(metadata: Mapping[str, Any], before: str) -> Iterator[str]:
    """Words for all that a filter can reach: a key that is empty or has a dot is never named by one."""
    for key, value in metadata.items():
        if not key or "." in key:
            continue
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield f"{name}:map"
            yield from _words(value, f"{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield f"{name}:list"
            yield from (f"{name}[]={code}" for item in value if (code := _code(item)) is not None)
        else:
            yield f"{name}:{_type(value)}"
            yield f"{name}={_code(value)}"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, int | float) else "text"


def _code(value: Any) -> str | None:
    """A scalar as text; `1` and `1.0` are one, `"1"` and `true` are others. `None` for lists and mappings."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return f'"{value.isoformat()}'
    return f'"{value}' if isinstance(value, str) else None


def plain(value: Any) -> Any:
    """JSON for what filters know beyond JSON: any mapping, any sequence, times as ISO 8601 text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
