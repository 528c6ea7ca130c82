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
PORTS = {"Store", "VectorIndex", "Embedder", "KeyValue", "Log"}
ADAPTERS = {"stores", "indexes", "embedders", "keyvalue", "logs"}
EDGES = {"cli", "server", "mcp", "client", "testing", "doors", "integrations", "web", "__main__"}
LAYERS = (
    {"types", "errors", "capabilities"},
    {"filters"},
    {"ports"},
    set[str](),  # every module not named here is pure, and stands on this layer
    {"postgres", "redis", "clients"},  # what adapters on one driver, or on any network service, share
    {*ADAPTERS, "wrappers"},
    {"memory", "engine", "events", "observe", "policies"},
    {"sync"},
    EDGES,
)
PURE, ADAPTER, ENGINE = 3, 5, 6
ASSEMBLY = "memwell.engine.assembly"
BASES = {"memwell.embedders.remote", "memwell.indexes.held", "memwell.stores.memory"}
"""Adapters, or bases of some, that others beside them derive from."""


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


def part(module: str) -> str:
    """The top-level module or package of ours, such as `stores`."""
    return module.split(".")[1] if "." in module else ""


def layer(module: str) -> int:
    return next((i for i, names in enumerate(LAYERS) if part(module) in names), PURE)


def ours() -> list[Import]:
    """Imports between our own modules, the front page left out."""
    return [i for i in imports() if i.target.startswith("memwell.") and i.source != "memwell"]


def test_nothing_imports_what_stands_above_it() -> None:
    assert not [str(i) for i in ours() if layer(i.target) > layer(i.source)]


def test_only_edges_import_the_front_page() -> None:
    assert not [str(i) for i in imports() if i.target == "memwell" and part(i.source) not in EDGES]


def test_the_engine_knows_no_adapter() -> None:
    """The registry has their names, as text; only the assembly takes one up, when it is needed."""
    known = [i for i in ours() if layer(i.source) == ENGINE and layer(i.target) == ADAPTER]
    assert not [str(i) for i in known if i.source != ASSEMBLY or not i.lazy]


def is_adapter(module: str) -> bool:
    """Whether the module defines a class that derives from a port directly."""
    classes = [node for node in modules()[module].body if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).split(".")[-1] for node in classes for base in node.bases}
    return part(module) in ADAPTERS and bool(bases & PORTS)


def family(module: str) -> str:
    """What a module belongs to: `memwell.stores.redis.writes` to `memwell.stores.redis`, a single file to itself."""
    return ".".join(module.split(".")[:3])


def test_adapters_and_wrappers_never_import_each_other() -> None:
    inside = [i for i in ours() if layer(i.source) == layer(i.target) == ADAPTER and i.source != i.target]
    assert not [str(i) for i in inside if part(i.source) != part(i.target)], "from one package into another"
    apart = [i for i in inside if family(i.target) not in {family(i.source), *BASES}]
    siblings = [str(i) for i in apart if is_adapter(i.target) or family(i.target) != i.target]
    assert not siblings, "a sibling that is an adapter itself, or what belongs to one"
    wrappers = [i for i in inside if part(i.source) == "wrappers" and i.source != "memwell.wrappers"]
    assert not [str(i) for i in wrappers if not i.target.endswith(".base")], "a wrapper beside the base"


def test_pure_modules_import_no_module_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for i in ours():
        if not i.lazy:
            graph.setdefault(i.source, set()).add(i.target)

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way, name))
        for target in graph.get(name, ()):
            visit(target, (*way, name))

    for name in modules():
        if layer(name) <= PURE:
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
    assert not [str(i) for i in third_party() if not i.lazy and layer(i.source) <= PURE]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_memwell_loads_no_third_party_module() -> None:
    code = "import json, sys; a = {*sys.modules}; import memwell; print(json.dumps([*({*sys.modules} - a)]))"
    roots = {name.split(".")[0] for name in json.loads(run(code))}
    assert roots - set(sys.stdlib_module_names) == {"memwell"}


def test_importing_memwell_takes_less_than_150_milliseconds() -> None:
    code = "from time import perf_counter as t; a = t(); import memwell; print(t() - a)"
    assert statistics.median(float(run(code)) for _ in range(7)) < 0.150


def test_the_bridge_alone_imports_asyncio() -> None:
    """In the core; edges and adapters that wait on sockets may."""
    users = {i.source for i in imports() if i.target.split(".")[0] == "asyncio"}
    assert not {name for name in users if layer(name) <= PURE or layer(name) in (ENGINE, ENGINE + 1)} - {
        "memwell._bridge"
    }
