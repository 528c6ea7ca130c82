"""A search whose corpus changes while it compares vectors, which it does without the lock."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from memwell import Memory
from memwell.retrieval.ranking.cosines import Compared

QUESTION = "What happened with Ana on 5 May 2024?"


def recalled(memory: Memory, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> list[str]:
    """The ids that answer the question, where something is done while the vectors are compared."""
    compare = Compared.compare

    def interrupted(self: Compared) -> None:
        compare(self)
        monkeypatch.setattr(Compared, "compare", compare)
        meanwhile()
        memory.recall("garden")  # the corpus follows

    monkeypatch.setattr(Compared, "compare", interrupted)
    return [hit.id for hit in memory.recall(QUESTION, superseded="show")]


def test_a_record_that_changes_while_a_search_compares_is_found_once_and_not_by_its_old_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Memory("memory:", embedder="hashing") as memory:
        one, other = (memory.remember(f"Ana: on 5 May 2024 the {what} came") for what in "ab")
        found = recalled(memory, monkeypatch, lambda: memory.update(one.id, tags=["x"]))
        assert sorted(found) == sorted([one.id, other.id])
        found = recalled(memory, monkeypatch, lambda: memory.update(one.id, content="rain"))
        assert found == [other.id]
        found = recalled(memory, monkeypatch, lambda: memory.forget(other.id))
        assert found == []
        assert recalled(memory, monkeypatch, lambda: memory.remember("rain")) == []


def test_a_question_of_thousands_of_identifiers_takes_time_in_proportion() -> None:
    """Each identifier once looked at every term of the question, so that this took most of a minute."""
    with Memory("memory:", embedder=None) as memory:
        memory.remember("ERR-7 came again")
        asked = " and ".join(f"ERR-{number}" for number in range(8_000))
        begun = time.process_time()
        memory.recall(asked)
        assert time.process_time() - begun < 6
