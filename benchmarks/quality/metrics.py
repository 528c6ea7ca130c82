"""What is measured of a ranking; formulas as in `docs/benchmarks.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import comb, log2

__all__ = ["MEASURES", "auc", "chance_of", "kept", "mean", "measure", "rolled_up"]

MEASURES = ("recall@5", "recall@10", "recall@20", "any@10", "ndcg@10", "mrr")


def measure(ranking: Sequence[str], gold: frozenset[str]) -> dict[str, float]:
    """Fractional recall@k, any@10, binary nDCG@10 and MRR cut at 20 of one ranking."""
    places = [place for place, id in enumerate(ranking[:20], 1) if id in gold]
    found = {f"recall@{k}": sum(p <= k for p in places) / len(gold) for k in (5, 10, 20)}
    gain = sum(1 / log2(place + 1) for place in places if place <= 10)
    ideal = sum(1 / log2(place + 1) for place in range(1, min(10, len(gold)) + 1))
    return found | {
        "any@10": float(any(place <= 10 for place in places)),
        "ndcg@10": gain / ideal,
        "mrr": 1 / places[0] if places else 0.0,
    }


def mean(found: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each measure over questions."""
    rows = list(found)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}


def rolled_up(ranking: Sequence[str], part_of: Mapping[str, str]) -> list[str]:
    """The parts (sessions) of a ranking in the order of their best member."""
    return list(dict.fromkeys(part_of[id] for id in ranking))


def auc(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """How often the score of a question with an answer beats that of one without, ties counted half: 0.5 is chance."""
    pairs = [(a > b) + (a == b) / 2 for a in answerable for b in unanswerable]
    return sum(pairs) / len(pairs) if pairs else float("nan")


def kept(scores: Sequence[float], cut: float) -> float:
    """The share of scores at or above a cut."""
    return sum(score >= cut for score in scores) / len(scores) if scores else float("nan")


def chance_of(lost: int, won: int) -> float:
    """The chance that equals lose at least this many of the questions that only one of them gets right (sign test)."""
    total = lost + won
    return sum(comb(total, k) for k in range(lost, total + 1)) / 2**total
