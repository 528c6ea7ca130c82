"""Deliver to a receiver that fails a third of the time: `python -m benchmarks.reliability.delivering --changes 10000`.

Changes of many memories are delivered to a webhook, while processes that deliver are killed at random moments. In the
end each change must have arrived, and those of one memory in order, as a receiver sees it that drops repeated ids.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability.deliverer import deliver
from benchmarks.reliability.receiver import Receiver, once_each
from memwell import Memory, NewMemory

__all__ = ["Outcome", "run"]

ROOT = Path(__file__).parents[2]
MEMORIES = 500


@dataclass
class Outcome:
    """How it went."""

    changes: int
    kills: int
    lost: int = 0
    disordered: int = 0
    """Changes that arrived after a later one of the same memory."""
    repeated: int = 0
    calls: int = 0
    forged: int = 0
    """Calls whose signature was wrong."""
    seconds: float = 0.0


def run(url: str, changes: int, *, kills: int = 0, failing: float = 1 / 3, seed: int = 0) -> Outcome:
    """Make that number of changes in a new store, and deliver them all."""
    rng, outcome = random.Random(seed), Outcome(changes, kills)
    with Receiver(lambda _: (rng.choice((500, 503, 429)), {}) if rng.random() < failing else (200, {})) as to:
        with Memory(url, embedder=None) as memory:
            to.secret = memory.add_webhook(to.url, allow_private=True).secret or ""
            expected = _written(memory, changes)
        started = time.monotonic()
        for _ in range(kills):
            _kill_one(url, to, rng)
        deliver(url, once=True)
        outcome.seconds = time.monotonic() - started
        bodies = once_each(to.accepted)
        outcome.calls, outcome.forged = to.calls, to.forged
        outcome.repeated = len(to.accepted) - len(bodies)
    latest: dict[str, int] = {}
    arrived: dict[str, int] = {}
    for body in bodies:
        id, seq = body["data"]["id"], body["data"]["seq"]
        outcome.disordered += seq < latest.get(id, 0)
        latest[id] = max(seq, latest.get(id, 0))
        arrived[id] = arrived.get(id, 0) + 1
    outcome.lost = sum(max(0, count - arrived.get(id, 0)) for id, count in expected.items())
    return outcome


def _written(memory: Memory, changes: int) -> dict[str, int]:
    """Make changes; how many of each memory."""
    ids = [f"m{number}" for number in range(min(MEMORIES, changes))]
    memory.remember([NewMemory(content=f"text of {id}", id=id, user_id="ana") for id in ids])
    made = dict.fromkeys(ids, 1)
    for number in range(changes - len(ids)):
        id = ids[number % len(ids)]
        memory.update(id, content=f"text {number} of {id}")
        made[id] += 1
    return made


def _kill_one(url: str, to: Receiver, rng: random.Random) -> None:
    """Start a process that delivers, and kill it some moments after its first message."""
    calls = to.calls
    command = [sys.executable, "-m", "benchmarks.reliability.deliverer", url]
    with subprocess.Popen(command, cwd=ROOT) as deliverer:
        until = time.monotonic() + 10
        while to.calls == calls and time.monotonic() < until:
            if deliverer.poll() is not None:
                raise RuntimeError(f"it ended by itself with {deliverer.returncode}")
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.3))
        deliverer.send_signal(signal.SIGKILL)


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a new store; by default a SQLite file")
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/a.db"
        outcome = run(url, given.changes, kills=given.kills, seed=given.seed)
    sys.stdout.write(f"{outcome}\n")
    return 1 if outcome.lost or outcome.disordered or outcome.forged else 0


if __name__ == "__main__":
    sys.exit(main())
