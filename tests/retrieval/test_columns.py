"""Which columns a search gets, and what both kinds do alike."""

from __future__ import annotations

import subprocess
import sys
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.retrieval.columns.arrays import arrays
from memwell.retrieval.columns.lists import LISTS

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


@given(st.lists(st.integers(0, 5)))
def test_values_are_grouped_by_their_keys(keys: list[int]) -> None:
    values = array("I", range(len(keys)))
    expected = [
        [value for value, key in zip(values, keys, strict=True) if key == group] for group in range(6)
    ]
    kinds: list[Any] = [LISTS, arrays()]
    for make in kinds:
        grouped, starts = make.grouped(values, array("I", keys), 6)
        assert [grouped[starts[n] : starts[n + 1]].tolist() for n in range(6)] == expected
        assert len(starts) == 7
