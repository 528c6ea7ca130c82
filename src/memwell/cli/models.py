"""`models pull`, `models where`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from memwell.cli.failures import complain
from memwell.cli.shared import Cli
from memwell.errors import ConfigError, MemwellError

__all__ = ["COMMANDS", "HELP", "pull", "remedy", "weights", "where"]

_PACKAGES: Final = ("numpy", "onnxruntime", "tokenizers")
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
    path = weights().available(cli.settings.model_dir)
    if path is None:
        raise ConfigError("the local model is not here yet; run: memwell models pull")
    if cli.out.as_json:
        cli.out.json({"path": str(path)})
    else:
        cli.out.line(str(path))


def _pull(cli: Cli) -> object:
    module = weights()
    with cli.out.progress("Fetching the local model", in_bytes=True) as progress:
        return module.pull(cli.settings.model_dir, progress=progress)


def remedy(cli: Cli) -> str | None:
    """What to run so that recall goes by meaning too; `None` when it does already."""
    if any(importlib.util.find_spec(package) is None for package in _PACKAGES):
        return "pip install 'memwell[local]' && memwell models pull"
    return None if weights().available(cli.settings.model_dir) is not None else "memwell models pull"


def weights() -> Any:
    """The module that finds and fetches the weights."""
    try:
        return importlib.import_module("memwell.embedders.weights")
    except ImportError as error:
        raise ConfigError(
            "the local model's packages are missing; run: pip install 'memwell[local]'"
        ) from error


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (("pull", pull), ("where", where))
