"""Candidates of a search have the same features as in the in-memory store, since the ranking depends on them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from memwell.backends.memory.store import MemoryStore
from memwell.filters import parse
from memwell.ports import Embedding, Insert, Vectors
from memwell.ports.store.search import DEFAULT, Found, Search, Weights
from memwell.testing._run import run
from memwell.testing.samples import ANYBODY, DIMENSION, MODEL, START, direction, embedding, passages
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Record, Scope

__all__ = ["Candidates"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")
WORDS = (
    "apple",
    "pear",
    "plum",
    "cherry",
    "train",
    "boat",
    "visited",
    "Lisbon",
    "yesterday",
    "in May",
    "'quoted'",
)
SPEAKERS = ("Ana: ", "Bob: ", "user: ", "assistant: ", "", "")
ENDS = (".", "?", ". Did the train go to Lisbon?")
WEIGHTS = (
    DEFAULT,
    DEFAULT,
    Weights(reach=0.0),
    Weights(reach=5.0, before=0.2, after=0.1, reply=0.9, asked=2.0),
)
PHRASES = ((), (("appl", "pear"),), (("lisbon",), ("appl", "pear"), ("plum",)))
TIMES = ((), (), ((START - timedelta(days=2), START - timedelta(days=1)),))
DAYS = ((), (), ("2024-04-29", "2024-04-30"))
TERMS = ("appl", "pear", "train", "lisbon", "quot", "7", "missing")


class Candidates(StoreSuite):
    """Part of `StoreConformance`."""

    def test_a_search_returns_what_the_in_memory_store_returns(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")
        rng = random.Random(11)
        model = MemoryStore()
        inserts = list(_talks(rng, 120))
        harness.write(*inserts)
        run(model, model.write(inserts, now=START))
        for _ in range(40):
            search = _search(rng)
            if not harness.can("times"):
                search = replace(search, times=(), days=())
            found, expected = harness.run(harness.store.search(search)), run(model, model.search(search))
            _assert_same(found, expected)

    def test_a_question_of_two_vectors_is_asked_at_their_middle(self, harness: Harness) -> None:
        harness.needs("vectors")
        for degrees in (0, 45, 90, 180):
            harness.insert(f"text {degrees}", f"at {degrees}", embedding=embedding(degrees))
        both = np.stack([direction(0), direction(90)])
        found = harness.run(
            harness.store.search(Search(scope=ANYBODY, now=harness.now, vectors=both, model=MODEL))
        )
        cosines = {found.ids[c.key]: c.cosine or 0.0 for c in found.candidates}
        assert max(cosines, key=lambda id: cosines[id]) == "at 45"
        assert cosines["at 0"] == pytest.approx(cosines["at 90"], abs=1e-5)
        assert cosines["at 0"] / cosines["at 45"] == pytest.approx(np.cos(np.radians(45)), abs=1e-5)
        assert cosines["at 180"] == pytest.approx(-cosines["at 0"], abs=1e-5)
        assert cosines["at 45"] <= 1 + 1e-5

    def test_the_cosine_of_a_content_is_that_of_the_mean_of_its_passages(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("one two three", "wide", embedding=passages("one two three", 0, 60, 120))
        harness.insert("one two", "half", embedding=passages("one two", 0, 90))
        harness.insert("one", "whole", embedding=embedding(45))
        cosines = harness.cosines(direction(0))
        for id, degrees in (("wide", 60), ("half", 45), ("whole", 45)):
            assert cosines[id] == pytest.approx(np.cos(np.radians(degrees)), abs=1e-5), id
        assert harness.cosines(direction(60))["wide"] == pytest.approx(1, abs=1e-5)

    def test_the_pool_takes_those_that_fit_best_by_words(self, harness: Harness) -> None:
        harness.needs("lexical")
        for number in range(40):
            words = "apple " * (number % 8 == 0) + "banana " * (number % 5 == 0) + "filler words of no use"
            harness.insert(f"{words} {number}", f"r{number:02}")
        best = {"r00"}
        assert harness.found("apple banana", pool=1) == best
        assert harness.found("apple banana", pool=5) == {"r00", "r08", "r16", "r24", "r32"}
        assert len(harness.found("banana", pool=3)) == 3

    def test_created_until_holds_for_words_and_vectors_to_the_microsecond(self, harness: Harness) -> None:
        harness.needs("lexical")
        for number in range(4):
            harness.insert(
                f"apple {number}",
                f"r{number}",
                at=START + timedelta(microseconds=number),
                embedding=embedding(number),
            )
        until = START + timedelta(microseconds=1)
        assert harness.found("apple", created_until=until) == {"r0", "r1"}
        if harness.store.capabilities.vectors:
            assert set(harness.cosines(direction(0), created_until=until)) == {"r0", "r1"}
            assert harness.found("apple", vector=direction(0), created_until=until) == {"r0", "r1"}

    def test_actors_are_those_of_the_scope_or_unknown(self, harness: Harness) -> None:
        for name, scope in (("Ana", ANN), ("Bob", BOB), ("Cid", Scope(tenant_id="other"))):
            for number in range(4):
                harness.insert(
                    f"{name}: I saw {number} boats",
                    f"{name} {number}",
                    scope=replace(scope, session_id="talk"),
                )
                harness.insert(f"Note: {name} saw {number} boats", f"{name} note {number}", scope=scope)
        for scope, names in (
            (ANN, {"ana"}),
            (BOB, {"bob"}),
            (ANYBODY, {"ana", "bob"}),
            (Scope(tenant_id="other"), {"cid"}),
            (Scope(user_id="nobody"), set()),
        ):
            assert harness.run(harness.store.actors(scope)) in (names, frozenset()), scope
        if isinstance(harness.store, MemoryStore):
            assert harness.run(harness.store.actors(ANN)) == {"ana"}


def _talks(rng: random.Random, size: int) -> Iterator[Insert]:
    """Notes and talks of two users, some expired, some without vectors, some with those of passages."""
    at = START - timedelta(days=3)
    for number in range(size):
        at += timedelta(minutes=rng.choice((0, 1, 20, 31, 200)))
        words = rng.choices(WORDS, k=rng.randrange(1, 12))
        record = Record(
            id=f"r{number}",
            scope=Scope(
                user_id=rng.choice(("ann", "bob", None)),
                session_id=rng.choice(("s", "t", None)),
                agent_id=rng.choice(("x", None)),
            ),
            content=f"{rng.choice(SPEAKERS)}{' '.join(words)} {number}{rng.choice(ENDS)}",
            metadata={"n": number % 5, "rare": number % 50 == 0},
            created_at=at,
            updated_at=at,
            expires_at=rng.choice((None, None, START - timedelta(seconds=1), START + timedelta(days=1))),
        )
        rows = rng.choice((0, 1, 1, 3))
        vectors = np.array([_unit(rng) for _ in range(rows)], dtype=np.float32)
        spans = tuple((n, n + 1) for n in range(rows)) if rows > 1 else ()
        given = Embedding(model=MODEL, vectors=vectors, spans=spans) if rows else None
        yield Insert(record=record, embedding=given, named=True)


def _unit(rng: random.Random) -> Vectors:
    vector = np.array([rng.gauss(0, 1) for _ in range(DIMENSION)])
    unit: Vectors = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def _search(rng: random.Random) -> Search:
    where = rng.choice(
        (
            None,
            None,
            {"n": {"$gte": 3}},
            {"rare": True},
            {"$not": {"n": 1}},
            {"$or": [{"n": 2}, {"rare": True}]},
        )
    )
    vectors = rng.choice((0, 1, 2))
    return Search(
        scope=Scope(
            user_id=rng.choice(("ann", "ann", "bob", "nobody", None)),
            session_id=rng.choice((None, None, "s")),
            agent_id=rng.choice((None, None, "x")),
        ),
        now=START,
        terms=tuple(rng.sample(TERMS, k=rng.randrange(5))),
        phrases=rng.choice(PHRASES),
        weights=rng.choice(WEIGHTS),
        times=rng.choice(TIMES),
        days=rng.choice(DAYS),
        where=None if where is None else parse(where),
        created_until=rng.choice((None, None, START - timedelta(days=1))),
        vectors=np.stack([_unit(rng) for _ in range(vectors)]) if vectors else None,
        model=MODEL if vectors else None,
        pool=200,
    )


def _assert_same(found: Found, expected: Found) -> None:
    ours, theirs = ({f.ids[c.key]: c for c in f.candidates} for f in (found, expected))
    assert ours.keys() == theirs.keys()
    for id, candidate in ours.items():
        model = theirs[id]
        assert candidate.features == model.features, id
        assert sorted(candidate.matches) == sorted(model.matches), id
        assert candidate.phrases == model.phrases, id
        assert candidate.session == model.session, id
        for name in ("cosine", "length", "window_cosine"):
            assert _number(candidate, name) == pytest.approx(_number(model, name), abs=1e-5), (
                f"{name} of {id}"
            )
        assert dict(candidate.counts) == pytest.approx(dict(model.counts), abs=1e-5), id
    assert found.statistics.documents == expected.statistics.documents
    assert list(found.statistics.frequencies) == list(expected.statistics.frequencies)
    assert _number(found.statistics, "mean_cosine") == pytest.approx(
        _number(expected.statistics, "mean_cosine"), abs=1e-5
    )
    assert found.notes == expected.notes


def _number(of: Any, name: str) -> float:
    """The value of an attribute; one that is unknown is far from every cosine."""
    value = getattr(of, name)
    return -99.0 if value is None else float(value)
