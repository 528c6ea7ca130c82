"""Every promise of the other layers is shown by a test, a page or a file, or named with what brings it."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_nothing_is_open() -> None:
    scripts = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "seed_capabilities.py"))
    assert scripts["open_ones"]() == []
