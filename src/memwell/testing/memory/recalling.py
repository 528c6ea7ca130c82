"""`recall`: scope, modes, filters, time, budgets, passages, explanations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwell.errors import NotSupported
from memwell.retrieval.ranking.strategies import STRATEGIES, Strategy
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, Opening, Words, ids_of
from memwell.testing.samples import START, Clock
from memwell.types import Mode, NewMemory

__all__ = ["Recalling"]


class Recalling(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_the_memory_that_answers_comes_first(self, memory: Memory) -> None:
        _shelf(memory)
        hits = memory.recall("which fruit does Ann like")
        assert hits[0].record == memory.get("fruit")
        assert hits[0].content == "Ann likes fruit, above all cherries"

    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
    def test_scores_lie_between_zero_and_one_and_fall(self, memory: Memory, mode: Any) -> None:
        _shelf(memory)
        for query in ("cherries", "Ann fruit cherries above all", "nothing of the kind", "the"):
            scores = [hit.score for hit in memory.recall(query, mode=mode)]
            assert all(0 <= score <= 1 for score in scores)
            assert scores == sorted(scores, reverse=True)

    def test_the_same_text_scores_higher_than_a_half_matching_one(self, memory: Memory) -> None:
        _shelf(memory)
        exact = memory.recall("Ann likes fruit, above all cherries")[0]
        half = next(h for h in memory.recall("cherries with rockets and violins") if h.record.id == "fruit")
        assert exact.record.id == "fruit"
        assert exact.score > half.score

    def test_an_empty_memory_and_a_query_without_words_find_nothing(self, memory: Memory) -> None:
        assert memory.recall("anything") == []
        memory.remember("text")
        assert memory.recall("?!", mode="lexical") == []

    def test_a_recall_stays_in_its_scope(self, memory: Memory) -> None:
        owners: dict[str, Any] = {
            "a": {"user_id": "ann"},
            "b": {"user_id": "bob"},
            "c": {"tenant_id": "other"},
        }
        for id, owner in owners.items():
            memory.remember(f"apple {id}", id=id, **owner)
        assert ids_of(memory.recall("apple", user_id="ann")) == ["a"]
        assert sorted(ids_of(memory.recall("apple"))) == ["a", "b"]
        assert ids_of(memory.recall("apple", tenant_id="other")) == ["c"]
        assert memory.recall("apple", user_id="ann", where={"user_id": "bob"}) == []

    def test_a_selective_filter_comes_first(self, memory: Memory) -> None:
        memory.remember([NewMemory(content=f"apple {n}", metadata={"n": n}) for n in range(1000)])
        wanted = {"n": {"$in": [3, 500, 999]}}
        modes: tuple[Mode, ...] = ("hybrid", "semantic", "lexical")
        for mode in modes:
            found = memory.recall("apple", where=wanted, mode=mode)
            assert sorted(hit.record.metadata["n"] for hit in found) == [3, 500, 999]

    def test_the_limit_cuts(self, memory: Memory) -> None:
        memory.remember([f"apple {n}" for n in range(30)])
        assert [len(memory.recall("apple", limit=n)) for n in (1, 7, 30, 100)] == [1, 7, 30, 30]
        assert len(memory.recall("apple")) == 10

    # ---------------------------------------------------------------------------------------------- modes

    def test_without_an_embedder_recall_is_lexical(self, opening: Opening, url: str, clock: Clock) -> None:
        with opening(url, embedder=None, clock=clock) as memory:
            record = memory.remember("apple")
            assert not record.embedded
            assert ids_of(memory.recall("apple")) == [record.id]
            with pytest.raises(NotSupported, match="embedder"):
                memory.recall("apple", mode="semantic")

    # --------------------------------------------------------------------------------------------- budget

    def test_a_token_budget_ends_the_list(self, memory: Memory) -> None:
        memory.remember([f"apple {n} " + "x" * 32 for n in range(10)])
        assert len(memory.recall("apple", token_budget=25)) == 2
        assert len(memory.recall("apple", token_budget=1)) == 0
        assert len(memory.recall("apple", token_budget=10_000)) == 10

    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
    def test_what_is_too_long_for_the_budget_is_given_by_its_passage_or_left_out(
        self, memory: Memory, mode: Any
    ) -> None:
        filler = "Nothing of the kind was ever said about it by anybody at all. " * 20
        memory.remember(f"{filler}The apple tree stands in Porto. {filler}", id="long")
        memory.remember("apple pie", id="short")
        hits = memory.recall("apple tree Porto", token_budget=60, mode=mode)
        assert sorted(ids_of(hits)) == ["long", "short"]
        assert sum(-(-len(hit.text.encode()) // 4) for hit in hits) <= 60
        texts = {hit.id: hit.text for hit in hits}
        assert texts["short"] == "apple pie"
        assert "apple tree stands in Porto" in texts["long"]
        assert texts["long"] in memory.get("long").content
        assert ids_of(memory.recall("apple tree Porto", token_budget=4, mode=mode)) == ["short"]
        assert all(hit.text == hit.content for hit in memory.recall("apple tree Porto", mode=mode))

    def test_tokens_are_counted_by_the_tokenizer_of_the_memory(
        self, opening: Opening, url: str, clock: Clock
    ) -> None:
        with opening(url, embedder=None, clock=clock, tokenizer=str.split) as memory:
            memory.remember(["apple " + "x" * 400, "apple pear plum fig"])
            assert len(memory.recall("apple", token_budget=6)) == 2
            hits = memory.recall("apple", token_budget=5)
            assert [hit.content for hit in hits] in (["apple " + "x" * 400], ["apple pear plum fig"])
            assert len(memory.recall("apple").as_text(budget=4).split()) == 4

    # ---------------------------------------------------------------------------------------- strategies

    @pytest.mark.parametrize(
        "strategy", [*STRATEGIES, Strategy(relevance=0.2, recency=3, half_life=1)], ids=str
    )
    def test_every_strategy_scores_from_zero_to_one(self, memory: Memory, strategy: Any) -> None:
        _shelf(memory)
        hits = memory.recall("Ann fruit", strategy=strategy)
        assert hits
        assert all(0 <= hit.score <= 1 for hit in hits)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_a_strategy_prefers_what_it_weighs(self, memory: Memory) -> None:
        memory.remember("apple one", id="old", created_at=START - timedelta(days=300), importance=1.0)
        memory.remember("apple two", id="new", importance=0.0)
        for _ in range(5):
            memory.remember("apple three", id="often", created_at=START - timedelta(days=300), importance=0.0)
        assert memory.recall("apple", strategy=Strategy(relevance=0.01, recency=1))[0].record.id == "new"
        assert memory.recall("apple", strategy=Strategy(relevance=0.01, importance=1))[0].record.id == "old"
        assert memory.recall("apple", strategy=Strategy(relevance=0.01, frequency=1))[0].record.id == "often"

    def test_recalls_are_counted_some_time_later(self, memory: Memory, clock: Clock) -> None:
        memory.remember("apple", id="a")
        for _ in range(3):
            memory.recall("apple")
        clock.advance(60)
        memory.remember("another call")
        record = memory.get("a")
        assert (record.access_count, record.last_accessed_at, record.version) == (3, START, 1)

    # ----------------------------------------------------------------------------------------------- time

    def test_as_of_answers_with_what_was_stored_by_then(self, memory: Memory, clock: Clock) -> None:
        memory.remember("apple one", id="a")
        clock.advance(days=1)
        memory.update("a", content="apple two")
        memory.remember("apple three", id="b")
        clock.advance(days=1)
        memory.update("a", content="apple four")

        def then(days: float) -> dict[str, str]:
            hits = memory.recall("apple", as_of=START + timedelta(days=days))
            return {hit.record.id: hit.record.content for hit in hits}

        assert then(-1) == {}
        assert then(0) == then(0.5) == {"a": "apple one"}
        assert then(1) == then(1.5) == {"a": "apple two", "b": "apple three"}
        assert then(2) == {"a": "apple four", "b": "apple three"}
        (hit,) = memory.recall("apple", as_of="2024-05-01T12:00:00")
        assert (hit.record.content, hit.record.version) == ("apple one", 1)

    def test_as_of_filters_and_supersedes_by_what_was_so_then(self, memory: Memory, clock: Clock) -> None:
        memory.remember("apple one", id="a", metadata={"state": "old"})
        clock.advance(days=1)
        memory.update("a", metadata={"state": "new"})
        clock.advance(days=1)
        memory.remember("apple two", id="b", metadata={"state": "new"})
        memory.relate("b", "a", "supersedes")
        clock.advance(days=1)
        memory.update("b", content="apple three")

        def then(days: float, **options: Any) -> list[str]:
            hits = memory.recall("apple", as_of=START + timedelta(days=days), **options)
            return [hit.record.content for hit in hits]

        assert then(0.5) == then(1.5) == ["apple one"]
        assert then(2.5) == ["apple two"]
        assert then(3) == then(9) == ["apple three"]
        assert then(0.5, where={"state": "new"}) == []
        assert then(1.5, where={"state": "new"}) == ["apple one"]

    # ---------------------------------------------------------------------------------------- explanations

    def test_the_components_of_a_score_come_largest_first(self, memory: Memory) -> None:
        _shelf(memory)
        hit = memory.recall("Ann cherries", explain=True)[0]
        points = [abs(component.points) for component in hit.why.components]
        assert points == sorted(points, reverse=True)
        assert {"lexical", "semantic"} <= {component.name for component in hit.why.components}
        assert hit.why.passage == hit.record.content
        assert set(hit.why.terms) >= {"cherri"}

    def test_of_a_long_text_the_matching_passage_is_named(
        self, opening: Opening, url: str, clock: Clock
    ) -> None:
        words = Words(window=32)
        filler = " ".join(f"filler{n}" for n in range(60))
        content = f"{filler}. The spare key lies under the blue pot. {filler}"
        with opening(url, embedder=words, clock=clock) as memory:
            record = memory.remember(content)
            memory.remember("nothing to see")
            assert max(len(text.split()) for text in words.texts) <= 30
            hit = memory.recall("where lies the spare key")[0]
            assert hit.record == record
            assert hit.why.passage is not None
            assert "spare key" in hit.why.passage
            assert len(hit.why.passage) < len(content) / 2
            assert memory.count() == 2


def _shelf(memory: Memory) -> None:
    contents = {
        "fruit": "Ann likes fruit, above all cherries",
        "dog": "Bob walks his dog in the park",
        "trip": "the trip to Lisbon was in May",
        "car": "the car needs new tyres",
    }
    memory.remember([NewMemory(content=content, id=id) for id, content in contents.items()])
