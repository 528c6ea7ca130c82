"""`memory.conflicts`, measured: are changed values proposed, and nothing else?

`python -m benchmarks.quality.changed` reads our own labelled pairs: 1 if the second changes the first. The rules were
tuned on `pairs.tsv`; `held.tsv` was written afterwards, and nothing was changed for it. `--sets` also lists what is
proposed for the notes of the sets `everyday` and `team`, which are longer and say most things once. `--records N`
measures the time for N made notes of one owner.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Final

from memwell import Memory, NewMemory

__all__ = ["main", "pairs", "proposed"]

_HERE: Final = Path(__file__).parent


def pairs(name: str) -> list[tuple[bool, str, str]]:
    """Whether the second statement changes the first, and both."""
    text = (_HERE / "conflicts" / f"{name}.tsv").read_text("utf-8")
    lines = [line.split("\t") for line in text.splitlines()]
    return [(label == "1", older, newer) for label, older, newer in lines]


def proposed(older: str, newer: str) -> bool:
    """Whether `conflicts` finds the pair."""
    with Memory("memory://", embedder=None) as memory:
        memory.remember(older, created_at="2024-01-01")
        memory.remember(newer, created_at="2025-01-01")
        return bool(memory.conflicts())


def main() -> None:
    """Print precision and recall."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.changed", description=__doc__)
    parser.add_argument("--records", type=int, default=0, help="also time this number of notes")
    parser.add_argument("--sets", action="store_true", help="also list the proposals for our sets of notes")
    options = parser.parse_args()
    for name in ("pairs", "held"):
        _measured(name)
    for name in ("everyday", "team") if options.sets else ():
        for path in sorted((_HERE / name).glob("*.json")):
            _listed(path)
    if options.records:
        _timed(options.records)


def _measured(name: str) -> None:
    found = [(label, proposed(older, newer), older, newer) for label, older, newer in pairs(name)]
    right = sum(label and said for label, said, _, _ in found)
    said, asked = sum(said for _, said, _, _ in found), sum(label for label, _, _, _ in found)
    print(f"{name}: {len(found)} pairs, precision {right / said:.1%}, recall {right / asked:.1%}")
    for label, answer, older, newer in found:
        if label != answer:
            print(f"    {'missed' if label else 'wrong'}: {older!r} / {newer!r}")


def _listed(path: Path) -> None:
    with Memory("memory://", embedder=None) as memory:
        for user in json.loads(path.read_text("utf-8")):
            notes = [NewMemory(content=m["text"], created_at=m["created_at"]) for m in user["memories"]]
            memory.remember(notes, user_id=user["id"])
        found = memory.conflicts()
        print(f"{path.stem}: {memory.count()} notes, {len(found)} proposals")
        for pair in found:
            print(f"    {pair.older.content[:100]!r} / {pair.newer.content[:100]!r}: {pair.reason}")


def _timed(records: int) -> None:
    with Memory("memory://", embedder=None) as memory:
        notes = [
            NewMemory(content=f"Host number{n // 2} runs on port {8000 + n % 2}") for n in range(records)
        ]
        memory.remember(notes, user_id="u")
        start = time.perf_counter()
        found = memory.conflicts(user_id="u", limit=10_000)
        print(f"{records:,} notes: {len(found):,} pairs in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
