"""Settings come from the environment, and a misspelt one is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from memwell import ConfigError
from memwell.cli import app
from memwell.config import PREFIX, Settings, load, names


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*os.environ]:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


def test_without_variables_everything_has_its_default() -> None:
    assert load() == Settings()
    assert load().source("url") == "default"


def test_every_setting_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in names():
        monkeypatch.setenv(PREFIX + name.upper(), "1" if name == "debug" else f"a {name}")
    found = load()
    assert found.debug is True
    for name in set(names()) - {"debug"}:
        assert getattr(found, name) == f"a {name}"
        assert found.source(name) == f"environment {PREFIX}{name.upper()}"


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_USER", "")
    assert load().user is None
    assert load().source("user") == "default"


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("MEMWELL_URLL", "MEMWELL_URL?"),
        ("MEMWELL_EMBEDER", "MEMWELL_EMBEDDER?"),
        ("MEMWELL_USER_ID", "MEMWELL_USER?"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_nearest(
    variable: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigError, match=variable) as caught:
        load()
    assert f"did you mean {hint}" in str(caught.value)


def test_a_variable_like_no_other_is_refused_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_QQQQ", "x")
    with pytest.raises(ConfigError, match="MEMWELL_NAMESPACE"):
        load()


def test_a_value_of_the_wrong_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_DEBUG", "perhaps")
    with pytest.raises(ConfigError, match="MEMWELL_DEBUG='perhaps'"):
        load()


@pytest.mark.parametrize(
    ("text", "debug"), [("true", True), ("YES", True), ("on", True), ("0", False), ("Off", False)]
)
def test_a_flag_is_yes_or_no(text: str, debug: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_DEBUG", text)
    assert load().debug is debug


def test_the_case_of_a_variable_does_not_matter_but_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("memwell_user", "ana")
    assert load().user == "ana"
    monkeypatch.setenv("MEMWELL_USER", "bo")
    with pytest.raises(ConfigError, match="twice"):
        load()


def test_an_option_wins_over_the_environment_and_an_empty_one_takes_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEMWELL_USER", "ana")
    assert load().with_options(user="bo").user == "bo"
    assert load().with_options(user="bo").source("user") == "option --user"
    assert load().with_options(user="").user is None


def check(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["config", "check", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_config_check_tells_value_and_source_of_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWELL_URL", "memory://")
    monkeypatch.setenv("MEMWELL_EMBEDDER", "hashing")
    code, out, _ = check("--user", "ana")
    rows = {row[0]: row[1:] for line in out.splitlines() if (row := line.split("\t"))}
    assert code == 0
    assert set(names()) <= set(rows)
    assert rows["url"] == ["memory://", "environment MEMWELL_URL"]
    assert rows["user"] == ["ana", "option --user"]
    assert rows["tenant"] == ["", "default"]
    assert rows["store"] == ["ok", "memory"]
    assert rows["embedder"][0] == "ok"


def test_config_check_fails_when_a_part_does_not_open_and_hides_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEMWELL_URL", "carrier-pigeon://me:hush@loft/")
    code, out, err = check("--embedder", "none")
    assert code == 7
    assert "unknown scheme" in out
    assert "hush" not in out + err
    assert "FAILS" in out


def test_config_check_says_when_there_is_no_place_for_the_default_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    code, out, _ = check("--embedder", "none")
    assert code == 7
    assert "FAILS" in out
    assert "MEMWELL_URL" in out


def test_config_check_names_a_cache_without_use() -> None:
    os.environ["MEMWELL_CACHE"] = "memory://"
    try:
        code, out, _ = check("--embedder", "none", "--url", "memory://")
    finally:
        del os.environ["MEMWELL_CACHE"]
    assert code == 7
    assert "MEMWELL_CACHE" in out


def test_an_index_is_used_where_it_matters_and_no_hindrance_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEMWELL_URL", f"sqlite:///{tmp_path / 'indexed.db'}")
    monkeypatch.setenv("MEMWELL_INDEX", "exact://?dimension=384")

    def run(*arguments: str) -> int:
        return CliRunner().invoke(app, [*arguments]).exit_code

    assert run("remember", "tea", "--id", "one", "--embedder", "hashing:?dimension=384") == 0
    assert run("recall", "tea", "--embedder", "hashing:?dimension=384") == 0
    assert run("forget", "one", "--embedder", "hashing:?dimension=384") == 0
    assert run("list", "--embedder", "none") == 0
    assert run("recall", "tea", "--embedder", "none") == 6
    assert check("--embedder", "none")[0] == 7


def test_config_check_speaks_json() -> None:
    import json

    code, out, _ = check("--json", "--url", "memory://", "--embedder", "none")
    answer = json.loads(out)
    assert code == 0
    assert answer["ok"] is True
    assert answer["settings"]["url"] == {"value": "memory://", "source": "option --url"}


def test_the_library_itself_reads_no_variable() -> None:
    code = "import memwell; memwell.Memory('memory://', embedder=None).remember('x')"
    environment = {**os.environ, "MEMWELL_URLL": "x"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
