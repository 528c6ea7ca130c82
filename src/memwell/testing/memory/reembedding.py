"""Reembedding from one embedding model to another: `reembed`, and what others meet meanwhile and afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memwell.errors import EmbeddingError, NotSupported
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, Opening, Words, ids_of
from memwell.testing.samples import Clock
from memwell.types import NewMemory

__all__ = ["Reembedding"]

FRUIT = [NewMemory(content=f"apple number{n}", id=f"a{n:02}") for n in range(20)]


class _CutShort(Exception):
    """Raised in the middle of a call."""


class Reembedding(MemorySuite):
    """Part of `MemoryConformance`."""

    @pytest.fixture
    def new_words(self) -> Words:
        """The embedder to move to: of another model, and of another dimension."""
        return Words(model="new", dimension=32)

    @pytest.fixture
    def old(self, opening: Opening, lasting: str, clock: Clock) -> Iterator[Memory]:
        """A memory with the old embedder and something in it."""
        with opening(lasting, embedder=Words(model="old"), clock=clock) as memory:
            memory.remember(FRUIT)
            memory.remember("of another tenant", id="x", tenant_id="other")
            yield memory

    @pytest.fixture
    def new(
        self, opening: Opening, lasting: str, clock: Clock, new_words: Words, old: Memory
    ) -> Iterator[Memory]:
        """The same store with the new embedder."""
        del old
        with opening(lasting, embedder=new_words, clock=clock) as memory:
            yield memory

    def test_vectors_of_another_model_are_an_error_and_words_still_find(
        self, old: Memory, new: Memory
    ) -> None:
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            new.recall("number7")
        assert ids_of(new.recall("number7", mode="lexical")) == ["a07"]
        assert ids_of(old.recall("number7", limit=1)) == ["a07"]

    def test_reembedding_moves_every_memory_of_every_tenant(
        self, old: Memory, new: Memory, new_words: Words
    ) -> None:
        steps: list[tuple[int, int]] = []
        done = new.reembed(batch=8, progress=lambda *step: steps.append(step))
        assert (done.model, done.before, done.embedded, done.failed, done.dropped) == (
            "new",
            "old",
            21,
            (),
            0,
        )
        assert sorted(new_words.texts) == sorted([item.content for item in FRUIT] + ["of another tenant"])
        assert steps[0] == (0, 21)
        assert steps[-1] == (21, 21)
        assert steps == sorted(steps)
        assert ids_of(new.recall("number7", limit=1, mode="semantic")) == ["a07"]
        assert ids_of(new.recall("another tenant", tenant_id="other", mode="semantic")) == ["x"]
        assert new.stats().embedded == {"old": 20, "new": 20}
        with pytest.raises(EmbeddingError, match=r"'new'.*'old'.*memwell reembed"):
            old.recall("number7")
        assert new.doctor().ok

    def test_once_more_embeds_nothing(self, new: Memory, new_words: Words) -> None:
        new.reembed()
        texts = len(new_words.texts)
        again = new.reembed()
        assert (again.before, again.embedded, len(new_words.texts)) == ("new", 0, texts)

    def test_the_old_model_serves_and_writes_until_the_cut_over(self, old: Memory, new: Memory) -> None:
        seen: list[list[str]] = []

        def meanwhile(done: int, total: int) -> None:
            if 0 < done < total and len(seen) < 3:
                seen.append(ids_of(old.recall("number7", limit=1, mode="semantic")))
                old.remember(f"written meanwhile {done}", id=f"m{done}")
                old.update("a00", content=f"pear number{done}")

        new.reembed(batch=5, progress=meanwhile)
        assert seen == [["a07"]] * 3
        assert new.stats().embedded["new"] == 23
        found = {hit.record.id for hit in new.recall("written meanwhile", mode="semantic", limit=3)}
        assert found == {record.id for record in new.list(limit=50).records if record.id[0] == "m"}
        assert ids_of(new.recall(new.get("a00").content, mode="semantic", limit=1)) == ["a00"]

    def test_what_was_cut_short_is_continued(self, new: Memory, new_words: Words) -> None:
        def stop(done: int, _: int) -> None:
            if done >= 10:
                raise _CutShort

        with pytest.raises(_CutShort):
            new.reembed(batch=5, progress=stop)
        assert len(new_words.texts) == 10
        assert new.reembed(batch=5).embedded == 11
        assert len(new_words.texts) == len(set(new_words.texts)) == 21

    def test_an_embedder_that_fails_leaves_the_old_model_in_service(
        self, old: Memory, new: Memory, new_words: Words
    ) -> None:
        new_words.failing = True
        with pytest.raises(EmbeddingError, match="the model is down"):
            new.reembed(skip_failed=True)
        assert ids_of(old.recall("number7", limit=1, mode="semantic")) == ["a07"]

    def test_what_cannot_be_embedded_stops_the_cut_over_unless_it_is_left_behind(
        self, old: Memory, new: Memory, new_words: Words
    ) -> None:
        new_words.poison = "number13"
        with pytest.raises(EmbeddingError, match=r"a13.*skip_failed"):
            new.reembed()
        assert ids_of(old.recall("number7", limit=1, mode="semantic")) == ["a07"]
        done = new.reembed(skip_failed=True)
        assert (done.embedded, len(done.failed)) == (0, 1)
        assert "a13" in done.failed[0]
        assert ids_of(new.recall("number7", limit=1, mode="semantic")) == ["a07"]
        assert "a13" in ids_of(new.recall("apple", limit=50))
        new_words.poison = None
        assert new.repair().repaired == 1
        assert ids_of(new.recall("number13", limit=1, mode="semantic")) == ["a13"]

    def test_old_vectors_are_dropped_afterwards(self, old: Memory, new: Memory) -> None:
        done = new.reembed(drop_old=True)
        assert done.dropped == 21
        assert new.stats().embedded == {"new": 20}
        with pytest.raises(EmbeddingError, match="memwell reembed"):
            old.recall("number7")
        assert new.doctor().ok
        assert new.reembed(drop_old=True).dropped == 0

    def test_old_vectors_are_dropped_by_a_later_call_too_where_only_another_tenant_has_any(
        self, old: Memory, new: Memory
    ) -> None:
        for fruit in FRUIT:
            old.forget(fruit.id or "")
        assert new.reembed().dropped == 0
        assert new.stats(tenant_id="other").embedded == {"new": 1, "old": 1}
        assert new.reembed(drop_old=True).dropped == 1
        assert new.stats(tenant_id="other").embedded == {"new": 1}

    def test_what_has_expired_holds_up_nothing(self, old: Memory, new: Memory, clock: Clock) -> None:
        old.remember("short-lived", ttl=60)
        clock.advance(60)
        assert new.reembed().embedded == 21

    def test_what_a_straggler_writes_is_kept_and_embedded_later(self, old: Memory, new: Memory) -> None:
        new.reembed()
        old.remember("a late kohlrabi", id="late")
        assert "late" in ids_of(new.recall("late kohlrabi", limit=50))
        new.remember("a call that makes up for it")
        assert ids_of(new.recall("late kohlrabi", mode="semantic", limit=1)) == ["late"]
        assert not old.health().ok

    def test_repair_with_a_model_that_does_not_serve_embeds_nothing_and_says_so(
        self, new: Memory, new_words: Words
    ) -> None:
        report = new.repair()
        assert not report.ok
        assert "memwell reembed" in report.problems[-1].detail
        assert new_words.texts == []
        health = new.health()
        assert health.status == "degraded"
        assert "memwell reembed" in health.parts["embedder"]

    def test_what_a_new_embedder_writes_before_the_move_drags_nothing_along(
        self, old: Memory, new: Memory, new_words: Words
    ) -> None:
        new_words.failing = True
        new.remember("kept without vectors", id="k")
        new_words.failing = False
        new.remember("of the new model", id="n")
        assert new_words.texts == ["of the new model"]
        assert ids_of(old.recall("kept", mode="lexical")) == ["k"]
        assert new.reembed().embedded == 22

    def test_an_empty_store_is_moved_at_once(
        self, opening: Opening, url: str, clock: Clock, new_words: Words
    ) -> None:
        with opening(url, embedder=new_words, clock=clock) as memory:
            assert (memory.reembed().embedded, memory.reembed().before) == (0, None)
            memory.remember("apple", id="a")
            assert ids_of(memory.recall("apple", mode="semantic")) == ["a"]

    def test_without_an_embedder_there_is_nothing_to_move_to(
        self, opening: Opening, url: str, clock: Clock
    ) -> None:
        with opening(url, embedder=None, clock=clock) as memory, pytest.raises(NotSupported, match="--to"):
            memory.reembed()
