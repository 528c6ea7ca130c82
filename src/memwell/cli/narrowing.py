"""The options that choose memories by tag, category and time, and times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import typer

from memwell.filters import instant

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
) -> dict[str, Any] | None:
    """The filter of `--where` and of the options beside it: all must hold."""
    parts: list[dict[str, Any]] = [] if where is None else [where]
    parts += [{"tags": {"$contains": tag}} for tag in tags or ()]
    parts += [] if category is None else [{"category": category}]
    parts += [] if since is None else [{"created_at": {"$gte": moment(since, "--since", end=False)}}]
    parts += [] if until is None else [{"created_at": {"$lte": moment(until, "--until", end=True)}}]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


def moment(text: str, option: str, *, end: bool) -> datetime:
    """A time in ISO 8601, or a day or period as in a question ("yesterday", "last May"): its first moment, or with
    `end` its last.
    """
    from memwell.retrieval.analysis.dates import intervals

    now = datetime.now(UTC)
    exact = instant(text)
    if exact is not None and len(text) > len("2026-05-01"):
        return exact
    found = intervals(text, now) if exact is None else [(exact.toordinal(), exact.toordinal())]
    if not found:
        raise typer.BadParameter(
            f"{option} {text!r} is no time; write 2026-05-01, 2026-05-01T09:30, yesterday or 'last May'"
        )
    day = date.fromordinal(found[0][1] if end else found[0][0])
    start = datetime.combine(day, time.min, UTC)
    return start + timedelta(days=1) - timedelta(microseconds=1) if end else start
