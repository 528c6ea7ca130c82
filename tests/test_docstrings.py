"""Every public name is documented, and `__all__` tells the truth."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

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


def test_every_public_name_has_a_docstring() -> None:
    bare: list[str] = []
    for path in FILES:
        tree = ast.parse(path.read_text("utf-8"))
        named = [("the module", tree), *public(tree)]
        bare += [f"{name_of(path)}: {name}" for name, node in named if not ast.get_docstring(node)]
    assert not bare


def order(name: str) -> tuple[int, list[int | str]]:
    """Constants, classes (a single capital too), then the rest, numbers by size; the order of ruff's RUF022."""
    rank = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return rank, [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", name)]


def test_all_is_sorted_and_true() -> None:
    wrong: list[str] = []
    for path in FILES:
        module = importlib.import_module(name_of(path))
        names = getattr(module, "__all__", None)
        if names is None:
            if path.name not in ("__init__.py", "__main__.py"):
                wrong.append(f"{name_of(path)} has no __all__")
            continue
        if list(names) != sorted(set(names), key=order):
            wrong.append(f"{name_of(path)}: __all__ is not sorted")
        wrong += [f"{name_of(path)}: no {name}" for name in names if not hasattr(module, name)]
    assert not wrong


# ------------------------------------------------------------------------------------------- plain English

ROOT = Path(__file__).parents[1]
PRIVATE_WORDS = re.compile(
    r"(?<![A-Za-z])("
    r"abreast|anew|gears?|hopeless|told|whoever|"
    r"(?<![`\"'=])(?:nobody|somebody)(?![`\"'])|"
    r"handed\s+in|in\s+peace|lets?\s+go|stands\s+for|of\s+its\s+own\s+accord|as\s+it\s+stands|who\s+is\s+asked|"
    r"leaves?\s+\S+\s+away|(?<![Tt]here )is\s+no\s+(?!longer|more|need|such)"
    r")(?![A-Za-z])"
)
"""Words and phrases of our old private English, in names, docstrings, comments and messages. Say it plainly instead:
*up to date* for abreast, *again* for anew, *mode* for gear, *described* or *payload* for told, *passed* for handed in,
*is not a* for is no."""
TO_CLEAN = {
    "_bridge": 3,
    "_forks": 2,
    "backends": 3,
    "backends/memory": 3,
    "backends/postgres": 54,
    "backends/redis": 74,
    "backends/sqlite": 11,
    "config": 1,
    "docs/architecture.md": 3,
    "docs/benchmarks.md": 1,
    "docs/postgresql.md": 4,
    "docs/redis.md": 3,
    "docs/writing-and-changing.md": 1,
    "embedders/local": 3,
    "engine": 7,
    "followers": 11,
    "followers/index_projection": 2,
    "indexes/filtering": 3,
    "memory": 2,
    "ports": 1,
    "ports/store": 6,
    "records": 5,
    "registry": 2,
    "sync": 2,
    "testing/services": 16,
    "types": 2,
    "urls": 2,
    "wrappers": 19,
}
"""Room or page → number of places that are left. Lower the number as you clean; it never grows."""


def room_of(path: Path) -> str:
    """`src/memwell/backends/redis/store/rows.py` → `backends/redis`; a page of the docs is a room by itself."""
    if path.is_relative_to(SOURCE):
        parts = path.relative_to(SOURCE / "memwell").with_suffix("").parts
        return "/".join(parts[:2] if len(parts) > 2 else parts[:1])
    return str(path.relative_to(ROOT))


def private_words() -> dict[str, list[str]]:
    """Room → places with a private word."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found: dict[str, list[str]] = {}
    tools = [*sorted((ROOT / "benchmarks").rglob("*.py")), *sorted((ROOT / "scripts").rglob("*.py"))]
    for path in [*FILES, *tools, *pages]:
        text = path.read_text("utf-8")
        for match in PRIVATE_WORDS.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.setdefault(room_of(path), []).append(f"{path.relative_to(ROOT)}:{line} {match[0]!r}")
    return found


def test_our_old_private_words_do_not_come_back() -> None:
    found = private_words()
    more = [
        place for room, places in found.items() if len(places) > TO_CLEAN.get(room, 0) for place in places
    ]
    assert not more, "say it in plain English (see PRIVATE_WORDS):\n" + "\n".join(more)
