"""The weights from the Hugging Face hub: its cache first, then its server, which is a loopback one here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.embedders.local.hub_server import point_to, serving

from memwell.embedders.local import hub
from memwell.embedders.local.download import NAMES, Failed

FILES = {"model.safetensors": b"w" * 3_000_000, "tokenizer.json": b"{}"}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A hub on this machine, and an empty cache."""
    with serving(FILES, repository=hub.REPOSITORY) as url:
        point_to(url, monkeypatch, tmp_path)
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_both_files_arrive_in_the_folder_and_the_progress_grows_to_the_whole(
    endpoint: str, folder: Path
) -> None:
    steps: list[tuple[int, int]] = []
    found = hub.from_hub(folder, lambda done, total: steps.append((done, total)))
    assert found == folder
    assert {name: (found / name).read_bytes() for name in NAMES} == FILES
    assert steps == sorted(steps)
    assert steps[-1] == (hub.BYTES, hub.BYTES)


def test_what_the_cache_has_is_taken_without_a_network(
    endpoint: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = (
        Path(constants.HF_HUB_CACHE)
        / f"models--{hub.REPOSITORY.replace('/', '--')}"
        / "snapshots"
        / hub.COMMIT
    )
    cached.mkdir(parents=True)
    for name, content in FILES.items():
        (cached / name).write_bytes(content)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.from_hub(folder, None) == cached


def test_offline_without_a_copy_is_a_failure(
    endpoint: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Failed, match="HF_HUB_OFFLINE"):
        hub.from_hub(folder, None)


def test_a_hub_that_does_not_answer_or_lacks_the_file_is_a_failure(
    endpoint: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "COMMIT", "0" * 40)
    monkeypatch.delitem(FILES, "tokenizer.json")
    with pytest.raises(Failed):
        hub.from_hub(folder, None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(Failed, match="cannot be reached"):
        hub.from_hub(folder, None)
