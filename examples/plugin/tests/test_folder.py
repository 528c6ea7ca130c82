"""The folder store keeps what every store promises: the shipped suite in ten lines, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memwell import BackendError, ConfigError, Corrupt, Memory
from memwell.testing import run
from memwell.testing.stores import StoreConformance
from memwell_folder import FolderStore


class TestFolderStore(StoreConformance):
    many = 500  # a file for each, and a search reads them all
    plenty = 300

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[FolderStore]:
        part = FolderStore(tmp_path / "memories")
        yield part
        run(part, part.close())


def lengths(texts: list[str]) -> list[list[float]]:
    """Vectors for a test."""
    return [[float(len(text)), 1.0] for text in texts]


def test_everything_is_there_again_after_opening(tmp_path: Path) -> None:
    url = f"folder:///{tmp_path}/notes"
    with Memory(url, embedder=lengths) as memory:
        first = memory.remember("the key is under the mat", tags=["house"], user_id="ana")
        second = memory.remember("the mat is green", user_id="ana")
        memory.update(first.id, content="the key is under the pot", user_id="ana")
        memory.relate(first.id, second.id, "extends", user_id="ana")
        memory.recall("key", user_id="ana")
        before = memory.stats(user_id="ana")
    with Memory(url, embedder=lengths) as memory:
        again = memory.get(first.id, user_id="ana")
        assert (again.content, again.tags, again.access_count) == ("the key is under the pot", ("house",), 1)
        assert [(link.target, link.kind) for link in again.links] == [(second.id, "extends")]
        contents = [version.record.content for version in memory.history(first.id, user_id="ana")]
        assert contents == ["the key is under the mat", "the key is under the pot"]
        assert memory.stats(user_id="ana") == before
        assert memory.recall("key", user_id="ana")[0].record.id == first.id
        assert memory.doctor().ok
        memory.forget(first.id, user_id="ana")
    assert len(list((tmp_path / "notes").glob("0*.json"))) == 1


def test_a_write_that_died_half_way_is_carried_out_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(f"folder:///{tmp_path}/notes", embedder=None)
    # As if killed right after `pending` was written.
    monkeypatch.setattr(FolderStore, "_carry_out", lambda *_: None)
    memory.remember(["one", "two"])
    monkeypatch.undo()
    memory.close()
    with Memory(f"folder:///{tmp_path}/notes", embedder=None) as again:
        assert again.count() == 2


def test_a_disk_that_is_full_half_way_tears_no_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write is whole in `pending` already, and holds; the next is refused until there is room again."""
    written: list[Path] = []
    really = Path.write_text

    def full(file: Path, text: str, *rest: str) -> int:
        if file.name != "pending.new" and written:
            raise OSError(28, "No space left on device")
        written.extend([file] if file.name != "pending.new" else [])
        return really(file, text, *rest)

    with Memory(f"folder:///{tmp_path}/notes", embedder=None) as memory:
        monkeypatch.setattr(Path, "write_text", full)
        memory.remember(["one", "two", "three"])
        with pytest.raises(BackendError, match="No space left"):
            memory.remember("four")
        assert len(list((tmp_path / "notes").glob("*.json"))) == 1
        monkeypatch.undo()
        memory.remember("five")
    with Memory(f"folder:///{tmp_path}/notes", embedder=None) as again:
        assert {record.content for record in again.list()} == {"one", "two", "three", "five"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes.json", "{}"),
        ("000000000001.json", "{"),
        ("000000000001.json", "[]"),
        ("000000000001.json", "\udcff"),
    ],
)
def test_a_file_that_is_no_memory_is_named_and_the_folder_can_be_opened_when_it_is_gone(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Corrupt, match=name.removesuffix(".json")) as caught:
        FolderStore(tmp_path)
    (tmp_path / name).unlink()
    store = FolderStore(tmp_path)
    run(store, store.close())
    assert caught.value.transient is False


def test_a_folder_is_open_once(tmp_path: Path) -> None:
    with (
        Memory(f"folder:///{tmp_path}/notes", embedder=None),
        pytest.raises(ConfigError, match="another process"),
    ):
        FolderStore(tmp_path / "notes")


def test_a_write_that_cannot_be_kept_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Memory(f"folder:///{tmp_path}/notes", embedder=None) as memory:
        memory.remember("before")
        monkeypatch.setattr(FolderStore, "save", full)
        with pytest.raises(BackendError, match="No space left"):
            memory.remember("after")
        assert [record.content for record in memory.list()] == ["before"]
        monkeypatch.undo()
