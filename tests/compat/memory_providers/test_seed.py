"""SPEC-020's blocks: its test runs, with the import root alone changed; what its listings define is here, alike."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.compat.listings import blocks, listed, parameters

from memwell.compat import memory_providers
from memwell.compat.memory_providers import MemoryConfig, MemoryProviderType, MemoryRecord, api

BLOCKS = blocks(Path(__file__).with_name("seed_blocks.md"))


def test_the_test_of_the_document_runs() -> None:
    """Without its marker, which belongs to a plugin of pytest."""
    code = BLOCKS[-1].replace("server.memory_providers", "memwell.compat.memory_providers")
    names: dict[str, Any] = {}
    exec(compile(code.replace("@pytest.mark.asyncio\n", ""), "test of the document", "exec"), names)
    asyncio.run(names["test_memory_provider_interface"]())


def test_every_class_of_the_listings_is_here_with_its_methods_and_their_parameters() -> None:
    compared = 0
    for owner, method, names in (found for block in BLOCKS for found in listed(block)):
        here = getattr(getattr(memory_providers, owner), method)
        assert parameters(here)[: len(names)] == names, f"{owner}.{method}"
        compared += 1
    assert compared == 18


def test_records_settings_types_and_routes_are_those_of_the_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "MEMORY_PROVIDER",
        "MEM0_BASE_URL",
        "MEMORY_RECALL_LIMIT",
        "EMBEDDING_MODEL",
        "DATABASE_URL",
    ):
        monkeypatch.delenv(variable, raising=False)
    classes = {
        node.name: node
        for block in BLOCKS
        for node in ast.parse(block).body
        if isinstance(node, ast.ClassDef)
    }
    fields = [
        ast.unparse(one.target) for one in classes["MemoryRecord"].body if isinstance(one, ast.AnnAssign)
    ]
    assert list(MemoryRecord.model_fields) == fields
    config: dict[str, Any] = {}
    exec(compile(BLOCKS[6], "configuration", "exec"), config)
    for name, value in vars(config["MemoryConfig"]).items():
        if name.isupper():
            assert getattr(MemoryConfig, name) == value, name
    types: dict[str, Any] = {}
    exec("from enum import Enum\n" + ast.unparse(classes["MemoryProviderType"]), types)
    for one in types["MemoryProviderType"]:
        assert MemoryProviderType[one.name].value == one.value
    decorated = [
        ast.unparse(one.decorator_list[0])
        for one in ast.parse(BLOCKS[5]).body
        if getattr(one, "decorator_list", [])
    ]
    here = {(method.lower(), route.path) for route in api.router.routes for method in route.methods}  # type: ignore[attr-defined]
    for text in decorated:
        method, path = text.removeprefix("router.").rstrip(")").split("(")
        assert (method, "/memory" + path.strip("'")) in here
    assert len(decorated) == 3
