"""The process that `benchmarks.reliability.erasing` kills: remembers and erases until it dies.

`python -m benchmarks.reliability.eraser FOLDER SEED`. Before each erase it writes to `journal` which ids and words it
is about to erase, and afterwards that the receipt was given.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from memwell import Memory

__all__ = ["main", "open_memory"]

KEY = "hmac:the secret of the benchmark"


def open_memory(folder: Path) -> Memory:
    """The memory of the benchmark: one SQLite file with a cache and an audit log beside it."""
    return Memory(
        folder / "a.db",
        embedder="hashing",
        cache=f"sqlite:///{folder}/cache.db",
        audit=f"sqlite:///{folder}/audit.db",
        receipts=KEY,
    )


def main(folder: Path, seed: int) -> None:
    """Erase until killed."""
    rng = random.Random(seed)
    with open_memory(folder) as memory, (folder / "journal").open("a") as journal:
        for step in range(10_000):
            ids = [f"m{seed}-{step}-{number}" for number in range(rng.choice((1, 3, 20)))]
            words = {id: f"wombat{seed}x{step}x{number}q" for number, id in enumerate(ids)}
            for id, word in words.items():
                memory.remember(f"the {word} burrow", id=id, user_id="ana")
            memory.remember(f"kept {seed} {step}", id=f"k{seed}-{step}", user_id="ana")
            journal.write(json.dumps({"try": words}) + "\n")
            journal.flush()
            receipt = memory.erase(ids, reason="benchmark", user_id="ana", audit=rng.random() < 0.5)
            journal.write(json.dumps({"done": receipt.id, "complete": receipt.complete}) + "\n")
            journal.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
