"""`db status`, `db migrate`, `db fresh`, `db index`, `db maintain`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, TypeVar

import typer

from memwell import registry
from memwell.cli.database.rows import Done, Row, show_done, show_rows
from memwell.cli.shared import Cli, Whether, ask
from memwell.errors import ConfigError, NotSupported
from memwell.ports import Metric
from memwell.types import Progress

__all__ = ["COMMANDS", "HELP", "fresh", "index", "maintain", "migrate", "status"]

T = TypeVar("T")
Kind: TypeAlias = Literal["hnsw", "ivfflat"]
HELP: Final = "The tables behind the store's URL: migrations, indexes, partitions, upkeep."


class Tables(Protocol):
    """What each kind of database answers."""

    async def status(self) -> list[Row]:
        """What there is."""

    async def migrate(self) -> list[Row]:
        """Apply what is pending."""

    async def question(self) -> str:
        """What to ask before `fresh`."""

    async def fresh(self) -> list[Row]:
        """Drop all of ours and begin anew."""

    async def index(
        self,
        *,
        model: str | None,
        kind: Kind,
        metric: Metric,
        lists: int | None,
        concurrently: bool,
        progress: Progress,
    ) -> list[Row]:
        """Make the vector index of a model, or of each."""

    def maintain(self, *, ahead: int, keep: int | None, dry_run: bool) -> AsyncIterator[Done]:
        """Do, or with `dry_run` only tell, what is due."""

    async def close(self) -> None:
        """Release what was opened."""


def status(cli: Cli) -> None:
    """Show migrations applied and pending, the vector extension, tables, indexes and partitions. Changes nothing."""
    show_rows(cli.out, _on(cli, lambda tables: tables.status()))


def migrate(cli: Cli) -> None:
    """Bring the tables up to date. Safe to call at any time, by any number of processes."""
    show_rows(cli.out, _on(cli, lambda tables: tables.migrate()))


def fresh(cli: Cli, yes: Whether = False) -> None:
    """Drop everything that memwell keeps in the schema and make empty tables. Asks first."""
    question = _on(cli, lambda tables: tables.question())
    if not yes:
        ask(question)
    show_rows(cli.out, _on(cli, lambda tables: tables.fresh()))


def index(
    cli: Cli,
    kind: Annotated[
        Kind,
        typer.Option(
            "--type", metavar="hnsw|ivfflat", help="hnsw finds more; ivfflat is smaller and quicker to build."
        ),
    ] = "hnsw",
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="Whose vectors; of every model if not given."),
    ] = None,
    metric: Annotated[
        Metric, typer.Option("--metric", metavar="cosine|l2|dot", help="By what nearness.")
    ] = "cosine",
    lists: Annotated[
        int | None,
        typer.Option("--lists", metavar="N", help="Groups of an ivfflat index; by the data if not given."),
    ] = None,
    concurrently: Annotated[
        bool, typer.Option("--concurrently/--blocking", help="Let writers go on, or build faster.")
    ] = True,
) -> None:
    """Build the vector index of a model, in place of the one it has."""
    if lists is not None and kind != "ivfflat":
        raise typer.BadParameter("--lists is for --type ivfflat")

    async def work(tables: Tables) -> list[Row]:
        with cli.out.progress("Building") as progress:
            return await tables.index(
                model=model,
                kind=kind,
                metric=metric,
                lists=lists,
                concurrently=concurrently,
                progress=progress,
            )

    show_rows(cli.out, _on(cli, work))


def maintain(
    cli: Cli,
    ahead: Annotated[
        int,
        typer.Option("--ahead", metavar="N", min=0, help="Months to have partitions for, beside this one."),
    ] = 3,
    keep_months: Annotated[
        int | None,
        typer.Option(
            "--keep-months", metavar="N", min=1, help="Drop log entries older than N months before this one."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what is due and do nothing.")] = False,
) -> None:
    """Make partitions ahead, drop old ones, remove what has expired, build indexes that are due, gather statistics."""

    async def work(tables: Tables) -> list[Done]:
        with cli.out.progress("Maintaining") as progress:
            done = []
            async for one in tables.maintain(ahead=ahead, keep=keep_months, dry_run=dry_run):
                done.append(one)
                progress(len(done), 0)
            return done

    show_done(cli.out, _on(cli, work))


def _on(cli: Cli, work: Callable[[Tables], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        tables = _tables(cli)
        try:
            return await work(tables)
        finally:
            await tables.close()

    return asyncio.run(run())


def _tables(cli: Cli) -> Tables:
    """The tables of the store's URL. Raises `NotSupported` for a store that has none."""
    url = cli.settings.url
    if url is None:
        from memwell.engine.assembly import default_url

        url = default_url()
    scheme = registry.Url.parse(url).scheme
    if scheme == "sqlite":
        from memwell.cli.database.sqlite import SqliteTables

        return SqliteTables(url)
    if scheme in ("postgresql", "postgres"):
        try:
            from memwell.cli.database.postgres import PostgresTables
        except ImportError as error:
            raise registry.missing(error, "postgres") from error
        return PostgresTables(url)
    if scheme not in registry.known("stores"):
        raise ConfigError(f"unknown scheme {scheme!r}; known stores: {', '.join(registry.known('stores'))}")
    raise NotSupported(
        f"`memwell db` is for postgresql:// and sqlite://; {scheme}:// has no tables to look after"
    )


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (
    ("status", status),
    ("migrate", migrate),
    ("fresh", fresh),
    ("index", index),
    ("maintain", maintain),
)
