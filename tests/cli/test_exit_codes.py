"""Every failure is one line on stderr and one documented exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.calling import Call

from memwell.cli.failures import MEANINGS, Code, code_of, explain
from memwell.errors import (
    BackendError,
    Closed,
    ConfigError,
    Conflict,
    Corrupt,
    EmbeddingError,
    InvalidInput,
    InvalidQuery,
    MemwellError,
    NotFound,
    NotSupported,
    Unavailable,
)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("remember",), 2, "Missing argument"),
        (("remember", "  "), 2, "empty"),
        (("remember", "x", "y"), 2, "extra argument"),
        (("remember", "x", "--importance", "5"), 2, "0 to 1"),
        (("remember", "x", "--ttl", "soon"), 2, "30m"),
        (("remember", "x", "--metadata", "{"), 2, "--metadata is not JSON"),
        (("remember", "x", "--metadata", '{"a":' * 10_000 + "1" + "}" * 10_000), 2, "nests too deep"),
        (("remember", "x", "--metadata", '{"a":' * 30 + "1" + "}" * 30), 2, "nests deeper than 16 levels"),
        (("remember", "x", "--metadata", "[1]"), 2, "JSON object"),
        (("recall", "x", "--where", '{"a": {"$near": 1}}'), 2, "$near"),
        (("recall", "x", "--mode", "psychic"), 2, "psychic"),
        (("recall", "x", "--strategy", "loud"), 2, "loud"),
        (("recall", "x", "--limit", "many"), 2, "--limit"),
        (("recall", "x", "--mode", "semantic"), 1, "embedder"),
        (("list", "--order", "colour"), 2, "colour"),
        (("list", "--cursor", "zzz"), 2, "cursor"),
        (("shwo", "x"), 2, "Did you mean 'show'"),
        (("show", "nothing"), 3, "nothing"),
        (("history", "nothing"), 3, "nothing"),
        (("restore", "nothing", "1"), 3, "nothing"),
        (("relate", "nothing", "else"), 3, "nothing"),
        (("update", "nothing", "x"), 3, "nothing"),
        (("forget",), 2, "--where"),
        (("forget", "nothing"), 3, "nothing"),
        (("forget", "x", "--all"), 2, "not both"),
        (("import", "nowhere.txt"), 2, "nowhere.txt"),
        (("import", "x", "--format", "pdf"), 2, "markdown"),
        (("list", "--url", "carrier-pigeon://x"), 6, "carrier-pigeon"),
        (("remember", "x", "--embedder", "oracle"), 6, "oracle"),
    ],
)
def test_a_failure_is_one_line_and_a_code(
    cli: Call, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = cli(*arguments)
    assert done.code == code, done.err
    assert done.out == ""
    assert says in done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("memwell: ")


def test_an_unexpected_version_is_a_conflict(cli: Call) -> None:
    id = cli("remember", "x").out.strip()
    assert cli("update", id, "y", "--expected-version", "7").code == 4


def test_a_taken_id_is_a_conflict(cli: Call) -> None:
    cli("remember", "x", "--id", "one")
    assert cli("remember", "y", "--id", "one").code == 4


def test_a_damaged_export_is_an_error(cli: Call, tmp_path: Path) -> None:
    cli("remember", "x")
    cli("export", "out.jsonl")
    file = tmp_path / "out.jsonl"
    file.write_text(file.read_text("utf-8").replace('"x"', '"y"'), "utf-8")
    done = cli("import", "out.jsonl")
    assert done.code == 1
    assert "damaged" in done.err


def test_problems_that_doctor_finds_have_a_code(cli: Call, tmp_path: Path) -> None:
    import sqlite3

    cli("remember", "tea and coffee")
    with sqlite3.connect(tmp_path / "cli.db") as file:
        file.execute("UPDATE records SET lexemes = 'wrong words'")
    file.close()
    done = cli("doctor", "--json")
    assert done.code == 7
    assert done.json["ok"] is False
    assert cli("repair").code == 0
    assert cli("doctor").code == 0


def test_a_locked_file_is_unavailable_and_says_to_try_again(cli: Call, tmp_path: Path) -> None:
    import sqlite3

    cli("remember", "x")
    holder = sqlite3.connect(tmp_path / "cli.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        done = cli("remember", "y", "--url", f"sqlite:///{tmp_path / 'cli.db'}?timeout=0.1")
    finally:
        holder.close()
    assert done.code == 5
    assert "again" in done.err


def test_a_read_only_file_is_an_error_that_trying_again_will_not_mend(cli: Call, tmp_path: Path) -> None:
    cli("remember", "x")
    done = cli("remember", "y", "--url", f"sqlite:///{tmp_path / 'cli.db'}?mode=ro")
    assert done.code == 1
    assert "read" in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), 3),
        (Conflict("x"), 4),
        (Unavailable("x"), 5),
        (ConfigError("x"), 6),
        (InvalidInput("x"), 2),
        (InvalidQuery("x"), 2),
        (NotSupported("x"), 1),
        (Closed("x"), 1),
        (BackendError("x"), 1),
        (Corrupt("x"), 1),
        (EmbeddingError("x"), 1),
        (OSError(28, "No space left on device"), 1),
        (ValueError("x"), 1),
    ],
)
def test_every_error_has_its_code(error: Exception, code: int) -> None:
    assert code_of(error) == code
    assert "\n" not in explain(error)


def test_no_error_of_ours_is_left_without_a_code() -> None:
    def family(kind: type[MemwellError]) -> set[type[MemwellError]]:
        return {kind}.union(*(family(child) for child in kind.__subclasses__()))

    for kind in family(MemwellError):
        assert code_of(kind("x")) in MEANINGS


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Code)


def test_an_error_of_ours_says_that_trying_again_may_help() -> None:
    assert "try again in 3 s" in explain(Unavailable("the database is busy", retry_after=3))


def test_debug_shows_the_traceback(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_DEBUG", "1")
    assert "Traceback" in cli("show", "nothing").err
