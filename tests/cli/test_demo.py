"""The demo shows the truth, in either width, and leaves nothing behind unless asked."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from tests.cli.calling import Call

from memwell.cli import demo


def test_every_question_gets_ranked_answers_in_json(cli: Call) -> None:
    answers = cli("demo", "--json").lines
    script = json.loads(Path(demo.__file__).with_name("demo.json").read_text("utf-8"))
    assert [answer["question"] for answer in answers] == script["questions"]
    for answer in answers:
        scores = [hit["score"] for hit in answer["hits"]]
        assert scores
        assert scores == sorted(scores, reverse=True)


def test_most_questions_are_answered_by_words_alone(cli: Call) -> None:
    wanted = [
        "Antena",
        "5th of May",
        "1,220",
        "ambulance",
        "mash",
        "ear infection",
        "Casa do Moinho",
        "31",
        "54,000",
    ]
    answers = cli("demo", "--json").lines
    answered = [" ".join(hit["content"] for hit in answer["hits"]) for answer in answers]
    assert sum(word in text for word, text in zip(wanted, answered, strict=True)) >= 7


@pytest.mark.parametrize("columns", ["80", "120"])
def test_it_fits_the_terminal(cli: Call, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = cli("demo")
    assert done.code == 0
    assert max(len(line) for line in done.out.splitlines()) <= int(columns)
    assert "82 turns" in done.out
    assert "words only" in done.out
    assert "✓ rows: gone" in done.out
    assert "complete, signed (hmac-sha256)" in done.out


def test_it_keeps_the_file_when_asked_and_may_be_repeated(cli: Call, tmp_path: Path) -> None:
    for _ in range(2):
        assert cli("demo", "--keep", "kept.db").code == 0
    assert len(cli("list", "--all", "--url", f"sqlite:///{tmp_path / 'kept.db'}").out.splitlines()) == 82
    assert cli("demo", "--keep", "no/such/folder/kept.db").code == 2


def test_it_leaves_nothing_behind_otherwise(
    cli: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert cli("demo").code == 0
    assert list(folder.iterdir()) == []
