"""Kill processes that apply a plan, and crowd one that does: `python -m benchmarks.reliability.tidying`.

*Killed*: a process applies a plan of a SQLite file and is killed with SIGKILL at a random moment; the next one goes on.
After each kill every memory is as it was before its step or as it is after it, whole, and `doctor` is content. In the
end all steps were taken, once each.

*Crowded*: processes change the same memories all the time while this one plans and applies. In the end every change
that was acknowledged stands in the history of its memory, and there are as many versions as changes and steps.
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
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from memwell import Conflict, Memory, NewMemory, NotFound
from memwell.policies import Plan

__all__ = ["Crowded", "Killed", "crowd", "kill"]

ROOT = Path(__file__).parents[2]
POLICIES: dict[str, Any] = {
    "tier": [{"name": "short_term"}, {"name": "mid_term"}, {"name": "long_term"}],
    "migrate": [{"from": "short_term", "to": "mid_term", "age": ">= 1d"}],
    "expire": [{"tier": "long_term", "kind": "event", "age": ">= 1d"}],
    "summarise": [{"tier": "mid_term", "at_least": 5, "originals": "hide", "to": "long_term"}],
}
_TAKEN_OVER = timedelta(seconds=20)
"""By so much later each process runs than the one before: the lease of one that was killed has expired then."""


@dataclass(frozen=True)
class Killed:
    """How the kills went."""

    kills: int
    steps: int
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Crowded:
    """How planning and applying went among writers."""

    changes: int
    done: int
    refused: int
    failures: tuple[str, ...]


def fill(url: str, count: int) -> None:
    """Old memories, a third of them of a kind that expires."""
    made = datetime.now(UTC) - timedelta(days=3)
    with Memory(url, embedder=None) as memory:
        memory.remember(
            [
                NewMemory(
                    content=f"note {number}",
                    id=f"n{number}",
                    kind="event" if number % 3 == 0 else "memory",
                    tier="long_term" if number % 3 == 0 else "short_term",
                    session_id=f"s{number % 50}",
                    created_at=made + timedelta(seconds=number),
                )
                for number in range(count)
            ],
            user_id="ana",
        )


# ------------------------------------------------------------------------------------------------- killed


def kill(
    folder: Path, kills: int, seed: int, *, count: int = 6000, tick: Callable[[], Any] = lambda: None
) -> Killed:
    """Kill this many processes, with a new file whenever a plan is done. Stops at the first failure."""
    rng, failures = random.Random(seed), list[str]()
    done = steps = files = 0
    while done < kills and not failures:
        url, path = f"sqlite:///{folder / f'tidy{files}.db'}", folder / f"plan{files}.jsonl"
        files += 1
        fill(url, count)
        with Memory(url, embedder=None) as memory:
            memory.plan(POLICIES).save(path)
        plan = Plan.load(path)
        steps += len(plan)
        turn, finished = 0, False
        while not finished and not failures:
            turn += 1
            finished = _applied(url, path, turn, rng if done < kills else None)
            done += not finished
            failures += [f"kill {done}: {wrong}" for wrong in _half(url, plan)]
            tick()
        failures += _unfinished(url, plan)
    return Killed(done, steps, tuple(failures))


def _applied(url: str, path: Path, turn: int, rng: random.Random | None) -> bool:
    """Run a process that applies the plan, and kill it some moments after it has begun, unless there is no `rng`;
    whether it finished.
    """
    command = [sys.executable, "-m", "benchmarks.reliability.tidying", "--apply", url, str(path), str(turn)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it holds the lease
        if rng is None:
            return process.wait(120) == 0
        with suppress(subprocess.TimeoutExpired):
            return (
                process.wait(rng.choice((rng.uniform(0, 0.05), rng.uniform(0, 0.3), rng.uniform(0, 1.0))))
                == 0
            )
        process.send_signal(signal.SIGKILL)
    return False


def _half(url: str, plan: Plan) -> list[str]:
    """What is wrong: a memory that is neither as before its step nor as after it, or what doctor finds."""
    wrong = []
    with Memory(url, embedder=None) as memory:
        stored = _stored(memory)
        for step in plan.steps:
            record = stored.get(step.id)
            if step.action == "update":
                state = None if record is None else (record.version, record.tier)
                if state not in ((1, step.before["tier"]), (2, step.after["tier"])):
                    wrong.append(f"{step.id} is {state}")
            elif step.action == "summarise" and record is not None:
                links = {link.target for link in record.links}
                if links != set(step.requires):
                    wrong.append(f"{step.id} has {len(links)} of {len(step.requires)} links")
        report = memory.doctor()
        wrong += [f"doctor: {problem.kind} {problem.detail}" for problem in report.problems]
    return wrong[:3]


def _unfinished(url: str, plan: Plan) -> list[str]:
    """What of a plan was not done, or twice."""
    with Memory(url, embedder=None) as memory:
        stored = _stored(memory)
        again = memory.apply(plan)
        left = len(memory.plan(POLICIES))
    wrong = (
        [f"{again.done} steps were left, {len(again.refused)} refused"] if again.already != len(plan) else []
    )
    wrong += [f"{left} steps in a new plan"] if left else []
    wrong += [f"{step.id} is there" for step in plan.steps if step.action == "forget" and step.id in stored]
    return wrong[:3]


def _stored(memory: Memory) -> dict[str, Any]:
    found, cursor = {}, None
    while True:
        page = memory.list(limit=1000, cursor=cursor)
        found.update({record.id: record for record in page})
        cursor = page.cursor
        if cursor is None:
            return found


def apply(url: str, path: str, turn: int) -> None:
    """The process that is killed."""
    with Memory(url, embedder=None, clock=lambda: datetime.now(UTC) + turn * _TAKEN_OVER) as memory:
        memory.apply(Plan.load(path), progress=lambda done, total: print(done, total, flush=True))


# ------------------------------------------------------------------------------------------------- crowded


def crowd(
    folder: Path, processes: int, rounds: int, seed: int, *, count: int = 2000, url: str | None = None
) -> Crowded:
    """Plan and apply among processes that change the same memories."""
    url = url or f"sqlite:///{folder / 'crowd.db'}"
    fill(url, count)
    stop = folder / "stop"
    writers = [
        subprocess.Popen(
            [
                sys.executable, "-m", "benchmarks.reliability.tidying", "--write", url, str(stop),
                f"{seed}:{number}", str(count), str(folder / f"changes{number}"),
            ],
            cwd=ROOT,
        )
        for number in range(processes)
    ]  # fmt: skip
    taken: Counter[str] = Counter()
    refused, gone = 0, set[str]()
    try:
        while not all((folder / f"changes{number}").exists() for number in range(processes)):
            time.sleep(0.01)
        with Memory(url, embedder=None) as memory:
            for turn in range(rounds):
                rules = POLICIES if turn % 2 == 0 else _BACK
                plan = memory.plan(rules)
                done = memory.apply(plan)
                out = {one.id for one in done.refused}
                refused += len(out)
                for step in plan.steps:
                    if step.id not in out:
                        taken[step.id] += step.action == "update"
                        gone |= {step.id} if step.action == "forget" else set()
    finally:
        stop.touch()
        codes = [writer.wait(60) for writer in writers]
    changes = [
        json.loads(line) for number in range(processes) for line in _lines(folder / f"changes{number}")
    ]
    with Memory(url, embedder=None) as memory:
        failures = _lost(memory, changes, taken, gone)
    failures += [f"a writer ended with {code}" for code in codes if code]
    return Crowded(len(changes), sum(taken.values()) + len(gone), refused, tuple(failures))


_BACK: dict[str, Any] = {
    "migrate": [{"from": "mid_term", "to": "short_term", "age": ">= 1d"}],
}


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _lost(memory: Memory, changes: list[dict[str, str]], taken: Counter[str], gone: set[str]) -> list[str]:
    wrong, stored = [], _stored(memory)
    by_id: dict[str, list[str]] = {}
    for change in changes:
        by_id.setdefault(change["id"], []).append(change["category"])
    for id, record in stored.items():
        if record.kind == "summary":
            continue
        if id in gone:
            wrong.append(f"{id} was forgotten and is there")
        expected = 1 + taken[id] + len(by_id.get(id, ()))
        if record.version != expected:
            wrong.append(f"{id} has {record.version} versions instead of {expected}")
        if id in by_id:
            said = {version.category for version in memory.history(id)}
            wrong += [f"the change {one} of {id} is lost" for one in by_id[id] if one not in said]
    wrong += [f"{id} is lost" for id in by_id if id not in stored and id not in gone]
    report = memory.doctor()
    wrong += [f"doctor: {problem.kind} {problem.detail}" for problem in report.problems]
    return wrong[:5]


def write(url: str, stop: str, seed: str, count: int, journal: str) -> None:
    """A process that changes random memories until a file appears, and notes each change that was acknowledged."""
    rng, number = random.Random(seed), 0
    with Memory(url, embedder=None) as memory, Path(journal).open("w") as notes:
        while not Path(stop).exists():
            number += 1
            id, category = f"n{rng.randrange(count)}", f"{seed} {number}"
            with suppress(Conflict, NotFound):
                record = memory.get(id)
                memory.update(id, category=category, expected_version=record.version)
                notes.write(json.dumps({"id": id, "category": category}) + "\n")
                notes.flush()


def main() -> int:
    """Run both; 0 when nothing was lost or done twice."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.tidying", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--apply", nargs=3, metavar=("URL", "PLAN", "TURN"), help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.apply:
        apply(arguments.apply[0], arguments.apply[1], int(arguments.apply[2]))
        return 0
    if arguments.write:
        url, stop, seed, count, journal = arguments.write
        write(url, stop, seed, int(count), journal)
        return 0
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="memwell-tidying-") as folder:
        killed = kill(Path(folder).resolve(), arguments.kills, arguments.seed)
        print(
            f"{killed.kills} kills, {killed.steps:,} steps planned: {killed.failures or 'nothing half done or twice'}"
        )
    with tempfile.TemporaryDirectory(prefix="memwell-tidying-") as folder:
        crowded = crowd(Path(folder).resolve(), 4, arguments.rounds, arguments.seed)
        print(
            f"{crowded.changes:,} changes by 4 processes, {crowded.done:,} steps done and {crowded.refused:,} refused:"
            f" {crowded.failures or 'nothing lost'}"
        )
    return int(bool(killed.failures or crowded.failures))


if __name__ == "__main__":
    sys.exit(main())
