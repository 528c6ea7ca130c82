"""Counts words related to those of a question for these (see `memwell.retrieval.analysis.related`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from memwell.ports.store.search import Candidate, Statistics
from memwell.retrieval.analysis.features import Question

__all__ = ["widened"]

Standing: TypeAlias = Mapping[int, Sequence[tuple[int, float]]]
"""Index of the term of a related word → indexes of the terms that it is related to, and what it counts for each."""


def widened(
    candidates: Sequence[Candidate], question: Question, statistics: Statistics
) -> tuple[Sequence[Candidate], Statistics]:
    """The candidates and the statistics with the terms of the question alone: a related word counts as a part of the
    word that it is related to, in a window that lacks this."""
    if not question.others:
        return candidates, statistics
    own = len(statistics.frequencies) - question.others
    frequencies = list(statistics.frequencies[:own])
    standing: dict[int, list[tuple[int, float]]] = {}
    for term, others in question.related.items():
        among = 0.0
        for other, share in others.items():
            if held := statistics.frequencies[other]:
                among += share * held
                standing.setdefault(other, []).append((term, share))
        frequencies[term] = min(statistics.documents, frequencies[term] + round(among))
    if standing:
        candidates = [
            _widened(each, standing, own) if each.counts and max(each.counts) >= own else each
            for each in candidates
        ]
    return candidates, replace(statistics, frequencies=frequencies)


def _widened(candidate: Candidate, standing: Standing, own: int) -> Candidate:
    counts = {term: count for term, count in candidate.counts.items() if term < own}
    for other, count in candidate.counts.items():
        if other >= own:
            for term, share in standing.get(other, ()):
                counts[term] = max(counts.get(term, 0.0), share * min(1.0, count))
    matches = [match for match in candidate.matches if match[0] < own]
    related: dict[int, float] = {}
    if len(matches) < len(candidate.matches):
        held = {term for term, _ in matches}
        for other, _ in candidate.matches:
            for term, share in standing.get(other, ()):
                if term not in held:
                    related[term] = max(related.get(term, 0.0), share)
    return Candidate(
        candidate.key,
        candidate.features,
        matches,
        candidate.cosine,
        counts,
        candidate.length,
        candidate.window_cosine,
        candidate.session,
        candidate.phrases,
        candidate.lexemes,
        related,
    )
