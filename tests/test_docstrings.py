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
    r"abreast|anew|beforehand|by\s+and\s+by|gears?|hitherto|hopeless|polite|thereafter|told|whoever|"
    r"(?<![`\"'=])(?:nobody|somebody)(?![`\"'])|"
    r"as\s+(?:it\s+stands|they\s+stand)|carried\s+out|handed\s+in|in\s+peace|lets?\s+go|of\s+its\s+own\s+accord|"
    r"of\s+one's\s+own|so\s+many|stands?\s+(?:alone|apart|beside|for)|who\s+is\s+asked|"
    r"leaves?\s+\S+\s+away|(?<![Tt]here )is\s+no\s+(?!longer|more|need|such)"
    r")(?![A-Za-z])"
)
"""Words and phrases of our old private English, in names, docstrings, comments and messages. Say it plainly instead:
*up to date* for abreast, *again* for anew, *mode* for gear, *described* or *payload* for told, *passed* for handed in,
*is not a* for is no, *done* for carried out, *at most 5* for at most so many."""
PRIVATE_NAMES = re.compile(
    r"(?:^|_)(?:abreast|anew|gears?|geared|hopeless|told|whoever|polite)(?=_|$)", re.IGNORECASE
)
"""The words that no test's function, class, argument or variable may use either."""


def private_words() -> Iterator[str]:
    """Places with a private word: sources, tools and pages."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    tools = [*sorted((ROOT / "benchmarks").rglob("*.py")), *sorted((ROOT / "scripts").rglob("*.py"))]
    for path in [*FILES, *tools, *pages]:
        text = path.read_text("utf-8")
        for match in PRIVATE_WORDS.finditer(text):
            yield f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1} {match[0]!r}"


def private_names() -> Iterator[str]:
    """Places where a test defines a name with a private word."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    pass
                case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                    pass
                case _:
                    continue
            if PRIVATE_NAMES.search(name):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {name}"


def test_our_old_private_words_do_not_come_back() -> None:
    found = [*private_words(), *private_names()]
    assert not found, "say it in plain English (see PRIVATE_WORDS):\n" + "\n".join(found)
