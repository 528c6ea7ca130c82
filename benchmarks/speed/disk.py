"""What the disk takes to make a few bytes durable: every durable write waits for it."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

__all__ = ["fsync_time"]

PAGE = b"\0" * 8192
"""As much as PostgreSQL writes at least for a commit."""


def fsync_time(folder: Path, times: int = 100) -> float:
    """Seconds that an fsync after an append of 8 KB takes in the folder; the median."""
    path = folder / "fsync"
    found = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(PAGE)
            start = time.perf_counter()
            os.fsync(file.fileno())
            found.append(time.perf_counter() - start)
    path.unlink()
    return statistics.median(found)
