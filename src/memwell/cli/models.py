"""`models pull`, `models where`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from memwell.cli.failures import complain
from memwell.cli.local import weights
from memwell.cli.shared import Cli
from memwell.errors import ConfigError, MemwellError, Unavailable

__all__ = ["COMMANDS", "HELP", "pull", "where"]

HELP: Final = "The local model for recall by meaning."


def pull(
    cli: Cli,
    optional: Annotated[
        bool,
        typer.Option("--optional", help="Succeed even if the download fails; recall then uses words only."),
    ] = False,
) -> None:
    """Download the weights of the local model (about 90 MB, once) and check them."""
    try:
        path = _pull(cli)
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
    else:
        cli.out.line(f"The local model is ready: {path}")


def where(cli: Cli) -> None:
    """Print where the weights are."""
    path = weights().available(cli.settings.model_dir)
    if path is None:
        raise ConfigError("the local model is not installed; run: memwell models pull")
    if cli.out.as_json:
        cli.out.json({"path": str(path)})
    else:
        cli.out.line(str(path))


def _pull(cli: Cli) -> object:
    module = weights()
    with cli.out.progress("Downloading the local model", in_bytes=True) as progress:
        return module.pull(cli.settings.model_dir, progress=progress)


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (("pull", pull), ("where", where))
