"""`memwell tidy` and `memwell policies check`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memwell import Memory
from memwell.cli.root import run

FILE = '[[migrate]]\nfrom = "short_term"\nto = "mid_term"\nage = ">= 0s"\n\n[[expire]]\nkind = "event"\nage = ">= 0s"\n'


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("policies.toml").write_text(FILE)
    with Memory("notes.db", embedder=None) as memory:
        memory.remember("tea", id="tea", user_id="ana", tier="short_term")
        memory.remember("a party", id="party", user_id="ana", kind="event")
    return ["tidy", "--url", "notes.db", "--policies", "policies.toml"]


def tiers() -> dict[str, str | None]:
    with Memory("notes.db", embedder=None) as memory:
        return {record.id: record.tier for record in memory.list()}


def test_a_dry_run_shows_each_step_and_changes_nothing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "forget\tparty\tno tier → forgotten\texpire 1\tkind event, age >= 0s",
        "update\ttea\tshort_term → mid_term\tmigrate 1\ttier short_term, age >= 0s",
    ]
    assert run([*arguments, "--dry-run", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("id") for line in lines] == ["party", "tea", None]
    assert lines[-1]["plan"]["by_rule"] == {"expire 1": 1, "migrate 1": 1}
    assert tiers() == {"tea": "short_term", "party": None}


def test_it_asks_before_it_forgets(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Forget 1 memories for good? There is no terminal to ask; pass --yes" in capsys.readouterr().err
    assert len(tiers()) == 2
    assert run([*arguments, "--yes"]) == 0
    assert capsys.readouterr().out.endswith("2 steps taken.\n")
    assert tiers() == {"tea": "mid_term"}


def test_a_saved_plan_is_applied_later(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--save", "plan.jsonl"]) == 0
    with Memory("notes.db", embedder=None) as memory:
        memory.update("tea", content="green tea")
    assert run(["tidy", "--url", "notes.db", "--plan", "plan.jsonl", "--yes"]) == 0
    said = capsys.readouterr()
    assert "1 steps taken, 1 refused." in said.out
    assert "tea (migrate 1): the memory has version 2, not 1" in said.err
    assert tiers() == {"tea": "short_term"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["tidy"], "give --policies FILE"),
        (
            ["tidy", "--policies", "policies.toml", "--every", "soon"],
            "--every 'soon' is not a valid duration",
        ),
        (["tidy", "--policies", "nowhere.toml"], "cannot read policies from 'nowhere.toml'"),
        (["tidy", "--plan", "policies.toml"], "policies.toml is not a plan of memwell"),
        (["tidy", "--plan", "a.jsonl", "--policies", "policies.toml"], "--plan applies one stored plan"),
        (["policies", "check", "bad.toml"], "bad.toml:2: tier 1: unknown key 'nam'; did you mean 'name'?"),
    ],
)
def test_what_it_cannot_use_is_refused(
    arguments: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.toml").write_text('[[tier]]\nnam = "a"\n')
    assert run([*options, "--url", "notes.db"]) != 0
    assert message in capsys.readouterr().err
    assert len(tiers()) == 2


def test_a_good_file_is_checked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policies", "check", arguments[-1]]) == 0
    assert capsys.readouterr().out == "policies.toml: 3 tiers, 2 rules, nothing wrong.\n"
