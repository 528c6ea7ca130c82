"""Write the generated parts of README.md and docs/, or with `--check` say which are out of date.

A part stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`; NAME is a key of `PARTS`. The docstrings of
`Memory` are a generated part, too: they are those of `AsyncMemory`.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "memwell"
PART = re.compile(r"(<!-- begin: ([\w-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
STORES = (
    "memory://",
    "sqlite:///{folder}/store.db",
    "postgresql://localhost/db",
    "redis://localhost?durable=true",
    "mem0+https://api.mem0.ai",
    "automem+http://localhost:8001",
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
SMALL = {"embedders": "embedder", "rerankers": "reranker", "keyvalue": "key-value", "logs": "log"}
PROOFS = {"service": "the real thing", "wire": "its protocol", "none": "nothing: it was not run here"}
"""What `Port.proof` means, for readers."""


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
        stores = {
            re.split(r"[:+]", url)[0]: modules[1].open_store(url.format(folder=folder)) for url in STORES
        }
        with closing(stores):
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
        with closing(indexes):
            return _promises(modules[0].IndexCapabilities, indexes)


def small_parts() -> str:
    """The other parts, and what each is tested against."""
    registry = importlib.import_module("memwell.registry")
    rows = ["| part | names | tested against |", "|---|---|---|"]
    for kind, shown in SMALL.items():
        found: dict[str, list[str]] = {}
        for name in registry.TABLE[kind]:
            found.setdefault(PROOFS[registry._class(kind, name).proof], []).append(f"`{name}`")
        rows += [f"| {shown} | {', '.join(names)} | {proof} |" for proof, names in found.items()]
    return "\n".join(rows)


@contextmanager
def closing(parts: Mapping[str, Any]) -> Iterator[None]:
    """Close the parts in the end."""
    yield
    run = importlib.import_module("memwell.testing").run
    for part in parts.values():
        run(part, part.close())


def _promises(owner: type, parts: Mapping[str, Any]) -> str:
    """A table of flags with a column per part, and what each part is tested against."""
    docs = field_docs(owner)
    rows = [f"| promise | {' | '.join(parts)} |", "|---|" + ":-:|" * len(parts)]
    for field in fields(owner):
        marks = ["✓" if getattr(each.capabilities, field.name) else "–" for each in parts.values()]
        if "✓" in marks:
            rows.append(f"| {docs[field.name]} | {' | '.join(marks)} |")
    proofs = [PROOFS[part.proof] for part in parts.values()]
    return "\n".join([*rows, f"| The suites run against | {' | '.join(proofs)} |"])


def folder_store() -> str:
    """The example plugin."""
    code = (ROOT / "examples" / "plugin" / "memwell_folder.py").read_text("utf-8")
    return f"```python\n{code}```"


def small_store() -> str:
    """The smallest store."""
    code = (ROOT / "examples" / "small_store.py").read_text("utf-8")
    return f"```python\n{code}```"


def commands() -> str:
    """Every command with its arguments and options, without the `shared-options`."""
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


def seed_capabilities() -> str:
    """What other layers promise, and what shows it here."""
    sys.path.insert(0, str(ROOT / "scripts"))
    return str(importlib.import_module("seed_capabilities").table())


def speed(table: str) -> str:
    """What `python -m benchmarks.speed --docs` measured."""
    sys.path.insert(0, str(ROOT))
    return str(importlib.import_module("benchmarks.speed.results").tables(table))


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
    "seed-capabilities": seed_capabilities,
    "settings": settings,
    "shared-options": shared_options,
    "small-store": small_store,
    **{f"{table}-table": partial(speed, table) for table in ("speed", "postgres", "ports", "management")},
}


def renewed(text: str) -> str:
    """The page with every generated part as it is now."""
    return PART.sub(lambda m: f"{m[1]}{PARTS[m[2]]()}\n{m[3]}", text)


def _docstrings(source: str, owner: str) -> dict[str, ast.expr]:
    """Method → its docstring in the source. Overloads have none."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    body = next(node for node in classes if node.name == owner).body
    methods = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [node for node in methods if ast.get_docstring(node) and not node.name.startswith("_")]
    return {node.name: node.body[0].value for node in found if isinstance(node.body[0], ast.Expr)}


def with_docstrings(sync: str, model: str, owner: str) -> str:
    """The module of the class `owner` with the docstrings of `Async…`, which stands in `model`."""
    wanted = _docstrings(model, f"Async{owner}")
    lines = sync.splitlines(keepends=True)
    stale = sorted(_docstrings(sync, owner).items(), key=lambda item: -item[1].lineno)
    for name, old in stale:
        new = wanted[name]
        text = model.splitlines(keepends=True)[new.lineno - 1 : new.end_lineno]
        lines[old.lineno - 1 : old.end_lineno] = text
    return "".join(lines)


def main() -> int:
    """Write what differs; with `--check` write nothing and return 1 if something does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a part is out of date")
    check = parser.parse_args().check
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    sources: dict[Path, Callable[[str], str]] = dict.fromkeys(pages, renewed)
    model = (SOURCE / "memory.py").read_text("utf-8")
    sources[SOURCE / "sync.py"] = lambda text: with_docstrings(text, model, "Memory")
    for path in sorted((SOURCE / "faces").glob("[!_b]*.py")):
        owner = path.stem.capitalize()
        sources[path] = lambda text, owner=owner: with_docstrings(text, text, owner)  # type: ignore[misc]
    stale = 0
    for path, renew in sources.items():
        old = path.read_text("utf-8")
        if (new := renew(old)) != old:
            stale += 1
            what = "is out of date; run `make docs`" if check else "is written"
            sys.stdout.write(f"{path.relative_to(ROOT)} {what}\n")
            if not check:
                path.write_text(new, "utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
