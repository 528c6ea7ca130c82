"""Imports of files that are not what an export writes: refused with line and reason, and nothing is stored."""

from __future__ import annotations

import base64
import hashlib
import json
import resource
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from memwell import BackendError, Corrupt, Memory
from memwell.engine import import_ as importing
from memwell.engine.jsonl import LINE_LIMIT
from memwell.testing.memory import Words

AT = "2026-01-01T00:00:00+00:00"
DIMENSION = 64
HEADER = b'{"memwell":"export","form":1}\n'


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory("sqlite://", embedder=Words(dimension=DIMENSION)) as opened:
        yield opened


def record(id: str = "a", **changes: Any) -> dict[str, Any]:
    plain = {"id": id, "content": "apple", "tenant_id": "default", "version": 1}
    return plain | {"created_at": AT, "updated_at": AT} | changes


def vectors(dimension: int = DIMENSION, **changes: Any) -> dict[str, Any]:
    data = struct.pack(f"<{dimension}f", 1.0, *[0.0] * (dimension - 1))
    plain = {"model": "words", "shape": [1, dimension], "spans": []}
    return plain | {"float32": base64.b64encode(data).decode()} | changes


def written(path: Path, lines: Sequence[bytes | dict[str, Any]], records: int) -> Path:
    """An export of these lines under a right checksum."""
    body = HEADER + b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )
    end = {"end": True, "records": records, "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(end).encode() + b"\n")
    return path


def test_a_right_file_is_taken(memory: Memory, tmp_path: Path) -> None:
    lines = [{"record": record(), "vectors": [vectors()]}, {"record": record("b", content="pear")}]
    link = {"target": "b", "kind": "related", "strength": 0.5}
    path = written(tmp_path / "made.jsonl", [*lines, {"links": [["default", "a", [link]]]}], 2)
    done = memory.import_(path)
    assert (done.added, done.links) == (2, 1)
    assert memory.doctor().ok


WRONG: dict[str, tuple[Any, str]] = {
    "nesting": (b"[" * 100_000, "nested"),
    "nested metadata": (
        b'{"record":{"id":"a","content":"x","metadata":' + b'{"k":' * 400 + b"1" + b"}" * 402,
        "line 3",
    ),
    "no object": (b"7", "not a JSON object"),
    "blank": (b"", "not a JSON object"),
    "not UTF-8": (b'{"record":"\xff"}', "not a JSON object"),
    "unknown": ({"memory": {}}, "neither"),
    "empty record": ({"record": {}}, "not a record"),
    "infinite span": ({"record": record(), "vectors": [vectors(spans=[[0, float("inf")]])]}, "not vectors"),
    "half span": ({"record": record(), "vectors": [vectors(spans=[[0, 4.5]])]}, "not vectors"),
    "span beyond": ({"record": record(), "vectors": [vectors(spans=[[0, 6]])]}, "do not fit"),
    "negative shape": ({"record": record(), "vectors": [vectors(shape=[-1, DIMENSION])]}, "not vectors"),
    "shape": ({"record": record(), "vectors": [vectors(shape=[2, DIMENSION])]}, "not vectors"),
    "dimension": ({"record": record(), "vectors": [vectors(3)]}, f"have dimension {DIMENSION}, not 3"),
    "model number": ({"record": record(), "vectors": [vectors(model=7)]}, "name of an embedding model"),
    "model empty": ({"record": record(), "vectors": [vectors(model=" ")]}, "name of an embedding model"),
    "model NUL": ({"record": record(), "vectors": [vectors(model="a\0b")]}, "name of an embedding model"),
    "model surrogate": ({"record": record(), "vectors": [vectors(model="\ud800")]}, "embedding model"),
    "model long": ({"record": record(), "vectors": [vectors(model="x" * 300)]}, "embedding model"),
    "model twice": ({"record": record(), "vectors": [vectors(), vectors()]}, "twice"),
    "version": ({"record": record(version=2**63 - 1)}, "version"),
    "version 0": ({"record": record(version=0)}, "version"),
    "count": ({"record": record(access_count=2**62)}, "access_count"),
    "time": ({"record": record(created_at="0001-01-01T00:00:00+14:00")}, "not a time"),
    "NaN": ({"record": record(importance=float("nan"))}, "importance"),
    "id": ({"record": record("x" * 300)}, "id"),
    "to itself": (
        {"links": [["default", "z", [{"target": "z", "kind": "related", "strength": 1}]]]},
        "related to itself",
    ),
    "twice": ({"record": record("first")}, "twice"),
    "no rows": ({"record": record(), "vectors": [vectors(shape=[10**12, 0], float32="")]}, "not vectors"),
    "past of other fields": (
        {
            "record": record(version=2),
            "past": [{"record": record(), "changed_at": AT, "changed": ["\ud800"]}],
        },
        "names fields",
    ),
    "past twice": (
        {"record": record(version=3), "past": [{"record": record(), "changed_at": AT, "changed": []}] * 2},
        "past",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_line_is_refused_by_number_and_reason_and_nothing_is_imported(
    memory: Memory, tmp_path: Path, kind: str
) -> None:
    line, reason = WRONG[kind]
    records = 2 if b'"record"' in (line if isinstance(line, bytes) else json.dumps(line).encode()) else 1
    path = written(tmp_path / "made.jsonl", [{"record": record("first")}, line], records)
    with pytest.raises(Corrupt, match=reason) as caught:
        memory.import_(path)
    assert "line 3" in str(caught.value)
    assert memory.count() == 0
    memory.remember("apple")
    assert memory.recall("apple")


@pytest.mark.parametrize("records", [0, 1, 3, True, "2", None])
def test_the_count_of_the_last_line_is_what_is_there(memory: Memory, tmp_path: Path, records: Any) -> None:
    path = written(tmp_path / "made.jsonl", [{"record": record(id)} for id in "ab"], records)
    with pytest.raises(Corrupt, match="counts"):
        memory.import_(path)


@pytest.mark.parametrize(
    "content", [HEADER, HEADER[:-1], b'{"end":true}\n', b"\n", b"\0" * 5000, HEADER + HEADER], ids=repr
)
def test_a_file_that_ends_too_soon_or_is_another_is_refused(
    memory: Memory, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "made.jsonl"
    path.write_bytes(content)
    with pytest.raises(Corrupt):
        memory.import_(path)


def test_vectors_unlike_those_stored_are_refused_whatever_the_embedder(tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", [{"record": record(), "vectors": [vectors(5)]}], 1)
    bad = written(tmp_path / "bad.jsonl", [{"record": record("b"), "vectors": [vectors(6)]}], 1)
    with Memory("sqlite://", embedder=None) as memory:
        memory.import_(good)
        with pytest.raises(Corrupt, match="have dimension 5, not 6"):
            memory.import_(bad)
        assert memory.count() == 1


def test_among_several_models_searches_use_that_of_the_embedder(memory: Memory, tmp_path: Path) -> None:
    lines = [
        {"record": record("a"), "vectors": [vectors(5, model="another")]},
        {"record": record("b", content="pear"), "vectors": [vectors()]},
    ]
    memory.import_(written(tmp_path / "made.jsonl", lines, 2))
    assert memory.recall("apple", mode="semantic")
    memory.remember("plum")
    assert memory.repair().ok
    assert memory.stats().unembedded == 0


def test_a_line_over_the_limit_is_refused_without_reading_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(HEADER + b'{"record":{"content":"')
        file.truncate(LINE_LIMIT * 8)
    script = """
        import sys, tracemalloc
        from memwell import Corrupt, Memory
        tracemalloc.start()  # the peak that the system counts includes that of the process this one was forked from
        with Memory("memory://", embedder=None) as memory:
            try:
                memory.import_(sys.argv[1])
            except Corrupt as error:
                print(error)
        print(tracemalloc.get_traced_memory()[1])
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    message, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "line 2" in message
    assert "longer than" in message
    assert int(peak) < 4 * LINE_LIMIT


def test_a_file_that_is_replaced_after_the_check_does_not_matter(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "made.jsonl", [{"record": record()}], 1)
    other = written(tmp_path / "other.jsonl", [{"record": record("evil", content="plum")}], 1)
    check = importing._Check.run

    def and_replace(self: Any) -> int:
        total = check(self)
        other.replace(path)
        return total

    monkeypatch.setattr(importing._Check, "run", and_replace)
    assert memory.import_(path).added == 1
    assert [found.id for found in memory.list()] == ["a"]


def test_what_is_no_file_cannot_be_imported(memory: Memory, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing"):
        with pytest.raises(BackendError, match="not a file"):
            memory.import_(path)


def test_an_import_into_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    lines = [{"record": record(f"m{number:03}", content=f"{number} " + "x" * 3000)} for number in range(300)]
    path = written(tmp_path / "made.jsonl", lines, 300)
    with Memory(f"sqlite:///{tmp_path / 'full.db'}", embedder=None) as memory:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, hard))
        try:
            with pytest.raises(BackendError):
                memory.import_(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        before = memory.count()
        assert 0 < before < 300
        done = memory.import_(path)
        assert (done.added, done.present) == (300 - before, before)
        assert memory.doctor().ok
