"""A third party joins with ten lines, and the suites notice what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import memwell.testing
import memwell.testing.stores


def outcome(folder: Path, source: str, *options: str) -> tuple[int, str]:
    """Run a test file in a process of its own."""
    (folder / "test_joined.py").write_text(source, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout


@pytest.mark.parametrize("module", [memwell.testing, memwell.testing.stores], ids=lambda m: m.__name__)
def test_the_example_in_the_docstring_runs_the_suite(module: object, tmp_path: Path) -> None:
    """The whole suite is collected, and its tests of batches and duplicates run; all of it passes elsewhere."""
    (example,) = re.findall(r"::\n\n((?: {4}.*\n|\n)+?)(?=\S)", module.__doc__ or "")[:1]
    example = textwrap.dedent(example)
    assert len([line for line in example.splitlines() if line.strip()]) <= 11
    (tmp_path / "mine.py").write_text(
        "from memwell.backends.memory.store import MemoryStore\n"
        "class MyStore(MemoryStore):\n"
        "    def __init__(self, url): super().__init__()\n"
    )
    if "import MyStore" not in example:
        example = "from mine import MyStore\n" + example
    code, reported = outcome(
        tmp_path, example.replace("(...)", "('mine://')"), "-k", "(duplicate or batch) and not large"
    )
    assert code == 0, reported
    passed, left_out = (int(re.findall(rf"(\d+) {how}", reported)[0]) for how in ("passed", "deselected"))
    assert passed > 10
    assert passed + left_out > 200


FAULTS: dict[str, tuple[str, str]] = {
    "IgnoresFilters": (
        "test_a_count_equals_the_listing",
        """
        async def _count(self, scope, now, where):
            return await super()._count(scope, now, None)
    """,
    ),
    "FiltersAfterTheTop": (
        "test_a_search_returns_what_the_in_memory_store_returns",
        """
        async def _search(self, search):
            from dataclasses import replace
            from memwell import filters
            found = await super()._search(replace(search, where=None, pool=5))
            ids = [found.ids[c.key] for c in found.candidates]
            if search.where is None:
                return found
            kept = {r.id for r in await self._get(search.scope, ids, search.now) if filters.matches(r, search.where)}
            return replace(found, candidates=[c for c in found.candidates if found.ids[c.key] in kept])
    """,
    ),
    "LeaksScopes": (
        "test_every_part_of_a_scope_is_a_wall_for_every_call",
        """
        async def _embeddings(self, scope, ids, model):
            from memwell.types import Scope
            return await super()._embeddings(Scope(tenant_id=scope.tenant_id), ids, model)
    """,
    ),
    "BatchesAreNotAtomic": (
        "test_a_failing_last_operation_leaves_nothing",
        """
        async def _write(self, operations, now):
            return [(await MemoryStore._write(self, [one], now))[0] for one in operations]
    """,
    ),
    "SkipsTies": (
        "test_the_pages_together_are_the_listing",
        """
        async def _scan(self, scope, now, where, order, descending, limit, after):
            found = await super()._scan(scope, now, where, order, descending, limit, after)
            return [r for r in found if after is None or getattr(r, order) != after[0]]
    """,
    ),
    "ReturnsTheExpired": (
        "test_every_call_returns_a_record_until_its_last_microsecond",
        """
        async def _get(self, scope, ids, now):
            from datetime import timedelta
            return await super()._get(scope, ids, now - timedelta(days=365))
    """,
    ),
    "ForgetsToClose": (
        "test_closing_twice_is_fine_and_every_other_call_is_refused",
        """
        async def close(self):
            pass
    """,
    ),
}
"""A broken store → the test that fails over it, and what is broken."""


def test_the_suite_notices_what_is_wrong(tmp_path: Path) -> None:
    source = """
    import pytest
    from memwell.backends.memory.store import MemoryStore
    from memwell.testing.stores import StoreConformance
    """
    source = textwrap.dedent(source)
    for name, (_, fault) in FAULTS.items():
        source += f"\nclass {name}(MemoryStore):\n{textwrap.indent(textwrap.dedent(fault), '    ')}\n"
        source += f"class Test{name}(StoreConformance):\n"
        source += f"    @pytest.fixture\n    def store(self):\n        return {name}()\n"
    chosen = " or ".join(f"(Test{name} and {test})" for name, (test, _) in FAULTS.items())
    code, reported = outcome(tmp_path, source, "-k", chosen, "--tb=no")
    assert code == 1, reported
    for name, (test, _) in FAULTS.items():
        assert re.search(rf"FAILED .*::Test{name}::{test}", reported), f"nobody noticed {name}"
