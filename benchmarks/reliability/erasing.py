"""Kill a process that erases at random moments: `python -m benchmarks.reliability.erasing --kills 200`.

After each SIGKILL the next process opens the store. An erase that had returned must be complete. One that had not is
either not begun, so that every memory is there, or a pending receipt names it; completing it leaves nothing: no memory,
no word of it in any file. Nothing else is gone, and the audit log verifies.
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
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability.eraser import KEY, open_memory
from memwell.security.receipts import verify
from memwell.security.signing import open_key

__all__ = ["Outcome", "run"]

ROOT = Path(__file__).parents[2]
KILLS_PER_FOLDER = 20


@dataclass
class Outcome:
    """How the kills went."""

    kills: int = 0
    returned: int = 0
    """Erases that had returned."""
    pending: int = 0
    """Receipts that the next process found pending, and completed."""
    unbegun: int = 0
    """Erases that had not begun: every memory was there."""
    failures: tuple[str, ...] = ()


def run(kills: int, *, seed: int = 0) -> Outcome:
    """Kill that many times."""
    rng, outcome = random.Random(seed), Outcome()
    while outcome.kills < kills:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for _ in range(min(KILLS_PER_FOLDER, kills - outcome.kills)):
                outcome.kills += 1
                _kill_one(folder, seed * 100_000 + outcome.kills, rng)
                outcome.failures += tuple(f"kill {outcome.kills}: {what}" for what in _look(folder, outcome))
    return outcome


def _kill_one(folder: Path, seed: int, rng: random.Random) -> None:
    journal = folder / "journal"
    journal.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.reliability.eraser", str(folder), str(seed)]
    with subprocess.Popen(command, cwd=ROOT) as eraser:
        awaited = b"done" if rng.random() < 0.8 else b"try"
        while not journal.exists() or awaited not in journal.read_bytes():
            if eraser.poll() is not None:
                raise RuntimeError(f"the eraser ended by itself with {eraser.returncode}")
            time.sleep(0.001)
        time.sleep(rng.choice((rng.uniform(0, 0.01), rng.uniform(0, 0.1), rng.uniform(0, 0.5))))
        eraser.send_signal(signal.SIGKILL)


def _look(folder: Path, outcome: Outcome) -> list[str]:
    """What is wrong after a kill."""
    lines = [json.loads(line) for line in (folder / "journal").read_bytes().split(b"\n")[:-1]]
    tried = [line["try"] for line in lines if "try" in line]
    done = [line for line in lines if "done" in line]
    wrong = [f"receipt {line['done']} is not complete" for line in done if not line["complete"]]
    outcome.returned += len(done)
    with open_memory(folder) as memory:
        pending = memory.receipts(pending=True)
        named = {one.id for receipt in pending for one in receipt.records}
        outcome.pending += len(pending)
        last: dict[str, str] = tried[-1] if len(tried) > len(done) else {}
        if last and not named & last.keys() and not _given(memory.receipts(), last):
            outcome.unbegun += 1
            here = {
                record.id for record in memory.list(user_id="ana", limit=1000, where={"id": {"$in": [*last]}})
            }
            wrong += [f"{id} is gone, and no receipt says so" for id in last.keys() - here]
            memory.erase([*last], reason="the next run", user_id="ana")
        wrong += [
            f"{one.id} could not be completed" for one in memory.complete_receipts() if not one.complete
        ]
        for receipt in memory.receipts():
            verify(receipt.to_json(), open_key(KEY))
        left = sum(memory.count(user_id="ana", where={"id": {"$in": [*some]}}) for some in tried)
        wrong += [f"{left} memories are still there"] if left else []
        kept = memory.count(user_id="ana", where={"content": {"$contains": "kept"}})
        wrong += ["a memory that was not meant is gone"] if kept < len(tried) else []
        wrong += [f"audit log: {problem.detail}" for problem in memory.verify_audit().problems]
        wrong += [f"doctor: {problem.detail}" for problem in memory.doctor().problems]
        files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "journal"}
    words = [word.encode() for some in tried for word in some.values()]
    return wrong + [
        f"{name} holds {word!r}" for name, data in files.items() for word in words if word in data
    ]


def _given(receipts: object, ids: dict[str, str]) -> bool:
    return any({one.id for one in receipt.records} >= ids.keys() for receipt in receipts)  # type: ignore[attr-defined]


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcome = run(given.kills, seed=given.seed)
    sys.stdout.write(f"{outcome}\n")
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
