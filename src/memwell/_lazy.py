"""What is imported when it is first used: a process with one question needs little of memwell."""

from __future__ import annotations

import importlib
import sys

TYPE_CHECKING = False  # importing typing would cost more than all of this

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from typing import cast

__all__ = ["exports", "logger"]


def exports(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package whose public names stand in its modules: name → the module within it, which is
    imported when the name is first asked for. `dir` of the package includes these names.
    """
    vars(sys.modules[package])["__dir__"] = lambda: sorted({*vars(sys.modules[package]), *homes})

    def found(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return found


class _Logger:
    """A logger in waiting."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        if name == "_name":  # a copy has none yet
            raise AttributeError(name)
        import logging

        return getattr(logging.getLogger(self._name), name)


def logger(name: str) -> logging.Logger:
    """Like `logging.getLogger`. A process that has nothing to say does not import `logging`."""
    found: object = _Logger(name)
    if TYPE_CHECKING:
        return cast("logging.Logger", found)
    return found
