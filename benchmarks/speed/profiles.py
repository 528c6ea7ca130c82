"""`python -m benchmarks.speed --profile ROW`: where the time of our side of a row goes.

Each kind of row has a function that opens what the row measures and gives a piece of work to run twice: without and
with the profiler.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speed import processes, together
from benchmarks.speed.lines import FULL, LINES, Bench
from benchmarks.speed.measure import spell, steady, timed
from benchmarks.speed.operations import OPERATIONS, USER
from benchmarks.speed.postgres.rows import serving
from benchmarks.speed.postgres.sides import on_postgres
from benchmarks.speed.profiler import WAITS, Function, Threads, by_module, of_file
from benchmarks.speed.rows import WARM
from benchmarks.speed.sides import Sides, on_sqlite

__all__ = ["ROWS", "profile", "title"]

SHOWN = 25


@dataclass(frozen=True)
class Work:
    """The calls of a row, in two equal parts."""

    parts: tuple[Callable[[], object], Callable[[], object]]
    calls: int
    """Calls in each part; times are shown for one call."""
    taken: Path | None = None
    """The file of a profile that the second part takes by itself."""


@contextmanager
def _operation(sides: Sides[Any], bench: Bench, *, name: str) -> Iterator[Work]:
    """A row that compares call by call."""
    many = name == "one-of-many"
    for number in range(bench.scale.users if many else 1):
        sides.fill(f"u{number}" if many else USER, bench.scale.each if many else bench.scale.count)
    ours, _ = OPERATIONS[name](sides, WARM + 2 * bench.scale.times)
    each = (len(ours) - WARM) // 2
    _run(ours if many else ours[:WARM])  # every user is loaded
    yield Work((partial(_run, ours[-2 * each : -each]), partial(_run, ours[-each:])), each)


def _run(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()


@contextmanager
def _batch(sides: Sides[Any], bench: Bench) -> Iterator[Work]:
    """Memories in one call, for one user and then for another. A call is one memory here."""
    count = bench.scale.count
    yield Work((partial(sides.fill, "u", count), partial(sides.fill, "v", count)), count)


@contextmanager
def _at_once(sides: Sides[Any], bench: Bench, *, workers: int) -> Iterator[Work]:
    """Recalls at once on one event loop, in this thread."""
    sides.fill(USER, bench.scale.count)
    asked = sides.questions(USER, 2 * bench.scale.times, bench.scale.count)
    half = bench.scale.times
    with asyncio.Runner() as runner:
        memory = sides.again()

        def run(part: Sequence[str]) -> None:
            runner.run(together.ours_at_once(memory, part, workers))

        run(asked)
        yield Work((partial(run, asked[:half]), partial(run, asked[half:])), half)
        runner.run(memory.close())


KINDS: Mapping[str, Callable[[Sides[Any], Bench], AbstractContextManager[Work]]] = {
    "batch": _batch,
    **{name: partial(_operation, name=name) for name in OPERATIONS},
    "at-once": partial(_at_once, workers=8),
    "at-once-64": partial(_at_once, workers=64),
}
"""Key of a row → its work on open sides."""


@contextmanager
def _on_file(name: str, bench: Bench) -> Iterator[Work]:
    with (
        on_sqlite(bench.folder, bench.corpus, "profiled") as sides,
        KINDS[name](sides, bench) as work,
    ):
        yield work


@contextmanager
def _on_server(name: str, bench: Bench) -> Iterator[Work]:
    with (
        serving() as url,
        on_postgres(url, bench.corpus, "profiled") as sides,
        KINDS[name](sides, bench) as work,
    ):
        yield work


@contextmanager
def _in_process(program: str, bench: Bench) -> Iterator[Work]:
    """A new process to its first answer, profiled by itself."""
    code = processes.programs(bench)[program]
    script, taken = bench.folder / "first_answer.py", bench.folder / "first_answer.prof"
    script.write_text(code, "utf-8")
    command = [sys.executable, "-m", "cProfile", "-o", str(taken), str(script)]
    run = partial(subprocess.run, command, check=True, cwd=processes.ROOT)
    yield Work((partial(processes.first_answer, code), run), 1, taken)


ROWS: Mapping[str, Callable[[Bench], AbstractContextManager[Work]]] = {
    **{name: partial(_on_file, name) for name in KINDS},
    "cold": partial(_in_process, "vectors"),
    "cold-words": partial(_in_process, "words"),
    **{f"pg-{name}": partial(_on_server, name) for name in KINDS if f"pg-{name}" in LINES},
}
"""Key of a row → what it runs, once without and once with the profiler."""


def title(key: str, bench: Bench | None = None) -> str:
    """The row's title; its numbers are those of the bench."""
    scale = FULL if bench is None else bench.scale
    return LINES[key].title.format(**vars(scale) | {"all": scale.users * scale.each})


def profile(key: str, bench: Bench, console: Console) -> None:
    """Run the row's work under the profiler and print where its time went."""
    with Threads() as threads, ROWS[key](bench) as work, steady():
        plain = timed(work.parts[0]) / work.calls
        start = time.perf_counter()
        found = threads.run(work.parts[1])
        profiled, calls = (time.perf_counter() - start) / work.calls, work.calls
        if work.taken is not None:
            found = of_file(work.taken)
    console.print(
        f"\n[bold]{title(key, bench)}[/bold], {bench.corpus.name}: {spell(plain)} a call", highlight=False
    )
    console.print(f"{spell(profiled)} under the profiler, {calls:,} calls\n", style="dim", highlight=False)
    _show(console, found, calls)


def _show(console: Console, found: Sequence[Function], calls: int) -> None:
    """Three tables: by module, by own time, by time with what is called; of one call, in µs or ms."""
    whole = sum(each.own for each in found if each.module != WAITS)
    unit, scale = ("ms", 1e3) if whole / calls > 0.2 else ("µs", 1e6)

    def of_call(seconds: float) -> str:
        return f"{seconds / calls * scale:,.1f}"

    def shown(title: str, *columns: str) -> Table:
        table = Table(title=title, title_justify="left")
        for name in columns[:-1]:
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column(columns[-1], overflow="fold")
        return table

    modules = shown(
        "by module, with the built-in functions it calls", unit, "%", "of it Python", "calls", "module"
    )
    for each in by_module(found):
        if each.inside > whole / 200:
            share = "" if each.module == WAITS else f"{100 * each.inside / whole:.1f}"
            modules.add_row(of_call(each.inside), share, of_call(each.own), _calls(each, calls), each.name)
    console.print(modules)
    working = [each for each in found if each.module != WAITS]
    for title, key in (("by own time", "own"), ("by time with what it calls", "total")):
        table = shown(title, f"own {unit}", f"total {unit}", "%", "calls", "function")
        for each in sorted(working, key=lambda one, key=key: -float(getattr(one, key)))[:SHOWN]:  # type: ignore[misc]
            share = f"{100 * getattr(each, key) / whole:.1f}"
            table.add_row(of_call(each.own), of_call(each.total), share, _calls(each, calls), each.name)
        console.print(table)


def _calls(each: Function, calls: int) -> str:
    return f"{each.calls / calls:,.4g}"
