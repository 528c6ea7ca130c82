"""Validation in front of the store: bad arguments, cursors, limits and export files."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from memwell.errors import Corrupt, InvalidInput, InvalidQuery
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, Words
from memwell.testing.memory.relating import remember_letters
from memwell.testing.memory.transferring import written_export
from memwell.testing.samples import START

__all__ = ["MemoryFrontage"]

WRONG: list[dict[str, Any]] = [
    {"content": ""},
    {"content": " \n\t"},
    {"content": 7},
    {"content": None},
    {"content": b"bytes"},
    {"content": {"content": "x"}},
    {"content": "nul \0"},
    {"content": "lone \ud800"},
    {"content": ["fine", ""]},
    {"content": ["fine", 7]},
    {"content": ["a", "b"], "id": "one"},
    {"id": ""},
    {"id": 7},
    {"id": "x" * 257},
    {"user_id": ""},
    {"user_id": 7},
    {"tenant_id": ""},
    {"session_id": "x" * 257},
    {"metadata": "text"},
    {"metadata": ""},
    {"metadata": []},
    {"metadata": 0},
    {"metadata": [1]},
    {"metadata": {1: 2}},
    {"metadata": {"": 2}},
    {"metadata": {'a"b': 2}},
    {"metadata": {"k": object()}},
    {"metadata": {"k": b"x"}},
    {"metadata": {"k": float("nan")}},
    {"metadata": {"k": float("inf")}},
    {"metadata": {"k": 2**63}},
    {"metadata": {"k": "\ud800"}},
    {"tags": "work"},
    {"tags": ""},
    {"tags": 0},
    {"tags": ["x", ""]},
    {"tags": [1]},
    {"tags": {"a": 1}},
    {"category": ""},
    {"category": 1},
    {"kind": ""},
    {"importance": 1.01},
    {"importance": -0.01},
    {"importance": True},
    {"importance": "high"},
    {"importance": float("nan")},
    {"ttl": 0},
    {"ttl": -1},
    {"ttl": "60"},
    {"ttl": True},
    {"ttl": timedelta(0)},
    {"ttl": 60, "expires_at": "2030-01-01"},
    {"expires_at": "tomorrow"},
    {"expires_at": START},
    {"expires_at": 7},
    {"created_at": "yesterday"},
    {"created_at": 7},
]


class MemoryFrontage(MemorySuite):
    """Subclass it as `MemoryConformance`, over one store: it concerns the engine, and no store."""

    @pytest.mark.parametrize(
        "given",
        [
            {"clear": ["content"]},
            {"clear": ["importance"]},
            {"clear": "tags"},
            {"clear": ["tags"], "tags": ["x"]},
            {"clear": ["expires_at"], "ttl": 5},
            {"content": ""},
            {"content": 7},
            {"tags": "x"},
            {"metadata": []},
            {"importance": 2},
            {"category": ""},
            {"ttl": -1},
            {"ttl": 5, "expires_at": "2030-01-01"},
            {"expires_at": "2001-01-01"},
        ],
        ids=str,
    )
    def test_a_wrong_update_is_refused_and_nothing_changes(
        self, memory: Memory, given: dict[str, Any]
    ) -> None:
        before = memory.remember("tea", id="a", tags=["t"], ttl=60)
        with pytest.raises(InvalidInput):
            memory.update("a", **given)
        assert memory.get("a") == before

    @pytest.mark.parametrize("ids", ["", 7, ["a", 7], [""], {"a": 1, 7: 2}], ids=str)
    def test_forgetting_takes_ids_only(self, memory: Memory, ids: Any) -> None:
        memory.remember("x", id="a")
        with pytest.raises((InvalidInput, TypeError)):
            memory.forget(ids)
        assert memory.count() == 1

    @pytest.mark.parametrize("id", ["", 7, None, "x" * 257, ["a"]], ids=str)
    def test_an_id_of_the_wrong_kind_is_refused(self, memory: Memory, id: Any) -> None:
        for call in (memory.get, memory.history, memory.related):
            with pytest.raises(InvalidInput):
                call(id)

    @pytest.mark.parametrize("cursor", ["", "x", "é", "W10", "bnVsbA", "A" * 5000, "0", "e30="])
    def test_a_cursor_that_is_none_is_refused(self, memory: Memory, cursor: str) -> None:
        with pytest.raises(InvalidQuery, match="cursor"):
            memory.list(cursor=cursor)

    @pytest.mark.parametrize("value", [None, 7, "text", [], {}], ids=str)
    def test_a_cursor_that_was_tampered_with_is_refused(self, memory: Memory, value: Any) -> None:
        memory.remember([f"text {n}" for n in range(5)])
        cursor = memory.list(limit=2).cursor or ""
        seal, _, _ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        forged = base64.urlsafe_b64encode(json.dumps([seal, value, 7]).encode()).decode().rstrip("=")
        with pytest.raises(InvalidQuery, match="cursor"):
            memory.list(cursor=forged)

    @pytest.mark.parametrize("limit", [0, -1, 10_001, 1.5, "5", None, True], ids=str)
    def test_a_limit_is_a_whole_number_in_range(self, memory: Memory, limit: Any) -> None:
        with pytest.raises(InvalidInput, match="limit"):
            memory.list(limit=limit)
        with pytest.raises(InvalidInput, match="limit"):
            memory.recall("x", limit=limit)

    @pytest.mark.parametrize(
        "query", ["", "  ", 7, None, "nul \0", "x" * 1_048_577], ids=lambda q: str(q)[:9]
    )
    def test_a_query_is_a_text(self, memory: Memory, query: Any) -> None:
        with pytest.raises(InvalidQuery, match="query"):
            memory.recall(query)

    @pytest.mark.parametrize(
        "given",
        [
            {"mode": "fuzzy"},
            {"mode": None},
            {"strategy": "best"},
            {"strategy": None},
            {"strategy": 7},
            {"token_budget": 0},
            {"token_budget": "9"},
            {"token_budget": True},
            {"where": ["x"]},
        ],
        ids=str,
    )
    def test_what_cannot_be_understood_is_refused(self, memory: Memory, given: dict[str, Any]) -> None:
        memory.remember("apple")
        with pytest.raises(InvalidQuery):
            memory.recall("apple", **given)

    @pytest.mark.parametrize("moment", ["yesterday", 7, ""], ids=str)
    def test_as_of_is_a_time(self, memory: Memory, moment: Any) -> None:
        with pytest.raises(InvalidInput, match="as_of"):
            memory.recall("apple", as_of=moment)

    @pytest.mark.parametrize("batch", [0, -1, True, "8", 2.5])
    def test_a_batch_is_a_number_of_memories(self, memory: Memory, batch: Any) -> None:
        with pytest.raises(InvalidInput, match="batch"):
            memory.reembed(batch=batch)

    @pytest.mark.parametrize(
        "given",
        [
            {"target": "a"},
            {"target": ""},
            {"target": 7},
            {"kind": ""},
            {"kind": 7},
            {"strength": 1.1},
            {"strength": -1},
            {"strength": "1"},
        ],
        ids=str,
    )
    def test_a_wrong_relationship_is_refused(self, memory: Memory, given: dict[str, Any]) -> None:
        remember_letters(memory, "ab")
        options = {"target": "b", **given}
        with pytest.raises(InvalidInput):
            memory.relate("a", options.pop("target"), **options)
        assert memory.get("a").links == ()

    @pytest.mark.parametrize("depth", [0, -1, 11, 1.5, True, "2"], ids=str)
    def test_a_depth_is_a_whole_number_in_range(self, memory: Memory, depth: Any) -> None:
        remember_letters(memory, "a")
        with pytest.raises(InvalidInput, match="depth"):
            memory.related("a", depth=depth)

    @pytest.mark.parametrize(
        "given", [{"kind": 7}, {"kind": ""}, {"min_strength": "1"}, {"min_strength": 2}], ids=str
    )
    def test_a_wrong_choice_of_relationships_is_refused(self, memory: Memory, given: dict[str, Any]) -> None:
        remember_letters(memory, "ab")
        memory.relate("a", "b")
        with pytest.raises(InvalidInput):
            memory.related("a", **given)
        if "kind" in given:
            with pytest.raises(InvalidInput):
                memory.unrelate("a", "b", given["kind"])
        assert [found.record.id for found in memory.related("a")] == ["b"]

    @pytest.mark.parametrize("given", WRONG, ids=lambda given: str(given)[:40])
    def test_what_is_wrong_is_refused_and_nothing_is_stored(
        self, memory: Memory, words: Words, given: dict[str, Any]
    ) -> None:
        content: Any = given.get("content", "fine")
        options: Any = {name: value for name, value in given.items() if name != "content"}
        with pytest.raises(InvalidInput):
            memory.remember(content, **options)
        assert memory.count() == memory.count(tenant_id="t") == 0
        assert words.texts == []

    @pytest.mark.parametrize(
        "given",
        [
            "2024-01-02T03:04:05+00:00",
            "2024-01-02T03:04:05Z",
            "2024-01-02T05:04:05+02:00",
            datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
            datetime(2024, 1, 2, 3, 4, 5),  # noqa: DTZ001  without a zone it is UTC
            datetime(2024, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))),
        ],
        ids=str,
    )
    def test_times_are_taken_in_any_form_and_kept_in_utc(self, memory: Memory, given: Any) -> None:
        record = memory.remember("long ago", created_at=given)
        assert record.created_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert record.created_at.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "given",
        [
            {"record": None},
            {"record": {"importance": 7}},
            {"record": {"importance": "high"}},
            {"record": {"version": "2"}},
            {"record": {"access_count": -1}},
            {"record": {"reinforced": True}},
            {"record": {"kind": ""}},
            {"record": {"kind": ["note"]}},
            {"record": {"user_id": 7}},
            {"record": {"tenant_id": ""}},
            {"record": {"tags": "apple"}},
            {"record": {"metadata": [1]}},
            {"record": {"content": "a\0b"}},
            {"past": 7},
            {"past": [{}]},
            {"past": [{"record": {"id": "other"}}]},
            {"past": [{"record": {"user_id": "bob"}}]},
            {"past": [{"record": {"version": 2}}]},
            {"vectors": 7},
            {"vectors": [{"model": "words", "shape": [1, 1], "spans": [], "float32": "AADAfw=="}]},
            {"vectors": [{"model": "words", "shape": [1, 1], "spans": [], "float32": "AACAQA=="}]},
            {"vectors": [{"model": "words", "shape": [1, 1], "spans": [[0, 9]], "float32": "AACAPw=="}]},
            {"links": 7},
            {"links": [["default", "a"]]},
            {"links": [["default", "a", [{"kind": "related"}]]]},
            {"links": [["default", "a", [{"target": "a", "kind": "", "strength": 1}]]]},
            {"links": [["default", "a", [{"target": "a", "kind": "related", "strength": "1"}]]]},
        ],
        ids=str,
    )
    def test_what_could_not_have_been_stored_is_not_imported(
        self, memory: Memory, tmp_path: Path, given: dict[str, Any]
    ) -> None:
        path = written_export(tmp_path / "made.jsonl", given)
        with pytest.raises(Corrupt):
            memory.import_(path)
        assert memory.count() == 0
        assert memory.doctor().ok

    @pytest.mark.parametrize("path", ["", "a\0b", "\ud800", None, 7, b"x"], ids=repr)
    def test_a_path_names_a_file(self, memory: Memory, path: Any) -> None:
        with pytest.raises(InvalidInput):
            memory.export(path)
        with pytest.raises(InvalidInput):
            memory.import_(path)
