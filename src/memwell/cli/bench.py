"""`bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from memwell.errors import ConfigError

__all__ = ["bench"]


def bench(
    ctx: typer.Context,
    which: Annotated[str, typer.Argument(metavar="speed|quality", help="Which benchmark.")] = "speed",
) -> None:
    """Run a benchmark of the project's checkout. Further arguments are passed on to it."""
    if which not in ("speed", "quality"):
        raise typer.BadParameter("there are two benchmarks: speed and quality")
    root = Path(__file__).parents[3]
    if not (root / "benchmarks" / which / "__main__.py").exists():
        raise ConfigError(
            "the benchmarks are not in the installed package; clone the project and run `make bench` there"
        )
    done = subprocess.run(  # noqa: S603  our own module, arguments as a list
        [sys.executable, "-m", f"benchmarks.{which}", *ctx.args], cwd=root, check=False
    )
    raise typer.Exit(done.returncode)
