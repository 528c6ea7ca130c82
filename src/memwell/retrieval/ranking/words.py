"""The signals of words, as columns (see `rank`)."""

from __future__ import annotations

from typing import Final

from memwell.ports.store.search import Statistics, Weights
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.columns import Columns, Numbers
from memwell.retrieval.index.postings import idf
from memwell.retrieval.ranking.calibration import holding
from memwell.retrieval.ranking.signals import Signal
from memwell.retrieval.ranking.table import Table

__all__ = ["coverage", "identifier", "lexical", "rarity_of", "trust_of"]

_FLOOR: Final = 0.1
"""The share of their weight that words keep beside meaning in a conversation, even if no turn contains many."""
_LIGHT: Final = 0.5
"""What a common word counts beside others."""


def rarity_of(statistics: Statistics, question: Question, make: Columns) -> Numbers:
    """The idf of each query term; common words count less, also where they are rare."""
    light = question.light
    return make.numbers(
        [
            idf(statistics.documents, f) * (_LIGHT if at in light else 1.0)
            for at, f in enumerate(statistics.frequencies)
        ]
    )


def trust_of(table: Table, weights: Weights) -> float:
    """How far meaning decides in place of words, 0..1: as far as it counts beside them."""
    if not weights.lexical or not table.make.some(table.make.known(table.cosines)):
        return 0.0
    return min(1.0, weights.semantic / weights.lexical)


def lexical(table: Table, rarity: Numbers, weights: Weights, trust: float) -> list[Signal]:
    """BM25 with term counts and lengths summed over the window, as BM25F sums over fields, in three parts: what the
    record's own terms give, what its words related to others of the question add, and what neighbours add.

    Beside meaning, words count less the smaller the share of the question is that some record contains: a paraphrase
    shares only common words with its answer. In a conversation, whose turns divide the words of an answer among them,
    a small share says less than in a record outside one.
    """
    entries = table.entries
    itself = entries.own > 0 if entries.kin is None else (entries.own > 0) | (entries.kin > 0)
    if not weights.lexical or not table.make.some(itself):
        return []
    rare = rarity.take(entries.terms)
    whole, shares = _bm25(table, rare, weights)
    best = table.make.top(whole) or 1.0
    weight = weights.lexical
    if trust:
        talk = (table.sessions.take(entries.at) > 0) & itself
        share = _share(table, rare, rarity)
        weight *= damped(min(1.0, _FLOOR + share) if table.make.some(talk) else share * share, trust)
    return [Signal(name, weight, values / best) for name, values in shares.items() if table.make.some(values)]


def coverage(table: Table, topic: set[int], many: int, weights: Weights, trust: float) -> Signal | None:
    """The share of the topic's terms that the window contains, each alike: BM25 would rather have one rare term than
    two others. The less of the topic even the best contains, the less it counts: words that a paraphrase shares with
    its question say little. `many` is the number of terms.
    """
    if not weights.lexical or not weights.coverage or not topic:
        return None
    make, entries = table.make, table.entries
    flags = make.numbers([float(term in topic) for term in range(many)]).take(entries.terms)
    values = make.sums(entries.at, make.least(entries.counts, 1.0) * flags, len(table)) / len(topic)
    best = make.top(values)
    return Signal("coverage", weights.coverage * damped(float(best), trust), values) if best else None


def identifier(table: Table, question: Question, statistics: Statistics, weights: Weights) -> Signal | None:
    """The identifiers of the question that the record itself holds; another form of one counts less, and so does one
    that many records hold."""
    if not question.identifiers or not weights.identifier:
        return None
    most = idf(statistics.documents, 1)
    rare = [min(1.0, idf(statistics.documents, f) / most) for f in statistics.frequencies]
    return Signal("identifier", weights.identifier, holding(table, question, table.make.numbers(rare)))


def damped(share: float, trust: float) -> float:
    """What words keep of their weight beside meaning, if this share of the question is found."""
    return 1 - trust * (1 - share)


def _bm25(table: Table, rare: Numbers, weights: Weights) -> tuple[Numbers, dict[str, Numbers]]:
    """Okapi BM25 without its constant factor, of the window, and what of it the record's own terms, its related words
    and its neighbours give; lengths are relative to the mean of the candidates. `rare` is the idf of each entry."""
    make, (at, _, counts, own, kin), size = table.make, table.entries, len(table)
    mean = make.total(table.lengths) / size or 1.0
    norms = table.lengths * (weights.k1 * weights.b / mean) + weights.k1 * (1 - weights.b)
    whole = make.chosen(counts > 0, counts, 1.0)
    parts = rare * counts / (whole + norms.take(at))
    held = make.least(own / whole, 1.0)
    found, lent = {"lexical": make.sums(at, parts * held, size)}, 1 - held
    if kin is not None:
        related = make.least(kin / whole, 1.0)
        found["related"] = make.sums(at, parts * related, size)
        lent = lent - related
    found["neighbours"] = make.sums(at, parts * lent, size)
    return make.sums(at, parts, size), found


def _share(table: Table, rare: Numbers, rarity: Numbers) -> float:
    """The largest share of the query's idf that one candidate matches, 0..1; `rare` is the idf of each entry."""
    make, entries = table.make, table.entries
    matched = make.chosen(entries.own > 0, 1.0, 0.0 if entries.kin is None else entries.kin)
    mass = make.top(make.sums(entries.at, matched * rare, len(table)))
    return float(mass / make.total(rarity)) if mass else 0.0
