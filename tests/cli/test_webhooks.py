"""`memwell webhooks`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.reliability.receiver import Receiver

from memwell import Memory
from memwell.cli.failures import Code
from memwell.cli.root import run


def test_a_webhook_from_its_beginning_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMWELL_URL", "notes.db")

    def call(*arguments: str, code: int = 0) -> str:
        assert run(["webhooks", *arguments]) == code
        return capsys.readouterr().out

    status = 410
    with Receiver(lambda _: (status, {})) as to:
        assert run(["webhooks", "add", to.url]) == 2
        assert "--allow-private" in capsys.readouterr().err
        added = json.loads(call("add", to.url, "--allow-private", "--json"))
        id, to.secret = added["id"], added["secret"]
        assert call("test", id[:4], code=Code.PROBLEMS).startswith("It did not arrive: HTTP 410")
        with Memory("notes.db", embedder=None) as memory:
            memory.remember("tea", id="tea")
        assert "410 Gone" in call("deliver")
        status = 200
        assert to.secret not in call("list")
        listed = json.loads(call("list", "--json"))
        assert (listed["pending"], listed["disabled"] is None) == (1, False)
        assert "secret" not in listed
        call("replay", id)
        assert [body["data"]["id"] for _, body in to.accepted] == ["tea"]
        assert call("dead", id) == ""
        call("remove", id)
        assert call("list") == ""
        assert run(["webhooks", "dead", "nothing"]) != 0
        assert to.forged == 0
