"""The command line in this process, on a store of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.calling import Call, Done
from typer.testing import CliRunner

from memwell.cli import app


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine, a data directory of its own."""
    for name in [*os.environ]:
        if name.startswith("MEMWELL_") or name in ("FORCE_COLOR", "NO_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("MEMWELL_EMBEDDER", "none")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(tmp_path: Path) -> Call:
    """Call the command line, as in `cli("remember", "tea")`."""
    url = f"sqlite:///{tmp_path / 'cli.db'}"

    def call(*arguments: str, stdin: str | bytes | None = None) -> Done:
        result = CliRunner().invoke(app, ["--url", url, *arguments], input=stdin)  # type: ignore[arg-type]
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return call
