"""Keys and ciphers: decrypting is the inverse of encrypting, and no key is shown, guessed or half rotated."""

from __future__ import annotations

import copy
import os
import pickle
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.processes import Script

from memwell import (
    ConfigError,
    Corrupt,
    InvalidInput,
    Keyring,
    KeyService,
    Memory,
    NotFound,
    NotSupported,
    Unavailable,
)
from memwell.security import sealing, tenant_keys
from memwell.security.cipher import TenantCipher
from memwell.security.receipts import verify
from memwell.testing.samples import START, drafts
from memwell.types import Record, Scope

OLD, NEW = Keyring.generate(), Keyring.generate()


def cipher(tenant: str = "t") -> TenantCipher:
    return TenantCipher(tenant, b"i" * 32, {"1": b"d" * 32}, "1")


# --------------------------------------------------------------------------------------------------- ciphers


@given(draft=drafts(), id=st.text(min_size=1, max_size=20).filter(lambda t: "\0" not in t))
def test_what_is_opened_is_what_was_sealed(draft: dict[str, object], id: str) -> None:
    rest = {k: v for k, v in draft.items() if k not in ("user_id", "session_id")}
    record = Record(id=id, scope=Scope(tenant_id="t"), **rest)  # type: ignore[arg-type]
    sealed = sealing.sealed(cipher(), record)
    assert sealing.opened(cipher(), sealed) == record
    assert sealing.sealed(cipher(), record).content != sealed.content


@given(st.text(), st.text(), st.sampled_from(["id", "field", "more", "tenant"]))
def test_a_ciphertext_is_bound_to_all_that_names_it(text: str, other: str, part: str) -> None:
    given = {"id": "a", "field": "content", "more": "m"}
    sealed = cipher().encrypt(text, **given)
    assert cipher().decrypt(sealed, **given) == text
    if part == "tenant":
        with pytest.raises(Corrupt):
            TenantCipher("u", b"i" * 32, {"1": b"d" * 32}, "1").decrypt(sealed, **given)
    elif other != given[part] and "\0" not in other:
        with pytest.raises(Corrupt):
            cipher().decrypt(sealed, **(given | {part: other}))


@given(st.data())
def test_values_have_the_same_hash_if_a_filter_finds_them_equal(data: st.DataObject) -> None:
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text()
    )
    one, other = data.draw(scalars), data.draw(scalars | st.just(1) | st.just(1.0) | st.just("1"))
    from memwell.filters import Clause, matches

    record = Record(
        id="r", scope=Scope(), content="x", metadata={"k": one}, created_at=START, updated_at=START
    )
    equal = matches(record, Clause(None, ("k",), "$eq", other))
    assert (cipher().value(one, "\0k") == cipher().value(other, "\0k")) is equal
    if one is not None:
        assert cipher().value(one, "\0k") != cipher().value(one, "\0l")


# --------------------------------------------------------------------------------------------------- keyrings


@pytest.mark.parametrize(
    "bad", [(), ("",), ("short",), (b"x" * 31,), (5,), (None,), ("x" * 44,), (lambda: 7,), ("päßword " * 4,)]
)
def test_what_is_no_key_is_refused_without_being_shown(bad: tuple[object, ...]) -> None:
    with pytest.raises(ConfigError, match="memwell keys generate") as raised:
        Keyring(*bad)  # type: ignore[arg-type]
    assert "päßword" not in str(raised.value)


def test_a_key_may_be_text_bytes_digits_or_a_function() -> None:
    raw = os.urandom(32)
    assert Keyring(raw).ids == Keyring(raw.hex()).ids == Keyring(lambda: raw.hex()).ids
    assert Keyring.from_text(f" {OLD} ,{NEW}").ids == Keyring(OLD, NEW).ids


def test_a_passphrase_makes_the_same_key_with_the_same_salt() -> None:
    phrase = "correct horse battery staple"
    keys = {Keyring(Keyring.from_passphrase(phrase, salt=salt)).ids for salt in ("a", "a", "b")}
    assert len(keys) == 2
    for bad, salt in (("too short", "a"), (phrase, "")):
        with pytest.raises(ConfigError) as raised:
            Keyring.from_passphrase(bad, salt=salt)
        assert bad not in str(raised.value)


def test_keys_are_neither_shown_nor_pickled() -> None:
    for secret in (Keyring(OLD), Keyring(OLD).first, KeyService("k", wrap=bytes, unwrap=bytes), cipher()):
        assert OLD not in repr(secret)
        assert OLD not in str(vars(secret).get("_keys", ""))
    for held in (Keyring(OLD), Keyring(OLD).first):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(held)
        with pytest.raises(TypeError, match="not pickled"):
            copy.deepcopy(held)


def test_a_key_service_wraps_the_keys_of_each_tenant(tmp_path: Path) -> None:
    """By functions that a service may fail in, and that may not swap the keys of two tenants."""
    asked: list[str] = []

    def wrap(key: bytes) -> bytes:
        asked.append("wrap")
        return bytes(byte ^ 85 for byte in key)

    def unwrap(wrapped: bytes) -> bytes:
        asked.append("unwrap")
        return bytes(byte ^ 85 for byte in wrapped)

    url = f"sqlite:///{tmp_path / 'a.db'}"
    with Memory(
        url, embedder=None, encryption=Keyring(KeyService("kms", wrap=wrap, unwrap=unwrap))
    ) as memory:
        memory.remember("tea", id="a")
        assert asked == ["wrap"] * 2 + ["unwrap"] * 2
        for _ in range(5):
            memory.get("a")
        assert len(asked) == 4

    def down(_: bytes) -> bytes:
        raise OSError("no route")

    answers = {
        down: (Unavailable, "'kms' could not unwrap"),
        lambda _: b"x" * 48: (Corrupt, "belongs elsewhere"),
    }
    for broken, (error, message) in answers.items():
        service = KeyService("kms", wrap=wrap, unwrap=broken)
        with (
            Memory(url, embedder=None, encryption=Keyring(service)) as memory,
            pytest.raises(error, match=message),
        ):
            memory.get("a")


# ------------------------------------------------------------------------------------------- in a memory


def test_without_the_key_nothing_is_read_or_written(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Memory(path, embedder=None, encryption=Keyring(OLD)) as memory:
        memory.remember("tea", id="a")
    calls: list[Callable[[Memory], object]] = [
        lambda m: m.get("a"),
        lambda m: m.list(),
        lambda m: m.recall("tea"),
        lambda m: m.remember("more"),
        lambda m: m.export(tmp_path / "export.jsonl"),
        lambda m: m.forget(["a"]),
    ]
    for call in calls:
        with Memory(path, embedder=None) as memory, pytest.raises(ConfigError, match="is encrypted"):
            call(memory)
    for call in calls[:4]:
        with (
            Memory(path, embedder=None, encryption=Keyring(NEW)) as memory,
            pytest.raises(ConfigError, match="master key"),
        ):
            call(memory)
    with Memory(path, embedder=None, encryption=Keyring(OLD)) as memory:
        assert [record.id for record in memory.list()] == ["a"]


def test_exports_are_encrypted_unless_plain_text_is_asked_for(tmp_path: Path) -> None:
    """An encrypted one needs one of its master keys, and moves to other keys; it is continued, too."""
    file, plain = tmp_path / "export.jsonl", tmp_path / "plain.jsonl"
    with Memory(tmp_path / "a.db", embedder=None, encryption=Keyring(OLD)) as memory:
        memory.remember("Ana: quokkas", id="a", session_id="s", metadata={"k": "numbat", "role": "numbat"})
        memory.update("a", content="Ana: wombats")
        memory.remember("tea", id="b", importance=0.9)
        memory.relate("a", "b")
        assert memory.export(file) == memory.export(plain, plain=True) == 2
        before = [memory.history(id) for id in "ab"]
    assert not [word for word in (b"quokka", b"wombat", b"numbat", b"tea") if word in file.read_bytes()]
    assert b"wombats" in plain.read_bytes()
    for number, keyring in enumerate((Keyring(NEW, OLD), Keyring(OLD))):
        with Memory(tmp_path / f"copy{number}.db", embedder=None, encryption=keyring) as copy:
            assert copy.import_(file).added == 2
            assert copy.import_(file).present == copy.import_(plain).present == 2
            assert [copy.history(id) for id in "ab"] == before
            assert copy.recall("wombats")[0].id == "a"
            assert copy.doctor().ok
    with Memory(tmp_path / "c.db", embedder=None) as memory:
        with pytest.raises(ConfigError, match="is encrypted"):
            memory.import_(file)
        assert memory.import_(plain).added == 2
    with Memory(tmp_path / "d.db", embedder=None, encryption=Keyring(NEW)) as memory:
        with pytest.raises(ConfigError, match="master key"):
            memory.import_(file)
        assert memory.count() == 0


def test_cached_embeddings_are_found_by_keyed_hashes(tmp_path: Path) -> None:
    """Another key finds none of them; a key service has no key to hash with."""
    cache = f"sqlite:///{tmp_path / 'cache.db'}"
    asked: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        asked.extend(text for text in texts if text == "tea")
        return [[1.0, float(len(text))] for text in texts]

    for expected, key in ((1, OLD), (1, OLD), (2, NEW)):
        with Memory("memory://", embedder=embed, cache=cache, encryption=Keyring(key)) as memory:
            memory.remember("tea")
        assert asked == ["tea"] * expected
    with pytest.raises(ConfigError, match="omit cache="):
        Memory(
            "memory://",
            embedder=embed,
            cache=cache,
            encryption=Keyring(KeyService("k", wrap=bytes, unwrap=bytes)),
        )


@pytest.mark.parametrize("encryption", [None, Keyring(OLD)])
def test_a_text_that_looks_encrypted_is_refused(encryption: Keyring | None) -> None:
    """So that nobody can write index terms or signals, or pass for another memory."""
    with Memory("memory://", embedder=None, encryption=encryption) as memory:
        memory.remember("tea", id="a")
        for call in (memory.remember, lambda text: memory.update("a", content=text)):
            with pytest.raises(InvalidInput, match="memwell-sealed"):
                call("memwell-sealed:1\nx\ny\nz\ttoo\tmany\tcolumns\ntea")
        assert memory.recall("tea")[0].id == "a"


def test_a_plain_memory_is_not_taken_for_an_encrypted_one(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Memory(path, embedder=None) as memory:
        memory.remember("tea", id="a")
        for call in (memory.key_status, memory.rotate_keys):
            with pytest.raises(NotSupported, match="encryption="):
                call()
    with Memory(path, embedder=None, encryption=Keyring(OLD)) as memory:
        with pytest.raises(ConfigError, match="memwell keys encrypt"):
            memory.get("a")
        with pytest.raises(InvalidInput, match=r"memwell\.keys"):
            memory.remember("tea", tenant_id="memwell.keys")


@pytest.mark.parametrize("backend", ["sqlite", "postgres", "redis"])
def test_keys_are_rotated_and_destroyed(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = (
        f"sqlite:///{tmp_path / 'a.db'}" if backend == "sqlite" else request.getfixturevalue(f"{backend}_url")
    )
    with Memory(url, embedder=None, encryption=Keyring(OLD)) as memory:
        for tenant in ("one", "two"):
            memory.remember("tea", id="a", tenant_id=tenant)
        first = memory.key_status()
        assert (first.tenants, first.rotated, first.destroyed) == (2, True, 0)
    seen: list[tuple[int, int]] = []
    with Memory(url, embedder=None, encryption=Keyring(NEW, OLD)) as memory:
        assert not memory.key_status().rotated
        assert memory.rotate_keys(progress=lambda *at: seen.append(at)).rewrapped == 2
        assert seen == [(0, 2), (1, 2), (2, 2)]
        assert memory.rotate_keys().rewrapped == 0
    with Memory(url, embedder=None, encryption=Keyring(NEW)) as memory:
        assert memory.key_status().rotated
        assert memory.recall("tea", tenant_id="one")[0].id == "a"
        receipt = memory.shred("one", reason="asked to", actor="dpo")
        assert verify(receipt.to_json()) == receipt
        assert receipt.complete
        assert {t.place: t.state for t in receipt.traces} == {
            "keys": "gone",
            "records": "gone",
            "backups": "remains",
        }
        assert list(memory.list(tenant_id="one")) == []
        assert memory.get("a", tenant_id="two").content == "tea"
        with pytest.raises(NotFound, match="no keys"):
            memory.shred("three", reason="x")
        memory.remember("new tea", id="b", tenant_id="one")
        assert [record.content for record in memory.list(tenant_id="one")] == ["new tea"]
        assert memory.doctor().ok


WRITER = """
import sys, time
from memwell import Keyring, Memory
path, key, name, start = sys.argv[1:]
with Memory(path, embedder=None, encryption=Keyring(key)) as memory:
    while time.time() < float(start): pass
    for tenant in range(20):
        memory.remember(f"from {name}", id=name, tenant_id=str(tenant))
"""


def test_two_processes_make_the_first_keys_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Memory(path, embedder=None, encryption=Keyring(OLD)):
        pass
    start = str(time.time() + 1.5)
    writers = [Script(WRITER, path, OLD, name, start) for name in ("a", "b", "c")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with Memory(path, embedder=None, encryption=Keyring(OLD)) as memory:
        for tenant in map(str, range(20)):
            assert {r.content for r in memory.list(tenant_id=tenant)} == {"from a", "from b", "from c"}
        assert memory.key_status().leftover == 0
        assert memory.doctor().ok


ROTATOR = """
import sys
from memwell import Keyring, Memory
with Memory(sys.argv[1], embedder=None, encryption=Keyring(*sys.argv[2:])) as memory:
    print("begun", flush=True)
    memory.rotate_keys()
"""


def test_a_rotation_that_is_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    """A larger run is `python -m benchmarks.reliability.rotation`."""
    path, keys = tmp_path / "a.db", [Keyring.generate()]
    with Memory(path, embedder=None, encryption=Keyring(*keys)) as memory:
        for tenant in range(60):
            memory.remember("tea", id="a", tenant_id=str(tenant))
    chance = random.Random(1)
    for _ in range(6):
        keys.insert(0, Keyring.generate())
        with Script(ROTATOR, path, *keys) as process:
            process.stdout.readline()
            time.sleep(chance.random() * 0.05)
            process.kill()
        with Memory(path, embedder=None, encryption=Keyring(*keys)) as memory:
            assert all(memory.get("a", tenant_id=str(tenant)).content == "tea" for tenant in range(60))
    with Memory(path, embedder=None, encryption=Keyring(*keys)) as memory:
        memory.rotate_keys()
        assert memory.key_status().rotated
    with Memory(path, embedder=None, encryption=Keyring(keys[0])) as memory:
        assert memory.doctor().ok


def test_keys_that_another_process_makes_first_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for the keys of a tenant and looking for memories without keys."""
    path, looked = tmp_path / "a.db", tenant_keys.find
    waiting = ["the other's"]

    async def find(store: Any, tenant: str) -> Any:
        found = await looked(store, tenant)
        if waiting:
            text = waiting.pop()
            with Memory(path, embedder=None, encryption=Keyring(NEW)) as other:
                other.remember(text)
        return found

    monkeypatch.setattr(tenant_keys, "find", find)
    with Memory(path, embedder=None, encryption=Keyring(NEW)) as memory:
        memory.remember("mine")
        assert {record.content for record in memory.list().records} == {"the other's", "mine"}
