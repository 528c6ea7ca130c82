"""Bi-temporal memories: when something is true, and when it was stored."""

from __future__ import annotations

import pytest

from memwell.errors import InvalidInput, NotFound
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, ids_of
from memwell.testing.samples import START, Clock
from memwell.types import NewMemory

__all__ = ["Validity"]


class Validity(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_what_is_true_at_a_moment_is_asked_for_by_a_half_open_interval(self, memory: Memory) -> None:
        spans = {
            "ever": (None, None),
            "since": ("2020-01-01", None),
            "until": (None, "2020-01-01"),
            "never": ("2020-01-01", "2020-01-01"),
        }
        memory.remember(
            [
                NewMemory(content=f"apple {id}", id=id, valid_from=a, valid_to=b)
                for id, (a, b) in spans.items()
            ]
        )
        for moment, expected in (
            ("2019-12-31T23:59:59.999999Z", {"ever", "until"}),
            ("2020-01-01T00:00:00Z", {"ever", "since"}),
            ("2020-01-01T01:00:00+02:00", {"ever", "until"}),
        ):
            assert set(ids_of(memory.recall("apple", valid_at=moment))) == expected
            assert {record.id for record in memory.list(valid_at=moment)} == expected
            assert memory.count(valid_at=moment) == len(expected)
        assert memory.count(valid_at="2021-01-01", where={"id": "since"}) == 1
        assert len(memory.recall("apple")) == 4
        assert [
            r.id for r in memory.list(where={"valid_to": {"$exists": True}}, order="id", descending=False)
        ] == [
            "never",
            "until",
        ]

    def test_the_interval_is_changed_cleared_and_restored(self, memory: Memory) -> None:
        record = memory.remember("apple", id="a", valid_from="2020-01-01", valid_to="2021-01-01")
        assert memory.remember("apple").id != "a"
        assert memory.remember("apple", valid_from="2020-01-01", valid_to="2021-01-01").reinforced == 1
        with pytest.raises(InvalidInput, match="before valid_from"):
            memory.update("a", valid_to="2019-01-01")
        with pytest.raises(InvalidInput, match="before valid_from"):
            memory.remember("pear", valid_from="2021-01-01", valid_to="2020-01-01")
        assert memory.get("a").valid_to == record.valid_to
        changed = memory.update("a", valid_from="2020-06-01", clear=["valid_to"])
        assert (changed.valid_to, changed.version) == (None, 2)
        assert memory.get("a") == changed
        assert memory.history("a")[1].changed == ("valid_from", "valid_to")
        assert memory.restore("a", 1).valid_to == record.valid_to

    def test_a_new_fact_ends_the_old_one_where_it_begins(self, memory: Memory) -> None:
        memory.remember("apple in Porto", id="porto", valid_from="2020-01-01")
        memory.remember("apple in Lisbon", id="lisbon", valid_from="2022-01-01", supersedes="porto")
        memory.remember("apple in Rome", id="rome", valid_from="2024-01-01")
        memory.relate("rome", "lisbon", "supersedes")
        ends = {id: memory.get(id).valid_to for id in ("porto", "lisbon", "rome")}
        assert ends["porto"] == memory.get("lisbon").valid_from
        assert ends["lisbon"] == memory.get("rome").valid_from
        assert ends["rome"] is None
        assert memory.get("porto").version == 2
        for moment, expected in (("2021-05-01", "porto"), ("2023-05-01", "lisbon"), ("2025-05-01", "rome")):
            assert ids_of(memory.recall("apple", valid_at=moment)) == [expected]
        assert memory.recall("apple", valid_at="2019-01-01") == []
        assert ids_of(memory.recall("apple")) == ["rome"]
        memory.remember("apple was never there", id="wrong", valid_from="2030-01-01")
        memory.remember("apple", id="right", valid_from="2025-01-01", supersedes="wrong")
        assert memory.get("wrong").valid_to == memory.get("wrong").valid_from

    def test_what_was_believed_then_is_not_what_is_believed_now(self, memory: Memory, clock: Clock) -> None:
        memory.remember("the apple is red", id="colour", valid_from="2020-01-01")
        clock.advance(60)
        memory.remember("the apple is green", id="later", valid_from="2022-01-01", supersedes="colour")
        for as_of, valid_at, expected in (
            (None, "2021-01-01", ["colour"]),
            (None, "2023-01-01", ["later"]),
            (START, "2021-01-01", ["colour"]),
            (START, "2023-01-01", ["colour"]),  # the newer was unknown
            (START, None, ["colour"]),
        ):
            hits = memory.recall("apple", as_of=as_of, valid_at=valid_at)
            assert ids_of(hits) == expected
            assert as_of is None or [hit.record.valid_to for hit in hits] == [None]

    def test_the_words_and_fields_of_then_are_searched(self, memory: Memory, clock: Clock) -> None:
        memory.remember("apple harvest", id="a", category="fruit", tags=["old"])
        memory.remember("plum harvest", id="b", category="fruit")
        clock.advance(60)
        memory.update("a", content="cabbage soup", category="food", clear=["tags"])
        memory.remember("apple cake", id="c")
        (hit,) = memory.recall("apple", as_of=START)
        assert (hit.id, hit.content, hit.category, hit.record.version) == ("a", "apple harvest", "fruit", 1)
        assert ids_of(memory.recall("apple", as_of=START, where={"category": "fruit"})) == ["a"]
        assert ids_of(memory.recall("harvest", as_of=START, where={"tags": {"$contains": "old"}})) == ["a"]
        assert memory.recall("cabbage", as_of=START, mode="lexical") == []
        assert memory.recall("harvest", as_of=START, where={"category": "food"}) == []
        assert set(ids_of(memory.recall("harvest", as_of=START))) == {"a", "b"}
        assert ids_of(memory.recall("apple", mode="lexical")) == ["c"]
        assert ids_of(memory.recall("cabbage", as_of=clock(), mode="lexical")) == ["a"]

    def test_a_memory_is_read_as_it_was(self, memory: Memory, clock: Clock) -> None:
        memory.remember("one", id="a")
        memory.remember("other", id="b")
        clock.advance(60)
        memory.update("a", content="two")
        memory.relate("a", "b")
        then = memory.get("a", as_of=START)
        assert (then.content, then.version, then.links) == ("one", 1, ())
        assert memory.get("a", as_of=clock()) == memory.get("a")
        with pytest.raises(NotFound):
            memory.get("a", as_of="2000-01-01")
        with pytest.raises(InvalidInput):
            memory.get("a", as_of="soon")
