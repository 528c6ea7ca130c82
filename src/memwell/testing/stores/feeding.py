"""Who follows the change sequence and may feed an index, and moving from one model's vectors to another's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from memwell.errors import Closed, EmbeddingError, InvalidInput
from memwell.ports import Change, Embedding, Insert
from memwell.testing._run import race, run
from memwell.testing.samples import ANYBODY, START, direction, embedding, passages
from memwell.testing.stores._harness import Driven, StoreSuite
from memwell.types import Scope

__all__ = ["Feeding"]

OTHER = Scope(tenant_id="other")


class Feeding(StoreSuite):
    """Part of `StoreConformance`. A store that tells its changes keeps vectors too, for indexes to be fed with, even
    if it does not search them itself.
    """

    # ------------------------------------------------------------------------------------------- changes

    def test_each_change_names_whose_record_it_is(self, driven: Driven) -> None:
        driven.needs("changes")
        ann = Scope(user_id="ann", session_id="s")
        driven.insert("one", "a", scope=ann)
        driven.insert("two", "b")
        driven.insert("three", "c", scope=OTHER)
        driven.update("a", scope=ann, content="four")
        for id, scope in (("a", ann), ("b", ANYBODY), ("c", OTHER)):
            driven.delete(id, scope=scope)
        found = [(c.kind, c.tenant_id, c.user_id, c.id) for c in _last_of_each(driven.changes())]
        assert found == [
            ("delete", "default", "ann", "a"),
            ("delete", "default", None, "b"),
            ("delete", "other", None, "c"),
        ]

    def test_the_position_is_the_end_of_the_sequence(self, driven: Driven) -> None:
        driven.needs("changes")
        assert _position(driven) == 0
        driven.insert("one", "a")
        middle = _position(driven)
        driven.insert("two", "b")
        assert driven.changes()[-1].seq == _position(driven) > middle > 0
        assert [change.id for change in driven.changes(middle)] == ["b"]
        assert driven.changes(_position(driven)) == []

    # --------------------------------------------------------------------------------- the right to feed

    def test_a_new_follower_begins_at_nothing_and_one_holder_feeds_it(self, driven: Driven) -> None:
        driven.needs("changes")
        assert _claim(driven, "index", "ann") == 0
        assert _claim(driven, "index", "bob") is None
        assert _claim(driven, "index", "ann") == 0
        assert _claim(driven, "another", "bob") == 0

    def test_a_position_is_kept_and_told_to_the_next_holder(self, driven: Driven) -> None:
        driven.needs("changes")
        driven.insert("one", "a")
        _claim(driven, "index", "ann")
        assert _advance(driven, "index", "ann", _position(driven))
        assert _claim(driven, "index", "bob") is None
        assert _advance(driven, "index", "ann", _position(driven), release=True)
        assert _claim(driven, "index", "bob") == _position(driven) > 0

    def test_the_right_ends_with_its_time(self, driven: Driven) -> None:
        driven.needs("changes")
        _claim(driven, "index", "ann", seconds=10)
        driven.advance(9)
        assert _claim(driven, "index", "bob") is None
        driven.advance(1)
        assert _claim(driven, "index", "bob") == 0
        assert _claim(driven, "index", "ann") is None

    def test_as_of_an_earlier_moment_only_what_was_given_back_is_free(self, driven: Driven) -> None:
        driven.needs("changes")
        past, hour = driven.now - timedelta(days=3650), 3650 * 86_400 + 3600
        _claim(driven, "index", "ann", seconds=10)
        driven.advance(60)
        assert driven.run(driven.store.claim("index", "bob", seconds=hour, now=past)) is None
        assert driven.run(driven.store.claim("index", "ann", seconds=hour, now=past)) == 0
        assert _claim(driven, "index", "bob") is None
        assert _advance(driven, "index", "ann", 7, release=True)
        assert driven.run(driven.store.claim("index", "bob", seconds=hour, now=past)) == 7
        assert _claim(driven, "index", "ann") is None

    def test_claiming_again_extends_the_right(self, driven: Driven) -> None:
        driven.needs("changes")
        _claim(driven, "index", "ann", seconds=10)
        driven.advance(8)
        _claim(driven, "index", "ann", seconds=10)
        driven.advance(8)
        assert _claim(driven, "index", "bob") is None

    def test_who_has_lost_the_right_moves_nothing(self, driven: Driven) -> None:
        driven.needs("changes")
        assert not _advance(driven, "index", "nobody", 7)
        _claim(driven, "index", "ann", seconds=10)
        driven.advance(10)
        _claim(driven, "index", "bob")
        assert not _advance(driven, "index", "ann", 7)
        assert not _advance(driven, "index", "ann", 7, release=True)
        assert _claim(driven, "index", "bob") == 0
        assert _advance(driven, "index", "bob", 3, release=True)
        assert not _advance(driven, "index", "bob", 9)
        assert _claim(driven, "index", "ann") == 3

    def test_a_follower_may_be_sent_back(self, driven: Driven) -> None:
        driven.needs("changes")
        _claim(driven, "index", "ann")
        assert _advance(driven, "index", "ann", 9)
        assert _advance(driven, "index", "ann", 0, release=True)
        assert _claim(driven, "index", "bob") == 0

    def test_of_many_who_claim_at_once_one_has_the_right(self, driven: Driven) -> None:
        driven.needs("changes")

        def claim(name: str) -> Callable[[], Awaitable[int | None]]:
            return lambda: driven.store.claim("index", name, seconds=60, now=START)

        for _ in range(3):
            found = race(driven.store, [claim(f"holder {n}") for n in range(8)])
            assert sorted(found, key=str) == [0] + [None] * 7
            driven.advance(60)
            assert _claim(driven, "index", "judge") == 0
            assert _advance(driven, "index", "judge", 0, release=True)

    # ------------------------------------------------------------------------------ the model that serves

    def test_the_first_vectors_decide_which_model_serves(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        assert _serving(driven) is None
        driven.insert("apple", "without")
        assert _serving(driven) is None
        _put(driven, "apple", "a", embedding(0, model="first"))
        _put(driven, "banana", "b", embedding(0, model="second"))
        driven.embed("a", "apple", embedding(0, model="second"))
        assert _serving(driven) == "first"

    def test_when_its_last_vectors_are_gone_the_next_stored_decide_anew(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        _put(driven, "apple", "a", embedding(0, model="first"))
        driven.delete("a")
        assert _serving(driven) is None
        _put(driven, "apple", "a", embedding(0, model="second"))
        assert _serving(driven) == "second"
        driven.update("a", content="pear", embedding=embedding(0, model="first"))
        assert _serving(driven) == "first"

    def test_a_model_serves_once_every_record_has_its_vectors(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        for id, scope in (("a", ANYBODY), ("b", ANYBODY), ("c", OTHER)):
            _put(driven, f"text {id}", id, embedding(0, model="old"), scope=scope)
        driven.embed("a", "text a", embedding(90, model="new"))
        driven.embed("b", "text b", embedding(45, model="new"))
        assert _serve(driven, "new") == 1
        assert _serve(driven, "unknown") == 3
        assert _serving(driven) == "old"
        driven.embed("c", "text c", embedding(0, model="new"), tenant_id="other")
        assert _serving(driven) == "old"
        assert _serve(driven, "new") == 0
        assert _serving(driven) == "new"
        assert _serve(driven, "new") == 0
        assert driven.embeddings("a", model="old").keys() == {"a"}

    def test_searches_use_the_model_that_serves(self, driven: Driven) -> None:
        driven.needs("vectors")
        _put(driven, "apple", "a", embedding(0, model="old"))
        driven.embed("a", "apple", embedding(60, model="new"))
        assert driven.cosines(direction(0), model="old")["a"] == pytest.approx(1, abs=1e-5)
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            driven.search(vector=direction(0), model="new")
        assert _serve(driven, "new") == 0
        assert driven.cosines(direction(0), model="new")["a"] == pytest.approx(0.5, abs=1e-5)
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            driven.search(vector=direction(0), model="old")

    def test_expired_records_count_until_they_are_swept(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        _put(driven, "apple", "a", embedding(0, model="old"))
        driven.insert("soon gone", "b", ttl=10)
        driven.embed("a", "apple", embedding(0, model="new"))
        driven.advance(10)
        assert _serve(driven, "new") == 1
        driven.run(driven.store.sweep(driven.now))
        assert _serve(driven, "new") == 0
        assert _serving(driven) == "new"

    def test_a_number_of_records_may_be_left_behind(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        for id in "abc":
            _put(driven, f"text {id}", id, embedding(0, model="old"))
        driven.embed("a", "text a", embedding(0, model="new"))
        assert _serve(driven, "new", lacking=1) == 2
        assert _serving(driven) == "old"
        assert _serve(driven, "new", lacking=2) == 2
        assert _serving(driven) == "new"
        assert set(driven.unembedded("new")) == {"b", "c"}

    def test_writes_with_the_old_model_are_kept_and_told_after_the_cut_over(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        _put(driven, "apple", "a", embedding(0, model="old"))
        driven.embed("a", "apple", embedding(0, model="new"))
        assert _serve(driven, "new") == 0
        _put(driven, "late", "b", embedding(0, model="old"))
        assert _serving(driven) == "new"
        assert driven.unembedded("new") == ["b"]

    def test_an_empty_store_moves_at_once_and_still_takes_what_comes_first(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        assert _serve(driven, "new") == 0
        assert _serving(driven) is None
        _put(driven, "apple", "a", embedding(0, model="old"))
        assert _serving(driven) == "old"

    def test_vectors_of_a_model_are_dropped_but_not_of_the_one_that_serves(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        for id, scope in (("a", ANYBODY), ("b", OTHER)):
            _put(driven, f"text {id}", id, embedding(0, model="old"), scope=scope)
            driven.embed(id, f"text {id}", embedding(0, model="new"), tenant_id=scope.tenant_id)
        _put(driven, "only old", "c", passages("only old", 0, 90, model="old"))
        with pytest.raises(InvalidInput, match="old"):
            _drop(driven, "old")
        assert _serve(driven, "new", lacking=1) == 1
        assert _drop(driven, "old") == 3
        assert _models(driven) == ["new"]
        assert _drop(driven, "old") == _drop(driven, "unknown") == 0
        assert driven.embeddings("a", "c", model="old") == {}
        assert driven.embeddings("a", "c", model="new").keys() == {"a"}
        assert [driven.one(id).embedded for id in "ac"] == [True, False]
        assert driven.stats().embedded == {"new": 1}
        assert driven.check().ok

    def test_the_models_are_those_that_any_tenant_has_vectors_of(self, driven: Driven) -> None:
        _keeps_vectors(driven)
        assert _models(driven) == []
        driven.insert("apple", "without")
        _put(driven, "apple", "a", embedding(0, model="old"), scope=OTHER)
        driven.embed("a", "apple", embedding(0, model="new"), tenant_id="other")
        driven.embed("a", "apple", embedding(0, model="a\x01b ż"), tenant_id="other")
        assert _models(driven) == ["a\x01b ż", "new", "old"]
        driven.delete("a", scope=OTHER)
        assert _models(driven) == []

    def test_a_closed_store_refuses_all_of_this(self, driven: Driven) -> None:
        store = driven.store
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


def _keeps_vectors(driven: Driven) -> None:
    if not driven.store.capabilities.changes:
        driven.needs("vectors")


def _put(driven: Driven, content: str, id: str, vectors: Embedding, scope: Scope = ANYBODY) -> None:
    driven.write(Insert(record=driven.new(content, id, scope=scope), embedding=vectors, named=True))


def _last_of_each(changes: list[Change]) -> list[Change]:
    """A store may leave out what a later change has made void."""
    return list({(change.tenant_id, change.id): change for change in changes}.values())


def _position(driven: Driven) -> int:
    return driven.run(driven.store.position())


def _claim(driven: Driven, follower: str, holder: str, seconds: float = 30) -> int | None:
    return driven.run(driven.store.claim(follower, holder, seconds=seconds, now=driven.now))


def _advance(driven: Driven, follower: str, holder: str, position: int, *, release: bool = False) -> bool:
    return driven.run(driven.store.advance(follower, holder, position, release=release))


def _serving(driven: Driven) -> str | None:
    return driven.run(driven.store.serving())


def _models(driven: Driven) -> list[str]:
    return driven.run(driven.store.embedding_models())


def _serve(driven: Driven, model: str, *, lacking: int = 0) -> int:
    return driven.run(driven.store.serve(model, lacking=lacking))


def _drop(driven: Driven, model: str) -> int:
    return driven.run(driven.store.drop_model(model))
