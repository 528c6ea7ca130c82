"""A recall ranks alike with lists and with arrays of numpy: the formulas are the same, and what they are made of."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from memwell.filters import parse
from memwell.ports.store.search import DEFAULT, Found, Search, Weights
from memwell.records.codec import to_micros
from memwell.retrieval.analysis.features import lexemes_and_signals_of, question
from memwell.retrieval.analysis.text import read_query
from memwell.retrieval.columns.arrays import arrays
from memwell.retrieval.columns.lists import LISTS
from memwell.retrieval.index.corpus import Change, Corpus, Partition, Row
from memwell.retrieval.index.vectors import Chunked
from memwell.retrieval.ranking import candidates, table
from memwell.retrieval.ranking.rank import Ranked, rank
from memwell.types import Scope

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
WORDS = (
    "bicycle bike garden gardening Porto Lisbon train trains bees honey sourdough bread baker metformin",
    "yesterday 'last week' '3 May 2025' 'in March' v2.14.1 10.0.0.7 ERR-4711 bicicle the and get thing old new",
)
SPEAKERS = ("Ana: ", "Bob: ", "user: ", "assistant: ", "", "")
QUESTIONS = (
    "When did Ana sell the bicycle?",
    "What did Bob bake last week?",
    "Which release is v2.14.1?",
    "What about ERR-4711 and 10.0.0.7 now?",
    'Who said "honey bees"?',
    "Where did I see the garden in March?",
    "Which bycicle is in Porto?",
    "What did you recommend before metformin?",
    "the and get",
    "gardening with bikes",
    "Was there bread in 2024?",
    "What happened last week?",
    "zzz",
)
WEIGHTS = (
    DEFAULT,
    Weights(reach=0.0),
    Weights(reach=5.0, before=0.2, after=0.1, reply=0.9, asked=2.0, k1=2.0, b=0.3),
    Weights(semantic=0.0),
    Weights(lexical=0.0, coverage=0.0),
    Weights(newer=0.0, session=1.0),
)
ZONES = (UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York"))


class Source:
    """Notes and talks of one owner: some expire, some lack vectors, some come later, are changed or removed."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self._rng = rng
        self._rows = [self._row(key) for key in range(size)]
        self.corpus = Corpus(("default", "ana"), 0, self._rows)
        self.corpus.follow(1, [*self._changes(size)])

    def _row(self, key: int) -> Row:
        rng = self._rng
        words = [word for line in WORDS for word in line.split()]
        content = (
            rng.choice(SPEAKERS) + " ".join(rng.choices(words, k=rng.randrange(1, 25))) + rng.choice(".?")
        )
        created = NOW - timedelta(minutes=rng.choice((key, 10 * key, 5000 * key)))
        session = rng.choice(("s", "t", None))
        lexemes, signals = lexemes_and_signals_of(content, {}, created, in_session=session is not None)
        expires = rng.choice((None, None, None, to_micros(NOW) - 1, to_micros(NOW) + 1))
        return key, f"r{key}", "ana", session, to_micros(created), expires, signals, lexemes

    def _changes(self, size: int) -> Iterator[Change]:
        for key in self._rng.sample(range(size), size // 5):
            yield key, None if self._rng.random() < 0.5 else self._row(key)
        yield from ((key, self._row(key)) for key in range(size, size + size // 5))

    def current(self, scope: Scope) -> Corpus:
        del scope
        return self.corpus

    def serving(self) -> str:
        return "m"

    def visible(self, search: Search) -> set[int]:
        return {key for key in self.corpus.slots if key % 3} if search.where else set(self.corpus.slots)

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        del partition, model
        for key in sorted(self.corpus.slots) if keys is None else keys:
            if key % 7:
                yield key, None, unit(random.Random(key)).tobytes()

    def position(self) -> int:
        raise NotImplementedError

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        raise NotImplementedError(partition)

    def changes(self, after: int, partition: Partition, limit: int) -> None:
        raise NotImplementedError(after, partition, limit)


def unit(rng: random.Random) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    vector = np.array([rng.gauss(0, 1) for _ in range(8)], dtype="<f4")
    return vector / np.linalg.norm(vector)


def searches(rng: random.Random, corpus: Corpus) -> Iterator[tuple[Search, str, Weights]]:
    for text in QUESTIONS:
        query = read_query(text, actors=corpus.speakers() | {"ana", "bob"})
        others = query.related_terms
        for vectors in (0, 1, 2):
            weights = rng.choice(WEIGHTS)
            yield (
                Search(
                    scope=Scope(user_id="ana"),
                    now=NOW,
                    terms=(*query.terms, *others),
                    related=len(others),
                    phrases=query.phrases,
                    times=rng.choice(((), ((NOW - timedelta(days=9), NOW - timedelta(hours=3)),))),
                    days=rng.choice(((), ("2025-05-03",))),
                    where=rng.choice((None, None, parse({"n": 1}))),
                    vectors=np.stack([unit(rng) for _ in range(vectors)]) if vectors else None,
                    model="m" if vectors else None,
                    similar=rng.choice((None, None, {f"r{key}": 0.5 for key in range(0, 40, 3)})),
                    pool=rng.choice((4, 12, 48)),
                    weights=weights,
                ),
                text,
                weights,
            )


def ranked(
    source: Source, search: Search, text: str, weights: Weights, zone: object
) -> tuple[Found, list[Ranked]]:
    query = read_query(text, actors=source.corpus.speakers() | {"ana", "bob"})
    found = candidates.find(source, source, search, part="test")
    asked = question(query, terms=search.terms, now=NOW, zone=zone)  # type: ignore[arg-type]
    return found, rank(
        found.candidates, question=asked, statistics=found.statistics, limit=99, weights=weights
    )


def alike(one: Sequence[Ranked], other: Sequence[Ranked]) -> None:
    """Candidates of equal totals may come in another order, because sums differ in their last bits."""
    assert [item.score for item in one] == pytest.approx([item.score for item in other], abs=1e-6)
    theirs = {item.key: item for item in other}
    assert {item.key for item in one} == theirs.keys()
    for item in one:
        assert item.cosine == pytest.approx(theirs[item.key].cosine, abs=1e-6)
        ours, others = (
            {part.name: part.value for part in each.parts if part.value > 1e-9}
            for each in (item, theirs[item.key])
        )
        assert ours == pytest.approx(others, abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_recall_is_the_same_with_lists_with_arrays_and_from_candidates(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    source = Source(rng, 150)
    signals: set[str] = set()
    for search, text, weights in searches(rng, source.corpus):
        zone = rng.choice(ZONES)
        results = []
        for make in (LISTS, arrays()):
            for module in (candidates, table):
                monkeypatch.setattr(module, "columns", lambda make=make: make)
            found, items = ranked(source, search, text, weights, zone)
            assert isinstance(found.candidates, table.Table)
            assert found.candidates.make is make
            rebuilt = replace(found, candidates=list(found.candidates))
            asked = question(
                read_query(text, actors=source.corpus.speakers() | {"ana", "bob"}),
                terms=search.terms,
                now=NOW,
                zone=zone,
            )
            again = rank(
                rebuilt.candidates, question=asked, statistics=found.statistics, limit=99, weights=weights
            )
            results += [items, again]
            signals |= {part.name for item in items for part in item.parts}
        for other in results[1:]:
            alike(results[0], other)
    assert len(signals) > 12, "the questions have every kind of reason"
