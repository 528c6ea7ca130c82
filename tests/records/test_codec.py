"""Everything that goes into JSON comes back as it was, and what is no record is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.errors import Corrupt
from memwell.ports import Embedding
from memwell.records import codec
from memwell.testing.samples import START, drafts, record
from memwell.types import Link, Record, Scope, Version

moments = st.datetimes(timezones=st.just(UTC))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(texts, x, max_size=3),
    max_leaves=6,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    fields = draw(drafts())
    scope = Scope(
        user_id=fields.pop("user_id"), session_id=fields.pop("session_id"), agent_id=draw(st.none() | texts)
    )
    links = st.builds(
        Link, target=texts, kind=texts, strength=st.floats(0, 1), created_at=st.none() | moments
    )
    fields["metadata"] = draw(st.dictionaries(texts, values, max_size=3))
    made = record(**fields, id=draw(texts), scope=scope, links=tuple(draw(st.lists(links, max_size=2))))
    return replace(
        made,
        updated_at=draw(moments),
        last_accessed_at=draw(st.none() | moments),
        access_count=draw(st.integers(0, 9)),
        version=draw(st.integers(1, 9)),
    )


@given(records())
def test_a_record_comes_back(given: Record) -> None:
    text = codec.dumps(codec.record_to_json(given))
    assert codec.record_from_json(codec.loads(text)) == given
    assert "\n" not in text
    assert codec.record_to_text(given) == text


@given(records(), moments, st.lists(st.sampled_from(["content", "tags"]), unique=True).map(tuple))
def test_a_version_comes_back_without_its_relationships(given: Record, at: datetime, changed: Any) -> None:
    version = Version(record=given, changed_at=at, changed=changed)
    back = codec.version_from_json(json.loads(codec.dumps(codec.version_to_json(version))))
    assert back == replace(version, record=replace(given, links=()))


@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 99))
def test_vectors_come_back_bit_by_bit(rows: int, dimension: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    given = Embedding(model="żółw", vectors=vectors, spans=tuple((n, n + 1) for n in range(rows)))
    back = codec.embedding_from_json(json.loads(codec.dumps(codec.embedding_to_json(given))))
    assert (back.model, back.spans) == (given.model, given.spans)
    assert back.vectors.tobytes() == vectors.tobytes()
    assert back.vectors.dtype == np.float32


@given(moments)
def test_microseconds_come_back(moment: datetime) -> None:
    assert codec.from_micros(codec.to_micros(moment)) == moment
    assert codec.to_micros(
        moment + timedelta(microseconds=1) if moment.year < 9999 else moment
    ) - codec.to_micros(moment) == int(moment.year < 9999)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x", {"k": float("-inf")}])
def test_what_json_does_not_know_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        codec.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "nan?", "{'a': 1}", None])
def test_text_that_is_no_json_is_corrupt(text: Any) -> None:
    with pytest.raises(Corrupt, match="doctor"):
        codec.loads(text)


WHOLE = codec.record_to_json(record("x", id="a", links=(Link(target="b"),)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        {name: value for name, value in WHOLE.items() if name != "content"},
        {name: value for name, value in WHOLE.items() if name != "created_at"},
        WHOLE | {"created_at": "soon"},
        WHOLE | {"created_at": 5},
        WHOLE | {"metadata": 5},
        WHOLE | {"tags": 5},
        WHOLE | {"links": [{"kind": "x"}]},
        WHOLE | {"links": 5},
    ],
    ids=lambda data: str(data)[-40:],
)
def test_what_is_no_record_is_corrupt(data: Any) -> None:
    with pytest.raises(Corrupt):
        codec.record_from_json(data)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2, 2]},
        {"float32": "%%%"},
        {"float32": "AAA="},
        {"spans": 5},
        {"spans": [[1]]},
        {"shape": None},
    ],
    ids=str,
)
def test_what_are_no_vectors_is_corrupt(change: dict[str, Any]) -> None:
    vectors = Embedding(model="m", vectors=np.ones((1, 3), dtype=np.float32), spans=((0, 1),))
    with pytest.raises(Corrupt):
        codec.embedding_from_json(codec.embedding_to_json(vectors) | change)


def test_the_digest_tells_meanings_apart() -> None:
    base = record("a", id="1", metadata={"x": 1, "y": 2}, tags=("t",))
    same = [
        replace(base, id="2"),
        replace(base, metadata={"y": 2, "x": 1}),
        replace(base, importance=0.9, source="s", tier="t", version=7, created_at=START + timedelta(1)),
    ]
    assert {codec.digest(other) for other in same} == {codec.digest(base)}
    others = [
        replace(base, content="b"),
        replace(base, kind="fact"),
        replace(base, category="c"),
        replace(base, tags=("t", "u")),
        replace(base, tags=()),
        replace(base, metadata={}),
        replace(base, metadata={"x": "1", "y": 2}),
        replace(base, metadata={"x": True, "y": 2}),
        *(replace(base, scope=Scope(**{name: "u"})) for name in Scope.__dataclass_fields__),
    ]
    assert len({codec.digest(other) for other in [base, *others]}) == len(others) + 1


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_the_digest_never_runs_fields_together(first: tuple[str, str], second: tuple[str, str]) -> None:
    marks = [
        codec.digest(record(content, id="a", kind=kind or "k", scope=Scope(user_id=kind or None)))
        for content, kind in (first, second)
    ]
    assert (marks[0] == marks[1]) is (first == second)
    assert all(-(2**63) <= mark < 2**63 for mark in marks)
