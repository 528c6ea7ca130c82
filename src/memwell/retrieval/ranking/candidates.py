"""Search in a corpus: the candidates by terms and by vectors, with the features that ranking needs.

Exact: every vector of the corpus is compared. Scope, filter and expiry are applied first, so that a selective filter
still gets its full number of results. The matrix product runs without the lock of the corpus; if a candidate changes
meanwhile, the search runs again with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from memwell.ports.store.search import Found, Search, Statistics, check_model
from memwell.records.codec import to_micros
from memwell.retrieval.columns import Columns, Numbers, columns
from memwell.retrieval.index.corpus import Corpus, Source
from memwell.retrieval.index.postings import Postings, Term
from memwell.retrieval.ranking.cosines import Compared, Cosines, Listed, Nominates, Read
from memwell.retrieval.ranking.gathering import gathered
from memwell.retrieval.ranking.views import Ids, Parts
from memwell.types import Link, Scope

__all__ = ["Current", "SearchSource", "assemble", "find", "narrowed"]

_Incoming: TypeAlias = Sequence[tuple[str, Link]] | None
"""As in `Found`."""


def _perhaps() -> bool:
    return True


class Current(Protocol):
    """A provider of up-to-date corpora."""

    def current(self, scope: Scope) -> Corpus:
        """The corpus that contains a scope, up to date with the store."""
        ...


class SearchSource(Source, Protocol):
    """A source that also knows what a search may find."""

    def visible(self, search: Search) -> set[int]:
        """The keys that a search may find, by scope, expiry, filter and time."""
        ...

    def serving(self) -> str | None:
        """The model whose vectors are used for searches."""
        ...


def find(
    corpora: Current,
    source: SearchSource,
    search: Search,
    *,
    part: str,
    linked: Callable[[], bool] = _perhaps,
) -> Found:
    """The candidates of a search; see `Store.search`. `linked` tells whether there may be relationships; it is asked
    when the corpus is up to date."""
    corpus = corpora.current(search.scope)
    if search.model is not None:
        check_model(search.model, source.serving(), part=part)
    incoming = None if linked() else ()
    found = _found(corpus, source, search, incoming)
    if found is None:
        with corpus.lock:  # nothing changes now
            found = _found(corpus, source, search, incoming)
    assert found is not None
    return found


def _found(corpus: Corpus, source: SearchSource, search: Search, incoming: _Incoming) -> Found | None:
    """The candidates; `None` if one of them was changed or removed while the vectors were compared."""
    make = columns()
    seen = source.visible(search) if narrowed(search) else None
    with corpus.lock:
        allowed = corpus.unexpired(to_micros(search.now)) if seen is None else corpus.seen(seen)
        terms = corpus.postings.terms(search.terms, make)
        words, _ = corpus.postings.search(terms, search.pool, make, allowed=allowed)
        cosines, state = _cosines(corpus, source, search, allowed), corpus.size
    if isinstance(cosines, Compared):
        cosines.compare()
    with corpus.lock:
        if allowed is not None:  # records that have come meanwhile are not
            allowed.extend(bytes(len(corpus.ids) - len(allowed)))
        nearest = make.index(cosines.nominate(search.pool, allowed))
        nominated = make.joined([words, nearest, *_of_times(corpus, search, allowed, make)])
        if corpus.size != state:
            if make.total(make.stored(corpus.live, nominated)) < len(nominated):
                return None
            terms = corpus.postings.terms(search.terms, make)
        counted = (len(corpus.postings), [term.frequency for term in terms])
        return assemble(
            corpus,
            search,
            nominated,
            terms,
            cosines=cosines,
            allowed=allowed,
            counted=counted,
            incoming=incoming,
            make=make,
        )


def _of_times(corpus: Corpus, search: Search, allowed: bytearray | None, make: Columns) -> Iterator[Numbers]:
    """The slots of the newest records of each time in the question, and of those that mention a day of one."""
    groups = [corpus.created_in(to_micros(first), to_micros(until), make) for first, until in search.times]
    if search.days:
        groups.append(corpus.postings.having(search.days, make))
    for group in groups:
        seen = group if allowed is None else group.take(make.places(make.stored(allowed, group)))
        yield corpus.newest(seen, search.pool, make)


def _cosines(corpus: Corpus, source: Source, search: Search, allowed: bytearray | None) -> Nominates:
    """The cosines of a search; the lock of the corpus is held."""
    if search.similar is None:
        if search.model is None or search.vectors is None:
            return Listed({})
        return Compared(corpus.with_vectors(source, search.model), search.vectors, allowed)
    if search.model is not None:
        return Read(corpus, source, search, allowed)
    slots = corpus.slots_of(search.similar)
    return Listed(
        {slot: search.similar[corpus.ids[slot]] for slot in slots if allowed is None or allowed[slot]}
    )


def narrowed(search: Search) -> bool:
    """Whether a search may find fewer than all live records of its user."""
    scope = search.scope
    return (
        search.where is not None
        or search.created_until is not None
        or not (scope.agent_id is scope.session_id is scope.namespace is None)
    )


def assemble(
    corpus: Corpus,
    search: Search,
    nominated: Numbers,
    known: Sequence[Term],
    *,
    cosines: Cosines,
    allowed: bytearray | None,
    counted: tuple[int, Sequence[int]],
    incoming: _Incoming,
    make: Columns,
) -> Found:
    """The nominated records and their neighbours as candidates.

    `corpus` contains all of them and the conversations around them; `nominated` are slots, each any number of times.
    `allowed` is true for the slots that may be found (`None`: all). `known` are the terms of the search in
    `corpus`; `counted` is the number of all records, and the number of those with each term. `incoming` is that of the
    result.
    """
    slots, documents = _with_neighbours(corpus, nominated, allowed, make), counted[0]
    keys: list[int] = slots.tolist()
    texts = Parts(corpus.lexemes, keys)
    terms, frequencies, notes = _mended(search, texts, counted[1], corpus.postings)
    if terms is not search.terms:
        known = corpus.postings.terms(terms, make)
    table = gathered(
        corpus, slots, keys, known, search, cosines=cosines, allowed=allowed, texts=texts, make=make
    )
    statistics = Statistics(documents=documents, frequencies=frequencies, mean_cosine=cosines.mean_cosine)
    if search.model is not None and documents and cosines.empty:
        notes.append(
            f"no vectors of {search.model}, so searched by words only; run `memwell repair` to add them"
        )
    ids = Ids(corpus.ids, keys)
    return Found(candidates=table, statistics=statistics, ids=ids, notes=tuple(notes), incoming=incoming)


def _mended(
    search: Search, texts: Sequence[str], counted: Sequence[int], postings: Postings
) -> tuple[Sequence[str], Sequence[int], list[str]]:
    """The terms of the question with those that no record contains as they were probably meant, the number of records
    with each, and notes that say so. Only the candidates' `texts` are looked at, so every store can do it."""
    terms = search.terms
    asked = terms[: len(terms) - search.related]
    if 0 not in counted[: len(asked)]:
        return terms, counted, []
    from memwell.retrieval.analysis.spelling import meant

    whole, mended, frequencies = f" {'  '.join(texts)} ", list(terms), list(counted)
    words = postings.words(len(whole))
    notes: list[str] = []
    for at, term in enumerate(asked):
        if not counted[at] and (found := meant(term, whole, mended, words)):
            mended[at], frequencies[at] = found, sum([f" {found} " in f" {text} " for text in texts])
            notes.append(f"{term} was read as {found}")
    return mended if notes else terms, frequencies, notes


def _with_neighbours(corpus: Corpus, nominated: Numbers, allowed: bytearray | None, make: Columns) -> Numbers:
    """The nominated slots and their direct neighbours in the same conversation, if they are visible, ascending."""
    if corpus.conversations:
        before, after = corpus.conversations.before, corpus.conversations.after
        nominated = make.joined([make.stored(before, nominated), nominated, make.stored(after, nominated)])
    slots = make.distinct(nominated)
    return slots if allowed is None else slots.take(make.places(make.stored(allowed, slots)))
