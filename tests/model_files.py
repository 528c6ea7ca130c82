"""The files of the local model, fetched by the project's own ways and kept between runs."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from memwell.embedders.local import download, hub, weights


@pytest.fixture(scope="session")
def official(request: pytest.FixtureRequest) -> Path:
    """A directory with the official files: `model.safetensors` and `tokenizer.json`."""
    assert request.config.cache is not None
    parent = request.config.cache.mkdir("minilm")
    kept = weights.Source(parent / "official")
    if not kept.complete:
        fetch(parent, kept.folder)
    for name in weights.SHA256:
        kept.read(name)
    return kept.folder


def fetch(parent: Path, target: Path) -> None:
    """Download beside the target, then rename; another test process may have been faster."""
    failures = []
    for get in (hub.from_hub, download.from_index):
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            try:
                found = get(Path(folder), None)
            except download.Failed as failure:
                failures.append(str(failure))
                continue
            ready = Path(folder) / "ready"
            ready.mkdir()
            for name in weights.SHA256:
                shutil.copyfile(found / name, ready / name)
            with contextlib.suppress(OSError):
                ready.rename(target)
            return
    pytest.fail(f"the model cannot be had: {failures}")


@pytest.fixture(scope="session")
def model(official: Path) -> Path:
    """The converted model, in the user's cache."""
    weights.ready(official)
    return weights.pull()
