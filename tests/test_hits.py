"""`Hits`: the block for a prompt, what is counted as tokens, and that it is a list."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from memwell import ConfigError, Hit, Hits, InvalidQuery, Memory, Record, Scope, Why

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def hit(content: str, *, passage: str | None = None, excerpt: str | None = None, **metadata: Any) -> Hit:
    record = Record(
        id=content[:8], scope=Scope(), content=content, metadata=metadata, created_at=NOW, updated_at=NOW
    )
    return Hit(record=record, score=0.5, why=Why(passage=passage), excerpt=excerpt)


LONG = "long " * 50
HITS = Hits(
    [
        hit("I like tea", speaker="Ana", role="user"),
        hit("Noted", role="assistant"),
        hit("Ana: two\nlines", speaker="ana"),
        hit(LONG, passage="long story"),
        hit("x" * 400),
        hit("y" * 400, excerpt="yy"),
    ]
)


def test_hits_are_written_as_a_block_for_a_prompt() -> None:
    assert HITS[:3].as_text() == (
        "- [2026-05-01] Ana: I like tea\n- [2026-05-01] assistant: Noted\n- [2026-05-01] Ana: two\n  lines"
    )
    assert LONG in HITS.as_text()
    assert HITS.as_text().endswith("\n- [2026-05-01] yy")
    assert Hits().as_text(1) == ""


@pytest.mark.parametrize("budget", [1, 8, 20, 40, 60, 200, 400])
def test_the_block_keeps_within_its_budget_and_leaves_out_what_is_too_long(budget: int) -> None:
    text = HITS.as_text(budget)
    assert len(text.encode()) <= 4 * budget
    assert (LONG in text, "long story" in text) == {40: (False, True), 60: (False, True)}.get(
        budget, (budget >= 200, False)
    )
    assert ("yy" in text) is (budget >= 20)


@pytest.mark.parametrize("budget", [0, -1, True, 2.5, "9"])
def test_a_budget_is_a_number_of_tokens(budget: Any) -> None:
    with pytest.raises(InvalidQuery, match="budget is a number of tokens"):
        HITS.as_text(budget)


def test_hits_are_a_list_like_any_other() -> None:
    assert list(HITS) == HITS == HITS[:] == copy.copy(HITS) == pickle.loads(pickle.dumps(HITS))
    counted = Hits(HITS, count=len)
    assert len(counted[1:3].as_text(budget=40)) <= 40
    assert repr(HITS).count("\n") == len(HITS) - 1
    assert HITS._repr_html_().count("<tr>") == len(HITS) + 1
    more = Hits(HITS[:1])
    more += HITS[1:2]
    assert more.as_text().count("\n") == 1


@pytest.mark.parametrize(
    "tokenizer", [7, lambda _: "x", lambda _: None, lambda _: -1, lambda _: 1.5, lambda: 1]
)
def test_a_tokenizer_that_counts_nothing_is_refused_at_once(tokenizer: Any) -> None:
    with pytest.raises(ConfigError, match="tokenizer="):
        Memory("memory://", embedder=None, tokenizer=tokenizer)
