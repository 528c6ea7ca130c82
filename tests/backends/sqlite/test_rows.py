"""Rows of SQLite that something else has written: the doctor names what is wrong with them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from memwell import Memory


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("importance", 7.5, "importance is '7.5', not a number from 0 to 1"),
        ("version", -3, "version is '-3', not a whole number from 0"),
        ("reinforced", -1, "reinforced is '-1', not a whole number from 0"),
        ("tags", '["a", 1]', "tags is"),
        ("tags", "7", "cannot be read"),
        ("metadata", "[1]", "cannot be read"),
        ("metadata", '{"a": 1} x', "cannot be read"),
        ("metadata", '{"a":' * 10_000 + "1" + "}" * 10_000, "cannot be read"),
        ("created_at", 2**62, "cannot be read"),
    ],
)
def test_the_doctor_names_a_field_that_is_not_of_its_type(
    tmp_path: Path, column: str, value: Any, said: str
) -> None:
    path = tmp_path / "m.db"
    with Memory(f"sqlite:///{path}", embedder=None) as memory:
        memory.remember("tea", id="a")
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE records SET {column} = ?", (value,))
    connection.close()
    with Memory(f"sqlite:///{path}", embedder=None) as memory:
        report = memory.doctor()
    assert not report.ok
    found = [problem for problem in report.problems if problem.kind == "corrupt"]
    assert said in found[0].detail
    assert (found[0].id, found[0].repairable) == ("a", False)
