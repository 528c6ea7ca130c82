"""Every public name is documented, and `__all__` tells the truth."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
FILES = sorted(SOURCE.rglob("*.py"))
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def public(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Public definitions of a module and of its public classes; tests of the suites speak by their names."""
    for child in getattr(node, "body", []):
        if isinstance(child, ast.If | ast.Try):
            yield from public(child, prefix)
        if not isinstance(child, Definition) or child.name.startswith(("_", "test_")):
            continue
        decorators = {ast.unparse(d).split(".")[-1] for d in child.decorator_list}
        if not decorators & {"overload", "setter", "override"}:
            yield f"{prefix}{child.name}", child
        if isinstance(child, ast.ClassDef):
            yield from public(child, f"{prefix}{child.name}.")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_public_name_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{path.name} does not say what it is for"
    bare = [f"{path.name}:{node.lineno} {name}" for name, node in public(tree) if not ast.get_docstring(node)]
    assert not bare


def order(name: str) -> tuple[int, list[int | str]]:
    """Constants, classes (a single capital too), then the rest, numbers by size; the order of ruff's RUF022."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return rank, [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", name)]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_all_is_sorted_and_true(path: Path) -> None:
    module = importlib.import_module(name_of(path))
    names = getattr(module, "__all__", None)
    if names is None:
        assert path.name in ("__init__.py", "__main__.py"), f"{path.name} has no __all__"
        return
    assert list(names) == sorted(set(names), key=order)
    assert not [name for name in names if not hasattr(module, name)]
