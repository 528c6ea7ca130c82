"""The blocks of the Memory Driver System's document run, with the import root alone changed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compat.listings import blocks, listed, parameters

from memwell.compat.memory_drivers import BaseMemoryDriver, MemoryDriverManager

SETTINGS, USE, SWITCH, INTERFACE, OWN, REGISTER, _BEFORE, AFTER = blocks(
    Path(__file__).with_name("seed_blocks.md")
)


@pytest.fixture(autouse=True)
def driver(monkeypatch: pytest.MonkeyPatch, postgres_url: str, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MemoryDriverManager, "_drivers", {})
    monkeypatch.setenv("MEMORY_DRIVER", "sqlite")
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    yield
    MemoryDriverManager.reset_cache()


def ran(code: str, **given: Any) -> dict[str, Any]:
    names = {"os": __import__("os"), **given}
    text = textwrap.dedent(code).replace("app.core.memory", "memwell.compat.memory_drivers")
    exec(compile(text, "document", "exec"), names)
    return names


def test_use_switching_and_settings() -> None:
    assert ran(SETTINGS)["Settings"].MEMORY_DRIVER == "sqlite"
    assert ran(USE)["status"]["status"] == "healthy"
    found = ran(AFTER.replace('"123"', '"user123"').replace('"test"', '"hello"'))["memories"]
    assert [one["memory"]["content"] for one in found] == ["User said hello"]
    assert ran(SWITCH)["driver"].health_check()["driver"] == "pgvector"
    assert ran(AFTER)["driver"].health_check()["driver"] == "pgvector"


def test_the_interface_is_that_of_the_listing_and_an_own_driver_is_registered() -> None:
    compared = {
        method: parameters(getattr(BaseMemoryDriver, method)) == names
        for _, method, names in listed(INTERFACE)
    }
    assert len(compared) == 6
    assert all(compared.values()), compared
    own = ran(OWN)["MyCustomDriver"]
    ran(REGISTER.replace("from .my_custom_driver import MyCustomDriver\n", ""), MyCustomDriver=own)
    assert "custom" in MemoryDriverManager.get_available_drivers()
