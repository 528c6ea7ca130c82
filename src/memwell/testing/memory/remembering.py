"""`remember`: what is stored, what is refused, and what counts as a duplicate."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from memwell.engine.validation import LIMITS
from memwell.errors import Conflict, InvalidInput, NotFound
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, Words
from memwell.testing.samples import START, UNICODE, Clock
from memwell.types import NewMemory, Record, Scope

__all__ = ["Remembering"]

OWNER: dict[str, Any] = {
    "tenant_id": "t",
    "user_id": "u",
    "agent_id": "a",
    "session_id": "s",
    "namespace": "n",
}


class Remembering(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_one_content_gives_the_record_as_it_is_stored(self, memory: Memory) -> None:
        record = memory.remember("Ann likes tea", user_id="ann")
        assert isinstance(record, Record)
        assert (record.content, record.scope) == ("Ann likes tea", Scope(user_id="ann"))
        assert (record.created_at, record.updated_at, record.version) == (START, START, 1)
        assert (record.kind, record.importance, record.embedded) == ("memory", 0.5, True)
        assert memory.get(record.id) == record

    def test_everything_given_is_stored(self, memory: Memory) -> None:
        more: dict[str, Any] = {
            "category": "c",
            "importance": 1,
            "kind": "fact",
            "tier": "long",
            "source": "mail",
        }
        record = memory.remember("x", id="mine", metadata={"k": [1]}, tags=["b", "a", "b"], **more, **OWNER)
        assert record.id == "mine"
        assert record.scope == Scope(**OWNER)
        assert (record.metadata, record.tags) == ({"k": [1]}, ("b", "a"))
        assert {name: getattr(record, name) for name in more} == more
        assert memory.get("mine", **OWNER) == record

    def test_several_go_in_one_transaction(self, memory: Memory) -> None:
        records = memory.remember(
            ["one", NewMemory(content="two", id="b", user_id="bob"), "three"], user_id="ann"
        )
        assert [record.content for record in records] == ["one", "two", "three"]
        assert [record.user_id for record in records] == ["ann", "bob", "ann"]
        with pytest.raises(Conflict):
            memory.remember(["four", NewMemory(content="not two", id="b")])
        assert memory.count() == 3

    def test_an_empty_list_gives_an_empty_list(self, memory: Memory) -> None:
        assert memory.remember([]) == []

    def test_items_of_a_batch_override_its_options(self, memory: Memory) -> None:
        items = [
            NewMemory(
                content="own", metadata={"own": 1}, tags=["own"], category="own", ttl=5, importance=0.0
            ),
            NewMemory(content="theirs"),
        ]
        own, theirs = memory.remember(items, metadata={"all": 1}, tags=["all"], category="all", ttl=60)
        assert (own.metadata, own.tags, own.category, own.importance) == ({"own": 1}, ("own",), "own", 0.0)
        assert own.expires_at == START + timedelta(seconds=5)
        assert (theirs.metadata, theirs.tags, theirs.category) == ({"all": 1}, ("all",), "all")
        assert theirs.expires_at == START + timedelta(seconds=60)

    def test_ids_are_unique_and_ordered_by_time(self, memory: Memory) -> None:
        ids = [memory.remember(f"text {n}").id for n in range(20)]
        assert sorted(set(ids)) == ids

    def test_unicode_is_kept(self, memory: Memory) -> None:
        for content in UNICODE:
            record = memory.remember(content, id=content[:9], user_id=content[:9], metadata={"k": content})
            assert memory.get(record.id, user_id=content[:9]) == record
            assert record.content == content

    def test_an_unknown_option_is_a_type_error(self, memory: Memory) -> None:
        options: Any = {"usr_id": "ann"}
        with pytest.raises(TypeError, match="usr_id"):
            memory.remember("x", **options)

    # -------------------------------------------------------------------------------------------- limits

    def test_a_content_up_to_the_limit_is_taken(self, memory: Memory) -> None:
        most = LIMITS["content_bytes"]
        assert memory.remember("ż" * (most // 2), id="a").content == "ż" * (most // 2)
        with pytest.raises(InvalidInput, match="limit"):
            memory.remember("ż" * (most // 2) + "x")

    def test_metadata_up_to_the_limits_are_taken(self, memory: Memory) -> None:
        memory.remember("x", metadata={"k": "y" * (LIMITS["metadata_bytes"] - 8)})
        with pytest.raises(InvalidInput, match="limit"):
            memory.remember("x", metadata={"k": "y" * (LIMITS["metadata_bytes"] - 7)})
        deep: dict[str, Any] = {}
        for _ in range(LIMITS["metadata_depth"] - 1):
            deep = {"k": deep}
        memory.remember("x", metadata=deep)
        with pytest.raises(InvalidInput, match="deeper"):
            memory.remember("x", metadata={"k": deep})

    def test_tags_and_short_texts_up_to_the_limits_are_taken(self, memory: Memory) -> None:
        most, longest = LIMITS["tags"], "ż" * LIMITS["text"]
        record = memory.remember(
            "x", id=longest, user_id=longest, category=longest, tags=[f"t{n}" for n in range(most)]
        )
        assert memory.get(longest).tags == record.tags
        with pytest.raises(InvalidInput, match="limit"):
            memory.remember("x", tags=[f"t{n}" for n in range(most + 1)])

    # --------------------------------------------------------------------------------------------- times

    def test_times_in_metadata_become_text_in_utc(self, memory: Memory) -> None:
        at = datetime(2024, 1, 2, 5, tzinfo=timezone(timedelta(hours=2)))
        record = memory.remember("x", metadata={"at": at, "day": date(2024, 1, 2), "pair": (1, 2)})
        assert record.metadata == {
            "at": "2024-01-02T03:00:00+00:00",
            "day": "2024-01-02T00:00:00+00:00",
            "pair": [1, 2],
        }
        assert [found.id for found in memory.list(where={"at": {"$lte": at}})] == [record.id]

    @pytest.mark.parametrize(
        "expiry",
        [
            {"ttl": 60},
            {"ttl": 60.0},
            {"ttl": timedelta(minutes=1)},
            {"expires_at": START + timedelta(minutes=1)},
        ],
        ids=str,
    )
    def test_what_expires_is_never_returned_again(
        self, memory: Memory, clock: Clock, expiry: dict[str, Any]
    ) -> None:
        record = memory.remember("short-lived apple", **expiry)
        clock.advance(59)
        assert memory.get(record.id) == record
        clock.advance(1)
        calls: list[Any] = [
            memory.get,
            memory.history,
            memory.related,
            lambda id: memory.update(id, tier="x"),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                call(record.id)
        assert memory.count() == len(memory.list()) == 0
        assert memory.recall("apple") == []
        assert memory.recall("apple", as_of=START + timedelta(seconds=1)) == []

    def test_sweeping_removes_the_expired(self, memory: Memory, clock: Clock) -> None:
        memory.remember("goes", ttl=60)
        memory.remember("stays")
        assert memory.sweep() == 0
        clock.advance(60)
        assert memory.stats().expired == 1
        assert memory.sweep() == 1
        assert memory.stats().expired == 0
        assert memory.count() == 1

    def test_sweeping_happens_by_itself(self, memory: Memory, clock: Clock) -> None:
        memory.remember("goes", ttl=60)
        clock.advance(hours=1)
        memory.remember("a call some time later")
        assert memory.stats().expired == 0

    # ---------------------------------------------------------------------------------------- duplicates

    def test_exactly_the_same_again_reinforces(self, memory: Memory, words: Words, clock: Clock) -> None:
        first = memory.remember("tea, no sugar", user_id="ann", tags=["x"])
        clock.advance(60)
        again = memory.remember("tea, no sugar", user_id="ann", tags=["x"])
        assert (again.id, again.reinforced, again.created_at) == (first.id, 1, START)
        assert memory.count() == 1
        assert words.texts == ["tea, no sugar"]

    def test_a_duplicate_keeps_what_is_stored_unless_it_may_update(
        self, memory: Memory, words: Words, clock: Clock
    ) -> None:
        first = memory.remember("tea", user_id="ann", importance=0.2, source="mail")
        clock.advance(60)
        again = memory.remember("tea", user_id="ann", importance=0.9, tier="long")
        assert (again.importance, again.source, again.tier, again.version) == (0.2, "mail", None, 1)
        given: dict[str, Any] = {"importance": 0.9, "tier": "long", "ttl": 60, "on_duplicate": "update"}
        more = memory.remember("tea", user_id="ann", **given)
        assert (more.importance, more.source, more.tier) == (0.9, "mail", "long")
        assert (more.id, more.version, more.reinforced, more.embedded) == (first.id, 2, 2, True)
        assert more.expires_at == START + timedelta(seconds=120)
        assert memory.get(first.id) == more
        assert [version.record.importance for version in memory.history(first.id)] == [0.2, 0.9]
        assert memory.remember("tea", user_id="ann", **given) == replace(more, reinforced=3)
        assert words.texts == ["tea"]
        with pytest.raises(InvalidInput, match="reinforce, update"):
            memory.remember("tea", on_duplicate="replace")  # type: ignore[call-overload]

    def test_in_a_batch_each_duplicate_takes_over_what_its_item_or_the_call_says(
        self, memory: Memory
    ) -> None:
        memory.remember([f"tea {n}" for n in range(20)], tier="short", source="mail")
        items: list[str | NewMemory] = [NewMemory(content=f"tea {n}", importance=n / 20) for n in range(20)]
        found = memory.remember([*items, "new"], source="chat", on_duplicate="update")
        assert [(r.importance, r.tier, r.source, r.version) for r in found] == [
            *((n / 20, "short", "chat", 2) for n in range(20)),
            (0.5, None, "chat", 1),
        ]
        assert memory.count(where={"source": "chat"}) == 21

    def test_progress_is_reported_while_a_list_is_stored(self, memory: Memory) -> None:
        memory.remember("apple 7")
        calls: list[tuple[int, int]] = []
        items = [f"apple {n}" for n in range(600)]
        memory.remember(items, progress=lambda done, total: calls.append((done, total)))
        assert calls[0] == (0, 600)
        assert calls[-1] == (600, 600)
        assert calls == sorted(calls)
        assert len(set(calls)) >= 4
        assert memory.count() == 600
        assert memory.stats().unembedded == 0

    def test_what_differs_is_stored_separately(self, memory: Memory) -> None:
        memory.remember("tea", user_id="ann")
        for other in (
            {"user_id": "bob"},
            {"tags": ["x"]},
            {"category": "c"},
            {"metadata": {"k": 1}},
            {"id": "own"},
        ):
            options: Any = {"user_id": "ann", **other}
            assert memory.remember("tea", **options).reinforced == 0
        assert memory.remember("tea ", user_id="ann").reinforced == 0
        assert memory.count() == 7

    def test_the_same_id_and_content_again_is_no_conflict(self, memory: Memory) -> None:
        memory.remember("tea", id="a")
        assert memory.remember("tea", id="a").reinforced == 1
        with pytest.raises(Conflict):
            memory.remember("coffee", id="a")
        with pytest.raises(Conflict):
            memory.remember("tea", id="a", user_id="bob")
        assert memory.remember("tea", id="a", tenant_id="other").reinforced == 0

    def test_what_was_forgotten_can_be_remembered_again(self, memory: Memory) -> None:
        memory.remember("tea", id="a", importance=0.9)
        memory.forget("a")
        record = memory.remember("tea", id="a")
        assert (record.reinforced, record.version, record.importance) == (0, 1, 0.5)
