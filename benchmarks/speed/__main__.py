"""Measure memwell beside the hand-written floor: `python -m benchmarks.speed --help`.

One BLAS and OpenMP thread is used everywhere; the process restarts itself with that environment.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.speed.measure import Row

__all__ = ["main"]

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
NAMES = (
    "imports", "batches", "one-user", "many-users", "a-million", "recalls", "group-commit", "cold", "resident", "model",
    "postgres", "ports", "encryption", "management", "compat",
)  # fmt: skip


def main() -> int:
    """Measure, print, and write the requested files. Returns 1 if a required value is missed."""
    compiled = "PYTHONDONTWRITEBYTECODE"  # processes start as users' do: from compiled modules
    if os.environ.pop(compiled, None) or any(os.environ.get(name) != one for name, one in THREADS.items()):
        os.execve(
            sys.executable, [sys.executable, "-m", "benchmarks.speed", *sys.argv[1:]], os.environ | THREADS
        )
    arguments = _arguments()
    from rich.console import Console

    from benchmarks.speed import report

    console = Console()
    if not console.is_terminal:
        console.width = 130
    rows = []
    for name, part in _parts().items():
        if arguments.only and name not in arguments.only:
            continue
        with (
            console.status(f"measuring {name}"),
            tempfile.TemporaryDirectory(prefix="memwell-speed-", dir=arguments.folder) as folder,
        ):
            for row in part(Path(folder).resolve(), arguments.quick):
                rows.append(row)
                console.print(f"{row.mark or '–':7}{row.name}: {row.value:.3g} {row.unit}", highlight=False)
    report.as_table(rows, console)
    if arguments.json:
        report.as_json(rows, arguments.json, " ".join(sys.argv[1:]))
    if arguments.plot:
        report.as_plot(rows, arguments.plot)
    return int(any(row.mark == "missed" for row in rows))


def _parts() -> dict[str, Callable[[Path, bool], Iterator[Row]]]:
    from benchmarks.speed import (
        compat,
        encryption,
        management,
        model,
        ports,
        postgres,
        processes,
        rows,
        together,
    )

    parts: dict[str, Callable[[Path, bool], Iterator[Row]]] = {
        "imports": processes.imports,
        "batches": rows.batches,
        "one-user": rows.one_user,
        "many-users": rows.many_users,
        "a-million": rows.a_million,
        "recalls": together.recalls,
        "group-commit": together.group_commit,
        "cold": processes.cold,
        "resident": processes.resident,
        "model": model.with_model,
        "postgres": postgres.postgres,
        "ports": ports.ports,
        "encryption": encryption.encryption,
        "management": management.management,
        "compat": compat.compat,
    }
    assert tuple(parts) == NAMES
    return parts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="smaller stores and fewer rounds: a look, not a result"
    )
    parser.add_argument(
        "--only", action="append", choices=NAMES, help="measure this part only; may be repeated"
    )
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--plot", type=Path, help="draw the rows into this file")
    parser.add_argument(
        "--folder", type=Path, help="where the databases are made; a real disk, not a RAM disk"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
