"""`remember`, `update`, `restore`, `forget`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from memwell.cli.failures import Code, complain
from memwell.cli.output import flat, printable, short
from memwell.cli.shared import Cli, Metadata, Where, Yes, ask, content_of, duration
from memwell.sync import Memory
from memwell.types import DEFAULT_TENANT, Record

__all__ = ["forget", "remember", "restore", "update"]

Tags = Annotated[
    list[str] | None, typer.Option("--tag", "-t", metavar="TEXT", help="A tag. May be repeated.")
]
Category = Annotated[str | None, typer.Option("--category", metavar="TEXT", help="Category.")]
Importance = Annotated[float | None, typer.Option("--importance", metavar="0..1", help="Importance.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="TEXT", help="Kind. Default: memory.")]
Tier = Annotated[str | None, typer.Option("--tier", metavar="TEXT", help="Tier, such as short or long.")]
Source = Annotated[str | None, typer.Option("--source", metavar="TEXT", help="Where the text comes from.")]
Ttl = Annotated[
    str | None,
    typer.Option("--ttl", metavar="TIME", help="Time to live, such as 90 (seconds), 30m, 12h, 7d or 2w."),
]
Expires = Annotated[
    str | None, typer.Option("--expires-at", metavar="WHEN", help="When it expires (ISO 8601).")
]
ValidFrom = Annotated[
    str | None, typer.Option("--valid-from", metavar="WHEN", help="From when on it is true (ISO 8601).")
]
ValidTo = Annotated[
    str | None,
    typer.Option("--valid-to", metavar="WHEN", help="From when on it is no longer true (ISO 8601)."),
]
Expected = Annotated[
    int | None,
    typer.Option("--expected-version", metavar="N", help="Fail if the stored version is not N."),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the memory, or a part of it that only it has.")]


def remember(
    cli: Cli,
    content: Annotated[
        str, typer.Argument(metavar="CONTENT", help="The text to store, or - to read it from stdin.")
    ],
    tag: Tags = None,
    metadata: Metadata = None,
    category: Category = None,
    importance: Importance = None,
    kind: Kind = None,
    tier: Tier = None,
    source: Source = None,
    ttl: Ttl = None,
    expires_at: Expires = None,
    valid_from: ValidFrom = None,
    valid_to: ValidTo = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Your own id for it.")] = None,
    created_at: Annotated[
        str | None,
        typer.Option("--created-at", metavar="WHEN", help="When it was learnt (ISO 8601). Default: now."),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="If it is stored already, update its importance, tier, source and expiry.",
        ),
    ] = False,
    enrich: Annotated[
        bool,
        typer.Option(
            "--enrich",
            help="Find topic, category, entities, dates and importance, by rules; options win.",
        ),
    ] = False,
) -> None:
    """Store a memory. In a pipe, print its id."""
    options: dict[str, Any] = {
        "tags": tag,
        "metadata": cli.filter(metadata, "--metadata"),
        "category": category,
        "importance": importance,
        "kind": kind,
        "tier": tier,
        "source": source,
        "ttl": duration(ttl),
        "expires_at": expires_at,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "id": id,
        "created_at": created_at,
        "on_duplicate": "update" if update else "reinforce",
    }
    text = content_of(content)
    with cli.memory(embeds=True, enrich=enrich) as memory:
        record = memory.remember(text, **cli.owner, **options)
    done = "Remembered" if not record.reinforced else f"Already stored, reinforced ({record.reinforced}×)"
    _print(cli, done, record)


def update(
    cli: Cli,
    id: Id,
    content: Annotated[
        str | None, typer.Argument(metavar="[CONTENT]", help="The new text, or - to read it from stdin.")
    ] = None,
    tag: Tags = None,
    metadata: Metadata = None,
    category: Category = None,
    importance: Importance = None,
    kind: Kind = None,
    tier: Tier = None,
    source: Source = None,
    ttl: Ttl = None,
    expires_at: Expires = None,
    valid_from: ValidFrom = None,
    valid_to: ValidTo = None,
    clear: Annotated[
        list[str] | None, typer.Option("--clear", metavar="FIELD", help="A field to empty. May be repeated.")
    ] = None,
    expected_version: Expected = None,
) -> None:
    """Change a memory and keep the previous version. Metadata and tags are replaced as a whole."""
    text = None if content is None else content_of(content)
    with cli.memory(embeds=text is not None) as memory:
        record = memory.update(
            cli.find(memory, id),
            content=text,
            metadata=cli.filter(metadata, "--metadata"),
            tags=tag or None,
            category=category,
            importance=importance,
            kind=kind,
            tier=tier,
            source=source,
            ttl=duration(ttl),
            expires_at=expires_at,
            valid_from=valid_from,
            valid_to=valid_to,
            clear=clear or (),
            expected_version=expected_version,
            **cli.owner,
        )
    _print(cli, f"Version {record.version} of", record)


def restore(
    cli: Cli,
    id: Id,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Number of an older version.")],
    expected_version: Expected = None,
) -> None:
    """Make an older version of a memory current again, as a new version."""
    with cli.memory(embeds=True) as memory:
        found = cli.find(memory, id)
        record = memory.restore(found, version, expected_version=expected_version, **cli.owner)
    _print(cli, f"Version {version} is back as version {record.version} of", record)


def forget(
    cli: Cli,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or parts that only they have.")
    ] = None,
    where: Where = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All memories of the owner given; without an owner, of the whole tenant."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove memories for good, with their history and relationships. Asks before it removes several."""
    if not ids and where is None and not everything:
        raise typer.BadParameter("name ids, --where or --all")
    if ids and everything:
        raise typer.BadParameter("give ids or --all, not both")
    if not ids and not everything and not cli.owner.keys() - {"tenant_id"}:
        raise typer.BadParameter(
            "--where without an owner forgets memories of every user of the tenant; name the owner (such as --user), or"
            " add --all"
        )
    chosen = cli.filter(where)
    with cli.memory() as memory:
        found = [cli.find(memory, id) for id in ids] if ids else None
        if found is not None and len(found) == 1 and chosen is None:
            gone = memory.forget(found[0], **cli.owner)
        else:
            narrow = chosen if found is None else {"$and": [{"id": {"$in": found}}, chosen or {}]}
            gone = _several(cli, memory, found, chosen, narrow, everything=everything, yes=yes)
    _print_forgotten(cli, gone, found)


def _several(
    cli: Cli,
    memory: Memory,
    found: list[str] | None,
    chosen: dict[str, Any] | None,
    narrow: dict[str, Any] | None,
    *,
    everything: bool,
    yes: bool,
) -> list[str]:
    count = memory.count(where=narrow, **cli.owner)
    if count == 0:
        return []
    if count > 1 and not yes:
        narrowed = cli.owner.keys() - {"tenant_id"}
        tenant = cli.owner.get("tenant_id", DEFAULT_TENANT)
        whose = "" if narrowed else f" of every user of the tenant {tenant!r}"
        ask(f"Forget {count} memories{whose} for good?")
    return memory.forget(found, where=chosen, everything=everything, **cli.owner)


def _print_forgotten(cli: Cli, gone: list[str], asked: list[str] | None) -> None:
    if cli.out.as_json:
        cli.out.json({"forgotten": gone})
    elif cli.out.fancy:
        cli.out.line(f"Forgot {len(gone)} {'memory' if len(gone) == 1 else 'memories'}.")
    else:
        for id in gone:
            cli.out.line(id)
    missing = [id for id in asked or () if id not in gone]
    if missing:
        complain(f"not found: {', '.join(missing)}")
        raise typer.Exit(Code.NOT_FOUND)


def _print(cli: Cli, done: str, record: Record) -> None:
    if cli.out.as_json:
        cli.out.json(record.to_dict())
    elif cli.out.fancy:
        from rich.text import Text

        content = flat(printable(record.content))
        line = Text.assemble((done, "green"), " ", (short(record.id), "bold"), "  ", content[:200])
        line.no_wrap, line.overflow = True, "ellipsis"
        cli.out.show(line)
    else:
        cli.out.line(record.id)
