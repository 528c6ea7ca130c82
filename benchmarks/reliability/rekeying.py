"""Kill rotations of data keys and encryptions in place: `python -m benchmarks.reliability.rekeying --kills 100`.

Each round makes a plain store, kills its encryption in place some times, and then rotations of its data keys, at random
moments. After each kill every memory must be readable and found, and at the end one run must finish what is left.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memwell import Keyring, Memory

__all__ = ["run"]

MEMORIES = 1_000
EACH = 10
"""Kills of an encryption, and of rotations, in a round."""
REWRITER = """
import sys
from memwell import Keyring, Memory
path, key, what = sys.argv[1:]
with Memory(path, embedder=None, encryption=Keyring(key)) as memory:
    tell = lambda done, total: print(done, flush=True)
    memory.encrypt(progress=tell) if what == "encrypt" else memory.rotate_keys(data=True, progress=tell)
"""


def run(folder: Path, kills: int, seed: int) -> list[str]:
    """What was wrong; stops at the first round with a failure."""
    rng = random.Random(seed)
    for number in range(-(-kills // (2 * EACH))):
        wrong = _round(folder / f"{number}.db", rng)
        if wrong:
            return wrong
    return []


def _round(path: Path, rng: random.Random) -> list[str]:
    key = Keyring.generate()
    texts = [f"Ana: quokka {number}" for number in range(MEMORIES)]
    with Memory(path, embedder=None) as memory:
        memory.remember(texts, user_id="u", metadata={"k": "v"})
    for what in ("encrypt",) * EACH + ("rotate",) * EACH:
        _kill_one([sys.executable, "-c", REWRITER, str(path), key, what], rng)
        with Memory(path, embedder=None, encryption=Keyring(key)) as memory:
            page = memory.list(user_id="u", limit=1000)
            if sorted(record.content for record in page) != sorted(texts) or not memory.recall(
                "7", user_id="u"
            ):
                return [f"after a kill of {what}, not all can be read"]
    later = datetime.now(UTC) + timedelta(minutes=2)
    with Memory(path, embedder=None, encryption=Keyring(key), clock=lambda: later) as memory:
        memory.encrypt()
        done = memory.rotate_keys(data=True)
        report = memory.doctor()
    found = [str(problem) for problem in report.problems[:3]]
    if b"quokka" in path.read_bytes():
        found.append("the file holds plain text")
    return found + ([f"{done.kept} tenants keep an older key"] if done.kept else [])


def _kill_one(command: list[str], rng: random.Random) -> None:
    """Kill a run a moment after it has reported some progress."""
    after = rng.randrange(MEMORIES)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after:
                break
        time.sleep(rng.random() * 0.01)
        process.send_signal(signal.SIGKILL)


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwell-rekeying-") as folder:
        wrong = run(Path(folder), arguments.kills, arguments.seed)
    print("\n".join(wrong) or f"{arguments.kills} runs killed, all finished by the next")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
