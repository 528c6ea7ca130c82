"""Followers of the change sequence, and moving from one embedding model to another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import numpy as np
import pytest

from memwell.errors import Closed, EmbeddingError, InvalidInput
from memwell.ports import Change, Embedding, Insert
from memwell.testing._run import race, run
from memwell.testing.samples import ANYBODY, START, direction, embedding, passages
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["Feeding"]

OTHER = Scope(tenant_id="other")


class Feeding(StoreSuite):
    """Part of `StoreConformance`. A store that tells its changes keeps vectors too, for indexes to be fed with, even
    if it does not search them itself.
    """

    # ------------------------------------------------------------------------------------------- changes

    def test_each_change_names_whose_record_it_is(self, harness: Harness) -> None:
        harness.needs("changes")
        ann = Scope(user_id="ann", session_id="s")
        harness.insert("one", "a", scope=ann)
        harness.insert("two", "b")
        harness.insert("three", "c", scope=OTHER)
        harness.update("a", scope=ann, content="four")
        for id, scope in (("a", ann), ("b", ANYBODY), ("c", OTHER)):
            harness.delete(id, scope=scope)
        found = [(c.kind, c.tenant_id, c.user_id, c.id) for c in _last_of_each(harness.changes())]
        assert found == [
            ("delete", "default", "ann", "a"),
            ("delete", "default", None, "b"),
            ("delete", "other", None, "c"),
        ]

    def test_the_position_is_the_end_of_the_sequence(self, harness: Harness) -> None:
        harness.needs("changes")
        assert _position(harness) == 0
        harness.insert("one", "a")
        middle = _position(harness)
        harness.insert("two", "b")
        assert harness.changes()[-1].seq == _position(harness) > middle > 0
        assert [change.id for change in harness.changes(middle)] == ["b"]
        assert harness.changes(_position(harness)) == []

    # --------------------------------------------------------------------------------- the right to feed

    def test_a_new_follower_begins_at_nothing_and_one_holder_feeds_it(self, harness: Harness) -> None:
        harness.needs("changes")
        assert _claim(harness, "index", "ann") == 0
        assert _claim(harness, "index", "bob") is None
        assert _claim(harness, "index", "ann") == 0
        assert _claim(harness, "another", "bob") == 0

    def test_a_position_is_stored_and_given_to_the_next_holder(self, harness: Harness) -> None:
        harness.needs("changes")
        harness.insert("one", "a")
        _claim(harness, "index", "ann")
        assert _advance(harness, "index", "ann", _position(harness))
        assert _claim(harness, "index", "bob") is None
        assert _advance(harness, "index", "ann", _position(harness), release=True)
        assert _claim(harness, "index", "bob") == _position(harness) > 0

    def test_a_lease_ends_with_its_time(self, harness: Harness) -> None:
        harness.needs("changes")
        _claim(harness, "index", "ann", seconds=10)
        harness.advance(9)
        assert _claim(harness, "index", "bob") is None
        assert _advance(harness, "index", "ann", 5)
        harness.advance(1)
        assert _claim(harness, "index", "bob") == 5
        assert _claim(harness, "index", "ann") is None

    def test_a_lease_may_last_a_part_of_a_second(self, harness: Harness) -> None:
        harness.needs("changes")
        assert _claim(harness, "index", "ann", seconds=0.5) == 0
        harness.advance(0.25)
        assert _claim(harness, "index", "bob", seconds=0.5) is None
        harness.advance(0.249999)
        assert _claim(harness, "index", "bob", seconds=0.5) is None
        harness.advance(0.000001)
        assert _claim(harness, "index", "bob", seconds=0.001) == 0
        harness.advance(0.001)
        assert _claim(harness, "index", "ann") == 0

    def test_as_of_an_earlier_moment_only_what_was_given_back_is_free(self, harness: Harness) -> None:
        harness.needs("changes")
        past, hour = harness.now - timedelta(days=3650), 3650 * 86_400 + 3600
        _claim(harness, "index", "ann", seconds=10)
        harness.advance(60)
        assert harness.run(harness.store.claim("index", "bob", seconds=hour, now=past)) is None
        assert harness.run(harness.store.claim("index", "ann", seconds=hour, now=past)) == 0
        assert _claim(harness, "index", "bob") is None
        assert _advance(harness, "index", "ann", 7, release=True)
        assert harness.run(harness.store.claim("index", "bob", seconds=hour, now=past)) == 7
        assert _claim(harness, "index", "ann") is None

    def test_claiming_again_extends_the_lease(self, harness: Harness) -> None:
        harness.needs("changes")
        _claim(harness, "index", "ann", seconds=10)
        harness.advance(8)
        _claim(harness, "index", "ann", seconds=10)
        harness.advance(8)
        assert _claim(harness, "index", "bob") is None

    def test_a_lost_lease_moves_nothing(self, harness: Harness) -> None:
        harness.needs("changes")
        assert not _advance(harness, "index", "nobody", 7)
        _claim(harness, "index", "ann", seconds=10)
        harness.advance(10)
        _claim(harness, "index", "bob")
        assert not _advance(harness, "index", "ann", 7)
        assert not _advance(harness, "index", "ann", 7, release=True)
        assert _claim(harness, "index", "bob") == 0
        assert _advance(harness, "index", "bob", 3, release=True)
        assert not _advance(harness, "index", "bob", 9)
        assert _claim(harness, "index", "ann") == 3

    def test_a_follower_may_be_sent_back(self, harness: Harness) -> None:
        harness.needs("changes")
        _claim(harness, "index", "ann")
        assert _advance(harness, "index", "ann", 9)
        assert _advance(harness, "index", "ann", 0, release=True)
        assert _claim(harness, "index", "bob") == 0
        assert _advance(harness, "index", "bob", -1, release=True), "a sink that is being rebuilt"
        assert _claim(harness, "index", "ann") == -1

    def test_of_many_who_claim_at_once_one_has_the_lease(self, harness: Harness) -> None:
        harness.needs("changes")

        def claim(name: str) -> Callable[[], Awaitable[int | None]]:
            return lambda: harness.store.claim("index", name, seconds=60, now=START)

        for _ in range(3):
            found = race(harness.store, [claim(f"holder {n}") for n in range(8)])
            assert sorted(found, key=str) == [0] + [None] * 7
            harness.advance(60)
            assert _claim(harness, "index", "judge") == 0
            assert _advance(harness, "index", "judge", 0, release=True)

    # ------------------------------------------------------------------------------ the model that serves

    def test_the_first_vectors_decide_which_model_serves(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        assert _serving(harness) is None
        harness.insert("apple", "without")
        assert _serving(harness) is None
        _put(harness, "apple", "a", embedding(0, model="first"))
        _put(harness, "banana", "b", embedding(0, model="second"))
        harness.embed("a", "apple", embedding(0, model="second"))
        assert _serving(harness) == "first"

    def test_when_its_last_vectors_are_gone_the_next_stored_decide_again(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        _put(harness, "apple", "a", embedding(0, model="first"))
        harness.delete("a")
        assert _serving(harness) is None
        _put(harness, "apple", "a", embedding(0, model="second"))
        assert _serving(harness) == "second"
        harness.update("a", content="pear", embedding=embedding(0, model="first"))
        assert _serving(harness) == "first"

    def test_a_model_serves_once_every_record_has_its_vectors(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        for id, scope in (("a", ANYBODY), ("b", ANYBODY), ("c", OTHER)):
            _put(harness, f"text {id}", id, embedding(0, model="old"), scope=scope)
        harness.embed("a", "text a", embedding(90, model="new"))
        harness.embed("b", "text b", embedding(45, model="new"))
        assert _serve(harness, "new") == 1
        assert _serve(harness, "unknown") == 3
        assert _serving(harness) == "old"
        harness.embed("c", "text c", embedding(0, model="new"), tenant_id="other")
        assert _serving(harness) == "old"
        assert _serve(harness, "new") == 0
        assert _serving(harness) == "new"
        assert _serve(harness, "new") == 0
        assert harness.embeddings("a", model="old").keys() == {"a"}

    def test_searches_use_the_model_that_serves(self, harness: Harness) -> None:
        harness.needs("vectors")
        _put(harness, "apple", "a", embedding(0, model="old"))
        harness.embed("a", "apple", embedding(60, model="new"))
        assert harness.cosines(direction(0), model="old")["a"] == pytest.approx(1, abs=1e-5)
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            harness.search(vector=direction(0), model="new")
        assert _serve(harness, "new") == 0
        assert harness.cosines(direction(0), model="new")["a"] == pytest.approx(0.5, abs=1e-5)
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            harness.search(vector=direction(0), model="old")

    def test_expired_records_count_until_they_are_swept(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        _put(harness, "apple", "a", embedding(0, model="old"))
        harness.insert("soon gone", "b", ttl=10)
        harness.embed("a", "apple", embedding(0, model="new"))
        harness.advance(10)
        assert _serve(harness, "new") == 1
        harness.run(harness.store.sweep(harness.now))
        assert _serve(harness, "new") == 0
        assert _serving(harness) == "new"

    def test_a_number_of_records_may_be_left_behind(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        for id in "abc":
            _put(harness, f"text {id}", id, embedding(0, model="old"))
        harness.embed("a", "text a", embedding(0, model="new"))
        assert _serve(harness, "new", lacking=1) == 2
        assert _serving(harness) == "old"
        assert _serve(harness, "new", lacking=2) == 2
        assert _serving(harness) == "new"
        assert set(harness.unembedded("new")) == {"b", "c"}

    def test_writes_with_the_old_model_are_stored_and_reported_after_the_cut_over(
        self, harness: Harness
    ) -> None:
        _keeps_vectors(harness)
        _put(harness, "apple", "a", embedding(0, model="old"))
        harness.embed("a", "apple", embedding(0, model="new"))
        assert _serve(harness, "new") == 0
        _put(harness, "late", "b", embedding(0, model="old"))
        assert _serving(harness) == "new"
        assert harness.unembedded("new") == ["b"]

    def test_an_empty_store_moves_at_once_and_still_takes_what_comes_first(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        assert _serve(harness, "new") == 0
        assert _serving(harness) is None
        _put(harness, "apple", "a", embedding(0, model="old"))
        assert _serving(harness) == "old"

    def test_vectors_of_a_model_are_dropped_but_not_of_the_one_that_serves(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        for id, scope in (("a", ANYBODY), ("b", OTHER)):
            _put(harness, f"text {id}", id, embedding(0, model="old"), scope=scope)
            harness.embed(id, f"text {id}", embedding(0, model="new"), tenant_id=scope.tenant_id)
        _put(harness, "only old", "c", passages("only old", 0, 90, model="old"))
        with pytest.raises(InvalidInput, match="old"):
            _drop(harness, "old")
        assert _serve(harness, "new", lacking=1) == 1
        assert _drop(harness, "old") == 3
        assert _models(harness) == ["new"]
        assert _drop(harness, "old") == _drop(harness, "unknown") == 0
        wide = Embedding(model="old", vectors=np.eye(1, 12, dtype=np.float32))
        assert harness.embed("a", "text a", wide), "a dropped model may come back with another dimension"
        assert _drop(harness, "old") == 1
        assert harness.embeddings("a", "c", model="old") == {}
        assert harness.embeddings("a", "c", model="new").keys() == {"a"}
        assert [harness.one(id).embedded for id in "ac"] == [True, False]
        assert harness.stats().embedded == {"new": 1}
        assert harness.check().ok

    def test_the_models_are_those_that_any_tenant_has_vectors_of(self, harness: Harness) -> None:
        _keeps_vectors(harness)
        assert _models(harness) == []
        harness.insert("apple", "without")
        _put(harness, "apple", "a", embedding(0, model="old"), scope=OTHER)
        harness.embed("a", "apple", embedding(0, model="new"), tenant_id="other")
        harness.embed("a", "apple", embedding(0, model="a\x01b ż"), tenant_id="other")
        assert _models(harness) == ["a\x01b ż", "new", "old"]
        harness.delete("a", scope=OTHER)
        assert _models(harness) == []

    def test_a_closed_store_refuses_all_of_this(self, harness: Harness) -> None:
        store = harness.store
        run(store, store.close())
        calls: list[Callable[[], Awaitable[object]]] = [
            store.position,
            store.serving,
            store.embedding_models,
            lambda: store.serve("new"),
            lambda: store.drop_model("old"),
            lambda: store.claim("index", "ann", seconds=1, now=START),
            lambda: store.advance("index", "ann", 1),
            lambda: store.embedded("m", limit=1),
        ]
        for call in calls:
            with pytest.raises(Closed):
                run(store, call())


def _keeps_vectors(harness: Harness) -> None:
    if not harness.store.capabilities.changes:
        harness.needs("vectors")


def _put(harness: Harness, content: str, id: str, vectors: Embedding, scope: Scope = ANYBODY) -> None:
    harness.write(Insert(record=harness.new(content, id, scope=scope), embedding=vectors, named=True))


def _last_of_each(changes: list[Change]) -> list[Change]:
    """A store may leave out what a later change has made void."""
    return list({(change.tenant_id, change.id): change for change in changes}.values())


def _position(harness: Harness) -> int:
    return harness.run(harness.store.position())


def _claim(harness: Harness, follower: str, holder: str, seconds: float = 30) -> int | None:
    return harness.run(harness.store.claim(follower, holder, seconds=seconds, now=harness.now))


def _advance(harness: Harness, follower: str, holder: str, position: int, *, release: bool = False) -> bool:
    return harness.run(harness.store.advance(follower, holder, position, release=release))


def _serving(harness: Harness) -> str | None:
    return harness.run(harness.store.serving())


def _models(harness: Harness) -> list[str]:
    return harness.run(harness.store.embedding_models())


def _serve(harness: Harness, model: str, *, lacking: int = 0) -> int:
    return harness.run(harness.store.serve(model, lacking=lacking))


def _drop(harness: Harness, model: str) -> int:
    return harness.run(harness.store.drop_model(model))
