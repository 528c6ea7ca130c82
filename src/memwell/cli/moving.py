"""`import`, `export`."""

from __future__ import annotations

from memwell.cli.shared import Cli

__all__ = ["export", "import_"]


def import_(cli: Cli) -> None:
    """x."""


def export(cli: Cli) -> None:
    """x."""
