"""Encrypted vectors: searched in this process, kept up to date with what others write, and refused when moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from memwell import ConfigError, Corrupt, EmbeddingError, Memory
from memwell.registry import open_store
from memwell.security.keyring import Keyring
from memwell.testing import run
from memwell.testing.memory import Words
from memwell.wrappers.encrypted import Encrypted

KEY = Keyring.generate()
TEXTS = ("green tea", "black coffee", "a walk in the rain")


def sealed(key: str = KEY) -> Keyring:
    return Keyring(key, vectors="encrypted")


def found(memory: Memory, text: str) -> list[str]:
    return [hit.content for hit in memory.recall(text, mode="semantic", limit=1, user_id="u")]


@pytest.mark.parametrize("server", ["sqlite", "postgres", "redis"])
def test_what_others_write_is_found_by_the_next_recall(
    server: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}" if server == "sqlite" else request.getfixturevalue(f"{server}_url")
    with (
        Memory(url, embedder=Words(), encryption=sealed()) as one,
        Memory(url, embedder=Words(), encryption=Keyring(KEY)) as other,  # sees that vectors are encrypted
    ):
        one.remember(list(TEXTS), user_id="u")
        one.remember("other", user_id="v", id="v")
        assert found(one, "tea") == found(other, "tea") == ["green tea"]
        other.remember("milk and sugar", id="m", user_id="u")
        assert found(one, "milk") == ["milk and sugar"]
        other.update("m", content="bread and butter", user_id="u")
        assert found(one, "butter") == ["bread and butter"]
        assert found(one, "milk") != ["milk and sugar"]
        other.forget("m", user_id="u")
        assert found(one, "butter") != ["bread and butter"]
        assert one.doctor().ok


def test_owners_that_were_asked_about_least_recently_are_dropped() -> None:
    store = Encrypted(open_store("memory://"), sealed())
    search = store._vectors
    search._budget = 4
    with Memory(store, embedder=Words()) as memory:
        for user in "abc":
            memory.remember(list(TEXTS), user_id=user)
        for user in "abca":
            assert memory.recall("tea", mode="semantic", user_id=user)[0].content == "green tea"
            assert sum(len(owner.corpus.ids) for owner in search._owners.values()) <= 4
    run(store, store.close())


def test_a_store_moves_from_plain_to_encrypted_vectors(tmp_path: Path) -> None:
    """By `reembed`, and its exports with it; then no file holds a vector."""
    path, file = tmp_path / "a.db", tmp_path / "export.jsonl"
    with Memory(path, embedder=Words(), encryption=Keyring(KEY)) as memory:
        memory.remember(list(TEXTS), user_id="u")
    words = Words()
    raw = [row.tobytes() for row in run(words, words.embed(list(TEXTS), kind="document"))]
    assert all(vector in path.read_bytes() for vector in raw)
    with Memory(path, embedder=Words(), encryption=sealed()) as memory:
        with pytest.raises(EmbeddingError, match="plain"):
            memory.recall("tea", user_id="u")
        memory.reembed(drop_old=True)
        assert found(memory, "tea") == ["green tea"]
        memory.export(file)
        models = memory.stats().embedded
    assert not any(vector in path.read_bytes() for vector in raw)
    for vectors in ("plain", "encrypted"):
        keyring = Keyring(Keyring.generate(), KEY, vectors=vectors)  # type: ignore[arg-type]
        with Memory(tmp_path / f"{vectors}.db", embedder=Words(), encryption=keyring) as copy:
            assert copy.import_(file).added == len(TEXTS)
            assert copy.stats().embedded == models == {"words": len(TEXTS)}
            assert found(copy, "coffee") == ["black coffee"]


def test_vectors_that_were_swapped_are_refused(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "a.db"
    with Memory(path, embedder=Words(), encryption=sealed()) as memory:
        memory.remember(list(TEXTS), user_id="u")
    with sqlite3.connect(path) as connection:
        (first, a), (second, b), _ = connection.execute("SELECT id, data FROM vectors ORDER BY id").fetchall()
        connection.executemany("UPDATE vectors SET data = ? WHERE id = ?", [(b, first), (a, second)])
    connection.close()
    with (
        Memory(path, embedder=Words(), encryption=sealed()) as memory,
        pytest.raises(Corrupt, match="vectors of a memory cannot be decrypted"),
    ):
        memory.recall("tea", user_id="u")


def test_an_index_and_another_choice_are_refused() -> None:
    with pytest.raises(ConfigError, match="omit index="):
        Memory("memory://", embedder=Words(), index="exact:?dimension=64", encryption=sealed())
    with pytest.raises(ConfigError, match="'plain' or 'encrypted'"):
        Keyring(KEY, vectors="hidden")  # type: ignore[arg-type]
