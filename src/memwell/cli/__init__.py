"""The command line. `main` is the entry point; typer and rich are loaded only when a command needs them."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["main", "version_line"]


def main() -> None:
    """Run the command line on `sys.argv` and exit with its code (`memwell.cli.failures`)."""
    if sys.argv[1:] in (["version"], ["--version"]):
        sys.stdout.write(version_line() + "\n")
        return
    from memwell.cli.root import run

    sys.exit(run(sys.argv[1:]))


def version_line() -> str:
    """One line with the versions of memwell, Python and SQLite."""
    import platform
    import sqlite3

    from memwell import __version__

    return f"memwell {__version__} (Python {platform.python_version()}, SQLite {sqlite3.sqlite_version})"


def __getattr__(name: str) -> Any:
    if name == "app":
        from memwell.cli.root import app

        return app
    raise AttributeError(f"module 'memwell.cli' has no attribute {name!r}")
