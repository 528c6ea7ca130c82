"""Reading the code blocks of another layer's document, and comparing what they list with what is here."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def blocks(page: Path) -> list[str]:
    """The Python blocks of a page, in its order."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def listed(code: str) -> Iterator[tuple[str, str, list[str]]]:
    """Class, public method (or `__init__`), and its parameters, of every class that a block writes out."""
    for owner in ast.parse(code).body:
        if isinstance(owner, ast.ClassDef):
            for method in owner.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and (
                    method.name == "__init__" or not method.name.startswith("_")
                ):
                    names = [argument.arg for argument in method.args.args]
                    yield owner.name, method.name, [name for name in names if name not in ("self", "cls")]


def parameters(method: Any) -> list[str]:
    """The parameters of a method that is here."""
    return [name for name in inspect.signature(method).parameters if name not in ("self", "cls")]
