"""The interfaces of five other memory layers over memwell: code written for one of them runs on any backend.

Change the import root, `memoric` to `memwell.compat.memoric`, or leave it and call `install()` once at the start of the
program:

    from memwell.compat import install

    install("memoric")
    from memoric import Memoric  # memwell.compat.memoric
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

from memwell.errors import ConfigError

__all__ = ["ROOTS", "install", "uninstall"]

ROOTS = {
    "memoric": "memwell.compat.memoric",
    "server.memory_providers": "memwell.compat.memory_providers",
    "app.core.memory": "memwell.compat.memory_drivers",
    "memory": "memwell.compat.memory_adapters",
    "memorycore": "memwell.compat.memorycore",
}
"""The import roots that `install` offers, and what stands behind each."""


def install(*roots: str) -> None:
    """Make the import roots of the other layers lead here: all of `ROOTS`, or those named.

    It takes effect for imports that follow, in this process. A package of the same name that is installed, too, is
    hidden by it. A second call changes nothing.

    Raises `ConfigError` if a root is unknown, or already imported from elsewhere.
    """
    for root in roots or ROOTS:
        if root not in ROOTS:
            raise ConfigError(f"{root!r} is no import root that memwell offers; known are {', '.join(ROOTS)}")
        loaded = sys.modules.get(root)
        if loaded is not None and loaded.__name__ != ROOTS[root]:
            raise ConfigError(f"{root!r} is already imported from {loaded!r}: call install() before that")
    _ALIASES.roots.update(dict.fromkeys(roots or ROOTS))
    if _ALIASES not in sys.meta_path:
        sys.meta_path.insert(0, _ALIASES)
        sys.meta_path.append(_PARENTS)


def uninstall() -> None:
    """Undo `install`: imports that follow find what the names meant before."""
    for finder in (_ALIASES, _PARENTS):
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if _ALIASES.target(name) or _PARENTS.made(name)]:
        del sys.modules[name]
    _ALIASES.roots.clear()


class _Aliases(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `memoric.providers` as the very module `memwell.compat.memoric.providers`."""

    def __init__(self) -> None:
        self.roots: dict[str, None] = {}

    def target(self, name: str) -> str | None:
        """The module that stands behind a name, if one does."""
        for root in self.roots:
            if name == root or name.startswith(f"{root}."):
                return ROOTS[root] + name[len(root) :]
        return None

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        real = self.target(fullname)
        if real is None or importlib.util.find_spec(real) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        real = self.target(module.__name__)
        assert real is not None
        sys.modules[module.__name__] = importlib.import_module(real)


class _Parents(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the empty packages above a root (`app`, `app.core`) where the program has none of its own."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if not any(root.startswith(f"{fullname}.") for root in _ALIASES.roots):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__path__ = []

    @staticmethod
    def made(name: str) -> bool:
        """Whether a module that is loaded is one of these."""
        spec = getattr(sys.modules.get(name), "__spec__", None)
        return spec is not None and spec.loader is _PARENTS


_ALIASES = _Aliases()
_PARENTS = _Parents()
