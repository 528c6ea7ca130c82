"""The import roots of other layers lead to `memwell.compat`, once the program asks for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import memwell.filters
from memwell import compat
from memwell.errors import ConfigError


@pytest.fixture(autouse=True)
def roots(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(compat, "ROOTS", {"theirs": "memwell.filters", "their.own.part": "memwell.filters"})
    yield
    compat.uninstall()


def test_a_root_is_the_very_module_that_stands_behind_it() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("theirs")
    compat.install()
    compat.install("theirs")
    for root in ("theirs", "their.own.part"):
        assert importlib.import_module(root) is memwell.filters
        inner = importlib.import_module(f"{root}.parsing")
        assert inner is importlib.import_module("memwell.filters.parsing")
        with pytest.raises(ModuleNotFoundError, match="nowhere"):
            importlib.import_module(f"{root}.nowhere")
    assert memwell.filters.__spec__ is not None
    assert memwell.filters.__spec__.name == "memwell.filters"
    compat.uninstall()
    for root in ("theirs", "their", "their.own.part"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(root)


def test_packages_of_the_program_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their").mkdir()
    (tmp_path / "their" / "__init__.py").write_text("mine = True\n")
    (tmp_path / "their" / "other.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    compat.install("their.own.part")
    assert importlib.import_module("their").mine
    assert importlib.import_module("their.other").mine
    assert importlib.import_module("their.own.part") is memwell.filters
    for name in ("their", "their.other"):
        del sys.modules[name]


def test_an_unknown_root_and_one_in_use_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"'them' is no import root .* known are theirs, their\.own\.part"):
        compat.install("them")
    (tmp_path / "theirs.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("theirs")
    with pytest.raises(ConfigError, match="'theirs' is already imported from"):
        compat.install("theirs")
    del sys.modules["theirs"]


def test_every_root_leads_to_an_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    compat.install()
    for root, target in compat.ROOTS.items():
        assert importlib.import_module(root).__name__ == target
