"""Models by name: pulled once from a hub (a loopback one), checked, found again, verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.embedders.local.hub_server import point_to, published, serving

from memwell.embedders.local import folders, library
from memwell.embedders.local.model import Local
from memwell.errors import ConfigError, Unavailable
from memwell.registry import open_embedder
from memwell.testing import run

GRAPH, STATIC = "bge-small-en-v1.5", "potion-base-8M"
COMMIT = "ab" * 20


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folders.cache_directory()


@pytest.fixture
def files() -> dict[str, bytes]:
    """What the hub has; a test may change it."""
    return {}


@pytest.fixture(params=[GRAPH, STATIC])
def hub(
    request: pytest.FixtureRequest, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The name of a small model that a hub has under the name of a real one."""
    name = request.param
    files |= published(tmp_path / "repository", static=name == STATIC)
    with serving(files, repository=library.repository_of(name), commit=COMMIT) as url:
        point_to(url, monkeypatch, tmp_path)
        yield name


def test_a_model_is_pulled_by_its_name_and_used_without_a_network(
    hub: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=f"not on this machine; run: memwell models pull {hub}"):
        open_embedder(f"local:{hub}")
    steps: list[tuple[int, int]] = []
    folder = library.pull(hub, progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] > 0
    weights = {"onnx/model.onnx", "onnx/model.onnx_data"} if hub == GRAPH else {"model.safetensors"}
    names = set(folders.manifest(folder)["files"])
    assert weights <= names
    assert not names & {"pytorch_model.bin", "onnx/model_quantized.onnx", "README.json", "onnx/other.json"}
    assert folders.manifest(folder)["commit"] == COMMIT
    assert [path.name for path in cache.iterdir()] == [folder.name]

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert library.pull(hub) == folder == library.located(hub)
    part = open_embedder(f"local:{library.repository_of(hub)}")
    assert part.model == library.repository_of(hub)
    assert run(part, part.embed(["tea"])).shape == (1, 8)


@pytest.mark.parametrize("hub", [GRAPH], indirect=True)
def test_a_download_that_is_not_what_the_hub_states_is_refused(
    hub: str, files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memwell.embedders.local import hub as client

    def changed(*arguments: object) -> Path:
        folder = taken(*arguments)
        graph = folder / "onnx" / "model.onnx"
        if graph.exists():
            graph.write_bytes(graph.read_bytes()[:-1] + b"?")
        return folder

    taken: Callable[..., Path] = client.take
    monkeypatch.setattr(client, "take", changed)
    with pytest.raises(Unavailable, match=r"onnx/model\.onnx arrived damaged"):
        library.pull(hub)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("hub", [GRAPH], indirect=True)
def test_a_model_that_cannot_be_run_is_refused_before_it_takes_a_place(
    hub: str, files: dict[str, bytes], cache: Path
) -> None:
    del files["tokenizer.json"]
    with pytest.raises(ConfigError, match=r"no tokenizer\.json"):
        library.pull(hub)
    del files["onnx/model.onnx"]
    files["onnx/model_uint8.onnx"] = files["onnx/model_quantized.onnx"]
    with pytest.raises(ConfigError, match="several graphs"):
        library.pull(hub)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("hub", [GRAPH], indirect=True)
def test_what_the_hubs_client_has_stored_is_taken_without_a_network(
    hub: str, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import hf_hub_download

    for name in files:
        hf_hub_download(library.repository_of(hub), name)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = library.pull(hub)
    assert library.verify(folder) == []
    assert Local(hub).dimension == 8


def test_without_a_hub_every_place_tried_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point_to("http://127.0.0.1:1", monkeypatch, tmp_path)
    with pytest.raises(Unavailable, match=r"the hub's cache: .*cannot be reached.*local:/path/to/folder"):
        library.pull("multilingual-e5-small")


@pytest.mark.parametrize("name", ["e5", "a/b/c", "../x/y", "models/.."])
def test_a_name_that_is_no_model_is_answered_with_the_forms(name: str) -> None:
    with pytest.raises(ConfigError, match=r"OWNER/NAME|config\.json|MEMWELL_MODEL_DIR"):
        open_embedder(f"local:{name}")
