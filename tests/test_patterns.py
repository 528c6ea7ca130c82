"""Patterns are compiled when they are first used, and are patterns from then on."""

from __future__ import annotations

import re

import pytest

from memwell._patterns import pattern


def test_a_pattern_is_compiled_at_its_first_use_and_behaves_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def count(text: str, flags: int) -> re.Pattern[str]:
        made.append(text)
        return re.compile(text, flags)

    compiled = re.compile("(?P<letter>[a-c])", re.IGNORECASE)
    lazy = pattern("(?P<letter>[a-c])", re.IGNORECASE)
    with monkeypatch.context() as patch:
        patch.setattr(
            "memwell._patterns.re",
            type("Counted", (), {"compile": staticmethod(count), "Pattern": re.Pattern}),
        )
        assert made == []
        assert lazy.sub("x", "AbD") == "xxD"
        assert lazy.findall("AbD") == ["A", "b"]
        assert made == ["(?P<letter>[a-c])"]
    assert (lazy.pattern, lazy.flags, lazy.groups) == (compiled.pattern, compiled.flags, compiled.groups)
    assert lazy.groupindex == {"letter": 1}
    with pytest.raises(AttributeError):
        _ = lazy.found  # type: ignore[attr-defined]
