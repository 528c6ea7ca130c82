"""The table of fields and everything that is read from it or written beside it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from memwell import AsyncMemory, NewMemory, Record, Scope
from memwell.engine.requests import RememberRequest, UpdateRequest
from memwell.fields import FIELDS, NARROWING, REQUIRED, SCOPE, TABLE, Field, named
from memwell.records.faults import faults
from memwell.testing.samples import record

SOURCE = Path(__file__).parents[1] / "src"
TYPES: Final = {
    "text": "str",
    "content": "str",
    "share": "float",
    "count": "int",
    "flag": "bool",
    "time": "datetime",
    "tags": "tuple[str, ...]",
    "metadata": "Mapping[str, Any]",
    "links": "tuple[Link, ...]",
}
ELSEWHERE: Final = {
    "backends/redis/store/transaction.py": "what the words of a record are made of",
    "backends/sql.py": "what stands in tables of its own",
    "engine/lookup.py": "the orders of a listing",
    "engine/validation.py": "fields with rules of their own",
    "engine/export_lines.py": "the counts of an import",
    "engine/messages.py": "the keys of a chat message",
    "policies/conditions.py": "what a rule compares",
    "policies/operations.py": "what a step changes",
    "policies/planning.py": "what a plan needs of every memory",
    "wrappers/indexed.py": "what an index does not have",
    "fields.py": "the table",
}
"""Where three or more fields are named for what they mean, not for being all there are."""


def declared(owner: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(owner)}


def default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED if field.default is dataclasses.MISSING else field.default


# ------------------------------------------------------------------------------------------ declarations


def test_scope_and_record_declare_the_fields_of_the_table() -> None:
    assert tuple(declared(Scope)) == SCOPE
    assert declared(Record).keys() - {"scope"} == FIELDS.keys() - set(SCOPE)


@pytest.mark.parametrize("field", TABLE, ids=lambda field: field.name)
def test_a_field_is_declared_as_the_table_says(field: Field) -> None:
    found = declared(Scope if field.owner else Record)[field.name]
    assert found.type == TYPES[field.type] + (" | None" if field.nullable else "")
    assert default_of(found) == field.default


def test_keywords_are_those_of_the_table() -> None:
    given, updatable = set(named(given=True)), set(named(updatable=True))
    assert declared(NewMemory).keys() == given | {"content", "ttl"}
    assert declared(RememberRequest).keys() == given | {
        "tenant_id",
        "content",
        "ttl",
        "on_duplicate",
        "on_echo",
        "supersede",
        "supersedes",
    }
    assert declared(UpdateRequest).keys() == updatable | {*SCOPE, "id", "ttl", "clear", "expected_version"}
    for method, request, more in (
        (AsyncMemory.remember, RememberRequest, {"progress"}),
        (AsyncMemory.update, UpdateRequest, set()),
    ):
        assert inspect.signature(method).parameters.keys() - {"self"} == declared(request).keys() | more


@pytest.mark.parametrize("name", SCOPE)
def test_a_scope_compares_every_part(name: str) -> None:
    whole = Scope(**dict.fromkeys(SCOPE, "a"))
    assert whole.sees(whole)
    assert not whole.sees(replace(whole, **{name: "b"}))
    if name in NARROWING:
        assert replace(whole, **{name: None}).sees(whole)


def test_no_other_module_lists_fields() -> None:
    names = FIELDS.keys()
    found = {}
    for path in sorted((SOURCE / "memwell").rglob("*.py")):
        place = path.relative_to(SOURCE / "memwell").as_posix()
        if place.startswith("testing/") or place in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                listed = [e.value for e in node.elts if isinstance(e, ast.Constant) and e.value in names]
                if len(listed) > 2:
                    found[f"{place}:{node.lineno}"] = listed
    assert not found, "read them from memwell.fields"


# ---------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 7),
        ("kind", None),
        ("category", 1.5),
        ("importance", 1.01),
        ("importance", float("nan")),
        ("importance", True),
        ("version", "3"),
        ("reinforced", -1),
        ("created_at", None),
        ("expires_at", 17),
        ("tags", ["a"]),
        ("tags", ("a", 1)),
        ("metadata", [1]),
        ("content", b"x"),
        ("embedded", 1),
        ("access_count", 1.0),
        ("last_accessed_at", "2024"),
    ],
)
def test_a_value_of_another_type_is_a_fault(field: str, value: Any) -> None:
    assert not faults(record("tea", id="a"))
    (fault,) = faults(replace(record("tea", id="a"), **{field: value}))
    assert fault.startswith(f"{field} is ")


# ------------------------------------------------------------------------------------------ a new field

MIGRATION: Final = "ALTER TABLE records ADD COLUMN mood text;\n"
LINE: Final = '    Field("mood", "text", None, digest=True, given=True, updatable=True),\n)\n'
USE: Final = """
    import asyncio, pathlib, sys
    from memwell import Memory, NewMemory, Scope
    from memwell.backends.redis.store.rows import Row, name_of, row_of, text_of
    from memwell.ports import Update
    from memwell.records.codec import digest

    folder = pathlib.Path(sys.argv[1])
    for url in (f"sqlite:///{folder}/new.db", "memory://"):
        with Memory(url, embedder=None) as memory:
            moods = ("calm", None, "calm")
            calm, plain, again = memory.remember([NewMemory(content="tea", mood=mood) for mood in moods])
            assert calm.id == again.id != plain.id and calm.mood == "calm" and plain.mood is None
            assert memory.get(calm.id) == again
            assert [r.id for r in memory.list(where={"mood": "calm"})] == [calm.id]
            assert memory.count(where={"mood": {"$exists": False}}) == 1
            memory.export(folder / "out.jsonl")
            assert memory.doctor().ok
        with Memory("memory://", embedder=None) as other:
            other.import_(folder / "out.jsonl")
            assert other.get(calm.id).mood == "calm"
        (folder / "out.jsonl").unlink()
    name = name_of("default", calm.id)
    row = Row(name=name, key=1, record=calm, digest=digest(calm))
    assert row_of(name, text_of(row)).record.mood == "calm"
    before = text_of(row).replace(b',"calm"]', b"]")
    assert before != text_of(row) and row_of(name, before).record.mood is None

    with Memory(f"sqlite:///{folder}/old.db", embedder=None) as memory:
        (old,) = memory.list()
        assert old.mood is None and str(digest(old)) == sys.argv[2]
        assert memory.remember("rye flour").reinforced == 1
        assert memory.doctor().ok
"""


def test_a_new_field_is_a_line_a_migration_and_a_keyword(tmp_path: Path) -> None:
    """In a copy of the package: what the table, the dataclasses and the schema say is all there is to say."""
    from memwell import Memory
    from memwell.records.codec import digest

    with Memory(f"sqlite:///{tmp_path}/old.db", embedder=None) as memory:
        before = digest(memory.remember("rye flour"))
    package = tmp_path / "src" / "memwell"
    shutil.copytree(SOURCE / "memwell", package, ignore=shutil.ignore_patterns("__pycache__"))
    table = package / "fields.py"
    table.write_text(table.read_text("utf-8").replace(")\n\n\ndef named", LINE + "\n\ndef named", 1), "utf-8")
    records = package / "types" / "records.py"
    text = records.read_text("utf-8")
    for line in ("    embedded: bool = False\n", "    created_at: datetime | str | None = None\n"):
        assert text.count(line) == 1
        text = text.replace(line, f"{line}    mood: str | None = None\n")
    records.write_text(text, "utf-8")
    scripts = package / "backends" / "sqlite" / "migrations" / "records"
    last = max(int(path.name.split("_")[0]) for path in scripts.glob("*.sql"))
    (scripts / f"{last + 1:03}_mood.sql").write_text(MIGRATION, "utf-8")
    command = [sys.executable, "-c", textwrap.dedent(USE), str(tmp_path), str(before)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
