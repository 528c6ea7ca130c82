"""Counts words related to those of a question for these (see `memwell.retrieval.analysis.related`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from memwell._dataclasses import copier
from memwell.ports.store.search import Statistics
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.ranking.table import Entries, Table

__all__ = ["widened"]

Standing: TypeAlias = tuple[int, int, float]
"""Index of the term of a related word, index of a term that it is related to, and what it counts for that."""

_copier = cache(copier)


def widened(table: Table, question: Question, statistics: Statistics) -> tuple[Table, Statistics]:
    """The candidates and the statistics with the terms of the question alone: a related word counts as a part of the
    word that it is related to, in a window that lacks this."""
    if not question.others:
        return table, statistics
    own = len(statistics.frequencies) - question.others
    frequencies = list(statistics.frequencies[:own])
    standing: list[Standing] = []
    for term, others in question.related.items():
        among = 0.0
        for other, share in others.items():
            if held := statistics.frequencies[other]:
                among += share * held
                standing.append((other, term, share))
        frequencies[term] = min(statistics.documents, frequencies[term] + round(among))
    entries = _widened(table, standing, own, len(statistics.frequencies))
    known = Statistics(
        documents=statistics.documents, frequencies=frequencies, mean_cosine=statistics.mean_cosine
    )
    return _copier(Table)(table, {"entries": entries}), known


def _widened(table: Table, standing: Sequence[Standing], own: int, terms: int) -> Entries:
    """The entries of the first `own` of all terms, with what the others count for these."""
    make, entries, size = table.make, table.entries, len(table)
    others = entries.taken(make.places(entries.terms >= own))
    if not len(others.at):
        return entries
    mine = entries.taken(make.places(entries.terms < own))
    if not standing:
        return mine
    other, term, share = zip(*standing, strict=True)
    pair, relation = make.expanded(make.index(other), terms, others.terms)
    share = make.numbers(share).take(relation)
    keys = make.index(term).take(relation) * size + others.at.take(pair)
    known = mine.terms * size + mine.at
    every = make.numbered([known, keys], own * size)
    at, place, many = every.places(keys), every.places(known), len(every.values)
    counts = make.maxima(at, share * make.least(others.counts.take(pair), 1.0), many)
    kin = make.maxima(at, share * (others.own.take(pair) > 0), many)
    lacking = make.places(make.same(make.sums(place, make.zeros(len(place)) + 1, many), 0))
    fresh = every.values.take(lacking)
    return Entries(
        make.joined([mine.at, fresh % size]),
        make.joined([mine.terms, fresh // size]),
        make.joined([make.most(mine.counts, counts.take(place)), counts.take(lacking)]),
        make.joined([mine.own, make.zeros(len(fresh))]),
        make.joined([make.chosen(mine.own > 0, 0.0, kin.take(place)), kin.take(lacking)]),
    )
