"""`erase`, `receipt` and `audit` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.calling import Call


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_AUDIT", f"sqlite:///{tmp_path}/audit.db")
    monkeypatch.setenv("MEMWELL_RECEIPT_KEY", "hmac:a secret of the tests")
    monkeypatch.setenv("MEMWELL_ACTOR", "eva")


def test_a_receipt_is_written_verified_and_listed(
    cli: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("remember", "My PIN is 7351", "--user", "ana", "--id", "pin")
    done = cli("erase", "pin", "--user", "ana", "--reason", "asked", "--yes", "--receipt", "r.json")
    assert done.code == 0
    assert "complete, signed" in done.out
    assert cli("receipt", "verify", "r.json").code == 0
    text = Path("r.json").read_text("utf-8")
    assert json.loads(text)["actor"] == "eva"
    assert cli("receipt", "verify", "-", "--json", stdin=text).out == text
    wrong = cli("receipt", "verify", "-", stdin=text.replace("asked", "ashed"))
    assert (wrong.code != 0, "it was changed" in wrong.err) == (True, True)
    assert cli("receipt", "verify", "r.json", "--key", "hmac:quite another secret").code != 0
    assert "asked" in cli("receipt", "list", "--user", "ana").out
    assert cli("receipt", "list", "--user", "bob").out == ""
    assert cli("receipt", "complete").code == 0
    assert cli("erase", "pin", "--user", "ana", "--reason", "x", "--yes", "--receipt", "r.json").code != 0
    monkeypatch.delenv("MEMWELL_RECEIPT_KEY")
    assert "secret" in cli("receipt", "verify", "r.json").err


def test_nothing_is_erased_without_a_reason_a_choice_and_a_yes(cli: Call) -> None:
    cli("remember", "tea", "--user", "ana", "--id", "tea1")
    for arguments in (
        ["tea1", "--yes"],
        ["--reason", "x", "--yes"],
        ["tea1", "--all", "--reason", "x", "--yes"],
        ["tea1", "--reason", "x"],
        ["tea1", "--reason", " ", "--yes"],
        ["none-such", "--reason", "x", "--yes"],
        ["--where", "{}", "--reason", "x", "--yes"],
    ):
        assert cli("erase", *arguments).code != 0, arguments
    assert cli("show", "tea1", "--user", "ana").code == 0
    assert cli("erase", "--all", "--user", "ana", "--reason", "x", "--yes", "--audit").code == 0
    assert cli("show", "tea1", "--user", "ana").code != 0


def test_the_audit_log_is_shown_and_verified_against_a_head(cli: Call, tmp_path: Path) -> None:
    cli("remember", "tea", "--user", "ana", "--id", "tea1")
    cli("show", "nope", "--user", "ana")
    entries = cli("audit", "list", "--json").lines[0]
    assert [(e["operation"], e["outcome"], e["actor"]) for e in entries[:2]] == [
        ("remember", "allowed", "eva"),
        ("get", "refused", "eva"),
    ]
    Path("head.json").write_text(cli("audit", "head").out, "utf-8")
    assert cli("audit", "verify", "--head", "head.json").code == 0
    (tmp_path / "audit.db").unlink()
    for file in tmp_path.glob("audit.db-*"):
        file.unlink()
    gone = cli("audit", "verify", "--head", "head.json")
    assert (gone.code != 0, "truncated" in gone.out) == (True, True)
    assert cli("audit", "verify", "--head", "no-file").code != 0


def test_a_new_key_signs_and_its_public_half_verifies(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cli("receipt", "key", "--json").lines[0]
    monkeypatch.setenv("MEMWELL_RECEIPT_KEY", made["key"])
    cli("remember", "tea", "--id", "tea1")
    Path("r.json").write_text(cli("erase", "tea1", "--reason", "x", "--yes", "--json").out, "utf-8")
    monkeypatch.delenv("MEMWELL_RECEIPT_KEY")
    assert cli("receipt", "verify", "r.json", "--key", made["public"]).code == 0
    assert cli("receipt", "verify", "r.json").code == 0
    other = cli("receipt", "key", "--json").lines[0]["public"]
    assert cli("receipt", "verify", "r.json", "--key", other).code != 0
    assert cli("receipt", "key", "--hmac").out.startswith("hmac:")
