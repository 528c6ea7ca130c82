"""Stores whose searches find or tell something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.testing.mutants.harness import Mutants

from memwell.backends.memory.store import MemoryStore
from memwell.ports.store.search import Candidate, Features, Found, Search
from memwell.types import Scope

MICROSECOND = timedelta(microseconds=1)
SEARCHED = Mutants()
breaks = SEARCHED.breaks
AS_MODEL = "test_a_search_returns_what_the_in_memory_store_returns"


def reported(name: str, change: Callable[[Candidate], dict[str, Any]], test: str = AS_MODEL) -> None:
    """Add stores that change values of each candidate."""

    async def search(self: MemoryStore, search: Search) -> Found:
        found = await MemoryStore._search(self, search)
        return replace(found, candidates=[replace(each, **change(each)) for each in found.candidates])

    breaks(test)(type(name, (MemoryStore,), {"__doc__": "A candidate is told otherwise.", "_search": search}))


def counted(name: str, **statistics: Any) -> None:
    """Add stores that change the statistics of a search."""

    async def search(self: MemoryStore, search: Search) -> Found:
        found = await MemoryStore._search(self, search)
        return replace(found, statistics=replace(found.statistics, **statistics))

    breaks(AS_MODEL)(type(name, (MemoryStore,), {"__doc__": "Statistics are others.", "_search": search}))


def asked(name: str, doc: str, change: Callable[[Search], Search], test: str) -> None:
    """Add stores that search for something else."""

    async def search(self: MemoryStore, search: Search) -> Found:
        return await MemoryStore._search(self, change(search))

    breaks(test)(type(name, (MemoryStore,), {"__doc__": doc, "_search": search}))


def setting(**values: Any) -> Callable[[Candidate], dict[str, Any]]:
    return lambda _: values


def featuring(**values: Any) -> Callable[[Candidate], dict[str, Any]]:
    return lambda c: {"features": replace(c.features, **values)}


reported("NoFeatures", lambda c: {"features": Features(length=c.features.length)})
reported("NoLength", featuring(length=0))
reported("NoActor", featuring(actor=None))
reported("NoDay", featuring(day=None))
reported("NoIntervals", featuring(intervals=()))
reported("NoQuestionShare", featuring(question_share=0.0))
reported("TermsOnce", lambda c: {"matches": [(term, 1) for term, _ in c.matches]})
reported("NoWindow", setting(counts={}, length=0.0))
reported("NoWindowCosine", setting(window_cosine=None))
reported("OwnCosineAsWindow", lambda c: {"window_cosine": c.cosine})
reported("NoSession", setting(session=None))
reported("NoPhrases", setting(phrases=0.0))
reported("HalfCosines", lambda c: {"cosine": c.cosine and c.cosine / 2})
counted("NoDocuments", documents=0)
counted("NoMeanCosine", mean_cosine=None)
counted("NoFrequencies", frequencies=[])


@breaks(AS_MODEL)
class FrequenciesOfTheTenant(MemoryStore):
    """Terms are counted among the records of all users."""

    async def _search(self, search: Search) -> Found:
        every = await super()._search(replace(search, scope=Scope(tenant_id=search.scope.tenant_id)))
        return replace(await super()._search(search), statistics=every.statistics)


asked(
    "FirstVectorOnly",
    "Of two vectors the first is asked with.",
    lambda search: search if search.vectors is None else replace(search, vectors=search.vectors[:1]),
    "test_a_question_of_two_vectors_is_asked_at_their_middle",
)
asked(
    "AnyTime",
    "`created_until` does not hold for vectors.",
    lambda search: search if search.vectors is None else replace(search, created_until=None),
    "test_created_until_holds_for_words_and_vectors_to_the_microsecond",
)
asked(
    "UntilTheSecond",
    "`created_until` holds by the second.",
    lambda s: replace(s, created_until=s.created_until and s.created_until.replace(microsecond=0)),
    "test_created_until_holds_for_words_and_vectors_to_the_microsecond",
)
asked(
    "TimeWithItsEnd",
    "What was created at the end of a time belongs to it.",
    lambda s: replace(s, times=tuple((first, until + MICROSECOND) for first, until in s.times)),
    "test_what_was_created_from_a_moment_until_before_another_is_found",
)
asked(
    "OneTimeOnly",
    "Of several times the first is asked for.",
    lambda s: replace(s, times=s.times[:1]),
    "test_the_pool_takes_the_newest_of_each_time",
)
asked(
    "DaysAsTerms",
    "The days of a time are terms of the question.",
    lambda s: replace(s, terms=(*s.terms, *s.days), days=()),
    "test_what_mentions_a_day_of_the_time_is_found",
)
asked(
    "TimesOfEverybody",
    "A search for a time knows no filter.",
    lambda s: replace(s, where=None) if s.times or s.days else s,
    "test_scope_expiry_and_filter_hold_for_times",
)
asked(
    "UsersWithoutCase",
    "A search compares users without case.",
    lambda s: replace(s, scope=replace(s.scope, user_id=s.scope.user_id and s.scope.user_id.casefold())),
    "test_owners_are_compared_exactly",
)


@breaks("test_the_cosine_of_a_content_is_that_of_the_mean_of_its_passages")
class FirstPassageOnly(MemoryStore):
    """The first passage of a content is compared."""

    async def _write(self, operations: Sequence[Any], now: Any) -> list[Any]:
        def first(operation: Any) -> Any:
            embedding = getattr(operation, "embedding", None)
            if embedding is None:
                return operation
            return replace(operation, embedding=replace(embedding, vectors=embedding.vectors[:1], spans=()))

        return await super()._write([first(operation) for operation in operations], now)


@breaks("test_the_pool_takes_those_that_fit_best_by_words")
class PoolAsTheyCame(MemoryStore):
    """The pool takes the first written that have a word."""

    async def _search(self, search: Search) -> Found:
        found = await super()._search(replace(search, pool=10_000))
        return replace(found, candidates=sorted(found.candidates, key=lambda c: -int(c.key))[: search.pool])


@breaks("test_actors_are_those_of_the_scope_or_unknown")
class ActorsOfTheTenant(MemoryStore):
    """Who speaks is told of all users."""

    async def _actors(self, scope: Scope) -> frozenset[str]:
        return await super()._actors(Scope(tenant_id=scope.tenant_id))


@breaks("test_arguments_are_not_modified")
class ScalesTheQuestion(MemoryStore):
    """The vectors of a question are changed in place."""

    async def _search(self, search: Search) -> Found:
        found = await super()._search(search)
        if search.vectors is not None:
            search.vectors[:] *= 2
        return found
