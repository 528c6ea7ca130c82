"""Searches by words and by vectors, which see every write before them."""

from __future__ import annotations

import numpy as np
import pytest

from memwell.errors import EmbeddingError
from memwell.ports import Delete, Insert
from memwell.testing.samples import ANYBODY, direction, embedding, passages
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["Searching"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")


class Searching(StoreSuite):
    """Part of `StoreConformance`."""

    many: int = 20_000
    """Records among which a selective filter is tried."""

    # ---------------------------------------------------------------------------------------------- words

    def test_nothing_is_found_in_an_empty_store(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")
        assert list(harness.search("apple").candidates) == []
        assert harness.found("apple", vector=direction(0)) == set()

    def test_records_are_found_by_their_words(self, harness: Harness) -> None:
        harness.needs("lexical")
        harness.insert("an apple a day", "a")
        harness.insert("bananas are yellow", "b")
        harness.insert("Apples and BANANAS", "c")
        assert harness.found("apple") == {"a", "c"}
        assert harness.found("banana") == {"b", "c"}
        assert harness.found("apple banana") == {"a", "b", "c"}
        assert harness.found("cherry") == set()

    def test_words_of_every_script_are_found(self, harness: Harness) -> None:
        harness.needs("lexical")
        texts = {
            "pl": "żółw pełznie",
            "he": "שלום עולם",
            "ja": "東京タワー",
            "ru": "чёрный кот",
            "num": "A-113 7.5",
        }
        for id, text in texts.items():
            harness.insert(text, id)
        for id, text in (("pl", "zolw"), ("he", "שלום"), ("ja", "東京"), ("ru", "КОТ"), ("num", "7.5")):
            assert harness.found(text) == {id}

    def test_candidates_tell_how_often_each_term_occurs(self, harness: Harness) -> None:
        harness.needs("lexical")
        harness.insert("apple apple banana", "a")
        harness.insert("cherry", "b")
        found = harness.search("apple banana cherry")
        counts = {found.ids[c.key]: dict(c.matches) for c in found.candidates}
        assert counts == {"a": {0: 2, 1: 1}, "b": {2: 1}}
        assert list(found.statistics.frequencies) == [1, 1, 1]
        assert found.statistics.documents == 2

    # -------------------------------------------------------------------------------------------- vectors

    def test_similarity_is_the_cosine_and_higher_is_nearer(self, harness: Harness) -> None:
        harness.needs("vectors")
        angles = {"same": 0, "near": 30, "square": 90, "away": 135, "opposite": 180}
        for id, degrees in angles.items():
            harness.insert(f"text {id}", id, embedding=embedding(degrees))
        cosines = harness.cosines(direction(0))
        assert cosines.keys() == angles.keys()
        for id, degrees in angles.items():
            assert cosines[id] == pytest.approx(np.cos(np.radians(degrees)), abs=1e-5)

    def test_the_pool_takes_the_nearest(self, harness: Harness) -> None:
        harness.needs("vectors")
        for number in range(40):
            harness.insert(f"text {number}", f"r{number:02}", embedding=embedding(number * 4))
        assert set(harness.cosines(direction(0), pool=5)) == {f"r{n:02}" for n in range(5)}
        assert set(harness.cosines(direction(156), pool=5)) == {f"r{n:02}" for n in range(35, 40)}

    def test_what_an_index_nominates_is_compared_with_the_stores_own_vectors(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")
        for number in range(40):
            harness.insert(f"text {number}", f"r{number:02}", embedding=embedding(number * 4))
        harness.insert("an apple", "word", embedding=embedding(90))
        harness.insert("unembedded", "none")
        harness.insert("of another", "other", scope=Scope(tenant_id="other"), embedding=embedding(0))
        usual = harness.search("apple", vector=direction(0), pool=100)
        similar = {"r05": 0.99, "r30": -0.2, "none": 0.5, "other": 1.0, "unknown": 1.0}
        found = harness.search("apple", vector=direction(0), similar=similar)
        cosines = {found.ids[c.key]: c.cosine for c in found.candidates}
        assert cosines.keys() == {"r05", "r30", "word", "none"}
        expected = {usual.ids[c.key]: c.cosine for c in usual.candidates}
        for id in ("r05", "r30", "word"):
            assert cosines[id] == pytest.approx(expected[id], abs=1e-6)
        assert cosines["none"] is None
        assert list(harness.search(vector=direction(0), similar={}).candidates) == []
        assert harness.cosines(direction(0), similar=similar, where={"content": "text 5"}).keys() == {"r05"}

    def test_a_content_of_several_passages_is_found_once(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("one two three", "long", embedding=passages("one two three", 0, 90, 170))
        harness.insert("short", "short", embedding=embedding(90))
        assert harness.cosines(direction(0)).keys() == {"long", "short"}

    def test_records_without_vectors_are_found_by_words_beside_those_with(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")
        harness.insert("apple", "with", embedding=embedding(0))
        harness.insert("apple pie", "without")
        assert harness.found("apple", vector=direction(0)) == {"with", "without"}
        assert harness.found(vector=direction(0)) == {"with"}

    def test_vectors_of_another_model_are_never_compared(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("apple", "a", embedding=embedding(0, model="first"))
        harness.insert("banana", "b", embedding=embedding(0, model="second"))
        assert harness.found(vector=direction(0), model="first") == {"a"}

    def test_asking_with_a_model_that_does_not_serve_is_an_error_with_the_remedy(
        self, harness: Harness
    ) -> None:
        harness.needs("vectors")
        harness.insert("apple", "a", embedding=embedding(0, model="first"))
        harness.insert("banana", "b", embedding=embedding(0, model="second"))
        for model in ("second", "unknown"):
            with pytest.raises(EmbeddingError, match="memwell reembed"):
                harness.search("apple", vector=direction(0), model=model)

    def test_without_any_vectors_words_still_count_and_a_note_says_so(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")
        harness.insert("apple", "a")
        found = harness.search("apple", vector=direction(0), model="unknown")
        assert set(found.ids.values()) == {"a"}
        assert any("unknown" in note for note in found.notes)

    def test_a_question_of_another_dimension_is_refused(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("apple", "a", embedding=embedding(0))
        with pytest.raises(EmbeddingError):
            harness.search("apple", vector=np.ones(3, dtype=np.float32))

    # -------------------------------------------------------------------------------- scope, filter, time

    def test_a_filter_that_matches_ten_of_many_finds_those_ten(self, harness: Harness) -> None:
        harness.needs("lexical", "filters")
        chosen = {f"r{n}" for n in range(0, self.many, self.many // 10)}
        vectors = harness.store.capabilities.vectors
        near, far = embedding(0), embedding(80)
        for first in range(0, self.many, 10_000):
            names = [f"r{n}" for n in range(first, first + min(10_000, self.many))]
            harness.write(
                *(
                    Insert(
                        record=harness.new(
                            f"apple {id}", id, metadata={"rare": True} if id in chosen else {}
                        ),
                        embedding=(far if id in chosen else near) if vectors else None,
                    )
                    for id in names
                )
            )
        where = {"rare": True}
        assert harness.count(where) == 10
        assert set(harness.ids(where)) == chosen
        assert harness.found("apple", where=where) == chosen
        if vectors:
            assert harness.found(vector=direction(0), where=where) == chosen
            assert harness.found("apple", vector=direction(0), where=where) == chosen

    def test_a_search_stays_in_its_scope(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")
        for id, scope in (("a", ANN), ("b", BOB), ("c", Scope()), ("d", Scope(tenant_id="other"))):
            harness.insert(f"apple {id}", id, scope=scope, embedding=embedding(0))
        for scope, expected in (
            (ANN, {"a"}),
            (BOB, {"b"}),
            (ANYBODY, {"a", "b", "c"}),
            (Scope(tenant_id="other"), {"d"}),
            (Scope(user_id="nobody"), set()),
        ):
            assert harness.found("apple", scope=scope) == expected
            assert harness.found(vector=direction(0), scope=scope) == expected

    def test_neighbours_in_a_conversation_are_those_that_the_search_may_see(self, harness: Harness) -> None:
        harness.needs("lexical")
        session = Scope(user_id="ann", session_id="s")
        harness.insert("first apple", "a", scope=session, category="yes")
        harness.insert("hidden", "b", scope=session, category="no")
        harness.insert("short-lived", "c", scope=session, category="yes", ttl=1)
        harness.insert("seen", "d", scope=session, category="yes")
        harness.insert("bob's", "e", scope=Scope(user_id="bob", session_id="s"), category="yes")
        harness.advance(1)
        found = harness.search("apple", where={"category": "yes"}, scope=ANYBODY)
        assert set(found.ids.values()) <= {"a", "d"}

    # --------------------------------------------------------------------------------- following the writes

    def test_a_search_sees_every_write_before_it(self, harness: Harness) -> None:
        harness.needs("vectors", "lexical")

        def both() -> tuple[set[str], set[str]]:
            return harness.found("apple"), set(harness.cosines(direction(0)))

        assert both() == (set(), set())
        harness.insert("apple", "a", embedding=embedding(0))
        assert both() == ({"a"}, {"a"})
        harness.insert("apple tree", "b")
        assert both() == ({"a", "b"}, {"a"})
        harness.embed("b", "apple tree", embedding(10))
        assert both() == ({"a", "b"}, {"a", "b"})
        harness.update("a", content="pear")
        assert both() == ({"b"}, {"b"})
        harness.update("a", content="apple again", embedding=embedding(20))
        assert both() == ({"a", "b"}, {"a", "b"})
        harness.update("b", category="c")
        assert both() == ({"a", "b"}, {"a", "b"})
        assert harness.found("apple", where={"category": "c"}) == {"b"}
        harness.delete("a")
        assert both() == ({"b"}, {"b"})
        harness.insert("an apple", "a", ttl=5, embedding=embedding(0))
        harness.advance(5)
        assert both() == ({"b"}, {"b"})
        harness.run(harness.store.sweep(harness.now))
        assert both() == ({"b"}, {"b"})

    def test_new_vectors_replace_the_old_in_a_search(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("apple", "a", embedding=embedding(0))
        assert harness.cosines(direction(0))["a"] == pytest.approx(1, abs=1e-5)
        harness.embed("a", "apple", embedding(90))
        assert harness.cosines(direction(0))["a"] == pytest.approx(0, abs=1e-5)
        harness.update("a", content="pear", embedding=embedding(60))
        assert harness.cosines(direction(0))["a"] == pytest.approx(0.5, abs=1e-5)

    def test_many_writes_between_two_searches_are_all_seen(self, harness: Harness) -> None:
        harness.needs("lexical")
        harness.insert("apple", "first")
        assert harness.found("apple") == {"first"}
        harness.write(*(harness.insertion(f"apple {n}", f"r{n:04}") for n in range(1500)))
        harness.write(Delete(scope=ANYBODY, ids=tuple(f"r{n:04}" for n in range(1498))))
        assert harness.found("apple") == {"first", "r1498", "r1499"}
        harness.write(*(harness.insertion(f"pear {n}", f"p{n:04}") for n in range(1500)))
        harness.write(Delete(scope=ANYBODY, where={"id": {"$contains": "p"}}))
        assert harness.found("apple") == {"first", "r1498", "r1499"}
        assert harness.found("pear") == set()
