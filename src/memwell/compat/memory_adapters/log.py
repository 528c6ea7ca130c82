"""Where the adapters write what went wrong: structlog if the program has configured it, else the standard logging."""

from __future__ import annotations

import logging
import sys
from typing import Any

__all__ = ["report"]

_NAME = "memwell.compat.memory_adapters"


def report(level: str, event: str, **fields: Any) -> None:
    """Log an event with its fields at `debug`, `warning` or `error`."""
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        getattr(structlog.get_logger(_NAME), level)(event, **fields)
        return
    shown = ", ".join(f"{name}={value}" for name, value in fields.items())
    getattr(logging.getLogger(_NAME), level)("%s: %s", event, shown)
