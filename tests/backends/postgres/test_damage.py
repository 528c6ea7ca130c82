"""Damaged rows of a PostgreSQL store: the doctor names them, and the other memories are read and exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from memwell import Corrupt, Memory


@pytest.fixture
def memory(postgres_url: str) -> Iterator[Memory]:
    with Memory(postgres_url, embedder=None) as opened:
        opened.remember("apple", id="a")
        opened.update("a", importance=0.9)
        opened.remember("pear", id="b")
        yield opened


def damage(url: str, statement: str) -> None:
    server, _, schema = url.partition("?schema=")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'SET search_path = "{schema}"'.encode())
        assert connection.execute(statement.encode()).rowcount == 1


@pytest.mark.parametrize(
    "damaged", ["record = ''", "record = '{}'", "record = '5'", "changed = 'x'", "changed = '7'"]
)
def test_a_damaged_version_is_named_by_doctor_and_history(
    memory: Memory, postgres_url: str, damaged: str, tmp_path: Path
) -> None:
    damage(postgres_url, f"UPDATE history SET {damaged}")
    for report in (memory.doctor(), memory.repair()):
        assert [(problem.kind, problem.id, problem.repairable) for problem in report.problems] == [
            ("corrupt", "a", False)
        ]
    with pytest.raises(Corrupt, match=r"version 1 of memory 'a'.*restore a backup"):
        memory.history("a")
    assert memory.export(tmp_path / "backup.jsonl") == 2
    memory.forget("a")
    assert memory.doctor().ok


@pytest.mark.parametrize("time", ["infinity", "-infinity", "0044-03-15 BC"])
def test_times_that_python_does_not_have_keep_no_other_memory_from_being_read(
    memory: Memory, postgres_url: str, time: str, tmp_path: Path
) -> None:
    damage(postgres_url, f"UPDATE records SET created_at = '{time}' WHERE id = 'a'")
    damage(postgres_url, f"UPDATE history SET changed_at = '{time}'")
    assert {record.id for record in memory.list()} == {"a", "b"}
    assert ("corrupt", "a") in {(problem.kind, problem.id) for problem in memory.doctor().problems}
    assert memory.export(tmp_path / "backup.jsonl") == 2
    memory.forget("a")
    assert memory.doctor().ok
    assert memory.recall("pear")[0].record.id == "b"


def test_a_number_that_json_does_not_have_is_left_out_of_an_export(
    memory: Memory, postgres_url: str, tmp_path: Path
) -> None:
    damage(postgres_url, "UPDATE records SET importance = 'NaN' WHERE id = 'a'")
    assert memory.export(tmp_path / "backup.jsonl") == 1
    assert '"skipped":["a"]' in (tmp_path / "backup.jsonl").read_text()
