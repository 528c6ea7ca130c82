"""Damaged pages, indexes, texts and tables: the doctor names them, repair mends what is a projection."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwell import ConfigError, Corrupt, Memory, MemwellError, NewMemory
from memwell.testing.memory import Words

COUNT = 300
NOT_UTF8 = "CAST(x'ff00fe' AS TEXT)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    with opened(path) as memory:
        fill(memory)
        yield memory


def opened(path: Path) -> Memory:
    return Memory(f"sqlite:///{path}", embedder=Words())


def fill(memory: Memory) -> None:
    items = [
        NewMemory(content=f"apple {number}", id=f"m{number:03}", user_id=f"user {number % 7}")
        for number in range(COUNT)
    ]
    memory.remember(items)
    memory.update("m001", content="a pear")
    memory.update("m001", content="a plum")


def tamper(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def pages(path: Path) -> dict[str, list[int]]:
    """Name of a table or index → its leaf pages, counted from 1."""
    with sqlite3.connect(path) as connection:
        names = dict(
            connection.execute("SELECT rootpage, name FROM sqlite_master WHERE rootpage > 0").fetchall()
        )
    connection.close()
    content = path.read_bytes()
    return {name: _leaves(content, root) for root, name in names.items()}


def _leaves(content: bytes, number: int) -> list[int]:
    page = content[(number - 1) * 4096 : number * 4096]
    head = 100 if number == 1 else 0
    if page[head] in (10, 13):
        return [number]
    count = int.from_bytes(page[head + 3 : head + 5])
    cells = [int.from_bytes(page[head + 12 + 2 * at : head + 14 + 2 * at]) for at in range(count)]
    children = [int.from_bytes(page[at : at + 4]) for at in cells] + [
        int.from_bytes(page[head + 8 : head + 12])
    ]
    return [leaf for child in children for leaf in _leaves(content, child)]


INDEXES = ["records_id", "records_owner", "records_digest"]


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("damage", ["bit", "overwritten", "zeros"])
def test_a_damaged_index_is_named_and_built_again(path: Path, index: str, damage: str) -> None:
    with opened(path) as memory:
        fill(memory)
    content = bytearray(path.read_bytes())
    leaf = pages(path)[index][-1]
    start = (leaf - 1) * 4096
    if damage == "bit":
        content[start + 4096 - 20] ^= 4
    elif damage == "overwritten":
        content[start : start + 4096] = random.Random(1).randbytes(4096)
    else:
        content[start : start + 4096] = bytes(4096)
    path.write_bytes(content)
    with opened(path) as memory:
        report = memory.doctor()
        assert not report.ok
        assert {problem.kind for problem in report.problems} <= {"index"}
        assert all(problem.repairable and "memwell repair" in problem.detail for problem in report.problems)
        repaired = memory.repair()
        assert repaired.ok, repaired.problems[:3]
        assert repaired.repaired > 0
        assert memory.doctor().ok
        assert all(memory.get(f"m{number:03}") for number in range(COUNT))
        assert memory.count(user_id="user 3") == len(range(3, COUNT, 7))
        assert memory.remember("apple 5", user_id="user 5").reinforced == 1
    with opened(path) as memory:
        assert memory.doctor().ok


def test_no_damaged_byte_is_answered_with_ok_and_a_wrong_answer(path: Path) -> None:
    with opened(path) as memory:
        fill(memory)
    whole, chance = path.read_bytes(), random.Random(7)
    failures: list[str] = []
    for _ in range(40):
        content = bytearray(whole)
        at = chance.randrange(4096, len(content))
        content[at] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        for side in ("-wal", "-shm"):
            Path(f"{path}{side}").unlink(missing_ok=True)
        try:
            with opened(path) as memory:
                report = memory.doctor()
                records = memory.list(limit=1000, order="id", descending=False)
                right = len(records) == COUNT and records[7].content == "apple 7"
                assert right or not report.ok
                memory.repair()
        except MemwellError as error:
            failures.append(str(error))
    assert not [failure for failure in failures if "please report" in failure]


def test_a_damaged_table_is_reported_with_the_remedy_and_repair_changes_nothing(path: Path) -> None:
    with opened(path) as memory:
        fill(memory)
    content = bytearray(path.read_bytes())
    leaf = pages(path)["records"][1]
    content[(leaf - 1) * 4096 : leaf * 4096] = bytes(4096)
    path.write_bytes(content)
    with opened(path) as memory:
        for report in (memory.doctor(), memory.repair(), memory.doctor()):
            assert not report.ok
            bad = [problem for problem in report.problems if problem.kind == "file"]
            assert bad
            assert "restore a backup" in bad[0].detail
        assert memory.get("m000").content == "apple 0"


@pytest.mark.parametrize("column", ["content", "metadata", "tags", "category", "user_id"])
def test_a_text_that_is_not_utf8_is_one_corrupt_problem(memory: Memory, path: Path, column: str) -> None:
    tamper(path, f"UPDATE records SET {column} = {NOT_UTF8} WHERE id = 'm002'")
    for report in (memory.doctor(), memory.repair()):
        assert [(problem.kind, problem.id) for problem in report.problems] == [("corrupt", "m002")]
        assert "backup" in report.problems[0].detail
        assert report.checked == COUNT
    with pytest.raises(Corrupt, match="doctor") as caught:
        memory.list(limit=1000)
    assert "\ufffd" not in str(caught.value)
    assert memory.get("m003").content == "apple 3"


@pytest.mark.parametrize(
    "damage",
    [
        "category = x'00'",
        "source = x'00'",
        "kind = x'00'",
        "version = 'x'",
        "tags = '[7]'",
        "reinforced = x'00'",
    ],
)
def test_a_column_of_another_type_ends_no_report(memory: Memory, path: Path, damage: str) -> None:
    tamper(path, f"UPDATE records SET {damage} WHERE id = 'm002'")
    for report in (memory.doctor(), memory.repair()):
        assert not report.ok
        assert {problem.id for problem in report.problems} == {"m002"}
        assert report.checked == COUNT


@pytest.mark.parametrize("column", ["lexemes", "signals"])
def test_a_projection_that_is_not_utf8_is_repaired(memory: Memory, path: Path, column: str) -> None:
    tamper(path, f"UPDATE records SET {column} = {NOT_UTF8} WHERE id = 'm002'")
    assert [(problem.kind, problem.id) for problem in memory.doctor().problems] == [(column, "m002")]
    assert memory.repair().ok
    assert memory.doctor().ok
    assert memory.recall("apple 2", user_id="user 2", mode="lexical")


@pytest.mark.parametrize(
    "damage",
    [
        "record = '{'",
        "record = '[]'",
        "record = NULLIF('{}', '')",
        f"record = {NOT_UTF8}",
        "changed = '7'",
        "changed = '{'",
        "changed_at = 'soon'",
        "changed_at = 9000000000000000000",
    ],
)
def test_a_damaged_version_is_one_corrupt_problem_and_history_says_so(
    memory: Memory, path: Path, damage: str
) -> None:
    tamper(path, f"UPDATE history SET {damage} WHERE version = 2")
    for report in (memory.doctor(), memory.repair()):
        assert [(problem.kind, problem.id) for problem in report.problems] == [("corrupt", "m001")]
        assert "version 2" in report.problems[0].detail
        assert "restore a backup" in report.problems[0].detail
    with pytest.raises(Corrupt, match="version 2 of memory 'm001'"):
        memory.history("m001")
    assert memory.get("m001").content == "a plum"
    memory.forget("m001")
    assert memory.doctor().ok


@pytest.mark.parametrize("table", ["records", "vectors", "history", "links", "changes", "access"])
def test_a_table_dropped_while_the_memory_is_open_is_corrupt_with_a_remedy(
    memory: Memory, path: Path, table: str
) -> None:
    tamper(path, f"DROP TABLE {table}")
    report = memory.doctor()
    assert not report.ok
    assert any("restore a backup" in problem.detail for problem in report.problems)
    assert not memory.repair().ok
    with pytest.raises(Corrupt, match="restore a backup"):
        memory.forget("m002")


@pytest.mark.parametrize(
    "table",
    ["records", "vectors", "history", "links", "changes", "access", "models", "memwell_migrations"],
)
def test_health_and_doctor_tell_of_a_table_that_was_dropped(memory: Memory, path: Path, table: str) -> None:
    tamper(path, f"DROP TABLE {table}")
    assert not memory.health().ok
    assert any(f"'{table}' is missing" in problem.detail for problem in memory.doctor().problems)


@pytest.mark.parametrize("table", ["records", "vectors", "history", "links", "changes", "access", "models"])
def test_a_file_with_a_dropped_table_is_not_opened(path: Path, table: str) -> None:
    with opened(path) as memory:
        memory.remember("apple")
    tamper(path, f"DROP TABLE {table}")
    for options in ("", "?mode=ro"):
        with pytest.raises(Corrupt, match=f"'{table}'.*restore a backup"):
            Memory(f"sqlite:///{path}{options}", embedder=None)


@pytest.mark.parametrize("index", [*INDEXES, "records_expiry", "links_target"])
def test_a_dropped_index_is_made_again(path: Path, index: str) -> None:
    with opened(path) as memory:
        fill(memory)
        tamper(path, f"DROP INDEX {index}")
        assert [problem.kind for problem in memory.doctor().problems] == ["index"]
        assert memory.repair().ok
        assert memory.doctor().ok
    tamper(path, f"DROP INDEX {index}")
    with opened(path) as memory:
        assert memory.doctor().ok
        assert memory.get("m002").content == "apple 2"


def test_the_file_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    tamper(path, "CREATE TABLE records (artist TEXT)", "INSERT INTO records VALUES ('Nina')")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"another program.*choose another file"):
        opened(path)
    with pytest.raises(ConfigError, match="holds nothing of memwell"):
        Memory(f"sqlite:///{path}?mode=ro", embedder=None)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("records",)]
    connection.close()
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM memwell_migrations",
        "DROP TABLE memwell_migrations",
        "DELETE FROM memwell_migrations WHERE number = 1",
    ],
)
def test_a_file_that_lost_its_list_of_migrations_is_refused_with_the_remedy(
    path: Path, statement: str
) -> None:
    with opened(path) as memory:
        memory.remember("apple")
    tamper(path, statement)
    with pytest.raises((ConfigError, Corrupt), match="restore a backup"):
        opened(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_corrupt(path: Path, share: float) -> None:
    with opened(path) as memory:
        fill(memory)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share) // 4096 * 4096])
    with pytest.raises(MemwellError, match=r"restore a (copy|backup)"):
        use(path)


def use(path: Path) -> None:
    with opened(path) as memory:
        assert not memory.doctor().ok
        memory.list(limit=1000)
        memory.remember("more")
