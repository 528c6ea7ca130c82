"""The lines that `memwell db` prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from memwell._dataclasses import dataclass
from memwell.cli.output import Output

__all__ = ["Done", "Row", "show_done", "show_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """Something in the database."""

    kind: str
    """`server`, `file`, `component`, `extension`, `model`, `table`, `index` or `partition`."""
    name: str
    state: str
    rows: int | None = None
    """An estimate; unknown before the first ANALYZE."""
    size: int | None = None
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Done:
    """Something that maintenance did, or would do."""

    action: str
    name: str
    rows: int | None = None
    """How many rows it moved or removed; unknown for a dry run."""


def show_rows(out: Output, rows: Iterable[Row]) -> None:
    """A table, or a JSON list."""
    if out.as_json:
        out.json([asdict(row) for row in rows])
        return
    cells = [(r.kind, r.name, r.state, _number(out, r.rows), _size(out, r.size)) for r in rows]
    out.table(("kind", "name", "state", "rows", "size"), cells, wide="state")


def show_done(out: Output, done: Iterable[Done]) -> None:
    """A table, or a JSON list."""
    if out.as_json:
        out.json([asdict(one) for one in done])
        return
    out.table(("done", "what", "rows"), [(d.action, d.name, _number(out, d.rows)) for d in done], wide="what")


def _number(out: Output, number: int | None) -> str:
    return "" if number is None else f"{number:,}" if out.fancy else str(number)


def _size(out: Output, size: int | None) -> str:
    """A size with its unit in a terminal, in bytes in a pipe."""
    if size is None or not out.fancy:
        return "" if size is None else str(size)
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}" if value < 1000 else f"{value:,.0f} {units[0]}"
