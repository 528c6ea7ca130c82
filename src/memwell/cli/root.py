"""The application: its commands, and the one place that handles every error."""

from __future__ import annotations

import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import typer
from typer.core import TyperGroup

from memwell.cli import (
    about,
    bench,
    clusters,
    demo,
    keys,
    models,
    proof,
    recall,
    relate,
    remember,
    settings,
    show,
    tidy,
    transfer,
    upkeep,
    webhooks,
)
from memwell.cli.database import commands as database
from memwell.cli.failures import Code, Notices, complain, report
from memwell.cli.shared import command, shared_parameters
from memwell.errors import MemwellError

__all__ = ["app", "run"]

_UsageError: Any = typer.BadParameter.__base__


_SYNONYMS: Final = {
    word: command
    for command, words in {
        "remember": "add create insert new note put save set store write",
        "recall": "ask find grep query retrieve search",
        "list": "all ls",
        "show": "cat get open read view",
        "forget": "del delete drop remove rm",
        "erase": "purge shred wipe",
        "receipt": "receipts",
        "audit": "auditlog trail",
        "update": "change edit modify",
        "history": "log versions",
        "restore": "revert rollback undo",
        "relate": "link",
        "unrelate": "unlink",
        "related": "links neighbours",
        "conflicts": "contradictions disagreements",
        "enrich": "entities extract topic",
        "clusters": "cluster group groups topics",
        "summarise": "summarize summary",
        "import": "ingest load",
        "export": "backup dump",
        "stats": "count info size status",
        "doctor": "check health verify",
        "repair": "fix",
        "tidy": "clean cleanup evict expire sweep",
        "db": "database migrate",
        "models": "download model pull",
        "keys": "encrypt encryption key rotate",
        "config": "settings",
        "webhooks": "deliver events hooks notify webhook",
        "version": "about",
    }.items()
    for word in words.split()
}
"""What others call a command → its name here."""


class Root(TyperGroup):
    """The group of all commands. Errors become one line on stderr and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command. In standalone mode exit with the code, otherwise return it."""
        call = functools.partial(
            super().main, args, prog_name, complete_var, False, windows_expand_args, **extra
        )
        code = _coded(call)
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and end quietly if the reader of the output closes it."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit(Code.BROKEN_PIPE) from None
        except KeyboardInterrupt:
            raise typer.Exit(Code.INTERRUPTED) from None
        except MemwellError as error:
            raise typer.Exit(report(error)) from error
        return result


def _coded(call: Callable[[], Any]) -> int:
    """Run and return the exit code."""
    try:
        return int(call() or 0)
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            complain(_usage(error))
        return Code.USAGE
    except (typer.Abort, KeyboardInterrupt):
        return Code.INTERRUPTED
    except Exception as error:  # noqa: BLE001  every error becomes a line and an exit code
        return report(error)


def _usage(error: Any) -> str:
    name = error.ctx.command_path if error.ctx else "memwell"
    text = " ".join(error.format_message().split())
    unknown = re.search(r"^No such command '([\w-]+)'\.", text)
    meant = _SYNONYMS.get(unknown[1].lower(), "") if unknown and name == "memwell" else ""
    text = f"{unknown[0]} Did you mean '{meant}'?" if unknown and meant else text
    return f"{text}{'' if text[-1:] in '.?' else '.'} See: {name} --help"


def _drop_output() -> None:
    """Redirect stdout to the null device, so that Python can flush what is buffered without an error."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


app = typer.Typer(
    name="memwell",
    cls=Root,
    help="Memory for AI agents: one SQLite file, no API key, no server.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

_EVERYDAY: Final = "Everyday use"
_CHANGES: Final = "Changing and relating"
_CARE: Final = "Import, export and maintenance"
_ABOUT: Final = "Getting started"

_COMMANDS: Final[Sequence[tuple[str, Callable[..., None], str]]] = (
    ("remember", remember.remember, _EVERYDAY),
    ("recall", recall.recall, _EVERYDAY),
    ("list", show.list_, _EVERYDAY),
    ("show", show.show, _EVERYDAY),
    ("forget", remember.forget, _EVERYDAY),
    ("erase", proof.erase, _CHANGES),
    ("update", remember.update, _CHANGES),
    ("history", show.history, _CHANGES),
    ("restore", remember.restore, _CHANGES),
    ("relate", relate.relate, _CHANGES),
    ("unrelate", relate.unrelate, _CHANGES),
    ("related", relate.related, _CHANGES),
    ("conflicts", relate.conflicts, _CHANGES),
    ("enrich", clusters.enrich, _CHANGES),
    ("clusters", clusters.clusters, _CHANGES),
    ("summarise", clusters.summarise, _CHANGES),
    ("import", transfer.import_, _CARE),
    ("export", transfer.export, _CARE),
    ("stats", show.stats, _CARE),
    ("doctor", upkeep.doctor, _CARE),
    ("repair", upkeep.repair, _CARE),
    ("reembed", upkeep.reembed, _CARE),
    ("tidy", tidy.tidy, _CARE),
    ("demo", demo.demo, _ABOUT),
    ("version", about.version, _ABOUT),
)


@app.callback()
def root(ctx: typer.Context, **given: Any) -> None:
    """Keep the options that stand before the name of the command."""
    ctx.obj = given


def _build() -> None:
    import inspect

    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [context, *shared_parameters()]
    root.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    root.__annotations__ = {p.name: p.annotation for p in parameters}
    for name, function, panel in _COMMANDS:
        app.command(name, rich_help_panel=panel)(command(function))
    groups = (
        ("db", database.HELP, database.COMMANDS, _CARE),
        ("keys", keys.HELP, keys.COMMANDS, _CARE),
        ("policies", tidy.HELP, tidy.COMMANDS, _CARE),
        ("receipt", proof.RECEIPT_HELP, proof.RECEIPT, _CARE),
        ("audit", proof.AUDIT_HELP, proof.AUDIT, _CARE),
        ("webhooks", webhooks.HELP, webhooks.COMMANDS, _CARE),
        ("models", models.HELP, models.COMMANDS, _ABOUT),
        ("config", settings.HELP, settings.COMMANDS, _ABOUT),
    )
    for name, text, functions, panel in groups:
        group = typer.Typer(no_args_is_help=True, help=text)
        for own, function in functions:
            group.command(own)(command(function))
        app.add_typer(group, name=name, rich_help_panel=panel)
    passing = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command("bench", rich_help_panel=_ABOUT, context_settings=passing)(bench.bench)


_build()


def run(arguments: Sequence[str]) -> int:
    """Run the command line on these arguments and return the exit code."""
    _write_utf8()
    notices, log = Notices(), logging.getLogger("memwell")
    log.addHandler(notices)
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="memwell", standalone_mode=False)
        return int(code or 0)
    finally:
        log.removeHandler(notices)


def _write_utf8() -> None:
    """Write UTF-8 whatever the locale is; replace characters that cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
