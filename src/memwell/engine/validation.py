"""What callers hand in, checked against the limits and turned into records. Pure: clock and ids are arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache, partial
from operator import attrgetter, is_not
from typing import Any, Final

from memwell import filters
from memwell.engine.metadata import check_metadata, encoded
from memwell.errors import InvalidInput, InvalidQuery, shown
from memwell.fields import FIELDS, LIMITS, SCOPE, Type, named, of_type
from memwell.filters import instant
from memwell.records.validity import check_validity
from memwell.sealed import is_sealed
from memwell.types import Link, NewMemory, Record, Scope, Where

__all__ = [
    "LIMITS",
    "Template",
    "check_changes",
    "check_content",
    "check_flag",
    "check_id",
    "check_link",
    "check_progress",
    "check_stored",
    "expiry_after",
    "moment_of",
    "scope_of",
    "true_at",
]


def scope_of(*parts: object) -> Scope:
    """A checked scope from its parts, in the order of `SCOPE`; no tenant means the default one."""
    found: Scope = _fields_of(*parts)["scope"]
    return found


def _fields_of(*texts: object) -> Mapping[str, Any]:
    """The scope of a record and its other fields from checked texts, in the order of `_TEXTS`, `None` for absent ones.
    Not to be changed: the same owner gets the same mapping.
    """
    return _recent_fields(*texts) if _PLAIN.issuperset(map(type, texts)) else _checked_fields(*texts)


_PLAIN: Final = frozenset({str, type(None)})
"""Types of texts whose fields are kept: the hash of anything else may raise."""


@lru_cache(maxsize=1024)
def _recent_fields(*texts: object) -> Mapping[str, Any]:
    return _checked_fields(*texts)


def _checked_fields(*texts: object) -> Mapping[str, Any]:
    given = {name: _short(name, text) for name, text in zip(_TEXTS, texts, strict=False) if text is not None}
    scope = Scope(**{name: given.pop(name) for name in SCOPE if name in given})
    return {"scope": scope, **given}


class Template:
    """What the records of one `remember` call have in common, checked once."""

    __slots__ = ("_fields", "_now", "_texts", "_variants", "_zone", "dated")

    def __init__(self, given: Any, now: datetime, *, embedded: bool, zone: tzinfo = UTC) -> None:
        """`given` has the fields of `NewMemory` and a tenant; `embedded`: vectors are going to be stored; `zone`: that
        of times without one.
        """
        self._now, self._zone, self._texts = now, zone, _texts(given)
        self._variants: dict[Any, Template] = {}
        self.dated = False
        times = {"created_at": now, "updated_at": now, "embedded": embedded}
        self._fields: dict[str, Any] = {**_fields_of(*self._texts), **times}
        self._take(_others(given))

    def over(self, item: NewMemory) -> Template:
        """The template of an item: its own fields over those of the call. Items that differ in id and content alone
        share one.
        """
        texts, others = _own_texts(item), _others(item)
        if any(map(is_not, others, _ABSENT)) or not _PLAIN.issuperset(map(type, texts)):
            return self._variant(texts, others)
        found = self._variants.get(texts)
        if found is None:
            found = self._variants[texts] = self._variant(texts, others)
        return found

    def _variant(self, texts: tuple[object, ...], others: Sequence[Any]) -> Template:
        tenant, *common = self._texts
        own = [mine if mine is not None else shared for mine, shared in zip(texts, common, strict=True)]
        found = object.__new__(Template)
        found._now, found._zone, found.dated = self._now, self._zone, self.dated
        found._texts, found._variants = (tenant, *own), {}
        found._fields = {**self._fields, **_fields_of(*found._texts)}
        found._take(others)
        return found

    def gives(self, name: str) -> bool:
        """Whether the caller gave this field."""
        return name in self._fields

    def record(self, content: object, id: str | None, new_id: Callable[[], str]) -> Record:
        """The record of one content, with the caller's id if there is one."""
        return check_validity(
            Record(
                id=new_id() if id is None else check_id(id), content=check_content(content), **self._fields
            )
        )

    def _take(self, others: Sequence[Any]) -> None:
        """Check and keep what is given in the order of `_OTHERS`."""
        if not any(map(is_not, others, _ABSENT)):
            return
        given = {name: value for name, value in zip(_OTHERS, others, strict=True) if value is not None}
        fields, placed = self._fields, _placed(given, self._zone)
        for name, value in placed.items():
            if name in _GIVEN:
                fields[name] = _GIVEN[name](value)
        if "created_at" in placed:
            self.dated = True
            fields["created_at"] = fields["updated_at"] = moment_of("created_at", placed["created_at"])
        if "ttl" in placed or "expires_at" in placed:
            fields["expires_at"] = _expiry(placed.get("ttl"), placed.get("expires_at"), self._now)


_TIMES: Final = of_type("time")
_TEXTS: Final = (
    *SCOPE,
    *(name for name in named(given=True, owner=False) if FIELDS[name].type == "text" and name != "id"),
)
"""The fields of a scope, and the others that are given as short texts."""
_OTHERS: Final = tuple(
    name for name in NewMemory.__dataclass_fields__ if name not in (*_TEXTS, "id", "content")
)
_ABSENT: Final = (None,) * len(_OTHERS)


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """The function that reads these fields; `None` for one that the class of the given object does not have."""

    @cache
    def of(kind: type) -> Callable[[Any], tuple[Any, ...]]:
        if all(hasattr(kind, name) for name in names):
            return attrgetter(*names)
        return lambda given: tuple([getattr(given, name, None) for name in names])

    return lambda given: of(given.__class__)(given)


_texts: Final = _reader(_TEXTS)
_own_texts: Final = _reader(_TEXTS[1:])
_others: Final = _reader(_OTHERS)


def check_changes(changes: Mapping[str, Any], now: datetime, zone: tzinfo = UTC) -> dict[str, Any]:
    """The fields of a change, checked and normalised; `None` clears those that a record may lack."""
    return {name: _changed(name, value, now) for name, value in _placed(changes, zone).items()}


def _placed(given: Mapping[str, Any], zone: tzinfo) -> Mapping[str, Any]:
    """The same with times without a zone as times of `zone`."""
    if zone is UTC:
        return given
    return {name: instant(value, zone) or value if name in _TIMES else value for name, value in given.items()}


def _changed(name: str, value: Any, now: datetime) -> Any:
    if value is None and FIELDS[name].nullable:
        return None
    return _future(value, now) if name == "expires_at" else _check(name)(value)


def check_stored(record: Record) -> Record:
    """A record that comes from a file, within the limits of `remember`. Keys with a dot are kept: `remember` took them
    once, and no other way leads them back into a store.
    """
    checked = {name: _checked_again(name, getattr(record, name)) for name in (*_GIVEN, "content", "id")}
    scope = scope_of(*(getattr(record.scope, name) for name in SCOPE))
    return check_validity(replace(record, scope=scope, **checked))


def _checked_again(name: str, value: Any) -> Any:
    if value is None and FIELDS[name].nullable:
        return None
    return check_metadata(value, dots=True) if name == "metadata" else _check(name)(value)


def check_content(content: object) -> str:
    """A content within the limits, as it is. Raises `InvalidInput`."""
    if not isinstance(content, str):
        raise InvalidInput(f"content is a text, not {type(content).__name__}")
    if not content or content.isspace():
        raise InvalidInput("content is empty; there is nothing to remember")
    if is_sealed(content):
        raise InvalidInput(
            "content begins as encrypted contents do (memwell-sealed:1); put anything before that"
        )
    size = len(encoded("content", content))
    if size > LIMITS["content_bytes"]:
        raise InvalidInput(
            f"content has {size:,} bytes, the limit is {LIMITS['content_bytes']:,}; split it into several memories"
        )
    return content


def check_id(id: object) -> str:
    """An id within the limits."""
    return _short("id", id)


def check_flag(name: str, value: object) -> bool:
    """A choice between true and false."""
    if not isinstance(value, bool):
        raise InvalidQuery(f"{name} is True or False, not {shown(value)}")
    return value


def check_progress(progress: object) -> None:
    """A function, or `None`. To be checked before anything is stored."""
    if progress is not None and not callable(progress):
        raise InvalidInput(f"progress is a function of (done, total), not {shown(progress)}")


def check_link(kind: object, strength: object) -> tuple[str, float]:
    """The kind and strength of a relationship."""
    return _short("kind", kind), _unit("strength", strength)


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags without repetition, order kept."""
    if isinstance(tags, str) or not isinstance(tags, Sequence | set | frozenset):
        raise InvalidInput("tags are a list of texts, such as ['work', 'travel']")
    if len(tags) > LIMITS["tags"]:
        raise InvalidInput(f"{len(tags)} tags given, the limit is {LIMITS['tags']}")
    ordered = sorted(tags) if isinstance(tags, set | frozenset) else tags
    return tuple(dict.fromkeys(_short("tag", tag) for tag in ordered))


def _short(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is a text, not {type(value).__name__}")
    if not value or len(value) > LIMITS["text"]:
        raise InvalidInput(f"{name} has {len(value)} characters; 1 to {LIMITS['text']} are taken")
    if not value.isascii() or "\0" in value:
        encoded(name, value)
    return value


def _unit(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidInput(f"{name} is a number from 0 to 1, not {shown(value)}")
    return abs(float(value))  # -0.0 becomes 0.0: they are equal, but are written differently


def moment_of(name: str, value: object, zone: tzinfo = UTC) -> datetime:
    """A time argument as an instant in UTC; one without a zone is in `zone`."""
    moment = instant(value, zone)
    if moment is None:
        raise InvalidInput(
            f"{name} is a datetime or ISO 8601 text such as 2024-05-31T12:00:00+00:00, not {shown(value)}"
        )
    return moment


def true_at(where: Where | None, valid_at: object, zone: tzinfo) -> Where | None:
    """The checked filter, which also asks for what is true at a moment, if one is given. Times without a zone are in
    `zone`.
    """
    where = None if where is None else filters.in_zone(where, zone)
    if valid_at is None:
        return where
    moment = moment_of("valid_at", valid_at, zone)
    begun: Where = {"$or": [{"valid_from": None}, {"valid_from": {"$lte": moment}}]}
    going: Where = {"$or": [{"valid_to": None}, {"valid_to": {"$gt": moment}}]}
    return {"$and": [begun, going, *([] if where is None else [where])]}


def _future(value: object, now: datetime) -> datetime:
    moment = moment_of("expires_at", value)
    if moment <= now:
        raise InvalidInput(f"expires_at {moment.isoformat()} is already past; nothing was stored")
    return moment


def _expiry(ttl: object, expires_at: object, now: datetime) -> datetime:
    """The expiry from `ttl` or `expires_at`, whichever is given."""
    if ttl is None:
        return _future(expires_at, now)
    if expires_at is not None:
        raise InvalidInput("give ttl or expires_at, not both")
    return expiry_after(ttl, now)


def expiry_after(ttl: object, now: datetime) -> datetime:
    """The moment that lies a time to live (seconds or a timedelta, over 0) after `now`."""
    try:
        if isinstance(ttl, int | float) and not isinstance(ttl, bool):
            ttl = timedelta(seconds=ttl)
        if not isinstance(ttl, timedelta) or ttl <= timedelta(0):
            raise InvalidInput(f"ttl is a number of seconds over 0 or a timedelta, not {shown(ttl)}")
        return now + ttl
    except (OverflowError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"ttl {shown(ttl)} ends after the year 9999; leave it out for no end") from error


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise InvalidInput(f"{name} is a whole number from 0, not {shown(value)}")
    return value


_CHECKS: Final[Mapping[Type, Callable[[str, Any], Any]]] = {
    "text": _short,
    "content": lambda _, value: check_content(value),
    "share": _unit,
    "count": _whole,
    "time": moment_of,
    "tags": lambda _, value: check_tags(value),
    "metadata": lambda _, value: check_metadata(value),
}
"""Type of a field → its check."""


def _check(name: str) -> Callable[[Any], Any]:
    return partial(_CHECKS[FIELDS[name].type], name)


_GIVEN: Final = {
    name: _check(name)
    for name in named(given=True, owner=False)
    if name not in ("id", "created_at", "expires_at")
}
"""Field that `remember` takes → its check, but for those with rules of their own."""


def link(target: str, kind: str, strength: float, now: datetime) -> Link:
    """A checked relationship."""
    kind, strength = check_link(kind, strength)
    return Link(target=check_id(target), kind=kind, strength=strength, created_at=now)
