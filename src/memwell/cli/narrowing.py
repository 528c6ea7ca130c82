"""The options that choose memories by tag, category and time, and times as people write them."""

from __future__ import annotations

from datetime import date, datetime, time, tzinfo
from typing import Annotated, Any

import typer

from memwell.filters import instant
from memwell.values import local

__all__ = ["Category", "Since", "Tags", "Until", "ValidAt", "moment", "narrowed"]

Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", "-t", metavar="TEXT", help="Only with this tag. Repeated: with all of them."),
]
Category = Annotated[str | None, typer.Option("--category", metavar="TEXT", help="Only of this category.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Only learnt since then, such as 2026-05-01 or 'last May'."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="WHEN", help="Only learnt until then; a day or month counts as a whole."),
]
ValidAt = Annotated[
    str | None,
    typer.Option("--valid-at", metavar="WHEN", help="Only what is true then, such as 2026-05-01 or today."),
]


def narrowed(
    where: dict[str, Any] | None,
    tags: list[str] | None,
    category: str | None,
    since: str | None,
    until: str | None,
    zone: tzinfo,
) -> dict[str, Any] | None:
    """The filter of `--where` and of the options beside it: all must hold. Days are those of `zone`."""
    parts: list[dict[str, Any]] = [] if where is None else [where]
    parts += [{"tags": {"$contains": tag}} for tag in tags or ()]
    parts += [] if category is None else [{"category": category}]
    parts += [] if since is None else [{"created_at": {"$gte": moment(since, "--since", zone, end=False)}}]
    parts += [] if until is None else [{"created_at": {"$lte": moment(until, "--until", zone, end=True)}}]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


def moment(text: str, option: str, zone: tzinfo, *, end: bool) -> datetime:
    """A time in ISO 8601, or a day or period in `zone` as in a question ("yesterday", "last May"): its first moment, or
    with `end` its last.
    """
    from memwell.retrieval.analysis.dates import intervals

    exact = instant(text, zone)
    if exact is not None and len(text) > len("2026-05-01"):
        return exact
    day = None if exact is None else local(exact, zone).toordinal()
    found = intervals(text, datetime.now(zone)) if day is None else [(day, day)]
    if not found:
        raise typer.BadParameter(
            f"{option} {text!r} is no time; write 2026-05-01, 2026-05-01T09:30, yesterday or 'last May'"
        )
    bound = date.fromordinal(found[0][1] if end else found[0][0])
    return datetime.combine(bound, time.max if end else time.min, zone)
