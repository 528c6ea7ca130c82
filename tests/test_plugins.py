"""Names of parts that cannot be opened say what to do, and installed plugins are found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from memwell import ConfigError, Memory, registry
from memwell.registry import Url, known, open_embedder, open_index, open_keyvalue, open_log, open_store

OPENERS = [open_store, open_index, open_embedder, open_keyvalue, open_log]
PLUGIN = """
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.backends.memory.store import MemoryStore

class Shelf(MemoryStore):
    @classmethod
    def from_url(cls, url):
        shelf = cls()
        shelf.size = url.number("size", 1)
        url.done("size")
        return shelf

class Needy(Shelf):
    @classmethod
    def from_url(cls, url):
        import package_of_the_plugin

class Clumsy(Shelf):
    @classmethod
    def from_url(cls, url):
        raise RuntimeError(f"cannot log in at {url.text}")

class NoUrl(MemoryStore):
    from_url = None

class NoStore(MemoryKeyValue):
    @classmethod
    def from_url(cls, url):
        return cls()
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings stores."""
    (tmp_path / "shelf_plugin.py").write_text(PLUGIN)
    (tmp_path / "unreadable_plugin.py").write_text("def (:")
    metadata = tmp_path / "shelf_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[memwell.stores]\n"
        "shelf = shelf_plugin:Shelf\n"
        "wrong = shelf_plugin:NoStore\n"
        "broken = shelf_that_is_not_there:Shelf\n"
        "memory = shelf_plugin:Shelf\n"
        "Cupboard = shelf_plugin:Shelf\n"
        "needy = shelf_plugin:Needy\n"
        "clumsy = shelf_plugin:Clumsy\n"
        "nourl = shelf_plugin:NoUrl\n"
        "renamed = shelf_plugin:Drawer\n"
        "unreadable = unreadable_plugin:Shelf\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugin")
def test_a_plugin_is_opened_by_its_scheme() -> None:
    store: Any = open_store("shelf://?size=3")
    assert (type(store).__name__, store.size) == ("Shelf", 3)
    assert "shelf" in known("stores")
    with Memory("shelf://", embedder=None) as memory:
        assert memory.remember("tea").version == 1
    with pytest.raises(ConfigError, match="shelf has no option colour; it has: size"):
        open_store("shelf://?colour=red")


@pytest.mark.usefixtures("plugin")
def test_a_plugin_cannot_take_the_place_of_a_part_of_ours() -> None:
    assert type(open_store("memory://")).__name__ == "MemoryStore"


@pytest.mark.usefixtures("plugin")
def test_a_plugin_that_does_not_fit_is_reported() -> None:
    with pytest.raises(ConfigError, match="NoStore, which is not a Store"):
        open_store("wrong://")
    with pytest.raises(ConfigError, match="shelf_that_is_not_there"):
        open_store("broken://")


@pytest.mark.usefixtures("plugin")
def test_a_scheme_is_found_however_the_plugin_writes_it() -> None:
    for name in ("Cupboard://", "cupboard://"):
        assert type(open_store(name)).__name__ == "Shelf"


@pytest.mark.usefixtures("plugin")
def test_a_package_that_a_plugin_misses_is_not_taken_for_ours() -> None:
    with pytest.raises(ConfigError, match="package_of_the_plugin") as caught:
        open_store("needy://")
    assert "pip install" not in str(caught.value)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("scheme", ["clumsy", "nourl", "renamed", "unreadable"])
def test_a_plugin_that_fails_is_named_and_tells_no_password(scheme: str) -> None:
    with pytest.raises(ConfigError, match=r"the plugin (shelf|unreadable)_plugin:") as caught:
        open_store(f"{scheme}://ann:secret@host")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: opener.__name__)
def test_an_unknown_scheme_tells_the_known_ones(opener: Any) -> None:
    with pytest.raises(ConfigError, match=r"unknown scheme 'nosuch'.*known \w+: .*\w") as caught:
        opener("nosuch://host/x")
    assert "memory" in str(caught.value) or "exact" in str(caught.value) or "hashing" in str(caught.value)


@pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: opener.__name__)
@pytest.mark.parametrize("name", ["", None, 7, b"memory://"], ids=str)
def test_a_name_is_a_text(opener: Any, name: Any) -> None:
    with pytest.raises(ConfigError, match="is named by a text such as"):
        opener(name)


@pytest.mark.parametrize("url", ["memory://?size=3", "sqlite://?colour=red&size=3", "memory://?a=1&a=2"])
def test_bad_options_are_named(url: str) -> None:
    with pytest.raises(ConfigError, match=r"has no option|given twice"):
        open_store(url)


def test_a_missing_package_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**registry.TABLE, "stores": {"far": ("package_that_is_not_there.store:Far", "far")}}
    monkeypatch.setattr(registry, "TABLE", table)
    with pytest.raises(ConfigError, match=r"package_that_is_not_there.*pip install 'memwell\[far\]'"):
        open_store("far://")


def test_a_package_that_is_missed_only_when_the_part_is_made_is_reported_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"torch.*pip install 'memwell\[sentence-transformers\]'"):
        open_embedder("sentence-transformers")


@pytest.mark.parametrize("url", ["nosuch://ann:secret@host/x", "sqlite://ann:secret@host/x"])
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert "host" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "scheme", "rest", "options"),
    [
        ("hashing", "hashing", "", {}),
        ("hashing:?dimension=64", "hashing", "", {"dimension": "64"}),
        ("openai:text-embedding-3-small", "openai", "text-embedding-3-small", {}),
        ("SQLITE:///a%20b.db?x=1%2B1&y=", "sqlite", "/a b.db", {"x": "1+1", "y": ""}),
        ("sqlite:////abs/ż.db", "sqlite", "//abs/ż.db", {}),
        ("memory://", "memory", "", {}),
    ],
)
def test_a_url_is_taken_apart(text: str, scheme: str, rest: str, options: dict[str, str]) -> None:
    url = Url.parse(text)
    assert (url.scheme, url.rest, url.options) == (scheme, rest, options)


@pytest.mark.parametrize("given", [7, 1.5, ["hashing"]], ids=str)
def test_what_cannot_be_made_an_embedder_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError):
        Memory("memory://", embedder=given)


def test_a_cache_without_an_embedder_is_refused() -> None:
    with pytest.raises(ConfigError, match="no embedder"):
        Memory("memory://", embedder=None, cache="memory://")
