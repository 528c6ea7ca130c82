"""Crowd one file with processes that write and search: `python -m benchmarks.reliability.concurrency`.

No call may fail, nothing may be lost, each process finds its own writes at once, and `doctor` is content at the end.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memwell import Memory

__all__ = ["Outcome", "run", "work"]

ROOT = Path(__file__).parents[2]
STEP = 20
"""Writes between two lines of progress."""


@dataclass(frozen=True)
class Outcome:
    """How the crowd fared."""

    writes: int
    searches: int
    slowest: float
    """Seconds of the slowest single call."""
    seconds: float
    failures: tuple[str, ...]


def work(url: str, name: str, writes: int, seed: int, say: Callable[[str], Any]) -> None:
    """One process: write, and now and then search, update and read back; each problem is a line."""
    rng, slowest, searches = random.Random(f"{seed}:{name}"), 0.0, 0
    with Memory(url, embedder="hashing") as memory:
        for number in range(writes):
            before = time.perf_counter()
            word = f"word{name}x{number}"
            try:
                record = memory.remember(
                    f"{word} by {name}: {rng.random()}", id=f"{name}-{number}", user_id=name
                )
                if number % 5 == 0:
                    searches += 1
                    hits = memory.recall(f"what about {word}?", user_id=name, limit=5)
                    if record.id not in [hit.record.id for hit in hits]:
                        say(json.dumps({"failure": f"{record.id} was not found right after it was written"}))
                if number % 7 == 0:
                    memory.update(record.id, content=f"{word} again by {name}", expected_version=1)
                if number % 11 == 0 and memory.get(record.id, user_id=name).id != record.id:
                    say(json.dumps({"failure": f"{record.id} cannot be read back"}))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
                say(json.dumps({"failure": f"{name}-{number}: {type(error).__name__}: {error}"}))
            slowest = max(slowest, time.perf_counter() - before)
            if (number + 1) % STEP == 0 or number + 1 == writes:
                say(json.dumps({"progress": number + 1, "slowest": slowest, "searches": searches}))


def run(
    folder: Path, processes: int, writes: int, seed: int, *, tick: Callable[[int], Any] = lambda _: None
) -> Outcome:
    """Start the processes on one new file, wait for them, and count."""
    url = f"sqlite:///{folder / 'crowd.db'}"
    names = [f"p{number}" for number in range(processes)]
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    start = time.perf_counter()
    threads = [
        threading.Thread(target=_follow, args=(url, name, writes, seed, reports[name], tick))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    failures = [line["failure"] for lines in reports.values() for line in lines if "failure" in line]
    failures += _missing(url, names, writes)
    last: list[dict[str, Any]] = [
        next((x for x in reversed(lines) if "progress" in x), {}) for lines in reports.values()
    ]
    return Outcome(
        writes=sum(x.get("progress", 0) for x in last),
        searches=sum(x.get("searches", 0) for x in last),
        slowest=max(x.get("slowest", 0.0) for x in last),
        seconds=seconds,
        failures=tuple(failures),
    )


def _follow(
    url: str, name: str, writes: int, seed: int, reports: list[dict[str, Any]], tick: Callable[[int], Any]
) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.reliability.concurrency",
        "--work",
        url,
        name,
        str(writes),
        str(seed),
    ]
    done = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            reports.append(json.loads(line))
            if "progress" in reports[-1]:
                tick(reports[-1]["progress"] - done)
                done = reports[-1]["progress"]
    if process.returncode:
        reports.append({"failure": f"process {name} ended with {process.returncode}"})


def _missing(url: str, names: list[str], writes: int) -> list[str]:
    found = []
    with Memory(url, embedder="hashing") as memory:
        for name in names:
            stored, cursor = set[str](), None
            while True:
                page = memory.list(user_id=name, limit=1000, cursor=cursor)
                stored |= {record.id for record in page}
                cursor = page.cursor
                if cursor is None:
                    break
            lost = {f"{name}-{number}" for number in range(writes)} - stored
            if lost or len(stored) != writes:
                found.append(f"{name}: {len(lost)} lost, {len(stored)} stored instead of {writes}")
        report = memory.doctor()
    if not report.ok:
        found.append(f"doctor found {[f'{p.kind}: {p.detail}' for p in report.problems[:3]]}")
    return found


def main() -> int:
    """Run with a progress bar; 0 when nothing failed and nothing was lost."""
    if sys.argv[1:2] == ["--work"]:
        url, name, writes, seed = sys.argv[2:]
        work(url, name, int(writes), int(seed), lambda line: print(line, flush=True))
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.concurrency", description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--writes", type=int, default=2000, help="by each process")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--folder", type=Path, help="where the file is made")
    arguments = parser.parse_args()
    from rich.console import Console
    from rich.progress import Progress

    console = Console(highlight=False)
    console.print(f"seed {arguments.seed}")
    with (
        tempfile.TemporaryDirectory(prefix="memwell-crowd-", dir=arguments.folder) as folder,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("writing and searching", total=arguments.processes * arguments.writes)
        outcome = run(
            Path(folder).resolve(),
            arguments.processes,
            arguments.writes,
            arguments.seed,
            tick=lambda more: progress.advance(task, more),
        )
    console.print(
        f"{outcome.writes:,} writes and {outcome.searches:,} searches by {arguments.processes} processes in"
        f" {outcome.seconds:.1f} s, slowest step {outcome.slowest:.2f} s"
    )
    for failure in outcome.failures[:20]:
        console.print(failure, style="red")
    console.print("no error, nothing lost, doctor content" if not outcome.failures else "FAILED")
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
