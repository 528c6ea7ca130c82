"""Where the time of a row goes: our side of it alone under cProfile, in all threads.

A profiler adds something to every call of Python, so small functions look larger than they are; the calls are timed
without it first, and the share of a function means more than its microseconds. Shares are of the time that all threads
work together; what waits (for a lock, the server or another thread) counts as waiting. A thread that waits for the
interpreter looks as if it worked.
"""

from __future__ import annotations

import cProfile
import marshal
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import memwell

__all__ = ["WAITS", "Function", "Threads", "by_module", "of_file"]

BUILT_IN, WAITS = "built-in functions", "waiting"
HOME = Path(memwell.__file__).parent
WAITING = ("acquire", "select.", "poll", "time.sleep", "wait", "SimpleQueue", "of '_socket.socket'")
"""Parts of the names of built-in functions that wait."""


@dataclass(frozen=True, slots=True)
class Function:
    """What one function took, in seconds."""

    name: str
    """With its file and line, or as a built-in function is called."""
    module: str
    """Of memwell, or the package that it is of."""
    calls: int
    own: float
    total: float
    """With all that it called."""
    inside: float
    """Its own and that of the built-in functions it called, without waiting."""


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    own: float = 0.0
    total: float = 0.0
    inside: float = 0.0

    def add(self, other: Any, sign: int = 1) -> None:
        for name in ("calls", "own", "total", "inside"):
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))


class Threads:
    """Profiles of this thread while `run` runs, and of each thread started inside the `with` block.

    From Python 3.12 on one profile has all threads; calls are right, times mix where threads alternate inside a call.
    """

    def __init__(self) -> None:
        self._mine = cProfile.Profile()
        self._others: list[cProfile.Profile] = []

    def __enter__(self) -> Threads:
        if sys.version_info < (3, 12):
            threading.setprofile(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        threading.setprofile(None)

    def _begin(self, *_: object) -> None:
        sys.setprofile(None)
        profile = cProfile.Profile()
        self._others.append(profile)
        profile.enable()

    def run(self, work: Callable[[], object]) -> list[Function]:
        """Run and give what each function took meanwhile, in all threads together."""
        before = self._taken()
        self._mine.enable()
        try:
            work()
        finally:
            self._mine.disable()
        found = self._taken()
        for code, taken in before.items():
            found[code].add(taken, -1)
        return [_function(code, taken) for code, taken in found.items() if taken.calls]

    def _taken(self) -> dict[CodeType | str, _Sum]:
        sums: dict[CodeType | str, _Sum] = defaultdict(_Sum)
        for profile in (self._mine, *self._others):
            for entry in profile.getstats():
                sums[entry.code].add(_of(entry))
        return sums


def _of(entry: Any) -> _Sum:
    own = entry.inlinetime
    built_in = [each for each in entry.calls or () if isinstance(each.code, str) and not _waits(each.code)]
    return _Sum(entry.callcount, own, entry.totaltime, own + sum(each.inlinetime for each in built_in))


def _waits(built_in: str) -> bool:
    return any(part in built_in for part in WAITING)


def of_file(path: Path) -> list[Function]:
    """What `python -m cProfile -o path` wrote."""
    entries = marshal.loads(path.read_bytes())
    sums = {code: _Sum(calls, own, total, own) for code, (_, calls, own, total, _) in entries.items()}
    for (file, _, name), (*_, callers) in entries.items():
        if file == "~" and not _waits(name):
            for caller, (_, _, own, _) in callers.items():
                sums[caller].inside += own
    return [
        _function(name if file == "~" else (file, line, name), taken)
        for (file, line, name), taken in sums.items()
    ]


def _function(code: CodeType | str | tuple[str, int, str], taken: _Sum) -> Function:
    if isinstance(code, str):
        name = re.sub(r"^<?(built-in )?(method )?|>$", "", code)
        module = WAITS if _waits(code) else BUILT_IN
        return Function(name, module, taken.calls, taken.own, taken.total, taken.inside)
    if isinstance(code, CodeType):
        code = code.co_filename, code.co_firstlineno, code.co_qualname
    file, line, name = code
    if file == "<string>":  # methods that dataclasses and named tuples make
        return Function(f"generated: {name}", "generated", taken.calls, taken.own, taken.total, taken.inside)
    if (path := Path(file)).is_relative_to(HOME):
        module = ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")
        name = f"{module}:{line} {name}"
    else:
        module = _package(path)
        name = f"{module}: {name}"
    return Function(name, module, taken.calls, taken.own, taken.total, taken.inside)


def _package(path: Path) -> str:
    """What a file outside memwell belongs to."""
    parts = path.parts
    for folder in ("site-packages", "benchmarks", f"python3.{sys.version_info.minor}"):
        if folder in parts[:-1]:
            return folder if folder == "benchmarks" else Path(parts[parts.index(folder) + 1]).stem
    return path.stem


def by_module(found: Iterable[Function]) -> list[Function]:
    """One line a module, longest `inside` first. Built-in functions count for the modules that call them."""
    sums: dict[str, _Sum] = defaultdict(_Sum)
    for each in found:
        if each.module != BUILT_IN:
            sums[each.module].add(each)
    lines = [Function(name, name, s.calls, s.own, s.own, s.inside) for name, s in sums.items()]
    return sorted(lines, key=lambda line: -line.inside)
