"""Measure memwell beside the hand-written floor: `python -m benchmarks.speed --help`.

One BLAS and OpenMP thread is used everywhere; the process restarts itself with that environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.speed.lines import Bench
    from benchmarks.speed.parts import Part

__all__ = ["main"]

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def main() -> int:
    """Measure, print, and write the requested files. Returns 1 if a required value is missed."""
    compiled = "PYTHONDONTWRITEBYTECODE"  # processes start as users' do: from compiled modules
    if os.environ.pop(compiled, None) or any(os.environ.get(name) != one for name, one in THREADS.items()):
        os.execve(
            sys.executable, [sys.executable, "-m", "benchmarks.speed", *sys.argv[1:]], os.environ | THREADS
        )
    from benchmarks.speed.corpora import corpora
    from benchmarks.speed.lines import FULL, QUICK, Bench
    from benchmarks.speed.parts import PARTS

    arguments = _arguments(PARTS)
    corpus = [c for name, c in corpora(arguments.data).items() if arguments.corpus in (None, name)]
    scale = QUICK if arguments.quick else FULL
    with tempfile.TemporaryDirectory(prefix="memwell-speed-", dir=arguments.folder) as folder:
        tempfile.tempdir = folder  # the servers' too
        Path(folder).chmod(0o711)  # PostgreSQL may run as another user
        benches = [Bench(Path(folder).resolve(), each, scale, large=arguments.large) for each in corpus]
        if arguments.profile:
            return _profile(arguments.profile, benches)
        return _measure(arguments, benches)


def _measure(arguments: argparse.Namespace, benches: Sequence[Bench]) -> int:
    from benchmarks.speed import report
    from benchmarks.speed.parts import chosen, measured
    from benchmarks.speed.results import Results

    console = _console()
    kinds = {"core"} | {name for name in ("large", "more") if getattr(arguments, name)}
    results = Results.of_this_machine(arguments)
    for row in measured(chosen(arguments.only or (), kinds), benches):
        results.add(row)
        console.print(report.line(row), highlight=False)
    report.as_table(results.rows, console)
    console.print(results.took(), style="dim")
    if arguments.json:
        results.write(arguments.json)
    if arguments.plot:
        report.as_plot(results.rows, arguments.plot)
    if arguments.docs:
        results.publish()
    return int(any(row.mark == "missed" for row in results.rows))


def _console() -> Console:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 150
    return console


def _profile(key: str, benches: Sequence[Bench]) -> int:
    from benchmarks.speed import profiles

    console = _console()
    if key not in profiles.ROWS:
        rows = "\n".join(f"  {name:20}{profiles.title(name)}" for name in profiles.ROWS)
        console.print(f"there is no row {key!r} to profile; these are:\n{rows}", highlight=False)
        return 2
    for bench in benches:
        with console.status(f"profiling {key} on {bench.corpus.name}"):
            profiles.profile(key, bench, console)
    return 0


def _arguments(parts: Mapping[str, Part]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="smaller stores and fewer rounds: a look, not a result")
    add("--large", action="store_true", help="also the rows with 100,000 memories")
    add(
        "--more",
        action="store_true",
        help="also what is not beside a floor: model, ports, encryption, management, compat",
    )
    add("--only", action="append", choices=parts, help="measure this part only; may be repeated")
    add("--data", type=Path, help="make the chat turns of this file, as benchmarks.quality takes them")
    add("--corpus", choices=("notes", "chat"), help="measure on one of the corpora only")
    add("--profile", metavar="ROW", help="show where the time of a row goes; any other word lists the rows")
    add("--json", type=Path, help="write the rows to this file")
    add("--plot", type=Path, help="draw the rows into this file")
    add("--docs", action="store_true", help="put the rows into docs/benchmarks.md, its JSON and its plots")
    add("--folder", type=Path, help="where the databases are made; a real disk, not a RAM disk")
    given = parser.parse_args()
    if given.docs and given.quick:
        parser.error("--quick is a look, not a result for --docs")
    return given


if __name__ == "__main__":
    sys.exit(main())
