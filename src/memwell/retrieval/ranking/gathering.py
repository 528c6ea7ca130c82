"""Candidates as columns, from the columns of a corpus: their windows, and what the question finds in these."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import date
from typing import Final

from memwell.ports.store.search import DEFAULT, Features, Interval, Search
from memwell.retrieval.analysis.features import encrypted_part, read_signals
from memwell.retrieval.analysis.text import phrase_share
from memwell.retrieval.columns import Columns, Numbered, Numbers
from memwell.retrieval.index.corpus import Corpus
from memwell.retrieval.index.postings import Postings, Term
from memwell.retrieval.ranking.cosines import Cosines
from memwell.retrieval.ranking.table import Entries, Table
from memwell.retrieval.ranking.views import Parts
from memwell.retrieval.ranking.windows import Windows, kept_windows, windows

__all__ = ["gathered"]

_DAY: Final = 86_400_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MANY_DAYS: Final = 1 << 22
"""More than there are ordinals of days."""


class _Turns:
    """The turns of a corpus, as windows read them."""

    def __init__(self, corpus: Corpus) -> None:
        self.before, self.after = corpus.conversations.before, corpus.conversations.after
        self.lengths, self.actors = corpus.postings.lengths, corpus.signals.actors
        self.shares: array[float] = corpus.signals.shares


def gathered(
    corpus: Corpus,
    slots: Numbers,
    keys: Sequence[int],
    known: Sequence[Term],
    search: Search,
    *,
    cosines: Cosines,
    allowed: bytearray | None,
    texts: Sequence[str],
    make: Columns,
) -> Table:
    """The records with these slots, ascending, as candidates; `keys` are the slots as a list, `texts` their index
    terms, joined by spaces.

    Neighbours that are not `allowed` (`None`: all are) count nothing. The terms to be counted are `known` from before
    slots are counted here: a handler of signals may add some.
    """
    if make.keeps and search.weights is DEFAULT and len(slots):
        window = kept_windows(_Turns(corpus), slots, corpus.conversations.windows, search.weights, make)
    else:
        window = windows(_Turns(corpus), slots, search.weights, make)
    if allowed is not None:
        seen = make.places(make.stored(allowed, window.slots))
        window = Windows(*(column.take(seen) for column in window))
    involved = make.numbered([slots, window.slots], len(corpus.ids))
    own, near = involved.places(slots), involved.places(window.slots)
    entries = _entries(corpus.postings, known, involved, own, near, window, make)
    found = cosines.of(involved.values, make)
    meaning = _meaning(found.take(own), found.take(near), window, cosines.mean_cosine, make)
    lengths = make.stored(corpus.postings.lengths, slots)
    created = make.stored(corpus.conversations.created, slots)
    days = created // _DAY + _EPOCH_DAY
    codes = make.stored(corpus.conversations.codes, slots)
    facts = _Facts(corpus, keys, lengths, created)
    phrases = [phrase_share(text.split(), search.phrases) for text in texts] if search.phrases else None
    return Table(
        make=make,
        keys=keys,
        lengths=lengths + make.sums(window.at, window.words * window.lengths, len(slots)),
        entries=entries,
        cosines=found.take(own),
        window_cosines=meaning,
        sessions=codes * _MANY_DAYS + codes % 2 * days,
        phrases=make.zeros(len(slots)) if phrases is None else make.numbers(phrases),
        days=days,
        asking=make.stored(corpus.signals.shares, slots),
        timed=make.stored(corpus.signals.timed, slots),
        actors=make.stored(corpus.signals.actors, slots),
        actor_codes=corpus.signals.codes,
        texts=texts,
        features=facts.features,
        mentioned=facts.mentioned,
        conversation=lambda at: corpus.conversations.conversation(int(codes[at]), int(created[at]) // _DAY),
    )


def _entries(
    postings: Postings,
    terms: Sequence[Term],
    involved: Numbered,
    own: Numbers,
    near: Numbers,
    window: Windows,
    make: Columns,
) -> Entries:
    """The terms in the windows."""
    size = len(own)
    which, place, counts = postings.matches(terms, involved, make)
    owners = make.joined([make.upto(size), window.at])
    itself = make.joined([make.zeros(size) + 1, make.zeros(len(near))])
    weights = make.joined([make.zeros(size) + 1, window.words])
    pair, match = make.expanded(place, len(involved.values), make.joined([own, near]))
    counts = counts.take(match)
    keys, counts, own_counts = make.merged(
        which.take(match) * size + owners.take(pair),
        len(terms) * size,
        counts * weights.take(pair),
        counts * itself.take(pair),
    )
    return Entries(keys % size, keys // size, counts, own_counts)


def _meaning(
    own: Numbers, near: Numbers, window: Windows, mean_cosine: float | None, make: Columns
) -> Numbers:
    """The mean cosine of each window; `mean_cosine` stands in for a missing one, if it is known."""
    if mean_cosine is None and not make.some(make.known(own)):
        return own
    size = len(own)
    if mean_cosine is not None:
        own = make.chosen(make.known(own), own, mean_cosine)
    near = make.chosen(make.known(near), near, mean_cosine or 0.0)
    total = make.sums(window.at, window.meaning, size) + 1
    return (own + make.sums(window.at, window.meaning * near, size)) / total


class _Facts:
    """What is known of some records of a corpus."""

    def __init__(self, corpus: Corpus, slots: Sequence[int], lengths: Numbers, created: Numbers) -> None:
        self._lengths, self._created = lengths, created
        self._lines = Parts(corpus.signals.lines, slots)  # lines stay as they are

    def mentioned(self, at: int) -> Sequence[Interval]:
        """The times that the record at a place mentions, in UTC."""
        return read_signals(self._lines[at])[2]

    def features(self, at: int) -> Features:
        """The features of the record at a place."""
        line = self._lines[at]
        actor, question_share, times, shifted = read_signals(line)
        day, rest = divmod(int(self._created[at]), _DAY)
        return Features(
            length=int(self._lengths[at]),
            actor=actor,
            day=day + _EPOCH_DAY,
            second=rest // 1_000_000,
            intervals=times,
            shifted=shifted,
            question_share=question_share,
            sealed=encrypted_part(line),
        )
