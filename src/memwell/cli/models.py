"""`models pull`, `models where`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from memwell.cli.failures import complain
from memwell.cli.shared import Cli
from memwell.errors import ConfigError, MemwellError

__all__ = ["COMMANDS", "HELP", "pull", "weights", "where"]

HELP: Final = "The local model for recall by meaning."


def pull(
    cli: Cli,
    optional: Annotated[
        bool, typer.Option("--optional", help="Succeed even if it cannot be had; recall is by words then.")
    ] = False,
) -> None:
    """Fetch the weights of the local model (about 90 MB, once) and check them."""
    try:
        path = _pull(cli)
    except MemwellError as error:
        if not optional:
            raise
        complain(f"note: no local model ({error.message}); recall works by words. Later: memwell models pull")
        return
    if cli.out.as_json:
        cli.out.json({"path": str(path)})
    else:
        cli.out.line(f"The local model is ready: {path}")


def where(cli: Cli) -> None:
    """Print where the weights are."""
    path = weights().available()
    if path is None:
        raise ConfigError("the local model is not here yet; run: memwell models pull")
    if cli.out.as_json:
        cli.out.json({"path": str(path)})
    else:
        cli.out.line(str(path))


def _pull(cli: Cli) -> object:
    module = weights()
    found = module.available()
    if found is not None:
        return found
    with cli.out.progress("Fetching the local model") as progress:
        return module.pull(progress=progress)


def weights() -> Any:
    """The module that finds and fetches the weights."""
    try:
        return importlib.import_module("memwell.embedders.weights")
    except ImportError as error:
        raise ConfigError(
            "the local model's packages are missing; run: pip install 'memwell[local]'"
        ) from error


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (("pull", pull), ("where", where))
