"""`demo`."""

from __future__ import annotations

from memwell.cli.shared import Cli

__all__ = ["demo"]


def demo(cli: Cli) -> None:
    """x."""
