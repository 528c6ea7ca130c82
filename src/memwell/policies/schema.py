"""The keys of every section of a policies file, and what each takes. Pure.

A check takes the key and the value and returns what is kept, or raises `InvalidInput` with the key in the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, get_args

from memwell.errors import InvalidInput, shown
from memwell.policies import model
from memwell.policies.conditions import AMOUNTS, WORDS, interval_of, words_of
from memwell.policies.durations import duration, seconds

__all__ = ["LISTS", "REQUIRED", "SECTIONS", "Check"]

Check: TypeAlias = Callable[[str, Any], Any]


def _count(key: str, value: Any, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{key} is a whole number of at least {least}, not {shown(value)}")
    return value


def _share(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(f"{key} is a number of 0..1, not {shown(value)}")
    return float(value)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{key} is a number, not {shown(value)}")
    return float(value)


def _days(key: str, value: Any) -> float:
    return _seconds(key, value) / 86_400.0


def _seconds(key: str, value: Any) -> float:
    try:
        found = seconds(value)
    except InvalidInput as error:
        raise InvalidInput(f"{key}: {error.message}") from error
    if not found:
        raise InvalidInput(f"{key} is longer than nothing")
    return found


def _name(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 256:
        raise InvalidInput(f"{key} is a text of 1 to 256 characters, not {shown(value)}")
    return value


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"{key} is true or false, not {shown(value)}")
    return value


def _choice(kind: Any) -> Check:
    def check(key: str, value: Any) -> Any:
        if value not in get_args(kind):
            raise InvalidInput(f"{key} is {' or '.join(get_args(kind))}, not {shown(value)}")
        return value

    return check


def _texts(key: str, value: Any) -> tuple[str, ...]:
    return tuple(sorted(words_of(key, value)))


def _mapping(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{key} is a table, not {shown(value)}")
    return value


def _shares(key: str, value: Any) -> dict[str, float]:
    return {source: _share(f"{key}.{source}", trust) for source, trust in _mapping(key, value).items()}


def _scoring_rules(key: str, value: Any) -> Any:
    """A list of tables; each is checked like a section."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        raise InvalidInput(f"{key} is a list of tables, [[scoring.{key}]], not {shown(value)}")
    return value


_CONDITION: Final[Mapping[str, Check]] = {
    **dict.fromkeys(AMOUNTS, interval_of),
    **dict.fromkeys((*WORDS, "tags"), words_of),
}
_AT_WRITE: Final = {key: check for key, check in _CONDITION.items() if key not in ("uses", "age", "idle")}
_RULE: Final[Mapping[str, Check]] = {"name": _name, "tier": words_of, **_CONDITION}
_MOVE: Final[Mapping[str, Check]] = {"name": _name, "from": words_of, "to": _name, **_CONDITION}

SECTIONS: Final[Mapping[str, Mapping[str, Check]]] = {
    "tier": {
        "name": _name,
        **dict.fromkeys(("capacity", "tokens", "bytes"), _count),
        "ttl": _seconds,
        "expiry": _seconds,
        "evict": _choice(model.Evict),
        "overflow": _choice(model.Overflow),
    },
    "write": {"name": _name, "tier": _name, **_AT_WRITE},
    "migrate": _MOVE,
    "promote": _MOVE,
    "expire": {**_RULE, "grace": _seconds},
    "trim": {**_RULE, "characters": _count, "method": _choice(model.Method)},
    "summarise": {
        **_RULE,
        "by": _choice(model.By),
        "at_least": _count,
        "characters": _count,
        "originals": _choice(model.Originals),
        "to": _name,
    },
    "deduplicate": {
        "exact": _flag,
        "words": _share,
        "vectors": _share,
        "tier": words_of,
        **dict.fromkeys((*WORDS, "tags"), words_of),
    },
    "decay": {"half_life": _seconds, "floor": _share, "every": _seconds},
    "scoring": {
        "strategy": _name,
        **dict.fromkeys(("recency", "importance", "frequency", "trust"), _number),
        "half_life": _days,
        "linear": _days,
        "sources": _shares,
        "boost": _scoring_rules,
    },
    "scoring.boost": {
        "name": _name,
        "points": _number,
        "topics": _texts,
        "entities": _texts,
        "older": lambda key, value: duration(_seconds(key, value)),
        "where": _mapping,
    },
}
"""Section → key → check."""
LISTS: Final = ("tier", "write", "migrate", "promote", "expire", "trim", "summarise")
"""Sections that are lists of rules; the others are one table each."""
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "tier": ("name",),
    "write": ("tier",),
    "migrate": ("from", "to"),
    "promote": ("from", "to"),
    "trim": ("characters",),
    "decay": ("half_life",),
    "scoring.boost": ("points",),
}
"""Section → keys that it cannot do without."""
