"""Searches: who is found by words and by vectors, and that a search follows every write."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from memwell.errors import EmbeddingError
from memwell.ports import Delete, Insert
from memwell.testing.samples import ANYBODY, START, direction, embedding, passages
from memwell.testing.stores._harness import Driven, StoreSuite
from memwell.types import Scope

__all__ = ["Searching"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")


class Searching(StoreSuite):
    """Part of `StoreConformance`."""

    many: int = 100_000
    """Records among which a selective filter is tried."""

    # ---------------------------------------------------------------------------------------------- words

    def test_nothing_is_found_in_an_empty_store(self, driven: Driven) -> None:
        assert driven.search("apple").candidates == []
        assert driven.found("apple", vector=direction(0)) == set()

    def test_records_are_found_by_their_words(self, driven: Driven) -> None:
        driven.needs("lexical")
        driven.insert("an apple a day", "a")
        driven.insert("bananas are yellow", "b")
        driven.insert("Apples and BANANAS", "c")
        assert driven.found("apple") == {"a", "c"}
        assert driven.found("banana") == {"b", "c"}
        assert driven.found("apple banana") == {"a", "b", "c"}
        assert driven.found("cherry") == set()

    def test_words_of_every_script_are_found(self, driven: Driven) -> None:
        driven.needs("lexical")
        texts = {
            "pl": "żółw pełznie",
            "he": "שלום עולם",
            "ja": "東京タワー",
            "ru": "чёрный кот",
            "num": "A-113 7.5",
        }
        for id, text in texts.items():
            driven.insert(text, id)
        for id, text in (("pl", "zolw"), ("he", "שלום"), ("ja", "東京"), ("ru", "КОТ"), ("num", "7.5")):
            assert driven.found(text) == {id}

    def test_candidates_tell_how_often_each_term_occurs(self, driven: Driven) -> None:
        driven.needs("lexical")
        driven.insert("apple apple banana", "a")
        driven.insert("cherry", "b")
        found = driven.search("apple banana cherry")
        counts = {found.ids[c.key]: dict(c.matches) for c in found.candidates}
        assert counts == {"a": {0: 2, 1: 1}, "b": {2: 1}}
        assert list(found.statistics.frequencies) == [1, 1, 1]
        assert found.statistics.documents == 2

    # -------------------------------------------------------------------------------------------- vectors

    def test_similarity_is_the_cosine_and_higher_is_nearer(self, driven: Driven) -> None:
        driven.needs("vectors")
        angles = {"same": 0, "near": 30, "square": 90, "away": 135, "opposite": 180}
        for id, degrees in angles.items():
            driven.insert(f"text {id}", id, embedding=embedding(degrees))
        cosines = driven.cosines(direction(0))
        assert cosines.keys() == angles.keys()
        for id, degrees in angles.items():
            assert cosines[id] == pytest.approx(np.cos(np.radians(degrees)), abs=1e-5)

    def test_the_pool_takes_the_nearest(self, driven: Driven) -> None:
        driven.needs("vectors")
        for number in range(40):
            driven.insert(f"text {number}", f"r{number:02}", embedding=embedding(number * 4))
        assert set(driven.cosines(direction(0), pool=5)) == {f"r{n:02}" for n in range(5)}
        assert set(driven.cosines(direction(156), pool=5)) == {f"r{n:02}" for n in range(35, 40)}

    def test_what_an_index_nominates_is_compared_with_the_stores_own_vectors(self, driven: Driven) -> None:
        driven.needs("vectors", "lexical")
        for number in range(40):
            driven.insert(f"text {number}", f"r{number:02}", embedding=embedding(number * 4))
        driven.insert("an apple", "word", embedding=embedding(90))
        driven.insert("unembedded", "none")
        driven.insert("of another", "other", scope=Scope(tenant_id="other"), embedding=embedding(0))
        usual = driven.search("apple", vector=direction(0), pool=100)
        similar = {"r05": 0.99, "r30": -0.2, "none": 0.5, "other": 1.0, "unknown": 1.0}
        found = driven.search("apple", vector=direction(0), similar=similar)
        cosines = {found.ids[c.key]: c.cosine for c in found.candidates}
        assert cosines.keys() == {"r05", "r30", "word", "none"}
        expected = {usual.ids[c.key]: c.cosine for c in usual.candidates}
        for id in ("r05", "r30", "word"):
            assert cosines[id] == pytest.approx(expected[id], abs=1e-6)
        assert cosines["none"] is None
        assert driven.search(vector=direction(0), similar={}).candidates == []
        assert driven.cosines(direction(0), similar=similar, where={"content": "text 5"}).keys() == {"r05"}

    def test_a_content_of_several_passages_is_found_once(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("one two three", "long", embedding=passages("one two three", 0, 90, 170))
        driven.insert("short", "short", embedding=embedding(90))
        assert driven.cosines(direction(0)).keys() == {"long", "short"}

    def test_records_without_vectors_are_found_by_words_beside_those_with(self, driven: Driven) -> None:
        driven.needs("vectors", "lexical")
        driven.insert("apple", "with", embedding=embedding(0))
        driven.insert("apple pie", "without")
        assert driven.found("apple", vector=direction(0)) == {"with", "without"}
        assert driven.found(vector=direction(0)) == {"with"}

    def test_vectors_of_another_model_are_never_compared(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("apple", "a", embedding=embedding(0, model="first"))
        driven.insert("banana", "b", embedding=embedding(0, model="second"))
        assert driven.found(vector=direction(0), model="first") == {"a"}

    @pytest.mark.parametrize("model", ["second", "unknown"])
    def test_asking_with_a_model_that_does_not_serve_is_an_error_with_the_remedy(
        self, driven: Driven, model: str
    ) -> None:
        driven.needs("vectors")
        driven.insert("apple", "a", embedding=embedding(0, model="first"))
        driven.insert("banana", "b", embedding=embedding(0, model="second"))
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            driven.search("apple", vector=direction(0), model=model)

    def test_without_any_vectors_words_still_count_and_it_is_told(self, driven: Driven) -> None:
        driven.needs("vectors", "lexical")
        driven.insert("apple", "a")
        found = driven.search("apple", vector=direction(0), model="unknown")
        assert set(found.ids.values()) == {"a"}
        assert any("unknown" in note for note in found.notes)

    def test_a_question_of_another_dimension_is_refused(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("apple", "a", embedding=embedding(0))
        with pytest.raises(EmbeddingError):
            driven.search("apple", vector=np.ones(3, dtype=np.float32))

    # -------------------------------------------------------------------------------- scope, filter, time

    def test_a_filter_that_matches_ten_of_many_finds_those_ten(self, driven: Driven) -> None:
        driven.needs("lexical", "filters")
        chosen = {f"r{n}" for n in range(0, self.many, self.many // 10)}
        vectors = driven.store.capabilities.vectors
        near, far = embedding(0), embedding(80)
        for first in range(0, self.many, 10_000):
            names = [f"r{n}" for n in range(first, first + min(10_000, self.many))]
            driven.write(
                *(
                    Insert(
                        record=driven.new(f"apple {id}", id, metadata={"rare": True} if id in chosen else {}),
                        embedding=(far if id in chosen else near) if vectors else None,
                    )
                    for id in names
                )
            )
        where = {"rare": True}
        assert driven.count(where) == 10
        assert set(driven.ids(where)) == chosen
        assert driven.found("apple", where=where) == chosen
        if vectors:
            assert driven.found(vector=direction(0), where=where) == chosen
            assert driven.found("apple", vector=direction(0), where=where) == chosen

    def test_a_search_stays_in_its_scope(self, driven: Driven) -> None:
        driven.needs("vectors", "lexical")
        for id, scope in (("a", ANN), ("b", BOB), ("c", Scope()), ("d", Scope(tenant_id="other"))):
            driven.insert(f"apple {id}", id, scope=scope, embedding=embedding(0))
        for scope, expected in (
            (ANN, {"a"}),
            (BOB, {"b"}),
            (ANYBODY, {"a", "b", "c"}),
            (Scope(tenant_id="other"), {"d"}),
            (Scope(user_id="nobody"), set()),
        ):
            assert driven.found("apple", scope=scope) == expected
            assert driven.found(vector=direction(0), scope=scope) == expected

    def test_neighbours_in_a_conversation_are_those_that_the_search_may_see(self, driven: Driven) -> None:
        driven.needs("lexical")
        session = Scope(user_id="ann", session_id="s")
        driven.insert("first apple", "a", scope=session, category="yes")
        driven.insert("hidden", "b", scope=session, category="no")
        driven.insert("short-lived", "c", scope=session, category="yes", ttl=1)
        driven.insert("seen", "d", scope=session, category="yes")
        driven.insert("bob's", "e", scope=Scope(user_id="bob", session_id="s"), category="yes")
        driven.advance(1)
        found = driven.search("apple", where={"category": "yes"}, scope=ANYBODY)
        assert set(found.ids.values()) <= {"a", "d"}

    def test_only_what_was_created_by_then_is_found(self, driven: Driven) -> None:
        driven.needs("lexical")
        for day in range(4):
            driven.insert(f"apple {day}", f"d{day}", at=START + timedelta(days=day))
        until = START + timedelta(days=1)
        assert driven.found("apple", created_until=until) == {"d0", "d1"}

    # --------------------------------------------------------------------------------- following the writes

    def test_a_search_sees_every_write_before_it(self, driven: Driven) -> None:
        driven.needs("vectors", "lexical")

        def both() -> tuple[set[str], set[str]]:
            return driven.found("apple"), set(driven.cosines(direction(0)))

        assert both() == (set(), set())
        driven.insert("apple", "a", embedding=embedding(0))
        assert both() == ({"a"}, {"a"})
        driven.insert("apple tree", "b")
        assert both() == ({"a", "b"}, {"a"})
        driven.embed("b", "apple tree", embedding(10))
        assert both() == ({"a", "b"}, {"a", "b"})
        driven.update("a", content="pear")
        assert both() == ({"b"}, {"b"})
        driven.update("a", content="apple again", embedding=embedding(20))
        assert both() == ({"a", "b"}, {"a", "b"})
        driven.update("b", category="c")
        assert both() == ({"a", "b"}, {"a", "b"})
        assert driven.found("apple", where={"category": "c"}) == {"b"}
        driven.delete("a")
        assert both() == ({"b"}, {"b"})
        driven.insert("an apple", "a", ttl=5, embedding=embedding(0))
        driven.advance(5)
        assert both() == ({"b"}, {"b"})
        driven.run(driven.store.sweep(driven.now))
        assert both() == ({"b"}, {"b"})

    def test_new_vectors_replace_the_old_in_a_search(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("apple", "a", embedding=embedding(0))
        assert driven.cosines(direction(0))["a"] == pytest.approx(1, abs=1e-5)
        driven.embed("a", "apple", embedding(90))
        assert driven.cosines(direction(0))["a"] == pytest.approx(0, abs=1e-5)
        driven.update("a", content="pear", embedding=embedding(60))
        assert driven.cosines(direction(0))["a"] == pytest.approx(0.5, abs=1e-5)

    def test_many_writes_between_two_searches_are_all_seen(self, driven: Driven) -> None:
        driven.needs("lexical")
        driven.insert("apple", "first")
        assert driven.found("apple") == {"first"}
        driven.write(*(driven.insertion(f"apple {n}", f"r{n:04}") for n in range(1500)))
        driven.write(Delete(scope=ANYBODY, ids=tuple(f"r{n:04}" for n in range(1498))))
        assert driven.found("apple") == {"first", "r1498", "r1499"}
        driven.write(*(driven.insertion(f"pear {n}", f"p{n:04}") for n in range(1500)))
        driven.write(Delete(scope=ANYBODY, where={"id": {"$contains": "p"}}))
        assert driven.found("apple") == {"first", "r1498", "r1499"}
        assert driven.found("pear") == set()
