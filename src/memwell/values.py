"""`Value`, the base of what memwell returns: JSON by `to_dict`, and short forms for people to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeAlias

__all__ = ["Short", "Value", "html_table", "local", "plain", "shortened"]

Short: TypeAlias = Iterator[tuple[str | None, Any]]
"""Name (`None` for what needs none) and value of what a short form shows."""

_WIDTH = 60
_INLINE = ("record", "scope")
"""Fields whose own fields are merged into the others in `to_dict`."""


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
