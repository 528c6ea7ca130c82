"""Read-only JSON: a dict and a list that refuse changes, and equal, pickle and encode as plain ones do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

__all__ = ["EMPTY", "FrozenDict", "FrozenList", "freeze"]


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed. `{**it, "key": value}` and `it.copy()` give plain dicts."""

    __slots__ = ()

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list that cannot be changed. `[*it, value]` and `it.copy()` give plain lists."""

    __slots__ = ()

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, _memo: object) -> FrozenList:
        return self

    def __reduce__(self) -> tuple[type[FrozenList], tuple[list[Any]]]:
        return FrozenList, (list(self),)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError(
        "a record's metadata is read-only; hand a changed copy to update, such as {**record.metadata, 'key': 'value'}"
    )


_ITEMS: Final = ("__setitem__", "__delitem__", "clear", "pop")
_DICT: Final = ("__ior__", "popitem", "setdefault", "update")
_LIST: Final = ("__iadd__", "__imul__", "append", "extend", "insert", "remove", "reverse", "sort")
for _name in (*_ITEMS, *_DICT):
    setattr(FrozenDict, _name, _refuse)
for _name in (*_ITEMS, *_LIST):
    setattr(FrozenList, _name, _refuse)

EMPTY: Final = FrozenDict()


def freeze(value: Any) -> Any:
    """A JSON value, read-only in all its depth. What is frozen already comes back as it is."""
    kind = type(value)
    if kind is str or kind is FrozenDict or kind is FrozenList:
        return value
    if isinstance(value, Mapping):
        return FrozenDict([(key, freeze(item)) for key, item in value.items()]) if value else EMPTY
    if isinstance(value, list):
        return FrozenList(map(freeze, value))
    return tuple(map(freeze, value)) if kind is tuple else value
