"""Write the generated parts of README.md and docs/ anew, or with `--check` tell which are out of date.

A part stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`; NAME is a key of `PARTS`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PART = re.compile(r"(<!-- begin: ([\w-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
STORES = (
    "memory://",
    "sqlite:///{folder}/store.db",
    "postgresql://localhost/db",
    "redis://localhost?durable=true",
)
INDEXES = {
    "exact": "exact:///{folder}/points",
    "faiss": "faiss:///{folder}/points.faiss",
    "qdrant": "qdrant://localhost",
    "qdrant folder": "qdrant:///{folder}/qdrant",
    "qdrant-edge": "qdrant-edge:///{folder}/edge",
    "chroma": "chroma://localhost",
    "chroma folder": "chroma:///{folder}/chroma",
    "pinecone": "pinecone://localhost",
    "weaviate": "weaviate://localhost",
    "elasticsearch": "elasticsearch://localhost",
}
SMALL = {"embedders": "embedder", "keyvalue": "key-value", "logs": "log"}
PROOFS = {"service": "the real thing", "wire": "its protocol"}
"""What `Port.proof` says, for readers."""


def errors() -> str:
    """The error tree, as its module draws it."""
    doc = inspect.getdoc(importlib.import_module("memwell.errors")) or ""
    tree = [line[4:] for line in doc.splitlines() if line.startswith("    ")]
    return "\n".join(["```text", *tree, "```"])


def field_docs(owner: type) -> dict[str, str]:
    """The strings beneath the fields of a dataclass."""
    body = ast.parse(inspect.getsource(owner)).body[0]
    found = {}
    for field, below in pairwise(getattr(body, "body", [])):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            found[ast.unparse(field.target)] = " ".join(ast.literal_eval(below.value).split())
    return found


def filters() -> str:
    """The grammar and meaning of filters, from the module's docstring."""
    doc = inspect.getdoc(importlib.import_module("memwell.filters")) or ""
    return re.sub(
        r"::\n\n((?:    .*\n)+)", lambda m: ":\n\n```text\n" + re.sub("(?m)^    ", "", m[1]) + "```\n", doc
    )


def postgres_options() -> str:
    """The options of a PostgreSQL URL, as the package's docstring lists them."""
    doc = inspect.getdoc(importlib.import_module("memwell.backends.postgres")) or ""
    return "\n".join(f"- {' '.join(point.split())}" for point in re.findall(r"(?m)^- (.+(?:\n  .+)*)", doc))


def record() -> str:
    """The fields of a record."""
    owner = importlib.import_module("memwell.types").Record
    docs = field_docs(owner)
    rows = []
    for field in fields(owner):
        kind = str(field.type).replace("|", "\\|")
        rows.append(f"| `{field.name}` | `{kind}` | {docs.get(field.name, '')} |")
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def capabilities() -> str:
    """What each store promises, read from the flags of an instance."""
    modules = importlib.import_module("memwell.capabilities"), importlib.import_module("memwell.registry")
    with tempfile.TemporaryDirectory() as folder:
        stores = {url.partition(":")[0]: modules[1].open_store(url.format(folder=folder)) for url in STORES}
    return _promises(modules[0].Capabilities, stores)


def index_capabilities() -> str:
    """What each vector index promises, read from the flags of an instance."""
    modules = importlib.import_module("memwell.capabilities"), importlib.import_module("memwell.registry")
    os.environ.setdefault("PINECONE_API_KEY", "none")  # nothing is asked
    with tempfile.TemporaryDirectory() as folder:
        indexes = {
            name: modules[1].open_index(f"{url.format(folder=folder)}?dimension=8")
            for name, url in INDEXES.items()
        }
    return _promises(modules[0].IndexCapabilities, indexes)


def small_parts() -> str:
    """The other parts, and how each is proved."""
    registry = importlib.import_module("memwell.registry")
    rows = ["| part | names | proved against |", "|---|---|---|"]
    for kind, shown in SMALL.items():
        found: dict[str, list[str]] = {}
        for name in registry.TABLE[kind]:
            found.setdefault(PROOFS[registry._class(kind, name).proof], []).append(f"`{name}`")
        rows += [f"| {shown} | {', '.join(names)} | {proof} |" for proof, names in found.items()]
    return "\n".join(rows)


def _promises(owner: type, parts: Mapping[str, Any]) -> str:
    """A table of flags, one column a part, and how each is proved."""
    docs = field_docs(owner)
    rows = [f"| promise | {' | '.join(parts)} |", "|---|" + ":-:|" * len(parts)]
    for field in fields(owner):
        marks = ["✓" if getattr(each.capabilities, field.name) else "–" for each in parts.values()]
        if "✓" in marks:
            rows.append(f"| {docs[field.name]} | {' | '.join(marks)} |")
    proofs = [PROOFS[part.proof] for part in parts.values()]
    return "\n".join([*rows, f"| The suites run against | {' | '.join(proofs)} |"])


def folder_store() -> str:
    """The example of a plugin, whole."""
    code = (ROOT / "examples" / "plugin" / "memwell_folder.py").read_text("utf-8")
    return f"```python\n{code}```"


def commands() -> str:
    """Every command with its arguments and options; those that all commands have stand in `shared-options`."""
    from typer.main import get_command

    root: Any = get_command(importlib.import_module("memwell.cli").app)
    return "\n\n".join(_command(f"memwell {name}", one) for name, one in sorted(_leaves(root)))


def shared_options() -> str:
    """The options that every command has."""
    from typer.main import get_command

    root: Any = get_command(importlib.import_module("memwell.cli").app)
    rows = [_row(p) for p in root.params if not _left_out(p)]
    return "\n".join(["| option | |", "|---|---|", *rows])


def exit_codes() -> str:
    """What the process returns."""
    meanings = importlib.import_module("memwell.cli.failures").MEANINGS
    return "\n".join(
        ["| code | meaning |", "|--:|---|", *(f"| {int(c)} | {m} |" for c, m in meanings.items())]
    )


def settings() -> str:
    """The variables of the environment."""
    config = importlib.import_module("memwell.config")
    docs = field_docs(config.Settings)
    rows = [f"| `{config.PREFIX}{name.upper()}` | {docs[name]} |" for name in config.names()]
    return "\n".join(["| variable | meaning |", "|---|---|", *rows])


def _leaves(group: Any, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, one in group.commands.items():
        if not one.hidden:
            found += _leaves(one, f"{prefix}{name} ") if hasattr(one, "commands") else [(prefix + name, one)]
    return found


def _command(name: str, command: Any) -> str:
    shared = set(importlib.import_module("memwell.cli.shared").SHARED)
    own = [p for p in command.params if p.name not in shared and not _left_out(p)]
    arguments = [p.metavar or p.name.upper() for p in own if p.param_type_name == "argument"]
    rows = [_row(p) for p in own]
    table = ["", "| | |", "|---|---|", *rows] if rows else []
    return "\n".join(
        [f"### `{' '.join([name, *arguments])}`", "", " ".join((command.help or "").split()), *table]
    )


def _left_out(parameter: Any) -> bool:
    return getattr(parameter, "hidden", False) or "--help" in parameter.opts


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        label = parameter.metavar or parameter.name.upper()
    else:
        takes = "" if parameter.is_flag or not parameter.metavar else f" {parameter.metavar}"
        label = ", ".join([*parameter.opts, *parameter.secondary_opts]) + takes
    text = " ".join((parameter.help or "").split())
    default = parameter.default
    if (
        parameter.param_type_name == "option"
        and default not in (None, "")
        and not isinstance(default, bool | list)
    ):
        text += f" Default: `{default}`."
    return f"| `{label.replace('|', chr(92) + '|')}` | {text.replace('|', chr(92) + '|')} |"


PARTS: dict[str, Callable[[], str]] = {
    "capabilities": capabilities,
    "commands": commands,
    "errors": errors,
    "exit-codes": exit_codes,
    "filters": filters,
    "index-capabilities": index_capabilities,
    "small-parts": small_parts,
    "folder-store": folder_store,
    "postgres-options": postgres_options,
    "record": record,
    "settings": settings,
    "shared-options": shared_options,
}


def renewed(text: str) -> str:
    """The page with every generated part written anew."""
    return PART.sub(lambda m: f"{m[1]}{PARTS[m[2]]()}\n{m[3]}", text)


def main() -> int:
    """Write what differs; with `--check` write nothing and return 1 if something does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a part is out of date")
    check = parser.parse_args().check
    stale = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        old = page.read_text("utf-8")
        if (new := renewed(old)) != old:
            stale += 1
            what = "is out of date; run `make docs`" if check else "was written anew"
            sys.stdout.write(f"{page.relative_to(ROOT)} {what}\n")
            if not check:
                page.write_text(new, "utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
