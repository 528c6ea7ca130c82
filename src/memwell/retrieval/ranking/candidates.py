"""Search in a corpus: the candidates by terms and by vectors, with the features that ranking needs.

Exact: every vector of the corpus is compared. Scope, filter and expiry are applied first, so that a selective filter
still gets its full number of results. The matrix product runs without the lock of the corpus.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from memwell.ports.arrays import numpy
from memwell.ports.store.search import Found, Search, Statistics, check_model
from memwell.records.codec import to_micros
from memwell.retrieval.analysis.spelling import meant
from memwell.retrieval.analysis.text import phrase_share
from memwell.retrieval.index.corpus import Corpus, Source
from memwell.retrieval.index.vectors import VectorSet
from memwell.retrieval.ranking.windows import gather
from memwell.types import Scope

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["Cosines", "Current", "SearchSource", "assemble", "find", "narrowed"]

_SAMPLE = 256
"""Number of records from which the mean cosine is estimated, if an index found the candidates."""
_SPARSE = 4096
"""Up to this number of visible records, only these are compared instead of the whole matrix."""


class Cosines(Protocol):
    """The cosines of a query with records."""

    mean_cosine: float | None
    """Mean cosine of all records."""
    empty: bool
    """Whether there are no vectors of the model at all."""

    def of(self, slots: Iterable[int]) -> dict[int, float]:
        """The cosines of some records; those without a vector are left out."""
        ...


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


def find(corpora: Current, source: SearchSource, search: Search, *, part: str) -> Found:
    """The candidates of a search; see `Store.search`."""
    if search.model is not None:
        check_model(search.model, source.serving(), part=part)
    corpus = corpora.current(search.scope)
    seen = source.visible(search) if narrowed(search) else None
    with corpus.lock:
        allowed = _allowed(corpus, search, seen)
        words = corpus.postings.search(search.terms, search.pool, allowed=allowed)
        read = vectors = None
        if search.model is not None and search.similar is not None:
            read = _ReadCosines(corpus, source, search, allowed)
        elif search.model is not None:
            vectors = corpus.with_vectors(source, search.model)
    cosines = read or _Cosines(vectors, search.vectors, allowed)
    if search.similar is not None and isinstance(cosines, _Cosines):
        cosines.use_similar(corpus, search.similar, allowed)
    with corpus.lock:
        nominated = words.keys() | cosines.nominate(search.pool, allowed) | _of_times(corpus, search, allowed)
        frequencies = [corpus.postings.frequency(term) for term in search.terms]
        counted = (len(corpus.postings), frequencies)
        return assemble(corpus, search, nominated, cosines=cosines, allowed=allowed, counted=counted)


def _of_times(corpus: Corpus, search: Search, allowed: Collection[int] | None) -> set[int]:
    """The slots of the newest records of each time in the question, and of those that mention a day of one."""
    groups = [corpus.created_in(to_micros(first), to_micros(until)) for first, until in search.times]
    if search.days:
        groups.append([*corpus.postings.having(search.days)])
    return {
        slot
        for group in groups
        for slot in corpus.newest([s for s in group if allowed is None or s in allowed], search.pool)
    }


def narrowed(search: Search) -> bool:
    """Whether a search may find fewer than all live records of its user."""
    scope = search.scope
    return (
        search.where is not None
        or search.created_until is not None
        or not (scope.agent_id is scope.session_id is scope.namespace is None)
    )


def _allowed(corpus: Corpus, search: Search, seen: set[int] | None) -> Collection[int] | None:
    """The slots that may be found; `None` means all."""
    slots = corpus.slots
    if seen is not None:
        return {slots[key] for key in seen if key in slots}
    expired = corpus.expired(to_micros(search.now))
    return set(slots.values()) - expired if expired else None


class _Cosines:
    """Cosines of the query with every record, or only with the visible ones if they are few."""

    def __init__(
        self, vectors: VectorSet | None, question: Vectors | None, allowed: Collection[int] | None
    ) -> None:
        self.mean_cosine: float | None = None
        self.empty = vectors is None or vectors.whole is None
        """Whether there are no vectors of the model at all."""
        self._of: dict[int, int] = {}
        self._values: Any = None
        self._slots: list[int] = []
        if vectors is None or question is None or vectors.whole is None:
            return
        query = question.mean(axis=0) if len(question) > 1 else question[0]
        vectors.whole.check(query)
        dead, gone = vectors.dead[:], 0
        if allowed is not None and len(allowed) <= _SPARSE:
            slots = [slot for slot in allowed if slot in vectors.of]
            self._values = vectors.whole.take([vectors.of[slot] for slot in slots]) @ query
            self._of = {slot: at for at, slot in enumerate(slots)}
            self._slots = slots
        else:
            self._values = vectors.whole.dot(query)
            self._of, self._slots = vectors.of, vectors.slots
            self._values[dead] = 0.0  # dead rows do not count towards the mean
            gone = len(dead)
        if len(self._values) > gone:
            self.mean_cosine = float(self._values.sum()) / (len(self._values) - gone)
        if gone:
            self._values[dead] = -1.0

    def use_similar(
        self, corpus: Corpus, similar: Mapping[str, float], allowed: Collection[int] | None
    ) -> None:
        """Use the cosines that a vector index found."""
        slots = corpus.slots_of(similar)
        found = {slot: similar[corpus.ids[slot]] for slot in slots if allowed is None or slot in allowed}
        self._values = numpy().fromiter(found.values(), dtype="float32", count=len(found))
        self._slots = list(found)
        self._of = {slot: at for at, slot in enumerate(found)}

    def of(self, slots: Iterable[int]) -> dict[int, float]:
        """The cosines of some records; those without a vector are left out."""
        if self._values is None:
            return {}
        end = len(self._values)  # rows added after the product have no cosine yet
        rows = {slot: row for slot in slots if (row := self._of.get(slot, end)) < end}
        values = self._values.take(list(rows.values())).tolist()
        return dict(zip(rows, values, strict=True))

    def nominate(self, limit: int, allowed: Collection[int] | None) -> set[int]:
        """The slots of the nearest live and allowed records."""
        if self._values is None or not len(self._values):
            return set()
        np, values, rows = numpy(), self._values, None
        if allowed is not None and len(allowed) > _SPARSE:
            end = len(values)
            rows = np.array(
                [row for slot in allowed if (row := self._of.get(slot, end)) < end], dtype=np.intp
            )
            values = values.take(rows)
        count = min(len(values), limit)
        best = np.argpartition(values, len(values) - count)[len(values) - count :]
        found = (best if rows is None else rows[best]).tolist()
        return {slot for row in found if (slot := self._slots[row]) >= 0}


class _ReadCosines:
    """Cosines of the candidates only, from vectors read for this search. An index found the candidates, so the matrix
    of all vectors is not needed. The mean cosine comes from a sample of the visible records.
    """

    def __init__(
        self, corpus: Corpus, source: SearchSource, search: Search, allowed: Collection[int] | None
    ) -> None:
        self._corpus, self._source, self._search = corpus, source, search
        visible = list(corpus.slots.values() if allowed is None else allowed)
        self.mean_cosine: float | None = None
        sample = self.of(visible[:: -(-len(visible) // _SAMPLE)] if visible else ())
        self.empty = bool(visible) and not sample and not search.similar
        if sample:
            self.mean_cosine = sum(sample.values()) / len(sample)

    def of(self, slots: Iterable[int]) -> dict[int, float]:
        """The cosines of some records; those without a vector are left out."""
        search, corpus = self._search, self._corpus
        assert search.model is not None
        assert search.vectors is not None
        read, keys = VectorSet(search.model), {corpus.keys[slot]: slot for slot in slots}
        read.add(keys, self._source.vectors(corpus.partition, search.model, list(keys)))
        if read.whole is None:
            return {}
        query = search.vectors.mean(axis=0)
        read.whole.check(query)
        return dict(zip(read.slots, read.whole.dot(query).tolist(), strict=True))

    def nominate(self, limit: int, allowed: Collection[int] | None) -> set[int]:
        """The slots of the records that the index found, if they are allowed."""
        del limit
        found = self._corpus.slots_of(self._search.similar or ())
        return set(found) if allowed is None else set(found).intersection(allowed)


def assemble(
    corpus: Corpus,
    search: Search,
    nominated: Iterable[int],
    *,
    cosines: Cosines,
    allowed: Collection[int] | None,
    counted: tuple[int, Sequence[int]],
) -> Found:
    """The nominated records and their neighbours as candidates.

    `corpus` contains all of them and the conversations around them. `counted` is the number of all records, and the
    number of those with each term.
    """
    slots = _with_neighbours(corpus, nominated, allowed)
    windows = {slot: corpus.conversations.window(slot, search.weights) for slot in slots}
    involved = {*slots, *(share[0] for window in windows.values() for share in window)}
    terms, frequencies, notes = _mended(corpus, search, slots, counted[1])
    candidates = gather(
        windows,
        features=corpus.features,
        matches=corpus.postings.matches(terms, involved),
        cosines=cosines.of(involved),
        mean_cosine=cosines.mean_cosine,
        visible=allowed,
    )
    for candidate, slot in zip(candidates, slots, strict=True):
        candidate.session, candidate.lexemes = corpus.session_of(slot), corpus.lexemes[slot]
        if search.phrases:
            candidate.phrases = phrase_share(corpus.lexemes[slot].split(), search.phrases)
    statistics = Statistics(documents=counted[0], frequencies=frequencies, mean_cosine=cosines.mean_cosine)
    ids: dict[int | str, str] = {slot: corpus.ids[slot] for slot in slots}
    if search.model is not None and counted[0] and cosines.empty:
        notes.append(
            f"no vectors of {search.model}, so searched by words only; run `memwell repair` to add them"
        )
    return Found(candidates=candidates, statistics=statistics, ids=ids, notes=tuple(notes))


def _mended(
    corpus: Corpus, search: Search, slots: Iterable[int], counted: Sequence[int]
) -> tuple[Sequence[str], Sequence[int], list[str]]:
    """The terms of the question with those that no record contains as they were probably meant, the number of records
    with each, and notes that say so. Only the candidates are looked at, so every store can do it."""
    terms = search.terms
    asked = terms[: len(terms) - search.related]
    if 0 not in counted[: len(asked)]:
        return terms, counted, []
    texts = [f" {corpus.lexemes[slot]} " for slot in slots]
    whole, mended, frequencies = "".join(texts), list(terms), list(counted)
    notes: list[str] = []
    for at, term in enumerate(asked):
        if not counted[at] and (found := meant(term, whole, mended)):
            mended[at], frequencies[at] = found, sum([f" {found} " in text for text in texts])
            notes.append(f"{term} was read as {found}")
    return mended, frequencies, notes


def _with_neighbours(
    corpus: Corpus, slots: Iterable[int], allowed: Collection[int] | None
) -> dict[int, None]:
    """The slots and their direct neighbours in the same conversation, if they are visible, in order."""
    if not corpus.conversations:
        return dict.fromkeys(slots)
    found: dict[int, None] = {}
    for slot in slots:
        for other in corpus.conversations.beside(slot):
            if allowed is None or other in allowed:
                found[other] = None
    return found
