"""The weights from the Hugging Face hub: its cache first, then its server, which is a loopback one here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from memwell.embedders.local import hub
from memwell.embedders.local.download import NAMES, Failed

FILES = {"model.safetensors": b"w" * 3_000_000, "tokenizer.json": b"{}"}


class Answers(BaseHTTPRequestHandler):
    """What the hub says of a file of a repository: its commit, its digest, its size."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        name = self.path.rpartition("/")[2]
        found = FILES.get(name) if f"/{hub.REPOSITORY}/resolve/{hub.COMMIT}/" in self.path else None
        self.send_response(404 if found is None else 200)
        for header, value in {
            "X-Repo-Commit": hub.COMMIT,
            "ETag": f'"{name}"',
            "Content-Length": str(len(found or b"")),
        }.items():
            self.send_header(header, value)
        self.end_headers()
        return found or b""

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A hub on this machine, and an empty cache."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


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
