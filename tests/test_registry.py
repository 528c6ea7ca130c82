"""Every part that the registry names opens by its URL."""

from __future__ import annotations

import asyncio
import importlib
import sys
import tomllib
from pathlib import Path

import pytest

from memwell import ConfigError, Memory
from memwell.ports import Embedder, KeyValue, Log, Reranker, Store, VectorIndex
from memwell.registry import TABLE, Url, open_embedder, open_index, open_keyvalue, open_log, open_store

OPENERS = {
    "stores": (open_store, {"memory": "memory://", "sqlite": "sqlite:///part.db"}),
    "indexes": (open_index, {"exact": "exact://?dimension=8"}),
    "embedders": (open_embedder, {"hashing": "hashing"}),
    "keyvalue": (open_keyvalue, {"memory": "memory://", "sqlite": "sqlite:///part.db?durability=full"}),
    "logs": (open_log, {"memory": "memory://", "sqlite": "sqlite:///part.db?timeout=3"}),
}
ROOT = Path(__file__).parents[1]
PORTS = {
    "stores": Store,
    "indexes": VectorIndex,
    "embedders": Embedder,
    "rerankers": Reranker,
    "keyvalue": KeyValue,
    "logs": Log,
}
NAMES = [(kind, name) for kind, (_, urls) in OPENERS.items() for name in urls]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_part_opens_by_its_url_and_answers(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opener, urls = OPENERS[kind]

    async def ping() -> None:
        async with opener(urls[name]) as part:
            await part.ping()

    asyncio.run(ping())


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, parts in TABLE.items() for name in parts])
def test_the_table_names_a_part_of_its_kind(kind: str, name: str) -> None:
    """Whether each of them serves is tried where its service is."""
    path, extra = TABLE[kind][name]
    module, _, cls = path.partition(":")
    found = getattr(importlib.import_module(module), cls)
    assert issubclass(found, PORTS[kind])
    assert callable(found.from_url)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert extra is None or extra in extras


@pytest.mark.parametrize("url", ["exact://", "exact://?dimension=1.5", "exact://?dimension=8&size=3"])
def test_an_index_url_without_a_fitting_dimension_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="dimension"):
        open_index(url)


def test_a_cache_named_by_its_url_keeps_embeddings(tmp_path: Path) -> None:
    with Memory("memory://", embedder="hashing", cache=f"sqlite:///{tmp_path / 'cache.db'}") as memory:
        memory.remember("Biscuit is a dog")
    assert (tmp_path / "cache.db").exists()


def test_the_default_file_may_lie_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "50%20 of? #1"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    with Memory(embedder=None) as memory:
        memory.remember("x")
    if sys.platform == "linux":
        assert (folder / "memwell" / "memory.db").exists()


# ------------------------------------------------------------------------------------- the pieces of a URL


@pytest.mark.parametrize(
    ("text", "user", "password", "hosts", "path"),
    [
        ("s://host", None, None, (("host", None),), ""),
        ("s://host:1/db?x=1", None, None, (("host", 1),), "db"),
        ("s://ann@host/a/b", "ann", None, (("host", None),), "a/b"),
        ("s://ann:p%40s%3As@host/d%20b", "ann", "p@s:s", (("host", None),), "d b"),
        ("s://:secret@host", "", "secret", (("host", None),), ""),
        ("s://a:1,b:2,c/db", None, None, (("a", 1), ("b", 2), ("c", None)), "db"),
        ("s://ann:x@[::1]:5432/db", "ann", "x", (("::1", 5432),), "db"),
        ("s://[fe80::1]", None, None, (("fe80::1", None),), ""),
        ("s:///db", None, None, (), "db"),
        ("s:", None, None, (), ""),
        ("s://ann:a@b@host", "ann", "a@b", (("host", None),), ""),
    ],
)
def test_a_url_tells_who_comes_where(
    text: str, user: str | None, password: str | None, hosts: tuple[tuple[str, int | None], ...], path: str
) -> None:
    place = Url.parse(text).place()
    assert (place.user, place.password, place.hosts, place.path) == (user, password, hosts, path)
    if password:
        assert password not in repr(place)


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "1.5", "٣"])
def test_a_port_is_a_number_that_ports_have(port: str) -> None:
    with pytest.raises(ConfigError, match="port"):
        Url.parse(f"s://host:{port}/db").place()


@pytest.mark.parametrize("sign", ["/", "?", "#", "/1", "@/", "?a=1&a=2&b="])
@pytest.mark.parametrize("first", ["hunter", "1234"])
@pytest.mark.parametrize("form", ["redis://ann:{}@host/0", "redis:ann:{}@host", "unknown:ann:{}@host"])
def test_a_password_that_was_not_encoded_is_not_shown(form: str, first: str, sign: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_keyvalue(form.format(f"{first}{sign}secret"))
    assert first not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_representation_and_no_error_shows_what_a_url_holds() -> None:
    text = "redis:ann:secret@host?password=secret&a=1"
    assert "secret" not in repr(Url.parse(text))
    for wrong in (f"{text}&a=2", f"un{text}", text.encode()):
        with pytest.raises(ConfigError) as caught:
            open_keyvalue(wrong)  # type: ignore[arg-type]
        assert "secret" not in str(caught.value)


def test_one_host_stands_in_for_what_is_absent_and_several_are_refused() -> None:
    assert Url.parse("s://").place().host(5432) == ("localhost", 5432)
    assert Url.parse("s://h").place().host(5432) == ("h", 5432)
    assert Url.parse("s://h:1").place().host(5432, "other") == ("h", 1)
    with pytest.raises(ConfigError, match="one host"):
        Url.parse("s://a,b").place().host(5432)


def test_a_whole_number_is_whole_and_large_enough() -> None:
    url = Url.parse("s://?pool=4&half=2.5&low=0&huge=inf&word=x")
    assert url.whole("pool", 10) == 4
    assert url.whole("absent", 10, least=1) == 10
    for name, least in (("half", 0), ("low", 1), ("huge", 0), ("word", 0)):
        with pytest.raises(ConfigError, match=name):
            url.whole(name, 1, least=least)
    url.done("pool")


@pytest.mark.parametrize("meant", [True, False])
@pytest.mark.parametrize("number", range(4))
def test_a_flag_is_yes_or_no(number: int, meant: bool) -> None:
    text = (("False", "no", "0", "OFF"), ("true", "YES", "1", "on"))[meant][number]
    assert Url.parse(f"s://?tls={text}").flag("tls", not meant) is meant


def test_a_flag_has_a_default_and_is_nothing_else() -> None:
    assert Url.parse("s://").flag("tls", True) is True
    for text in ("", "maybe", "2"):
        with pytest.raises(ConfigError, match="tls"):
            Url.parse(f"s://?tls={text}").flag("tls", True)


def test_an_option_that_nobody_took_is_refused_with_those_there_are() -> None:
    url = Url.parse("s://?a=1&b=2")
    url.take("a")
    with pytest.raises(ConfigError, match="no option b; it has: a, c"):
        url.done("a", "c")


# --------------------------------------------------------------------------------- files named by their path


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("notes.db", "notes.db"),
        ("./x/Notes.SQLite", "x/Notes.SQLite"),
        ("x/notes", "x/notes"),
        ("50%20 #1.db?durability=full", "50%20 #1.db"),
        (Path("what?.db"), "what?.db"),
        (Path("notes"), "notes"),
        ("~/notes.db", "home/notes.db"),
        ("x/a:b.db", "x/a:b.db"),
    ],
    ids=str,
)
def test_a_path_names_a_sqlite_file(
    given: str | Path, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder in ("x", "home"):
        (tmp_path / folder).mkdir()
    with Memory(given, embedder=None) as memory:
        memory.remember("Ana keeps bees")
    with Memory(tmp_path / file, embedder=None) as memory:
        assert memory.count() == 1


def test_the_name_of_a_store_in_memory_is_the_one_of_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Memory(":memory:", embedder=None) as memory:
        memory.remember("Ana keeps bees")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("notes", r"'./notes' or 'notes\.db'; known stores: .*sqlite"),
        ("sqlit:///notes.db", "did you mean 'sqlite'"),
        ("mysql://host/db", "known stores: .*postgresql"),
        ("no folder/notes.db", "no folder"),
        ("localhost:5432/db", "unknown scheme 'localhost'"),
        (b"notes.db", "not bytes"),
        ("\udc00\0.db", "cannot be the path"),
    ],
)
def test_a_name_that_is_neither_says_what_to_write(
    given: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=remedy):
        Memory(given, embedder=None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("BAAI/bge-small-en", "'sentence-transformers:BAAI/bge-small-en' .*'huggingface:BAAI/bge-small-en'"),
        ("text-embedding-3-small", "'openai:text-embedding-3-small'"),
        ("opnai:text-embedding-3-small", "did you mean 'openai'"),
    ],
)
def test_a_model_without_its_service_is_answered_with_the_right_form(given: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy):
        Memory("memory://", embedder=given)
