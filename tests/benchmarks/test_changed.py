"""The labelled pairs of `conflicts`: what is measured does not become worse unnoticed."""

from __future__ import annotations

import pytest
from benchmarks.quality.changed import pairs, proposed


@pytest.mark.parametrize(("name", "wrong", "missed"), [("pairs", 0, 0), ("held", 1, 6)])
def test_changed_values_are_proposed_and_little_else(name: str, wrong: int, missed: int) -> None:
    answers = [(label, proposed(older, newer)) for label, older, newer in pairs(name)]
    assert sum(said and not label for label, said in answers) <= wrong
    assert sum(label and not said for label, said in answers) <= missed
