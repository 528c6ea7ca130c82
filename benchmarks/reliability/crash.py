"""Kill a writing process at random moments and look at what is left: `python -m benchmarks.reliability.crash`.

After each SIGKILL the file is opened by this process. Every acknowledged write must be there, in the last form
acknowledged; an unacknowledged one wholly or not at all; nothing else; and `doctor` must be content.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memwell import Memory

__all__ = ["Outcome", "run"]

ROOT = Path(__file__).parents[2]
KILLS_PER_FILE = 20
Start = Callable[..., AbstractContextManager[Any]]
"""Starts a writer with a URL, the path of a journal and a seed."""


@dataclass
class Expected:
    """What the journal allows the store to hold."""

    sure: dict[str, str] = field(default_factory=dict)
    """Id → content, of acknowledged writes."""
    pending: dict[str, str | None] = field(default_factory=dict)
    """The one write that was tried and not acknowledged: id → content, `None` for removed."""

    def read(self, journal: Path) -> int:
        """Take in the journal of one writer; how many writes it acknowledged. A last line cut short was not."""
        tried: dict[int, dict[str, str | None]] = {}
        acknowledged = 0
        if not journal.exists():
            return 0
        for line in journal.read_bytes().split(b"\n")[:-1]:
            entry = json.loads(line)
            if "try" in entry:
                tried[entry["try"]] = entry["put"]
            elif "done" in entry:
                self.apply(tried.pop(entry["done"]))
                acknowledged += 1
        self.pending = next(iter(tried.values()), {})
        return acknowledged

    def apply(self, put: dict[str, str | None]) -> None:
        """Take the write as done."""
        for name, content in put.items():
            if content is None:
                self.sure.pop(name, None)
            else:
                self.sure[name] = content

    def judge(self, stored: dict[str, str]) -> str | None:
        """What is wrong with the stored contents, if anything; a pending write that happened becomes sure."""
        if stored == self.sure:
            self.pending = {}
            return None
        before = dict(self.sure)
        self.apply(self.pending)
        if stored == self.sure:
            return None
        after, self.sure = self.sure, before
        lost = [name for name in before if name not in stored and name not in self.pending]
        strange = [name for name in stored if name not in after and name not in before]
        halves = [name for name in self.pending if (name in stored) != (name in before)]
        return (
            f"lost {lost[:3]}, unknown {strange[:3]}, {len(halves)} of {len(self.pending)} of the last write"
        )


@dataclass(frozen=True)
class Outcome:
    """How the kills went."""

    kills: int
    acknowledged: int
    applied: int
    """Unacknowledged writes that were found whole."""
    records: int
    """The most that one file held."""
    failures: tuple[str, ...]


def stored(memory: Memory) -> dict[str, str]:
    """Id → content of everything in the store."""
    found, cursor = {}, None
    while True:
        page = memory.list(limit=1000, cursor=cursor)
        found.update({record.id: record.content for record in page})
        cursor = page.cursor
        if cursor is None:
            return found


def started(*arguments: str) -> AbstractContextManager[Any]:
    """A writer in a process of its own, like a `subprocess.Popen`."""
    return subprocess.Popen([sys.executable, "-m", "benchmarks.reliability.writer", *arguments], cwd=ROOT)


def kill_one(url: str, journal: Path, seed: int, rng: random.Random, start: Start = started) -> None:
    """Start a writer, and kill it some moments after its first write, or at times while it is still opening."""
    with start(url, str(journal), str(seed)) as writer:
        if rng.random() < 0.15:
            time.sleep(rng.uniform(0.05, 0.6))
        else:
            while not journal.exists() or b"try" not in journal.read_bytes():
                if writer.poll() is not None:
                    raise RuntimeError(f"the writer ended by itself with {writer.returncode}")
                time.sleep(0.001)
            time.sleep(rng.choice((rng.uniform(0, 0.002), rng.uniform(0, 0.05), rng.uniform(0, 0.4))))
        writer.send_signal(signal.SIGKILL)


def look(url: str, expected: Expected) -> list[str]:
    """What is wrong after a kill."""
    with Memory(url, embedder="hashing") as memory:
        wrong, report = expected.judge(stored(memory)), memory.doctor()
    found = [wrong] if wrong else []
    if not report.ok:
        found.append(f"doctor found {[f'{p.kind}: {p.detail}' for p in report.problems[:3]]}")
    return found


def run(
    folder: Path, kills: int, seed: int, *, start: Start = started, tick: Callable[[], Any] = lambda: None
) -> Outcome:
    """Kill `count` writers one after another, twenty of them on each file. Stops at the first failure."""
    rng, expected = random.Random(seed), Expected()
    failures: list[str] = []
    acknowledged = applied = records = done = 0
    for number in range(kills):
        url = f"sqlite:///{folder / f'crash{number // KILLS_PER_FILE}.db'}"
        if number % KILLS_PER_FILE == 0:
            expected = Expected()
        journal = folder / f"journal-{number}"
        kill_one(url, journal, seed * 1_000_000 + number, rng, start)
        acknowledged += expected.read(journal)
        failures += [f"kill {number}: {wrong}" for wrong in look(url, expected)]
        applied += bool(expected.pending)
        records = max(records, len(expected.sure))
        done += 1
        tick()
        if failures:
            break
    return Outcome(done, acknowledged, applied, records, tuple(failures))


def main() -> int:
    """Run with a progress bar; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--folder", type=Path, help="where the file is made")
    arguments = parser.parse_args()
    from rich.console import Console
    from rich.progress import Progress

    console = Console(highlight=False)
    console.print(f"seed {arguments.seed}")
    with (
        tempfile.TemporaryDirectory(prefix="memwell-crash-", dir=arguments.folder) as folder,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("killing writers", total=arguments.kills)
        outcome = run(
            Path(folder).resolve(), arguments.kills, arguments.seed, tick=lambda: progress.advance(task)
        )
    console.print(
        f"{outcome.kills} kills, {outcome.acknowledged:,} acknowledged writes, up to {outcome.records:,} records in a"
        f" file, {outcome.applied} unacknowledged writes found whole"
    )
    for failure in outcome.failures:
        console.print(failure, style="red")
    console.print("nothing lost, nothing half-written, doctor content" if not outcome.failures else "FAILED")
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
