"""Export and import: complete, resumable, and closed to damaged files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memwell.errors import BackendError, Conflict, Corrupt, InvalidInput
from memwell.events import Event
from memwell.sync import Memory
from memwell.testing.memory._fixtures import everything, populate
from memwell.testing.memory._harness import MemorySuite, Opening, Words
from memwell.testing.samples import START, Clock
from memwell.types import NewMemory

__all__ = ["Transferring", "written_export"]


class Transferring(MemorySuite):
    """Part of `MemoryConformance`."""

    @pytest.fixture
    def second(self, opening: Opening, tmp_path: Path, words: Words, clock: Clock) -> Iterator[Memory]:
        """Another memory, empty."""
        opened = opening(f"sqlite:///{tmp_path / 'second.db'}", embedder=words, clock=clock)
        yield opened
        opened.close()

    def test_an_import_brings_back_all_of_an_export(
        self, memory: Memory, second: Memory, tmp_path: Path, clock: Clock
    ) -> None:
        populate(memory, clock)
        steps: list[tuple[int, int]] = []
        path = tmp_path / "all.jsonl"
        assert memory.export(path, progress=lambda done, total: steps.append((done, total))) == 6
        assert steps[-1] == (6, 6)
        done = second.import_(str(path))
        assert (done.added, done.present, done.links, done.expired) == (6, 0, 3, 0)
        assert everything(second) == everything(memory)
        assert second.doctor().ok
        assert [h.record.id for h in second.recall("apple", mode="semantic")] == [
            h.record.id for h in memory.recall("apple", mode="semantic")
        ]

    def test_importing_twice_changes_nothing(
        self, memory: Memory, second: Memory, tmp_path: Path, clock: Clock
    ) -> None:
        populate(memory, clock)
        memory.export(tmp_path / "all.jsonl")
        second.import_(tmp_path / "all.jsonl")
        before = everything(second)
        done = second.import_(tmp_path / "all.jsonl")
        assert (done.added, done.present) == (0, 6)
        assert everything(second) == before
        assert memory.import_(tmp_path / "all.jsonl").added == 0

    def test_an_export_holds_the_scope_and_nothing_else(
        self, memory: Memory, second: Memory, tmp_path: Path
    ) -> None:
        memory.remember("apple", id="a", user_id="ann")
        memory.remember("secret of bob", id="b", user_id="bob")
        memory.remember("foreign", id="c", tenant_id="other")
        memory.relate("a", "b")
        assert memory.export(tmp_path / "ann.jsonl", user_id="ann") == 1
        assert "secret" not in (tmp_path / "ann.jsonl").read_text()
        assert second.import_(tmp_path / "ann.jsonl").added == 1
        assert second.get("a", user_id="ann").links == ()
        assert memory.export(tmp_path / "none.jsonl", user_id="nobody") == 0
        assert second.import_(tmp_path / "none.jsonl").added == 0

    def test_an_export_without_vectors_is_embedded_by_repair(
        self, memory: Memory, second: Memory, tmp_path: Path
    ) -> None:
        memory.remember("apple", id="a")
        memory.export(tmp_path / "bare.jsonl", vectors=False)
        second.import_(tmp_path / "bare.jsonl")
        assert not second.get("a").embedded
        second.repair()
        assert second.get("a").embedded

    def test_an_export_cut_short_anywhere_is_continued(
        self, memory: Memory, tmp_path: Path, clock: Clock
    ) -> None:
        populate(memory, clock)
        memory.export(tmp_path / "whole.jsonl")
        whole = (tmp_path / "whole.jsonl").read_bytes()
        target, partial = tmp_path / "cut.jsonl", tmp_path / "cut.jsonl.part"
        for length in range(0, len(whole) + 1, max(1, len(whole) // 60)):
            partial.write_bytes(whole[:length])
            memory.export(target)
            assert target.read_bytes() == whole
            assert not partial.exists()

    @pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.95])
    def test_what_changed_after_an_export_was_cut_short_is_in_it_as_it_is_now(
        self, memory: Memory, second: Memory, tmp_path: Path, share: float
    ) -> None:
        memory.remember([NewMemory(content=f"apple {number}", id=f"m{number:02}") for number in range(20)])
        path, partial = tmp_path / "all.jsonl", tmp_path / "all.jsonl.part"
        memory.export(path)
        whole = path.read_bytes()
        partial.write_bytes(whole[: int(len(whole) * share)])
        memory.forget("m00")
        memory.forget("m19")
        memory.update("m01", content="a pear instead")
        memory.remember("a plum", id="m005")
        memory.relate("m01", "m02")
        assert memory.export(path) == 19
        assert b'"m00"' not in path.read_bytes()
        second.import_(path)
        assert everything(second) == everything(memory)

    def test_the_unfinished_export_of_another_scope_is_left_alone(
        self, memory: Memory, tmp_path: Path
    ) -> None:
        memory.remember("apple", user_id="ann")
        memory.export(tmp_path / "x.jsonl", user_id="ann")
        part = tmp_path / "x.jsonl.part"
        for content in (
            (tmp_path / "x.jsonl").read_bytes()[:-20],
            b"something of yours\n",
            b"something else",
        ):
            part.write_bytes(content)
            with pytest.raises(InvalidInput, match="unfinished"):
                memory.export(tmp_path / "x.jsonl", user_id="bob")
            assert part.read_bytes() == content

    def test_a_damaged_export_is_refused_and_nothing_is_imported(
        self, memory: Memory, second: Memory, tmp_path: Path, clock: Clock
    ) -> None:
        populate(memory, clock)
        memory.export(tmp_path / "all.jsonl")
        whole = (tmp_path / "all.jsonl").read_bytes()
        lines = whole.splitlines(keepends=True)
        damaged = [
            b"",
            b"{}\n",
            b"not json",
            whole[:-1],
            whole[: len(whole) // 2],
            b"".join(lines[:-1]),
            b"".join(lines[:2] + lines[3:]),
            whole.replace(b'"category":"c"', b'"category":"d"', 1),
            whole + b"{}\n",
            whole.replace(b'"form":1', b'"form":2', 1),
        ]
        for content in damaged:
            (tmp_path / "damaged.jsonl").write_bytes(content)
            with pytest.raises(Corrupt):
                second.import_(tmp_path / "damaged.jsonl")
        assert second.count() == 0

    def test_a_taken_id_is_a_conflict_and_what_came_before_stays(
        self, memory: Memory, second: Memory, tmp_path: Path
    ) -> None:
        memory.remember([NewMemory(content=f"text {id}", id=id) for id in "abc"])
        memory.export(tmp_path / "all.jsonl")
        second.remember("something else", id="b")
        with pytest.raises(Conflict, match="'b'"):
            second.import_(tmp_path / "all.jsonl")
        assert second.get("b").content == "something else"

    @pytest.mark.parametrize(
        "change", [{"metadata": {"k": 2}}, {"tags": ["y"]}, {"importance": 0.1}, {"category": "c"}], ids=str
    )
    def test_an_id_with_the_same_content_but_other_fields_is_a_conflict(
        self, memory: Memory, second: Memory, tmp_path: Path, change: dict[str, Any]
    ) -> None:
        memory.remember("text", id="a", metadata={"k": 1}, tags=["x"])
        memory.export(tmp_path / "all.jsonl")
        second.import_(tmp_path / "all.jsonl")
        second.remember("text", id="a", metadata={"k": 1}, tags=["x"])
        assert second.import_(tmp_path / "all.jsonl").present == 1
        second.update("a", **change)
        with pytest.raises(Conflict, match=next(iter(change))):
            second.import_(tmp_path / "all.jsonl")

    def test_an_import_is_reported(self, memory: Memory, second: Memory, tmp_path: Path) -> None:
        memory.remember([NewMemory(content=f"text {id}", id=id, user_id=f"user {id}") for id in "ab"])
        memory.export(tmp_path / "all.jsonl")
        events: list[Event] = []
        second.on("imported", events.append, inline=True)
        for _ in range(2):
            second.import_(tmp_path / "all.jsonl")
        assert [(event.scope.user_id, event.ids) for event in events] == [
            ("user a", ("a",)),
            ("user b", ("b",)),
        ]

    def test_what_has_expired_meanwhile_is_not_imported(
        self, memory: Memory, second: Memory, tmp_path: Path, clock: Clock
    ) -> None:
        memory.remember("goes", ttl=60)
        memory.remember("stays")
        memory.export(tmp_path / "all.jsonl")
        clock.advance(60)
        done = second.import_(tmp_path / "all.jsonl")
        assert (done.added, done.expired) == (1, 1)

    def test_an_export_made_by_hand_is_imported_when_it_is_right(
        self, memory: Memory, tmp_path: Path
    ) -> None:
        past = {"record": {"version": 1, "content": "pear"}, "changed": ["content"]}
        path = written_export(tmp_path / "made.jsonl", {"past": [past]})
        assert memory.import_(path).added == 1
        assert [version.record.content for version in memory.history("a")] == ["pear", "apple"]

    def test_relationships_that_leave_the_scope_are_not_exported(
        self, memory: Memory, tmp_path: Path
    ) -> None:
        memory.remember([NewMemory(content=f"text {id}", id=id, user_id="ann") for id in ("a", "b")])
        memory.remember("of bob", id="bobs-secret-id", user_id="bob")
        memory.relate("a", "b")
        memory.relate("a", "bobs-secret-id")
        memory.export(tmp_path / "ann.jsonl", user_id="ann")
        assert "bobs-secret-id" not in (tmp_path / "ann.jsonl").read_text()

    def test_files_that_cannot_be_used_are_named(self, memory: Memory, tmp_path: Path) -> None:
        memory.remember("apple")
        with pytest.raises(BackendError):
            memory.export(tmp_path / "nowhere" / "x.jsonl")
        with pytest.raises(BackendError):
            memory.import_(tmp_path / "missing.jsonl")
        with pytest.raises(BackendError):
            memory.import_(tmp_path)


def written_export(path: Path, given: dict[str, Any]) -> Path:
    """An export of one memory with a right checksum, differing from a good one as `given`."""
    plain = {"id": "a", "content": "apple", "tenant_id": "default", "version": 2}
    plain |= dict.fromkeys(("created_at", "updated_at"), START.isoformat())

    def record(changes: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if changes is None else plain | changes

    past = given.get("past", [])
    if isinstance(past, list):
        whole = {"changed_at": START.isoformat(), "changed": []}
        past = [whole | each | {"record": record(each["record"])} if each else each for each in past]
    line = {"record": record(given.get("record", {})), "past": past, "vectors": given.get("vectors", [])}
    lines = [{"memwell": "export", "form": 1}, line, {"links": given.get("links", [])}]
    body = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in lines).encode()
    end = {"end": True, "records": 1, "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(end).encode() + b"\n")
    return path
