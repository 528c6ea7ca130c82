"""Counts words related to those of a question for these (see `memwell.retrieval.analysis.related`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from memwell.ports.store.search import Statistics
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.ranking.table import Entries, Table, entries_of

__all__ = ["widened"]

Standing: TypeAlias = Mapping[int, Sequence[tuple[int, float]]]
"""Index of the term of a related word → indexes of the terms that it is related to, and what it counts for each."""


def widened(table: Table, question: Question, statistics: Statistics) -> tuple[Table, Statistics]:
    """The candidates and the statistics with the terms of the question alone: a related word counts as a part of the
    word that it is related to, in a window that lacks this."""
    if not question.others:
        return table, statistics
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
    table = replace(table, entries=_widened(table, standing, own))
    return table, replace(statistics, frequencies=frequencies)


def _widened(table: Table, standing: Standing, own: int) -> Entries:
    """The entries of the first `own` terms, with what the others count for these."""
    make, entries = table.make, table.entries
    others = make.places(entries.terms >= own)
    if not len(others):
        return entries
    at, terms, counts, owned, _ = entries.taken(make.places(entries.terms < own))
    kin = make.zeros(len(at))
    place = dict(zip(zip(at.tolist(), terms.tolist(), strict=True), range(len(at)), strict=True))
    lacking: dict[tuple[int, int], list[float]] = {}
    rows = (column.tolist() for column in entries.taken(others)[:4] if column is not None)
    for where, other, count, held in zip(*rows, strict=True):
        for term, share in standing.get(other, ()):
            row = place.get((where, term))
            part = share * min(1.0, count)
            if row is None:
                new = lacking.setdefault((where, term), [0.0, 0.0])
                new[:] = max(new[0], part), max(new[1], share if held else 0.0)
                continue
            counts[row] = max(counts[row], part)
            if held and not owned[row]:
                kin[row] = max(kin[row], share)
    more = [(where, term, count, 0, share) for (where, term), (count, share) in lacking.items()]
    fresh = entries_of(more, make)
    return Entries(*(make.joined(pair) for pair in zip((at, terms, counts, owned, kin), fresh, strict=True)))
