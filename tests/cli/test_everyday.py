"""What makes daily use short: options that narrow, times in words, short ids, names of commands, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from tests.cli.calling import Call

from memwell.cli.output import Output


def ago(days: int) -> datetime:
    """The time of so many days ago: asked in the test, for a run may last past midnight."""
    return datetime.now(UTC) - timedelta(days=days)


@pytest.fixture
def filled(cli: Call) -> Call:
    for id, days, options in (
        ("new", 0, ["--tag", "tea", "--tag", "home", "--category", "food"]),
        ("recent", 1, ["--tag", "tea", "--category", "work"]),
        ("old", 900, ["--tag", "home", "--category", "food"]),
    ):
        learnt = ago(days).isoformat()
        assert cli("remember", f"tea of {id}", "--id", id, "--created-at", learnt, *options).code == 0
    return cli


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--tag", "tea"], "new recent"),
        (["--tag", "tea", "--tag", "home"], "new"),
        (["--category", "food"], "new old"),
        (["--category", "food", "--tag", "home", "--where", '{"id": {"$ne": "old"}}'], "new"),
        (["--since", "yesterday"], "new recent"),
        (["--since", "yesterday", "--until", "yesterday"], "recent"),
        (["--until", "DAY_BEFORE"], "recent old"),
        (["--until", "TWO_DAYS_BEFORE"], "old"),
        (["--since", "DAY_BEFORE"], "new recent"),
        (["--since", "2 weeks ago", "--category", "work"], "recent"),
    ],
    ids=str.split(
        "tag tags category where since day-in-words until-a-day until-a-time since-a-day weeks-in-words"
    ),
)
def test_list_and_recall_are_narrowed_alike(filled: Call, options: list[str], found: str) -> None:
    times = {"DAY_BEFORE": f"{ago(1):%Y-%m-%d}", "TWO_DAYS_BEFORE": ago(2).isoformat()}
    options = [times.get(option, option) for option in options]
    for command in (["list"], ["recall", "tea"]):
        ids = [line["id"] for line in filled(*command, *options, "--json").lines]
        assert sorted(ids) == sorted(found.split())
    if "--where" not in options:
        everything = filled("list", "--all", *options, "--json").lines
        assert sorted(line["id"] for line in everything) == sorted(found.split())


def test_days_are_those_of_the_time_zone(cli: Call) -> None:
    zone = "Pacific/Kiritimati"  # the day begins at ten in the morning of UTC
    assert cli("remember", "kava", "--id", "a", "--created-at", "2026-03-05", "--timezone", zone).code == 0
    for options, found in ((["--timezone", zone], ["a"]), ([], [])):
        day = ["--since", "2026-03-05", "--until", "2026-03-05", *options]
        for command in (["list"], ["recall", "kava"]):
            assert [line["id"] for line in cli(*command, *day, "--json").lines] == found
    assert "2026-03-05 00:00" in cli("list", "--timezone", zone).out
    assert "2026-03-04 10:00" in cli("list").out
    assert cli("list", "--since", "20260304", "--until", "4 March 2026", "--json").lines
    wrong = cli("list", "--timezone", "Pacific/Kiritimat")
    assert (wrong.code, "Did you mean 'Pacific/Kiritimati'?" in wrong.err) == (6, True)


def test_a_time_may_be_written_as_in_a_question(filled: Call) -> None:
    assert [line["id"] for line in filled("recall", "tea", "--as-of", "2 weeks ago", "--json").lines] == [
        "old"
    ]
    done = filled("recall", "tea", "--as-of", "yesterday", "--json").lines
    assert sorted(line["id"] for line in done) == ["old", "recent"]
    for option in ("--as-of", "--since", "--until"):
        done = filled("recall", "tea", option, "whenever")
        assert (done.code, f"{option} 'whenever' is no time" in done.err) == (2, True)


def test_ids_are_shortened_at_either_end(cli: Call) -> None:
    for id in ("aaaa-1111-beef-cafe", "aaaa-2222-0000-beef", "tiny"):
        cli("remember", f"about {id}", "--id", id)
    full = cli("remember", "about a usual id").out.strip()
    for short in ("aaaa-1", "cafe", "f-cafe", full[-8:], full[-8:-4], full[-4:], full):
        found = cli("show", short, "--json").json["id"]
        assert found.startswith(short) or short in found[-8:]
    assert cli("show", "tiny", "--json").json["id"] == "tiny"
    assert (cli("show", "beef").code, cli("show", "beef", "--json").json["id"]) == (0, "aaaa-2222-0000-beef")
    ambiguous = cli("show", "aaaa")
    assert (ambiguous.code, "several memories have 'aaaa'" in ambiguous.err) == (2, True)
    assert cli("show", "1111").code == cli("show", "afe").code == 3


@pytest.mark.parametrize(
    ("given", "meant"), [("add", "remember"), ("search", "recall"), ("rm", "forget"), ("recal", "recall")]
)
def test_an_unknown_command_is_answered_with_the_one_that_was_meant(
    cli: Call, given: str, meant: str
) -> None:
    done = cli(given, "x")
    assert done.code == 2
    assert f"No such command '{given}'. Did you mean '{meant}'? See: memwell --help" in done.err
    assert "Did you mean" not in cli("xyzzy").err


def test_a_shell_completes_commands_and_options() -> None:
    def completed(words: str) -> list[str]:
        environment = os.environ | {
            "_MEMWELL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        done = subprocess.run(
            [sys.executable, "-m", "memwell"], env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    assert completed("memwell reca") == ["recall"]
    assert {"--since", "--tag", "--user"} <= {*completed("memwell recall --")}


def test_one_line_of_advice_is_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    out = Output(as_json=False)
    out.hint("run: memwell models pull")
    out.note("Nothing found.")
    assert capsys.readouterr().err == "memwell: note: run: memwell models pull\n"
    out = Output(as_json=False)
    out.note("Nothing found.")
    out.note("3 memories in 2 ms")
    assert capsys.readouterr().err == "Nothing found.\n"


def test_without_the_model_recall_says_how_to_get_it(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_EMBEDDER", "auto")
    monkeypatch.setattr("memwell.cli.shared.remedy", lambda _folder: "memwell models pull")
    done = cli("recall", "nothing")
    assert done.err.count("\n") == 1
    assert "memwell models pull" in done.err
