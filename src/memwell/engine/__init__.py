"""The engine's working parts; `memwell.memory` is the face of them.

`memwell.engine.remember` and `.links` are imported when they are first asked for, without an `import` at each call: a
process that asks one question needs neither.
"""

from __future__ import annotations

import importlib
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name not in ("links", "remember"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
