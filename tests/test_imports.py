"""The import rule: nothing imports what stands above it, adapters keep apart, importing costs little."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PORTS = {"Store", "VectorIndex", "Embedder", "Reranker", "KeyValue", "Log"}
ROOMS = (
    {
        "types",
        "values",
        "hits",
        "errors",
        "capabilities",
        "frozen",
        "fields",
        "sealed",
        "_dataclasses",
        "_forks",
        "_lazy",
        "_patterns",
    },
    {"filters", "masking", "_bridge", "_turns", "_workers"},
    {"ports", "events", "config"},
    {"records", "network", "urls", "resilience", "importers"},
    {"retrieval", "registry"},
    {"followers", "coordination", "security"},
    {"backends", "indexes", "embedders", "rerankers", "wrappers"},
    {"engine", "faces", "scoped", "memory", "policies", "runs"},
    {"sync"},
    {"cli", "testing", "__main__", "compat", "server", "mcp", "web", "integrations", "client"},
)
"""Every module and package directly under `memwell`, from the bottom up. Nothing imports what stands above it."""
PURE, ADAPTERS, ENGINE, EDGES = 5, 6, 7, 9
ASSEMBLY = "memwell.engine.assembly"
SHARED = {
    "memwell.backends.remote",
    "memwell.backends.sharing",
    "memwell.backends.sql",
    "memwell.embedders.remote",
    "memwell.indexes.filtering",
    "memwell.indexes.in_process",
    "memwell.wrappers.base",
}
"""Bases and helpers of adapters: what others beside them may import."""


@dataclass(frozen=True)
class Import:
    source: str
    target: str
    line: int
    lazy: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


@cache
def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for name, tree in modules().items() for found in _imports(name, tree, lazy=False))


def _imports(module: str, node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    """Imports that can run; those under `if TYPE_CHECKING` never do."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(module, alias.name, child.lineno, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"{module}:{child.lineno} imports relatively"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                target = inner if inner in modules() else child.module or ""
                yield Import(module, target, child.lineno, lazy)
        else:
            inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(module, child, lazy=inside)


def room(module: str) -> str:
    """The module or package directly under `memwell`; empty for the package's front page."""
    return module.split(".")[1] if "." in module else ""


def floor(module: str) -> int:
    return next(floor for floor, rooms in enumerate(ROOMS) if room(module) in rooms)


def ours() -> list[Import]:
    """Imports between our own modules, the front page left out."""
    return [i for i in imports() if i.target.startswith("memwell.") and i.source != "memwell"]


def test_every_room_is_placed() -> None:
    placed = set().union(*ROOMS)
    assert {room(module) for module in modules()} - {""} <= placed, (
        "place it in ROOMS, as low as it can stand"
    )


def test_nothing_imports_what_stands_above_it() -> None:
    assert not [str(i) for i in ours() if floor(i.target) > floor(i.source)]


def test_only_edges_import_the_front_page() -> None:
    assert not [str(i) for i in imports() if i.target == "memwell" and floor(i.source) != EDGES]


def test_the_engine_knows_no_adapter() -> None:
    """The registry has their names, as text; only the assembly takes one up, when it is needed."""
    known = [i for i in ours() if floor(i.source) == ENGINE and floor(i.target) == ADAPTERS]
    assert not [str(i) for i in known if i.source != ASSEMBLY or not i.lazy]


def family(module: str) -> str:
    """What a module belongs to: `memwell.backends.redis.store.writes` to `memwell.backends.redis`."""
    return ".".join(module.split(".")[:3])


def is_adapter(module: str) -> bool:
    """Whether anything of the module's family derives from a port directly."""
    return family(module) in _adapters()


@cache
def _adapters() -> frozenset[str]:
    def ports(tree: ast.Module) -> bool:
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        return bool({ast.unparse(base).split(".")[-1] for node in classes for base in node.bases} & PORTS)

    found = {family(name) for name, tree in modules().items() if ports(tree)}
    return frozenset({name for name in found if floor(name) == ADAPTERS} - SHARED)


def test_adapters_and_wrappers_import_no_other() -> None:
    """A backend imports no other, nor does an index, an embedder or a wrapper."""
    beside = [i for i in ours() if floor(i.source) == floor(i.target) == ADAPTERS]
    assert not [str(i) for i in beside if room(i.source) != room(i.target)], "from one room into another"
    apart = [i for i in beside if family(i.source) != family(i.target) and family(i.target) not in SHARED]
    assert not [str(i) for i in apart if is_adapter(i.target) and i.source != "memwell.wrappers"]


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for i in ours():
        if not i.lazy and not i.source.startswith(
            f"{i.target}."
        ):  # a package's front page comes first anyway
            graph.setdefault(i.source, set()).add(i.target)
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way, name))
        if name not in done:
            for target in graph.get(name, ()):
                visit(target, (*way, name))
            done.add(name)

    for name in modules():
        visit(name, ())


# ------------------------------------------------------------------------------------------- third parties


def third_party() -> list[Import]:
    roots = {*sys.stdlib_module_names, "memwell"}
    return [i for i in imports() if i.target.split(".")[0] not in roots]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_third_party_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    declared = {canonical(re.split(r"[^\w.-]", text, maxsplit=1)[0]) for each in lists for text in each}
    distributions = metadata.packages_distributions()
    for i in third_party():
        root = i.target.split(".")[0]
        names = {canonical(name) for name in distributions.get(root, [root])}
        assert names & declared, f"{i}; declare it in pyproject.toml's dependencies or an extra"


def test_below_the_edges_third_parties_are_imported_lazily() -> None:
    """An extra that is not installed must not break the import of a module that might never need it."""
    assert not [str(i) for i in third_party() if not i.lazy and floor(i.source) <= PURE]


def test_dataclasses_are_those_that_are_quick_to_define() -> None:
    """One slow one costs the first answer of a process half a millisecond."""
    users = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if "dataclass" in {alias.name for alias in node.names}
    }
    assert users == {"memwell._dataclasses"}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_memwell_loads_no_third_party_module() -> None:
    code = "import json, sys; a = {*sys.modules}; import memwell; print(json.dumps([*({*sys.modules} - a)]))"
    roots = {name.split(".")[0] for name in json.loads(run(code))}
    assert roots - set(sys.stdlib_module_names) == {"memwell"}


def test_importing_memwell_takes_less_than_150_milliseconds_of_processor_time() -> None:
    code = "from time import process_time as t; a = t(); import memwell; print(t() - a)"
    assert statistics.median(float(run(code)) for _ in range(7)) < 0.150


def test_a_first_recall_loads_only_what_it_needs() -> None:
    """A process may live for one answer."""
    code = (
        "import sys; from memwell import Memory; m = Memory('sqlite://', embedder=None);"
        "assert m.recall('bees') == []; print(*sys.modules)"
    )
    others = {"asyncio", "ssl", "subprocess", "tempfile", "tomllib", "email", "difflib", "secrets"}
    others |= {
        f"memwell.{name}" for name in ("followers", "policies", "network", "engine.remember", "engine.erase")
    }
    others |= {f"memwell.{name}" for name in ("engine.echoes", "engine.past", "backends.sqlite.store.writes")}
    others |= {"concurrent", "logging", "pathlib", "urllib", "base64", "random"}
    others |= {
        f"memwell.{name}" for name in ("ports.store.operations", "filters.parsing", "records.revisions")
    }
    others |= {f"memwell.retrieval.analysis.{name}" for name in ("translations", "time_questions")}
    others |= {
        f"memwell.{name}"
        for name in ("backends.sqlite.log", "backends.sqlite.store.filter_sql", "engine.chunking")
    }
    others |= {
        f"memwell.{name}" for name in ("security.audit", "security.keyring", "engine.requests.management")
    }
    assert not others.intersection(run(code).split())


def test_the_bridge_alone_imports_asyncio() -> None:
    """In the core; edges and adapters that wait on sockets may."""
    users = {i.source for i in imports() if i.target.split(".")[0] == "asyncio"}
    core = {name for name in users if floor(name) <= PURE or ENGINE <= floor(name) < EDGES}
    core = {name for name in core if room(name) != "network"}
    assert not core - {"memwell._bridge"}


def test_dir_of_a_package_has_the_names_that_are_not_imported_yet() -> None:
    missing = run("""
import memwell, memwell.filters, memwell.ports, memwell.types, memwell.wrappers
for package in memwell, memwell.filters, memwell.ports, memwell.types, memwell.wrappers:
    print(sorted(set(package.__all__) - set(dir(package))))
""")
    assert missing.split() == ["[]"] * 5
