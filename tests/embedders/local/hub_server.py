"""A Hugging Face hub on loopback: what it says of a repository and of each file."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.embedders.local import made

from memwell.embedders.local import hub


@contextmanager
def serving(files: Mapping[str, bytes], *, repository: str, commit: str = hub.COMMIT) -> Iterator[str]:
    """The URL of a hub that has one repository at one commit, until the end of the block."""

    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            if self.path.startswith(f"/api/models/{repository}"):
                found = [_sibling(name, content) for name, content in files.items()]
                raw = json.dumps({"id": repository, "sha": commit, "siblings": found}).encode()
                self._send(200, {"Content-Type": "application/json"}, raw)
                self.wfile.write(raw)
            else:
                self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            _, _, name = self.path.partition(f"/{repository}/resolve/")
            revision, _, name = name.partition("/")
            found = files.get(name) if revision in (commit, "main") else None
            tag = hashlib.sha256(found or b"").hexdigest()
            headers = {"X-Repo-Commit": commit, "ETag": f'"{tag}"'}
            self._send(404 if found is None else 200, headers, found or b"")
            return found or b""

        def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def published(folder: Path, *, static: bool = False) -> dict[str, bytes]:
    """The files of a repository with a small model, made in the folder, and some that nobody needs."""
    made.small(folder)
    made.write(folder, {"README.json": {}, "onnx/other.json": {}})
    made.lookup(folder / "onnx" / "model_quantized.onnx", made.matrix())
    (folder / "onnx" / "model.onnx_data").write_bytes(b"beside the graph")
    (folder / "pytorch_model.bin").write_bytes(b"never wanted")
    if static:  # its repository has a graph, too, of another kind
        made.write(folder, {"config.json": {"model_type": "model2vec", "hidden_dim": 8}})
        (folder / "modules.json").unlink()
        made.safetensors(folder / "model.safetensors", {"embeddings": made.matrix()})
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def point_to(url: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the hub's client use this hub, and an empty cache in the folder."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def _sibling(name: str, content: bytes) -> dict[str, object]:
    found: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": "0" * 40}
    if not name.endswith(".json"):
        sha256 = hashlib.sha256(content).hexdigest()
        found["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
    return found
