"""The two times of a memory against a model, circles that a crash has left, and the limits of looking back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwell import Conflict, Memory
from memwell.engine import past, superseding
from memwell.ports import SetLink
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import Words
from memwell.testing.samples import ANYBODY, START, Clock
from memwell.types import Link

_days = st.integers(0, 6)
_words = st.sampled_from(["red", "green", "blue"])
_steps = st.lists(
    st.tuples(st.integers(0, 3), _words, st.none() | _days, st.none() | _days), min_size=1, max_size=8
)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@settings(max_examples=40, deadline=None)
@given(steps=_steps, then=st.integers(0, 8), valid=_days, word=_words, embeds=st.booleans())
def test_recall_answers_what_was_believed_then_of_any_day(
    steps: Any, then: int, valid: int, word: str, embeds: bool
) -> None:
    """Each step stores or changes one of four memories; the model keeps every state of all of them."""
    clock, states = Clock(), [{}]
    with Memory("memory://", embedder=Words() if embeds else None, clock=clock) as memory:
        for id, colour, begin, end in steps:
            begins, ends = (None if x is None else day(x) for x in (begin, end))
            if begins is not None and ends is not None and ends < begins:
                begins, ends = ends, begins
            content, held = f"{colour} kite number{id}", dict(states[-1])
            clock.advance(60)
            if str(id) in held:
                clear = [n for n, x in (("valid_from", begins), ("valid_to", ends)) if x is None]
                memory.update(str(id), content=content, valid_from=begins, valid_to=ends, clear=clear)
            else:
                memory.remember(content, id=str(id), valid_from=begins, valid_to=ends)
            held[str(id)] = (content, begins, ends)
            states.append(held)
        at = min(then, len(states) - 1)
        believed = {
            content
            for content, begins, ends in states[at].values()
            if (begins is None or begins <= day(valid)) and (ends is None or day(valid) < ends)
        }
        moment = START + timedelta(seconds=60 * at)
        hits = memory.recall("kite", as_of=moment, valid_at=day(valid), limit=50)
        assert {hit.content for hit in hits} == believed
        hits = memory.recall(word, as_of=moment, valid_at=day(valid), mode="lexical")
        assert {hit.content for hit in hits} == {text for text in believed if word in text}


def test_a_circle_that_a_crash_has_left_hides_nothing() -> None:
    store = open_store("memory://")
    with Memory(store, embedder=Words()) as memory:
        for id in "abc":
            memory.remember(f"apple {id}", id=id)
        for source, target in ("ab", "bc", "ca"):
            link = Link(target=target, kind="supersedes", created_at=START)
            run(store, store.write([SetLink(scope=ANYBODY, source=source, link=link)], now=START))
        hits = memory.recall("apple")
        assert sorted(hit.id for hit in hits) == ["a", "b", "c"]
        assert all(hit.why.notes == () for hit in hits)


def test_two_that_close_a_circle_at_once_do_not_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process relates between the first look and the write of this one."""
    url, check = f"sqlite:///{tmp_path}/race.db", superseding._check
    with Memory(url, embedder=None) as memory, Memory(url, embedder=None) as other:
        memory.remember("apple a", id="a")
        memory.remember("apple b", id="b")
        turns = [lambda: None, lambda: other.relate("b", "a", "supersedes")]

        async def checked(*arguments: Any) -> None:
            await check(*arguments)
            if turns:
                turns.pop()()

        monkeypatch.setattr(superseding, "_check", checked)
        with pytest.raises(Conflict, match="at the same moment"):
            memory.relate("a", "b", "supersedes")
        monkeypatch.undo()
        assert [hit.id for hit in memory.recall("apple")] == ["b"]
        assert memory.get("a").links == ()


def test_a_note_says_when_there_are_more_changes_than_are_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past, "_MOST", 2)
    clock = Clock()
    with Memory("memory://", embedder=None, clock=clock) as memory:
        for id in "abc":
            memory.remember(f"apple {id}", id=id)
        clock.advance(60)
        for id in "abc":
            memory.update(id, content=f"pear {id}")
        assert memory.recall("apple", as_of=START) == []
        hits = memory.recall("pear", as_of=START)
        assert {hit.content for hit in hits} == {"apple a", "apple b", "apple c"}
        assert all("present words" in note for hit in hits for note in hit.why.notes)
