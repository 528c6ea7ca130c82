"""Counts words related to those of a question for these (see `memwell.retrieval.analysis.related`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memwell.ports.store.search import Candidate, Statistics
from memwell.retrieval.analysis.features import Question

__all__ = ["widened"]


def widened(
    candidates: Sequence[Candidate], question: Question, statistics: Statistics
) -> tuple[Sequence[Candidate], Statistics]:
    """The candidates and the statistics with the terms of the question alone: a related word counts as a part of the
    word that it is related to, in a window that lacks this."""
    if not question.others:
        return candidates, statistics
    own = len(statistics.frequencies) - question.others
    frequencies = list(statistics.frequencies[:own])
    for term, others in question.related.items():
        among = sum([share * statistics.frequencies[other] for other, share in others.items()])
        frequencies[term] = min(statistics.documents, frequencies[term] + round(among))
    found = [_widened(each, question, own) if each.counts else each for each in candidates]
    return found, replace(statistics, frequencies=frequencies)


def _widened(candidate: Candidate, question: Question, own: int) -> Candidate:
    if max(candidate.counts) < own:
        return candidate
    matches = [(term, count) for term, count in candidate.matches if term < own]
    counts = {term: count for term, count in candidate.counts.items() if term < own}
    held = {term for term, _ in candidate.matches}
    related = {}
    for term, others in question.related.items():
        near = max([share * min(1.0, candidate.counts.get(other, 0.0)) for other, share in others.items()])
        if near > counts.get(term, 0.0):
            counts[term] = near
        if term not in held and (
            mine := max([s for other, s in others.items() if other in held], default=0.0)
        ):
            related[term] = mine
    return replace(candidate, matches=matches, counts=counts, related=related)
