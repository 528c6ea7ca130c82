"""`Value`, the base of what memwell returns: JSON by `to_dict`, and short forms for people to look at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, TypeAlias, TypeVar, cast

__all__ = ["Short", "Value", "by_slots", "copier", "html_table", "local", "plain", "shortened"]

T = TypeVar("T")

Short: TypeAlias = Iterator[tuple[str | None, Any]]
"""Name (`None` for what needs none) and value of what a short form shows."""

_WIDTH = 60
_INLINE = ("record", "scope")
"""Fields whose own fields are merged into the others in `to_dict`."""


class _Unset:
    """In place of an argument whose default is made for each call."""

    def __repr__(self) -> str:
        return "<factory>"


_UNSET: Final = _Unset()


class Value:
    """A frozen dataclass with a JSON form. Where `_short` is written, it is shown on one line, in rich and notebooks
    too; otherwise like any dataclass.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON values: times as ISO 8601 text in UTC, absent ones as `None`. The fields of a record, and
        those of its owner, stand at the top.
        """
        found: dict[str, Any] = {}
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = plain(getattr(self, field.name))
            found |= value if field.name in _INLINE and value is not None else {field.name: value}
        return found

    def _short(self) -> Short:
        """What is shown."""
        raise NotImplementedError

    def __repr__(self) -> str:
        parts = (repr(value) if name is None else f"{name}={value!r}" for name, value in self._short())
        return f"{type(self).__name__}({', '.join(parts)})"

    def __rich_repr__(self) -> Short:
        yield from self._short()

    def _repr_html_(self) -> str:
        """A table of one row, for notebooks."""
        return html_table([self])


def by_slots(cls: type[T]) -> type[T]:
    """A class decorator above a frozen dataclass with slots and keywords only: an instance is made in half the time.

    The constructor of a frozen dataclass looks up every field by its name to set it. This one, of the same arguments,
    has the setters of the slots at hand.
    """
    known: dict[str, Any] = {"_unset": _UNSET}
    steps = [_step(cls, field, known) for field in fields(cast("Any", cls))]
    lines = [f"def __init__(self, *, {', '.join(parameter for parameter, _ in steps)}):"]
    lines += [line for _, line in steps]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec("\n ".join(lines), known)  # noqa: S102  it holds names of fields only
    made = known["__init__"]
    functools.update_wrapper(made, cls.__init__)
    del made.__wrapped__
    setattr(cls, "__init__", made)  # noqa: B010  mypy takes no other way
    return cls


def copier(cls: type[T]) -> Callable[[T, Mapping[str, Any]], T]:
    """The function that copies an instance with other values in some fields: `dataclasses.replace`, in a third of the
    time. `cls` is a dataclass with slots.
    """
    setters = {field.name: getattr(cls, field.name).__set__ for field in fields(cast("Any", cls))}
    known: dict[str, Any] = {"_new": cls.__new__, "_cls": cls, "_setters": setters}
    known |= {f"_set_{name}": setter for name, setter in setters.items()}
    lines = ["def copied(one, changes):", "made = _new(_cls)"]
    lines += [f"_set_{name}(made, one.{name})" for name in setters]
    lines.append("for name in changes: _setters[name](made, changes[name])")
    if hasattr(cls, "__post_init__"):
        lines.append("made.__post_init__()")
    exec("\n ".join([*lines, "return made"]), known)  # noqa: S102  it holds names of fields only
    copied: Callable[[T, Mapping[str, Any]], T] = known["copied"]
    return copied


def _step(cls: type, field: Field[Any], known: dict[str, Any]) -> tuple[str, str]:
    """The parameter of a field and the line that sets it; `known` receives what they name."""
    name = field.name
    known[f"_set_{name}"] = getattr(cls, name).__set__
    if field.default_factory is not MISSING:
        known[f"_make_{name}"] = field.default_factory
        value = f"_make_{name}() if {name} is _unset else {name}"
        return f"{name}=_unset", f"_set_{name}(self, {value})"
    if field.default is not MISSING:
        known[f"_default_{name}"] = field.default
        return f"{name}=_default_{name}", f"_set_{name}(self, {name})"
    return name, f"_set_{name}(self, {name})"


def plain(value: Any) -> Any:
    """A value as JSON, copied: values as dicts, times as ISO 8601 text, sequences as lists."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def shortened(text: str, width: int = _WIDTH) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 4 * width].split())
    return line if len(line) <= width and len(text) <= 4 * width else line[: width - 1].rstrip() + "…"


def html_table(values: Iterable[Value], below: str = "") -> str:
    """The short forms as a table: a column for each name."""
    from html import escape

    rows = [{name or "": value for name, value in one._short()} for one in values]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(row.get(name)))}</td>' for name in heads)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{escape(below)}"


def _cell(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def local(moment: datetime, zone: tzinfo) -> datetime:
    """An aware datetime as the time of a zone; as it is where that lies outside the years 1 to 9999."""
    if zone is UTC:
        return moment
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment
