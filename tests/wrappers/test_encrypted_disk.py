"""Nothing that a memory says is stored in plain text, on any backend, in any file; and recall loses nothing by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwell import Corrupt, Memory, MemwellError
from memwell.indexes.exact import Exact
from memwell.security.keyring import Keyring
from memwell.testing import run
from memwell.testing.memory import Words

KEY = Keyring.generate()
SECRETS = ("zanzibar", "quokka", "helianthus", "marmalade", "2019", "ophelia")
TURNS = (
    "Ophelia: I flew to Zanzibar in May 2019 and saw a quokka",
    "Ben: A quokka? What did it eat?",
    "Ophelia: Helianthus seeds, and my marmalade",
    "Ben: The order number was QX-4711-Z",
    "Ophelia: I will be in Lisbon next Friday",
)
QUESTIONS = (
    "When did Ophelia fly to Zanzibar?",
    'Who said "order number"?',
    "QX-4711-Z",
    "what did the quokka eat",
    "where was Ophelia in 2019?",
    "nothing that anybody said",
)


def fill(memory: Memory) -> None:
    """Records with versions, metadata, speakers, times and a reinforcement."""
    for number, turn in enumerate(TURNS):
        memory.remember(
            turn, id=f"t{number}", user_id="u", session_id="s", metadata={"place": {"name": "Zanzibar"}, "n": 2019},
            created_at=f"2024-05-0{number + 1}",
        )  # fmt: skip
    memory.remember(TURNS[1], user_id="u", session_id="s", metadata={"speaker": "Ophelia"})
    memory.update("t3", content="Ben: the marmalade cost 7", user_id="u")
    memory.update("t3", content=TURNS[3], metadata={"seen": ["quokka"]}, user_id="u")


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param in ("postgres", "redis"):
        found: str = request.getfixturevalue(f"{request.param}_url")
        return found
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'notes.db'}"


@pytest.mark.parametrize("vectors", ["plain", "encrypted"])
def test_recall_is_the_same_as_without_encryption(url: str, vectors: Any) -> None:
    """The same memories with the same scores, terms and notes: phrases, identifiers, speakers, times, filters."""
    with (
        Memory("memory://", embedder=Words()) as plain,
        Memory(url, embedder=Words(), encryption=Keyring(KEY, vectors=vectors)) as memory,
    ):
        for each in (plain, memory):
            fill(each)
        for mode in ("hybrid", "lexical", "semantic"):
            for question in QUESTIONS:
                for where in (None, {"place.name": "Zanzibar"}, {"seen": ["quokka"]}):
                    options: Any = {"mode": mode, "where": where, "user_id": "u", "explain": True}
                    expected = plain.recall(question, **options)
                    found = memory.recall(question, **options)
                    assert [hit.content for hit in found] == [hit.content for hit in expected]
                    assert [hit.score for hit in found] == pytest.approx(
                        [hit.score for hit in expected], abs=1e-6
                    )
                    assert [hit.why.terms for hit in found] == [hit.why.terms for hit in expected]
        assert memory.doctor().ok


def all_in(url: str) -> Iterator[bytes]:
    """Everything that a server stores; of Redis, what stands under the prefix of the URL."""
    if url.startswith("postgres"):
        import psycopg

        address = url.partition("?")[0]
        with psycopg.connect(address) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (table,) in tables:
                for (row,) in connection.execute(f"SELECT t::text FROM {table} t").fetchall():
                    yield row.encode()
    else:
        import redis

        client = redis.Redis.from_url(url.partition("?")[0])
        read: dict[bytes, Callable[[bytes], Any]] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1),
            b"stream": client.xrange,
            b"none": lambda key: None,  # it expired since it was listed
        }
        for key in client.scan_iter(match=f"{url.rpartition('prefix=')[2]}*", count=1000):
            yield key + repr(read[client.type(key)](key)).encode()
        client.close()


def leaks(data: bytes) -> list[str]:
    text = data.lower()
    return [secret for secret in SECRETS if secret.encode() in text and secret != "2019"]


@pytest.mark.parametrize("server", ["postgres", "redis"])
def test_a_server_stores_no_plain_text(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{server}_url")
    with Memory(url, embedder=Words(), encryption=Keyring(KEY)) as memory:
        fill(memory)
        memory.recall("Zanzibar", user_id="u")
        assert sum(row.count(b"memwell-sealed") for row in all_in(url)) >= len(TURNS)
        assert [leak for row in all_in(url) for leak in leaks(row)] == []


def test_files_logs_and_errors_hold_no_plain_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """SQLite with its WAL while it is open and after, the index, and what is said when all fails."""
    caplog.set_level(logging.DEBUG)
    path, said = tmp_path / "notes.db", []
    index = Exact(Words().dimension or 0, tmp_path / "index")
    with Memory(path, embedder=Words(), index=index, encryption=Keyring(KEY)) as memory:
        fill(memory)
        memory.recall("Zanzibar", user_id="u", where={"place.name": "Zanzibar"})
        assert (tmp_path / "notes.db-wal").stat().st_size
        for call in (
            lambda: memory.remember("the quokka again", id="t0", user_id="u"),
            lambda: memory.list(where={"place.name": {"$contains": "Zanz"}}),
            lambda: memory.update("t1", content="quokka", expected_version=9, user_id="u"),
        ):
            with pytest.raises(MemwellError) as raised:
                call()
            said.append(str(raised.value))
        assert in_files(tmp_path) == []
    run(index, index.close())
    assert in_files(tmp_path) == []
    assert leaks("\n".join([*said, caplog.text]).encode()) == []
    damaged = path.read_bytes().replace(b"memwell-sealed:1", b"memwell-sealed:2")
    path.write_bytes(damaged)
    with (
        Memory(path, embedder=None, encryption=Keyring(KEY)) as memory,
        pytest.raises(MemwellError) as raised,
    ):
        memory.get("t0", user_id="u")
    assert leaks(str(raised.value).encode()) == []


def in_files(folder: Path) -> list[tuple[str, str]]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    return [(file.name, leak) for file in files for leak in leaks(file.read_bytes())]


def test_moved_and_changed_ciphertexts_are_refused(tmp_path: Path) -> None:
    """By hand in the file: between records, between tenants, from an older version, one bit."""
    import sqlite3

    path = tmp_path / "notes.db"
    texts = {"a": "the first", "b": "the second", "c": "another tenant"}
    with Memory(path, embedder=None, encryption=Keyring(KEY)) as memory:
        for id, text in texts.items():
            memory.remember(text, id=id, tenant_id="two" if id == "c" else None, metadata={"k": id})
    with sqlite3.connect(path) as connection:
        sound = dict(connection.execute("SELECT id, content FROM records WHERE length(id) = 1").fetchall())
        metadata = dict(
            connection.execute("SELECT id, metadata FROM records WHERE length(id) = 1").fetchall()
        )
    lines = sound["a"].split("\n")
    flipped = lines[2][:-6] + ("A" if lines[2][-6] != "A" else "B") + lines[2][-5:]
    damage = {
        "of another record": ("content", sound["b"]),
        "of another tenant": ("content", sound["c"]),
        "another ciphertext": ("content", "\n".join([*lines[:2], sound["b"].split("\n")[2], *lines[3:]])),
        "one character": ("content", "\n".join([*lines[:2], flipped, *lines[3:]])),
        "other words": ("content", "\n".join([*lines[:4], "AAAAAAAA"])),
        "an unknown key": ("content", "\n".join([*lines[:2], "9" + lines[2][1:], *lines[3:]])),
        "other metadata": ("metadata", metadata["b"]),
        "metadata without their ciphertext": ("metadata", '{"k":"a"}'),
    }
    for name, (column, value) in damage.items():
        with sqlite3.connect(path) as connection:
            connection.execute(
                "UPDATE records SET content = ?, metadata = ? WHERE id = 'a'", (sound["a"], metadata["a"])
            )
            connection.execute(f"UPDATE records SET {column} = ? WHERE id = 'a'", (value,))
        connection.close()
        with Memory(path, embedder=None, encryption=Keyring(KEY)) as memory:
            with pytest.raises(Corrupt, match="'a'"):
                memory.get("a")
            assert memory.get("b").content == texts["b"]
            report = memory.doctor()
            assert "a" in {problem.id for problem in report.problems if problem.kind == "encryption"}, name
