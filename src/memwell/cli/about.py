"""`version`."""

from __future__ import annotations

import platform
import sqlite3

from memwell import __version__
from memwell.cli import version_line
from memwell.cli.shared import Cli

__all__ = ["version"]


def version(cli: Cli) -> None:
    """Print the version."""
    if cli.out.as_json:
        python = platform.python_version()
        cli.out.json({"memwell": __version__, "python": python, "sqlite": sqlite3.sqlite_version})
    else:
        cli.out.line(version_line())
