"""The interface of the Memory Driver System over memwell: `MEMORY_DRIVER` chooses where memories are kept.

`app.core.memory` is this package. The drivers stand in `memwell.compat.memory_drivers.drivers`.
"""

from __future__ import annotations

from memwell.compat.memory_drivers.base import BaseMemoryDriver
from memwell.compat.memory_drivers.manager import (
    MemoryDriverManager,
    get_memory_driver,
    set_memory_driver,
)

__all__ = ["BaseMemoryDriver", "MemoryDriverManager", "get_memory_driver", "set_memory_driver"]
