"""Records and hits as text and as JSON."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

from memwell.cli.output import Output, flat, printable, short, when
from memwell.records.codec import record_to_json
from memwell.types import Hit, Record

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["bar", "hit_to_json", "marked", "owner_of", "plain_hit", "shown_hit", "shown_record"]

_FULL, _EMPTY = "━", "╌"


def owner_of(record: Record) -> str:
    """The owner in a few words."""
    scope = record.scope
    return " · ".join(x for x in (scope.user_id, scope.agent_id, scope.session_id, scope.namespace) if x)


def hit_to_json(rank: int, hit: Hit) -> dict[str, Any]:
    """A hit with its rank."""
    return {"rank": rank, **hit.to_dict()}


def plain_hit(out: Output, rank: int, hit: Hit, *, explain: bool) -> None:
    """A hit as tab-separated lines: rank, score, id, time, owner, content; then the components, indented by a tab."""
    record = hit.record
    out.cells(
        (
            rank,
            f"{hit.score:.3f}",
            record.id,
            when(record.created_at, out.zone),
            owner_of(record),
            record.content,
        )
    )
    if not explain:
        return
    for c in hit.why.components:
        out.line(f"\t{c.name}\t{c.value:.3f}\t{c.weight:.3f}\t{c.points:.3f}")
    if hit.why.passage and hit.why.passage != record.content:
        out.line(f"\tpassage\t{flat(hit.why.passage)}")
    for note in hit.why.notes:
        out.line(f"\tnote\t{flat(note)}")


def bar(score: float, width: int = 10) -> Text:
    """A score of 0..1 as a bar, green to grey."""
    from rich.text import Text

    full = max(0, min(width, round(score * width)))
    colour = "green" if score >= 0.5 else "yellow" if score >= 0.25 else "bright_black"
    return Text.assemble((_FULL * full, colour), (_EMPTY * (width - full), "bright_black"))


def shown_hit(rank: int, hit: Hit, *, explain: bool, width: int = 600, zone: tzinfo = UTC) -> Table:
    """A hit for the terminal: rank, bar, content, date, owner; with `explain` the components below."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(justify="right", style="bold", width=3)
    grid.add_column(width=10)
    grid.add_column(width=4, style="dim")
    grid.add_column(ratio=1)
    text = hit.why.passage or hit.record.content
    grid.add_row(f"{rank}", bar(hit.score), f"{hit.score:.2f}", marked(_cut(text, width), hit.why.terms))
    tags = " ".join(f"#{t}" for t in hit.record.tags)
    about = (when(hit.record.created_at, zone), owner_of(hit.record), tags)
    line = "  ".join(x for x in (*about, short(hit.record.id)) if x)
    grid.add_row("", "", "", Text(printable(line), style="dim"))
    for note in hit.why.notes:
        grid.add_row("", "", "", Text(printable(note), style="italic dim"))
    if explain:
        grid.add_row("", "", "", components(hit))
    return grid


def components(hit: Hit) -> Table:
    """The components of a score: name, value, weight, points."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.ROUNDED, border_style="bright_black", header_style="dim", pad_edge=True)
    table.add_column("component")
    for head in ("value", "weight", "points"):
        table.add_column(head, justify="right")
    for c in hit.why.components:
        style = None if c.points else "dim"
        table.add_row(c.name, f"{c.value:.2f}", f"{c.weight:.2f}", f"{c.points:+.3f}", style=style)
    table.add_section()
    table.add_row("score", "", "", f"{hit.score:.3f}", style="bold")
    return table


def shown_record(out: Output, record: Record) -> None:
    """All fields of a record."""
    values = record_to_json(record)
    links = values.pop("links")
    content = values.pop("content")
    pairs = {name: value for name, value in values.items() if value not in ([], {}, "")}
    if record.metadata:
        from memwell.records.codec import dumps

        pairs["metadata"] = dumps(dict(record.metadata))
    if record.tags:
        pairs["tags"] = ", ".join(record.tags)
    for link in links:
        pairs[f"→ {link['kind']}"] = f"{link['target']} ({link['strength']:g})"
    out.line(printable(content))
    out.line("")
    out.pairs(pairs)


def _cut(text: str, width: int) -> str:
    text = printable(text).strip()
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def marked(text: str, terms: tuple[str, ...]) -> Text:
    """The text with the words of the question in bold."""
    from rich.text import Text

    from memwell.retrieval.analysis.text import analyze

    marked, wanted = Text(text), set(terms)
    if wanted:
        import re

        for word in re.finditer(r"[\w'’]+", text):
            if wanted & set(analyze(word[0])):
                marked.stylize("bold cyan", word.start(), word.end())
    return marked
