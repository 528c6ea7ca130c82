"""Read-only metadata: it refuses every change and is otherwise a plain dict."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from memwell.records.codec import dumps, json_mapping
from memwell.testing.samples import record

PLAIN: Any = {"a": 1, "list": [1, {"x": [2]}], "deep": {"y": {"z": None}}, "pair": (1, [2])}
RECORD = record("tea", id="a", metadata=PLAIN)
CHANGES: list[Callable[[Any], Any]] = [
    lambda m: m.__setitem__("a", 2),
    lambda m: m.__delitem__("a"),
    lambda m: m.update(a=2),
    lambda m: m.setdefault("new", 1),
    lambda m: m.pop("a"),
    lambda m: m.popitem(),
    lambda m: m.clear(),
    lambda m: m.__ior__({"a": 2}),
    lambda m: m["deep"]["y"].update(z=1),
    lambda m: m["list"].append(3),
    lambda m: m["list"].extend([3]),
    lambda m: m["list"].insert(0, 3),
    lambda m: m["list"].remove(1),
    lambda m: m["list"].pop(),
    lambda m: m["list"].clear(),
    lambda m: m["list"].sort(),
    lambda m: m["list"].reverse(),
    lambda m: m["list"].__setitem__(0, 3),
    lambda m: m["list"].__delitem__(0),
    lambda m: m["list"].__iadd__([3]),
    lambda m: m["list"].__imul__(2),
    lambda m: m["list"][1]["x"].append(3),
    lambda m: m["pair"][1].append(3),
]


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_is_possible_at_any_depth(change: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="hand a changed copy to update"):
        change(RECORD.metadata)
    assert RECORD.metadata == PLAIN


def test_every_method_that_changes_a_dict_or_a_list_is_refused() -> None:
    for kind, plain in ((type(RECORD.metadata), dict), (type(RECORD.metadata["list"]), list)):
        changing = {
            n for n in dir(plain) if n in dir(plain) and n not in dir(frozenset) and n not in dir(tuple)
        }
        kept = {"copy", "get", "items", "keys", "values", "fromkeys", "__reversed__"} | {"__class_getitem__"}
        assert all(getattr(kind, name) is not getattr(plain, name) for name in changing - kept)


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda r: pickle.loads(pickle.dumps(r)),
        lambda r: replace(r, version=2),
        lambda r: record("tea", id="a", metadata=asdict(r)["metadata"]),
    ],
)
def test_a_copy_is_equal_and_read_only(copied: Callable[[Any], Any]) -> None:
    found = copied(RECORD).metadata
    assert found == PLAIN
    assert json.dumps(found) == dumps_plain()
    with pytest.raises(TypeError):
        found["list"].append(1)


def dumps_plain() -> str:
    return json.dumps(PLAIN)


def test_it_equals_and_encodes_as_what_it_was_made_of() -> None:
    assert RECORD.metadata == PLAIN
    assert RECORD.metadata == PLAIN
    assert repr(RECORD.metadata) == repr(PLAIN)
    assert dumps(RECORD.metadata) == dumps(PLAIN)


def test_changed_copies_are_plain() -> None:
    changed = {**RECORD.metadata, "new": 1}
    changed["newer"] = 2
    also = RECORD.metadata | {"new": 1}
    also["newer"] = 2
    assert changed == also == PLAIN | {"new": 1, "newer": 2}
    assert RECORD.metadata == PLAIN


def test_what_was_handed_in_may_change_afterwards() -> None:
    given: Any = {"list": [1]}
    made = record("tea", id="a", metadata=given)
    given["list"].append(2)
    given["new"] = 1
    assert made.metadata == {"list": [1]}


@pytest.mark.parametrize("text", ['{"a": {"b": 1}}', '{"a": [{"b": [1]}]}', '{"a": "[", "b": {}}', "{}"])
def test_metadata_that_is_read_is_read_only_in_all_its_depth(text: str) -> None:
    found: Any = json_mapping(text)
    assert found == json.loads(text)
    pending = [found]
    while pending:
        value = pending.pop()
        with pytest.raises(TypeError, match="read-only"):
            value.clear()
        inner = value.values() if isinstance(value, dict) else value
        pending += [each for each in inner if isinstance(each, dict | list)]
