"""`memwell models`: on a hub of this machine, with small models under the names of real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import Call
from tests.embedders.local.hub_server import point_to, published, serving

from memwell.embedders.local import library


@pytest.fixture(params=["bge-small-en-v1.5", "potion-base-8M"])
def hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a model that a hub has, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = published(tmp_path / "repository", static=request.param.startswith("potion"))
    with serving(files, repository=library.repository_of(request.param)) as url:
        point_to(url, monkeypatch, tmp_path)
        yield request.param


def test_the_commands_list_pull_verify_and_find_a_model(hub: str, cli: Call) -> None:
    def here() -> list[str]:
        return [row["name"] for row in cli("models", "list", "--json").json if row["path"]]

    assert hub not in here()
    missing = cli("models", "where", hub)
    assert missing.code != 0
    assert f"run: memwell models pull {hub}" in missing.err
    folder = Path(cli("models", "pull", hub, "--json").json["path"])
    assert hub in here()
    assert "not measured" in cli("models", "list").out
    assert cli("models", "where", hub).out.strip() == str(folder)
    assert cli("models", "verify", hub, "--json").json == {"path": str(folder), "ok": True, "damaged": []}
    assert cli("remember", "tea", "--embedder", f"local:{hub}").code == 0

    name = "tokenizer.json"
    (folder / name).write_bytes((folder / name).read_bytes().replace(b"tea", b"tee"))
    changed = cli("models", "verify", hub)
    assert changed.code != 0
    assert name in changed.err
    assert f"run: memwell models pull {hub}" in changed.err
