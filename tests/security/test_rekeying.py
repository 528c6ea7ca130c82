"""Data keys that are rotated, and plain stores that are encrypted in place, while others work and after a kill."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.wrappers.test_encrypted_disk import QUESTIONS, TURNS, all_in, fill, in_files, leaks

from memwell import ConfigError, Keyring, Memory
from memwell.testing.memory import Words

KEY = Keyring.generate()


def later() -> datetime:
    """A time when every process has the new key."""
    return datetime.now(UTC) + timedelta(minutes=2)


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'notes.db'}"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


def answers(memory: Memory) -> list[list[tuple[str, float]]]:
    found = []
    for question in QUESTIONS:
        for where in (None, {"place.name": "Zanzibar"}):
            options: Any = {"where": where, "user_id": "u"}
            found.append([(hit.content, round(hit.score, 5)) for hit in memory.recall(question, **options)])
    return found


def test_data_keys_are_rotated_while_others_work(url: str) -> None:
    """Contents, metadata, signals, versions and vectors are written again; an older key goes once no process has it."""
    keyring = Keyring(KEY, vectors="encrypted")
    with (
        Memory(url, embedder=Words(), encryption=keyring) as memory,
        Memory(url, embedder=Words(), encryption=keyring) as other,
    ):
        fill(memory)
        expected = answers(other)
        seen: list[tuple[int, int]] = []
        done = memory.rotate_keys(data=True, progress=lambda *at: seen.append(at))
        assert (done.rewritten, done.kept) == (memory.count(), 1)
        assert seen[-1] == (done.rewritten, done.rewritten)
        assert answers(other) == answers(memory) == expected
        assert [v.record.content for v in other.history("t3", user_id="u")]
    with Memory(url, embedder=Words(), encryption=keyring, clock=later) as memory:
        done = memory.rotate_keys(data=True)
        assert (done.rewritten, done.kept) == (0, 0)
        assert memory.key_status().leftover == 0
        assert memory.doctor().ok
        assert answers(memory) == expected


def test_a_plain_store_is_encrypted_in_place(url: str, tmp_path: Path) -> None:
    """What says so is refused before; half way both kinds are found and written; at the end nothing plain is left."""
    with Memory(url, embedder=Words()) as memory:
        fill(memory)
    with Memory(url, embedder=Words(), encryption=Keyring(KEY)) as memory:
        for call in (lambda: memory.recall("tea", user_id="u"), lambda: memory.remember("tea")):
            with pytest.raises(ConfigError, match="memwell keys encrypt"):
                call()

        def stop(done: int, total: int) -> None:
            if done:
                raise RuntimeError("stopped")

        from memwell.security import rewriting

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rewriting, "_PAGE", 3)
            with pytest.raises(RuntimeError, match="stopped"):
                memory.encrypt(progress=stop)
    with Memory(url, embedder=Words(), encryption=Keyring(KEY)) as memory:
        for question, turn in ((QUESTIONS[0], TURNS[0]), (QUESTIONS[2], TURNS[3]), (QUESTIONS[3], TURNS[2])):
            assert turn in [hit.content for hit in memory.recall(question, user_id="u")[:3]]
        assert memory.count(where={"n": 2019}) == 4
        assert memory.count(where={"n": {"$ne": 2019}}) == memory.count() - 4
        memory.update("t0", metadata={"n": 1}, user_id="u")
        memory.update("t4", content="Ophelia: I will be in Porto", user_id="u")
        assert memory.forget(where={"n": 1}, user_id="u") == ["t0"]
        done = memory.encrypt()
        assert done.memories > 0
        assert not done.unreadable
        assert memory.encrypt().memories == 0
        assert memory.get("t4", user_id="u").content == "Ophelia: I will be in Porto"
        assert memory.recall("Who said quokka?", user_id="u")
        assert memory.doctor().ok
    with Memory(url, embedder=None) as memory, pytest.raises(ConfigError, match="is encrypted"):
        memory.get("t1", user_id="u")
    if url.startswith("sqlite"):
        assert in_files(tmp_path) == []
    else:
        assert [leak for row in all_in(url) for leak in leaks(row)] == []
    assert any(trace.state == "remains" for trace in done.traces) is not url.startswith("sqlite")


REWRITER = """
import sys
from memwell import Keyring, Memory
path, key, what = sys.argv[1:]
with Memory(path, embedder=None, encryption=Keyring(key)) as memory:
    tell = lambda done, total: print(done, flush=True)
    memory.encrypt(progress=tell) if what == "encrypt" else memory.rotate_keys(data=True, progress=tell)
"""


def test_what_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    """A larger run is `python -m benchmarks.reliability.rekeying`."""
    path, chance = tmp_path / "a.db", random.Random(1)
    with Memory(path, embedder=None) as memory:
        memory.remember([f"Ana: quokka {number}" for number in range(1500)], user_id="u", metadata={"k": "v"})
    for what in ("encrypt", "encrypt", "rotate", "rotate"):
        with subprocess.Popen(
            [sys.executable, "-c", REWRITER, str(path), KEY, what], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            enough = chance.randrange(1, 1000)
            for line in process.stdout:
                if int(line) >= enough:
                    break
            process.send_signal(signal.SIGKILL)
        with Memory(path, embedder=None, encryption=Keyring(KEY)) as memory:
            assert memory.count(where={"k": "v"}) == 1500
            assert memory.recall("quokka 7", user_id="u")[0].content == "Ana: quokka 7"
    with Memory(path, embedder=None, encryption=Keyring(KEY), clock=later) as memory:
        memory.encrypt()
        memory.rotate_keys(data=True)
        assert memory.rotate_keys().kept == 0
        assert memory.doctor().ok
    assert leaks(path.read_bytes()) == []
