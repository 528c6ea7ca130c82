"""`db status`, `db migrate`, `db fresh`, `db index`, `db maintain`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, TypeVar

import typer

from memwell import registry
from memwell.cli.database.rows import Done, Row, show_done, show_rows
from memwell.cli.shared import Cli, Yes, ask
from memwell.errors import ConfigError, NotSupported
from memwell.ports import Metric
from memwell.types import Progress
from memwell.urls import of_file

__all__ = ["COMMANDS", "HELP", "fresh", "index", "maintain", "migrate", "status"]

T = TypeVar("T")
Kind: TypeAlias = Literal["hnsw", "ivfflat"]
HELP: Final = "The database tables of the store: migrations, indexes, partitions, maintenance."


class Tables(Protocol):
    """What a kind of database offers."""

    async def status(self) -> list[Row]:
        """The state of the database."""

    async def migrate(self) -> list[Row]:
        """Apply the pending migrations."""

    async def question(self) -> str:
        """The question to confirm before `fresh`."""

    async def fresh(self) -> list[Row]:
        """Drop memwell's tables and create them again."""

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
        """Build the vector index of a model, or of every model."""

    def maintain(self, *, ahead: int, keep: int | None, dry_run: bool) -> AsyncIterator[Done]:
        """Do what is due, or with `dry_run` only report it."""

    async def close(self) -> None:
        """Close the connections."""


def status(cli: Cli) -> None:
    """Show migrations, the vector extension, tables, indexes and partitions. Changes nothing."""
    show_rows(cli.out, _on(cli, lambda tables: tables.status()))


def migrate(cli: Cli) -> None:
    """Apply pending migrations. Safe at any time and from any number of processes."""
    show_rows(cli.out, _on(cli, lambda tables: tables.migrate()))


def fresh(cli: Cli, yes: Yes = False) -> None:
    """Drop all of memwell's tables in the schema and create empty ones. Asks first."""
    question = _on(cli, lambda tables: tables.question())
    if not yes:
        ask(question)
    show_rows(cli.out, _on(cli, lambda tables: tables.fresh()))


def index(
    cli: Cli,
    kind: Annotated[
        Kind,
        typer.Option(
            "--type", metavar="hnsw|ivfflat", help="hnsw finds more; ivfflat is smaller and faster to build."
        ),
    ] = "hnsw",
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME", help="The model. Default: every model."),
    ] = None,
    metric: Annotated[
        Metric, typer.Option("--metric", metavar="cosine|l2|dot", help="The distance.")
    ] = "cosine",
    lists: Annotated[
        int | None,
        typer.Option("--lists", metavar="N", help="Lists of an ivfflat index. Default: by the data."),
    ] = None,
    concurrently: Annotated[
        bool, typer.Option("--concurrently/--blocking", help="Allow writes meanwhile, or build faster.")
    ] = True,
) -> None:
    """Build the vector index of a model, replacing the one it has."""
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
        typer.Option("--ahead", metavar="N", min=0, help="Create partitions for N months ahead."),
    ] = 3,
    keep_months: Annotated[
        int | None,
        typer.Option("--keep-months", metavar="N", min=1, help="Drop log entries older than N months."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is due.")] = False,
) -> None:
    """Create partitions ahead, drop old ones, remove expired rows, build due indexes, gather statistics."""

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
    """The tables behind the store's URL. Raises `NotSupported` for a store that has none."""
    url = cli.settings.url
    if url is None:
        from memwell.engine.assembly import default_url

        url = default_url()
    url = str(of_file(url))
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
        f"`memwell db` is for postgresql:// and sqlite://; {scheme}:// has no tables to maintain"
    )


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (
    ("status", status),
    ("migrate", migrate),
    ("fresh", fresh),
    ("index", index),
    ("maintain", maintain),
)
