"""`models list`, `models pull`, `models verify`, `models where`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from memwell.cli.failures import complain
from memwell.cli.local import library, module, weights
from memwell.cli.shared import Cli
from memwell.errors import ConfigError, Corrupt, MemwellError, Unavailable

__all__ = ["COMMANDS", "HELP", "list_", "pull", "verify", "where"]

HELP: Final = "Local models for recall by meaning."
Name = Annotated[
    str | None,
    typer.Argument(
        help="A model of the list, or OWNER/NAME of the Hugging Face hub; by default all-MiniLM-L6-v2.",
        show_default=False,
    ),
]


def list_(cli: Cli) -> None:
    """List the models that are known to suit memories, and whether they are here."""
    rows = [_row(entry) for entry in module("catalogue").CATALOGUE]
    if cli.out.as_json:
        cli.out.json(rows)
        return
    heads = ("model", "size", "languages", "dimension", "window", "recall@10", "ms per text", "here")
    cells = [
        (
            row["name"],
            f"{row['bytes'] / 1e6:.0f} MB",
            row["languages"],
            row["dimension"],
            row["window"],
            _measured(row["recall_at_10"]),
            _measured(row["milliseconds"]),
            "yes" if row["path"] else "no",
        )
        for row in rows
    ]
    cli.out.table(heads, cells, wide="model")
    cli.out.note("recall@10: by the cosine of the model alone, on the chat turns of the benchmark.")


def pull(
    cli: Cli,
    name: Name = None,
    optional: Annotated[
        bool,
        typer.Option("--optional", help="Succeed even if the download fails; recall then uses words only."),
    ] = False,
) -> None:
    """Download a model, once, and check it. The default one takes about 90 MB."""
    try:
        path = _pull(cli, name)
    except MemwellError as error:
        if not optional:
            raise
        why = "because there is no network" if isinstance(error, Unavailable) else f"({error.message})"
        complain(
            f"note: the local model was not downloaded {why}; recall uses words only. Try later: memwell models pull"
        )
        return
    if cli.out.as_json:
        cli.out.json({"path": str(path)})
    elif name is None:
        cli.out.line(f"The local model is ready: {path}")
    else:
        cli.out.line(f"The model is ready: {path}")
        cli.out.note(f"Use it as: --embedder local:{name}")


def verify(cli: Cli, name: Name = None) -> None:
    """Read every file of a model and compare it with what was pulled."""
    path = _here(cli, name)
    if name is None and not weights().converted(path):
        path = weights().ready(cli.settings.model_dir)  # of official files, which are checked on conversion
    damaged = library().verify(path)
    if cli.out.as_json:
        cli.out.json({"path": str(path), "ok": not damaged, "damaged": damaged})
    if damaged:
        files = ", ".join(damaged)
        raise Corrupt(
            f"{files} in {path} changed; delete that folder and run: {_command(name)}", part="local"
        )
    if not cli.out.as_json:
        cli.out.line(f"Every file is as it was pulled: {path}")


def where(cli: Cli, name: Name = None) -> None:
    """Print where a model is."""
    path = _here(cli, name)
    if cli.out.as_json:
        cli.out.json({"path": str(path)})
    else:
        cli.out.line(str(path))


def _row(entry: Any) -> dict[str, Any]:
    path = library().located(entry.name)
    return {
        "name": entry.name,
        "repository": entry.repository,
        "bytes": entry.bytes,
        "languages": entry.languages,
        "dimension": entry.dimension,
        "window": entry.window,
        "kind": entry.kind,
        "recall_at_10": entry.recall,
        "milliseconds": entry.milliseconds,
        "path": None if path is None else str(path),
    }


def _measured(value: float | None) -> str:
    return "not measured" if value is None else f"{value:g}"


def _here(cli: Cli, name: str | None) -> Path:
    """The folder of a model. Raises `ConfigError` if it is not on this machine."""
    given = cli.settings.model_dir
    found = weights().available(given) if name is None else library().located(name)
    if found is None and name is None and given is not None and Path(given).is_dir():
        return Path(given)
    if found is None:
        what = (
            "the local model is not installed" if name is None else f"the model {name} is not on this machine"
        )
        raise ConfigError(f"{what}; run: {_command(name)}")
    return Path(found)


def _command(name: str | None) -> str:
    return "memwell models pull" + (f" {name}" if name else "")


def _pull(cli: Cli, name: str | None) -> object:
    what = "Downloading the local model" if name is None else f"Downloading {name}"
    with cli.out.progress(what, in_bytes=True) as progress:
        if name is not None:
            return library().pull(name, progress=progress)
        if cli.settings.model_dir is None:
            return weights().pull(progress=progress)
    return library().layout_of(module("folders").expanded(cli.settings.model_dir)).weights.parent


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (
    ("list", list_),
    ("pull", pull),
    ("verify", verify),
    ("where", where),
)
