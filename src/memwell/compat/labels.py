"""Importance as a word: the other layers say `high` where memwell says 0.8."""

from __future__ import annotations

from typing import Final

from memwell.errors import InvalidInput

__all__ = ["LEVELS", "between", "label_of", "level_of"]

LEVELS: Final = {"low": 0.3, "medium": 0.5, "high": 0.8, "critical": 1.0}


def level_of(label: str) -> float:
    """The importance, 0..1, that a word means. Raises `InvalidInput` for an unknown word."""
    if not isinstance(label, str) or label.lower() not in LEVELS:
        raise InvalidInput(f"importance is one of {', '.join(LEVELS)}, not {label!r:.60}")
    return LEVELS[label.lower()]


def label_of(importance: float, among: tuple[str, ...] = tuple(LEVELS)) -> str:
    """The word that is nearest to an importance; of two as near, the lower."""
    return min(among, key=lambda label: abs(LEVELS[label] - importance))


def between(label: str, among: tuple[str, ...] = tuple(LEVELS)) -> dict[str, float]:
    """A filter for the importances whose nearest word it is. Raises `InvalidInput` for an unknown word."""
    level = level_of(label)
    levels = [LEVELS[one] for one in among]
    lower = [(one + level) / 2 for one in levels if one < level]
    higher = [(one + level) / 2 for one in levels if one > level]
    return {"$gt": max(lower, default=-1.0), "$lte": min(higher, default=1.0)}
