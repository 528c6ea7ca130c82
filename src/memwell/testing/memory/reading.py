"""`get`, `list`, `count` and `stats`, with pagination."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memwell.errors import InvalidInput, InvalidQuery, NotFound
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite
from memwell.testing.samples import Clock

__all__ = ["Reading"]


class Reading(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_what_is_not_there_is_not_found(self, memory: Memory) -> None:
        memory.remember("mine", id="a", user_id="ann")
        calls: list[Any] = [
            memory.get,
            memory.history,
            memory.forget,
            memory.related,
            lambda id, **owner: memory.update(id, content="x", **owner),
            lambda id, **owner: memory.restore(id, 1, **owner),
            lambda id, **owner: memory.relate(id, "a", **owner),
            lambda id, **owner: memory.unrelate(id, "a", **owner),
        ]
        for call in calls:
            for id, owner in (("missing", {}), ("a", {"user_id": "bob"}), ("a", {"tenant_id": "other"})):
                with pytest.raises((NotFound, InvalidInput)) as caught:
                    call(id, **owner)
                assert isinstance(caught.value, NotFound) or call is calls[6]
        assert memory.get("a").content == "mine"

    def test_a_scope_of_the_wrong_kind_is_refused_everywhere(self, memory: Memory) -> None:
        owner: Any = {"user_id": 7}
        calls: list[Any] = [
            lambda: memory.get("a", **owner),
            lambda: memory.list(**owner),
            lambda: memory.count(**owner),
            lambda: memory.recall("x", **owner),
            lambda: memory.forget("a", **owner),
            lambda: memory.stats(**owner),
        ]
        for call in calls:
            with pytest.raises(InvalidInput, match="user_id"):
                call()

    def test_a_misspelt_owner_is_refused_everywhere_and_nothing_is_shown_or_changed(
        self, memory: Memory, tmp_path: Path
    ) -> None:
        kept = memory.remember("an orchid", id="a", user_id="ana", metadata={"n": 1})
        memory.remember("a rose", id="b", user_id="ana")
        owner: Any = {"userid": "bob"}
        calls: list[Any] = [
            lambda: memory.recall("orchid", **owner),
            lambda: memory.get("a", **owner),
            lambda: memory.list(**owner),
            lambda: memory.update("a", content="a tulip", **owner),
            lambda: memory.forget("a", **owner),
            lambda: memory.forget(where={"n": 1}, **owner),
            lambda: memory.history("a", **owner),
            lambda: memory.restore("a", 1, **owner),
            lambda: memory.relate("a", "b", **owner),
            lambda: memory.unrelate("a", "b", **owner),
            lambda: memory.related("a", **owner),
            lambda: memory.count(**owner),
            lambda: memory.stats(**owner),
            lambda: memory.export(tmp_path / "export.jsonl", **owner),
        ]
        for call in calls:
            with pytest.raises(TypeError, match=r"userid.*user_id"):
                call()
        assert memory.get("a", user_id="ana") == kept
        assert not (tmp_path / "export.jsonl").exists()

    # ---------------------------------------------------------------------------------------------- lists

    def test_a_list_is_newest_first_and_its_pages_are_complete(self, memory: Memory, clock: Clock) -> None:
        for number in range(25):
            memory.remember(f"text {number}", id=f"r{number:02}")
            clock.advance(number % 2)
        met: list[str] = []
        cursor = None
        for _ in range(20):
            page = memory.list(limit=4, cursor=cursor)
            met += [record.id for record in page]
            memory.remember(f"meanwhile {len(met)}")
            if (cursor := page.cursor) is None:
                break
        assert [id for id in met if id.startswith("r")] == [f"r{n:02}" for n in reversed(range(25))]
        assert len(met) == len(set(met))

    def test_a_page_is_a_sequence_and_tells_when_it_is_the_last(self, memory: Memory) -> None:
        memory.remember([f"text {n}" for n in range(4)])
        page = memory.list(limit=4, order="id", descending=False)
        assert (len(page), page.cursor) == (4, None)
        assert [record.content for record in page] == [page[n].content for n in range(4)]
        first = memory.list(limit=3, order="id", descending=False)
        assert first.cursor is not None
        assert [
            r.content for r in memory.list(limit=3, order="id", descending=False, cursor=first.cursor)
        ] == ["text 3"]
        assert memory.list(where={"category": "none"}).cursor is None

    def test_a_cursor_belongs_to_its_listing(self, memory: Memory) -> None:
        memory.remember([f"text {n}" for n in range(5)], user_id="ann")
        cursor = memory.list(limit=2, user_id="ann").cursor
        others: list[dict[str, Any]] = [
            {"user_id": "bob"},
            {},
            {"user_id": "ann", "tenant_id": "other"},
            {"user_id": "ann", "where": {"category": "c"}},
            {"user_id": "ann", "order": "id"},
            {"user_id": "ann", "descending": False},
        ]
        for other in others:
            with pytest.raises(InvalidQuery, match="cursor"):
                memory.list(limit=2, cursor=cursor, **other)
        assert len(memory.list(limit=9, cursor=cursor, user_id="ann")) == 3

    def test_an_unknown_order_or_filter_is_refused(self, memory: Memory) -> None:
        with pytest.raises(InvalidQuery, match="order"):
            memory.list(order="content; DROP TABLE records")
        for call in (memory.list, memory.count, memory.forget, lambda where: memory.recall("x", where=where)):
            with pytest.raises(InvalidQuery):
                call(where={"k": {"$like": "x"}})

    # --------------------------------------------------------------------------------- counts, statistics

    def test_counts_and_statistics_keep_to_the_scope(self, memory: Memory) -> None:
        memory.remember(["one", "two"], user_id="ann", session_id="s", category="c")
        memory.remember("three", user_id="bob", kind="fact")
        memory.remember("four", tenant_id="other")
        assert (memory.count(), memory.count(user_id="ann"), memory.count(tenant_id="other")) == (3, 2, 1)
        assert memory.count(where={"category": "c"}) == 2
        stats = memory.stats()
        assert (stats.records, stats.users, stats.sessions, stats.unembedded) == (3, 2, 1, 0)
        assert (dict(stats.by_kind), dict(stats.by_category)) == ({"memory": 2, "fact": 1}, {"c": 2})
        assert dict(stats.embedded) == {"words": 3}
        assert memory.stats(user_id="bob").records == 1
