"""Kill the rotation of keys at random moments: `python -m benchmarks.reliability.rotation --kills 200`.

Each process rotates the keys of many tenants to a new master key, and is killed while it does. After each kill every
tenant must be readable with the keys of before and now, and `key_status` must tell what is left; after some kills one
rotation runs to its end, and then the new key alone must be enough.
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

from memwell import Keyring, Memory

__all__ = ["Outcome", "run"]

TENANTS = 200
FINISHED_EVERY = 5
ROTATOR = """
import sys
from memwell import Keyring, Memory
with Memory(sys.argv[1], embedder=None, encryption=Keyring(*sys.argv[2:])) as memory:
    memory.rotate_keys(progress=lambda done, total: print(done, flush=True))
"""


@dataclass(frozen=True)
class Outcome:
    """How the kills went."""

    kills: int
    interrupted: int
    """Kills that left some tenants with an older key."""
    failures: tuple[str, ...]


def run(folder: Path, kills: int, seed: int) -> Outcome:
    """Kill `kills` rotations one after another. Stops at the first failure."""
    rng, path, keys = random.Random(seed), folder / "rotation.db", [Keyring.generate()]
    names = [str(number) for number in range(TENANTS)]
    with Memory(path, embedder=None, encryption=Keyring(*keys)) as memory:
        for name in names:
            memory.remember(f"memory of {name}", id="a", tenant_id=name)
    interrupted = 0
    for number in range(kills):
        keys.insert(0, Keyring.generate())
        _kill_one([sys.executable, "-c", ROTATOR, str(path), *keys], rng.randrange(TENANTS))
        with Memory(path, embedder=None, encryption=Keyring(*keys)) as memory:
            interrupted += not memory.key_status().rotated
            wrong = [name for name in names if _content(memory, name) != f"memory of {name}"]
            if wrong:
                return Outcome(number + 1, interrupted, (f"kill {number}: {wrong[:3]} cannot be read",))
            if number % FINISHED_EVERY == FINISHED_EVERY - 1:
                memory.rotate_keys()
                if not memory.key_status().rotated:
                    return Outcome(number + 1, interrupted, (f"kill {number}: the next run did not finish",))
                del keys[1:]
    with Memory(path, embedder=None, encryption=Keyring(*keys)) as memory:
        memory.rotate_keys()
    with Memory(path, embedder=None, encryption=Keyring(keys[0])) as memory:
        report = memory.doctor()
    return Outcome(kills, interrupted, () if report.ok else (f"doctor found {report.problems[:3]}",))


def _kill_one(command: list[str], after: int) -> None:
    """Kill a rotation a moment after it has reported this number of tenants."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after:
                break
        time.sleep(random.random() * 0.002)
        process.send_signal(signal.SIGKILL)


def _content(memory: Memory, tenant: str) -> str:
    return memory.get("a", tenant_id=tenant).content


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwell-rotation-") as folder:
        outcome = run(Path(folder), arguments.kills, arguments.seed)
    print(
        f"{outcome.kills} rotations killed, {outcome.interrupted} of them half done and finished by the next run"
    )
    for failure in outcome.failures:
        print(failure)
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
