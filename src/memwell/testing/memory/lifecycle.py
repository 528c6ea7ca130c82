"""Events, failing embedders, health, several at once, closing."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from memwell.errors import (
    Closed,
    EmbeddingError,
    InvalidInput,
    MemwellError,
)
from memwell.events import EVENTS, Event
from memwell.sync import Memory
from memwell.testing.memory._fixtures import everything, populate
from memwell.testing.memory._harness import MemorySuite, Opening, Words
from memwell.testing.samples import START, Clock
from memwell.types import NewMemory

__all__ = ["Lifecycle"]


class Lifecycle(MemorySuite):
    """Part of `MemoryConformance`."""

    # --------------------------------------------------------------------------------------------- events

    def test_what_happens_is_reported_after_it_happened(self, memory: Memory) -> None:
        events: list[Event] = []
        memory.on("*", events.append, inline=True)
        memory.remember("tea", id="a", user_id="ann")
        memory.remember("tea", id="a", user_id="ann")
        memory.remember("milk", id="b", user_id="ann")
        memory.update("a", content="coffee")
        memory.relate("a", "b")
        memory.recall("coffee", user_id="ann", limit=1)
        memory.unrelate("a", "b")
        memory.unrelate("a", "b")
        memory.forget("a")
        names = [
            "remembered",
            "reinforced",
            "remembered",
            "updated",
            "related",
            "recalled",
            "unrelated",
            "forgotten",
        ]
        assert [event.name for event in events] == names
        assert set(names) <= set(EVENTS)
        pair = ("a", "b")
        assert [event.ids for event in events] == [("a",), ("a",), ("b",), ("a",), pair, ("a",), pair, ("a",)]
        assert events[6].data == {"kind": None, "count": 1}
        assert all(event.at == START for event in events)
        assert events[3].records[0].content == "coffee"
        assert events[5].data["query"] == "coffee"
        assert events[0].scope.user_id == "ann"

    def test_a_handler_hears_its_event_until_it_stops(self, memory: Memory) -> None:
        events: list[str] = []
        stop = memory.on("forgotten", lambda event: events.extend(event.ids), inline=True)
        memory.remember([NewMemory(content=id, id=id) for id in "abc"])
        memory.forget("a")
        stop()
        stop()
        memory.forget("b")
        assert events == ["a"]

    def test_a_failing_handler_does_no_harm(self, memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
        events: list[str] = []

        def broken(event: Event) -> None:
            raise RuntimeError(f"broken handler of {event.name}")

        memory.on("remembered", broken, inline=True)
        memory.on("remembered", lambda event: events.append(event.name), inline=True)
        with caplog.at_level(logging.ERROR):
            record = memory.remember("tea")
        assert events == ["remembered"]
        assert memory.get(record.id) == record
        assert "broken handler" in caplog.text

    def test_a_call_that_fails_tells_nothing(self, memory: Memory) -> None:
        memory.remember("tea", id="a")
        events: list[Event] = []
        memory.on("*", events.append, inline=True)
        calls: list[Any] = [
            lambda: memory.remember("coffee", id="a"),
            lambda: memory.update("missing", content="x"),
            lambda: memory.forget("missing"),
            lambda: memory.relate("a", "missing"),
        ]
        for call in calls:
            with pytest.raises(MemwellError):
                call()
        assert memory.forget(["missing"]) == []
        assert events == []

    def test_an_unknown_event_is_refused(self, memory: Memory) -> None:
        with pytest.raises(InvalidInput, match="no event"):
            memory.on("exploded", print)

    def test_a_handler_that_cannot_be_called_is_refused(self, memory: Memory) -> None:
        handler: Any = "print"
        with pytest.raises(InvalidInput, match="handler"):
            memory.on("remembered", handler)
        memory.remember("tea")

    def test_what_expires_is_reported_by_whichever_call_sweeps(self, memory: Memory, clock: Clock) -> None:
        events: list[Event] = []
        memory.on("expired", events.append, inline=True)
        memory.remember("goes", ttl=60)
        clock.advance(60)
        memory.sweep()
        memory.remember("goes too", ttl=60)
        clock.advance(hours=1)
        memory.remember("a call some time later")
        assert [event.data["count"] for event in events] == [1, 1]

    # ---------------------------------------------------------------------------- an embedder that fails

    def test_when_the_embedder_fails_the_memory_is_kept_and_embedded_later(
        self, memory: Memory, words: Words
    ) -> None:
        events: list[Event] = []
        memory.on("unembedded", events.append, inline=True)
        words.failing = True
        record = memory.remember("a lost apple", id="a")
        assert not record.embedded
        assert [event.ids for event in events] == [("a",)]
        assert memory.stats().unembedded == 1
        hits = memory.recall("apple")
        assert [hit.record.id for hit in hits] == ["a"]
        assert any("embedder failed" in note for note in hits[0].why.notes)
        with pytest.raises(EmbeddingError):
            memory.recall("apple", mode="semantic")
        assert not memory.health().ok
        words.failing = False
        memory.remember("another", id="b")
        assert memory.stats().unembedded == 0
        assert memory.get("a").embedded
        assert "a" in {hit.record.id for hit in memory.recall("apple", mode="semantic")}
        assert memory.health().ok

    def test_repair_embeds_what_has_no_vectors(self, memory: Memory, words: Words) -> None:
        words.failing = True
        memory.remember([f"apple {n}" for n in range(100)])
        words.failing = False
        steps: list[tuple[int, int]] = []
        report = memory.repair(progress=lambda done, total: steps.append((done, total)))
        assert report.ok
        assert report.repaired == 100
        assert steps[-1] == (100, 100)
        assert memory.stats().unembedded == 0
        assert memory.repair().repaired == 0

    def test_a_text_that_can_never_be_embedded_harms_no_other_call(
        self, memory: Memory, words: Words
    ) -> None:
        words.poison = "poison"
        memory.remember("poison apple", id="bad")
        record = memory.remember("sound apple", id="good")
        assert record.embedded
        assert memory.count() == 2
        assert {hit.record.id for hit in memory.recall("apple")} == {"bad", "good"}

    def test_an_update_without_embedder_leaves_no_vectors_of_the_old_content(
        self, memory: Memory, words: Words
    ) -> None:
        memory.remember("apple", id="a")
        words.failing = True
        assert not memory.update("a", content="pear").embedded
        words.failing = False
        assert memory.recall("apple", mode="semantic") == []
        memory.repair()
        assert [hit.record.id for hit in memory.recall("pear", mode="semantic")] == ["a"]

    def test_wrong_vectors_are_not_stored(self, opening: Opening, lasting: str, clock: Clock) -> None:
        with opening(lasting, embedder=Words(dimension=8), clock=clock) as memory:
            memory.remember("apple", id="a")
        with opening(lasting, embedder=Words(dimension=9), clock=clock) as memory:
            with pytest.raises(EmbeddingError, match="dimension"):
                memory.remember("pear", id="b")
            with pytest.raises(EmbeddingError, match="dimension"):
                memory.recall("apple")
            assert memory.count() == 1

    # ---------------------------------------------------------------------------------------------- health

    def test_a_sound_memory_is_healthy(self, memory: Memory) -> None:
        health = memory.health()
        assert (health.ok, health.status) == (True, "healthy")
        assert {"store", "embedder"} <= health.parts.keys() <= {"store", "embedder", "index", "cache"}
        assert set(health.parts.values()) == {"ok"}
        assert health.seconds >= 0
        report = memory.doctor()
        assert (report.ok, report.checked, report.problems) == (True, 0, ())

    def test_a_broken_part_is_named(self, memory: Memory, words: Words) -> None:
        words.failing = True
        health = memory.health()
        assert (health.ok, health.status) == (False, "degraded")
        assert health.parts["store"] == "ok"
        assert "the model is down" in health.parts["embedder"]

    # ------------------------------------------------------------------------------------ several at once

    def test_two_memories_on_one_store_see_each_others_writes(
        self, opening: Opening, lasting: str, words: Words, clock: Clock
    ) -> None:
        options: dict[str, Any] = {"embedder": words, "clock": clock}
        with opening(lasting, **options) as memory, opening(lasting, **options) as other:
            assert memory.recall("apple") == other.recall("apple") == []
            memory.remember("apple", id="a")
            assert [hit.record.id for hit in other.recall("apple")] == ["a"]
            other.update("a", content="pear")
            assert memory.get("a").content == "pear"
            assert memory.recall("apple", mode="lexical") == []
            assert [hit.record.id for hit in memory.recall("pear")] == ["a"]
            memory.forget("a")
            assert other.recall("pear") == []
            assert other.remember("pear").reinforced == 0

    def test_what_was_written_is_there_when_opened_again(
        self, opening: Opening, lasting: str, words: Words, clock: Clock
    ) -> None:
        with opening(lasting, embedder=words, clock=clock) as memory:
            populate(memory, clock)
            before = everything(memory)
        with opening(lasting, embedder=words, clock=clock) as memory:
            assert everything(memory) == before
            assert memory.recall("cherry")[0].record.id == "c"

    def test_eight_threads_of_mixed_calls_lose_nothing(self, memory: Memory, clock: Clock) -> None:
        failures: list[BaseException] = []

        def work(thread: int) -> None:
            try:
                for number in range(12):
                    id = f"t{thread}n{number:02}"
                    memory.remember(f"apple {id}", id=id, user_id=f"u{thread}")
                    memory.recall("apple", user_id=f"u{thread}")
                    memory.update(id, content=f"pear {id}", expected_version=1)
                    memory.relate(id, f"t{thread}n00") if number else memory.get(id)
                    clock.advance(1)
                    if number % 3 == 2:
                        memory.forget(id)
                    memory.list(limit=5)
                    memory.stats(user_id=f"u{thread}")
            except BaseException as error:  # noqa: BLE001  events by the assertion below
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        expected = sorted(f"t{t}n{n:02}" for t in range(8) for n in range(12) if n % 3 != 2)
        assert [record.id for record in memory.list(order="id", descending=False, limit=200)] == expected
        assert all(record.version == 2 for record in memory.list(limit=200))
        assert {h.record.id for h in memory.recall("pear", user_id="u3")} == {
            i for i in expected if "t3" in i
        }
        assert memory.doctor().ok

    # --------------------------------------------------------------------------------------------- closing

    def test_closing_twice_is_fine_and_every_other_call_is_refused(
        self, memory: Memory, tmp_path: Path
    ) -> None:
        memory.remember("apple", id="a")
        memory.close()
        memory.close()
        calls: list[Any] = [
            lambda: memory.remember("x"),
            lambda: memory.recall("x"),
            lambda: memory.get("a"),
            lambda: memory.list(),
            lambda: memory.update("a", content="x"),
            lambda: memory.forget("a"),
            lambda: memory.history("a"),
            lambda: memory.restore("a", 1),
            lambda: memory.relate("a", "b"),
            lambda: memory.unrelate("a", "b"),
            lambda: memory.related("a"),
            lambda: memory.count(),
            lambda: memory.stats(),
            lambda: memory.export(tmp_path / "x.jsonl"),
            lambda: memory.doctor(),
            lambda: memory.repair(),
            lambda: memory.sweep(),
        ]
        for call in calls:
            with pytest.raises(Closed):
                call()
        assert not memory.health().ok

    def test_a_with_block_closes_at_its_end(
        self, opening: Opening, url: str, words: Words, clock: Clock
    ) -> None:
        with opening(url, embedder=words, clock=clock) as memory:
            memory.remember("apple")
        with pytest.raises(Closed):
            memory.count()
