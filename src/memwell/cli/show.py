"""`list`, `show`, `history`, `stats`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import tzinfo
from typing import Annotated

import typer

from memwell.cli.narrowing import Category, Since, Tags, Until, ValidAt, moment, narrowed
from memwell.cli.output import flat, short, when
from memwell.cli.remember import Id
from memwell.cli.shared import Cli, Where
from memwell.cli.views import owner_of, shown_record
from memwell.types import Page, Record, Stats

__all__ = ["history", "list_", "show", "stats"]

AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="WHEN", help="As it was then, such as 2026-05-01 or yesterday."),
]

_PAGE = 500


def list_(
    cli: Cli,
    tag: Tags = None,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    valid_at: ValidAt = None,
    order: Annotated[
        str, typer.Option("--order", metavar="FIELD", help="created_at, updated_at, importance or id.")
    ] = "created_at",
    ascending: Annotated[bool, typer.Option("--ascending", help="Oldest or smallest first.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="Show at most N memories.")] = 20,
    cursor: Annotated[
        str | None,
        typer.Option("--cursor", metavar="TEXT", help="Continue after the page that printed this cursor."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show all of them.")] = False,
) -> None:
    """List memories, newest first."""
    zone = cli.out.zone
    chosen = narrowed(cli.filter(where), tag, category, since, until, zone)
    true_at = None if valid_at is None else moment(valid_at, "--valid-at", zone, end=True)
    with cli.memory() as memory:
        listing = functools.partial(
            memory.list, where=chosen, order=order, descending=not ascending, valid_at=true_at, **cli.owner
        )
        if everything:
            _print(cli, _walk(listing))
            return
        page = listing(limit=limit, cursor=cursor)
    _print(cli, iter(page.records))
    if page.cursor:
        cli.out.note(f"There are more: use --all, or --cursor {page.cursor}")
    elif not page.records:
        cli.out.note("No memories. Is this the right owner? See --user, --where and `memwell stats`.")


def _walk(listing: Callable[..., Page]) -> Iterator[Record]:
    cursor: str | None = None
    while True:
        page = listing(limit=_PAGE, cursor=cursor)
        yield from page.records
        cursor = page.cursor
        if cursor is None:
            return


def _print(cli: Cli, records: Iterator[Record]) -> None:
    if cli.out.as_json:
        for record in records:
            cli.out.json(record.to_dict())
    elif not cli.out.fancy:
        for r in records:
            cli.out.cells((r.id, when(r.created_at, cli.out.zone), owner_of(r), r.content))
    else:
        rows = [
            (short(r.id), when(r.created_at, cli.out.zone)[:10], owner_of(r), flat(r.content)[:300])
            for r in records
        ]
        if rows:
            cli.out.table(("id", "when", "who", "content"), rows, wide="content")


def show(cli: Cli, id: Id, as_of: AsOf = None) -> None:
    """Show one memory in full."""
    then = None if as_of is None else moment(as_of, "--as-of", cli.out.zone, end=True)
    with cli.memory() as memory:
        record = memory.get(cli.find(memory, id), as_of=then, **cli.owner)
    if cli.out.as_json:
        cli.out.json(record.to_dict())
    else:
        shown_record(cli.out, record)


def history(cli: Cli, id: Id) -> None:
    """Show every version of a memory, oldest first."""
    with cli.memory() as memory:
        versions = memory.history(cli.find(memory, id), **cli.owner)
    if cli.out.as_json:
        for version in versions:
            cli.out.json(version.to_dict())
        return
    rows = [
        (
            v.version,
            when(v.record.updated_at, cli.out.zone),
            "now" if v.current else "",
            ", ".join(v.changed),
            flat(v.record.content),
        )
        for v in versions
    ]
    cli.out.table(("version", "since", "", "changed", "content"), rows, wide="content")


def stats(cli: Cli) -> None:
    """Show how many memories there are, by kind, category and model."""
    with cli.memory() as memory:
        found = memory.stats(**cli.owner)
    if cli.out.as_json:
        cli.out.json(found.to_dict())
    else:
        cli.out.pairs(_lines(found, cli.out.zone))


def _lines(found: Stats, zone: tzinfo) -> dict[str, object]:
    lines: dict[str, object] = {
        "memories": f"{found.records:,}",
        "users": f"{found.users:,}",
        "sessions": f"{found.sessions:,}",
        "older versions": f"{found.versions:,}",
        "relationships": f"{found.links:,}",
    }
    lines |= {f"kind {name}": f"{count:,}" for name, count in sorted(found.by_kind.items())}
    lines |= {f"category {name}": f"{count:,}" for name, count in sorted(found.by_category.items())}
    lines |= {f"vectors of {name}": f"{count:,}" for name, count in sorted(found.embedded.items())}
    lines |= {"without vectors": f"{found.unembedded:,}", "expired, not yet removed": f"{found.expired:,}"}
    if found.oldest and found.newest:
        lines |= {"oldest": when(found.oldest, zone), "newest": when(found.newest, zone)}
    if found.bytes is not None:
        lines["size"] = f"{found.bytes / 1e6:,.1f} MB"
    return lines
