"""Which columns a search gets."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
if {blocked}:
    sys.modules["numpy"] = None
from memwell.retrieval.columns import columns
kinds = [type(columns()).__module__.rpartition(".")[2] for _ in range(150)]
print(kinds[0], kinds[90], kinds[-1])
"""


@pytest.mark.parametrize(("blocked", "kinds"), [(False, "lists lists arrays"), (True, "lists lists lists")])
def test_numpy_is_loaded_once_there_are_many_searches(blocked: bool, kinds: str) -> None:
    script = SCRIPT.format(blocked=blocked)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == kinds
