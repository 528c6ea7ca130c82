"""Our dataclasses are those of the standard library, defined at less cost."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, replace
from datetime import UTC, datetime
from typing import Any, get_type_hints

import pytest

from memwell import Record, Scope, Stats
from memwell._dataclasses import copier, dataclass, filler

NOW = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def frozen(make: Any) -> Any:
    @make(frozen=True, slots=True)
    class Note:
        name: str
        size: int = 3
        tags: tuple[str, ...] = field(default_factory=tuple, kw_only=True)
        secret: str = field(default="", repr=False, kw_only=True)
        noted: str = field(default="", compare=False, kw_only=True)
        loud: str = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "loud", self.name.upper())

    return Note


def changing(make: Any) -> Any:
    @make(slots=True)
    class Note:
        name: str
        size: int = 3
        tags: tuple[str, ...] = field(default_factory=tuple, kw_only=True)

    return Note


def below(make: Any) -> Any:
    @make(frozen=True, slots=True, kw_only=True)
    class Base:
        name: str

    @make(frozen=True, slots=True, kw_only=True)
    class Note(Base):
        size: int = 3

        def __repr__(self) -> str:
            return "short"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Base)

    return Note


def outcome(act: Callable[[], Any]) -> Any:
    """What a call gives or raises, without what differs between two classes of one name."""
    try:
        return act()
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


def behaviour(cls: Any) -> list[Any]:
    one, other = cls(name="a"), cls(name="a", size=4)
    given: list[dict[str, Any]] = [
        {},
        {"name": "a", "more": 1},
        {"name": "b", "tags": ("x",), "noted": "n", "secret": "s"},
    ]
    made = [outcome(lambda each=each: repr(cls(**each))) for each in given]  # type: ignore[misc]
    alike = [one == cls(name="a"), one == other, one == replace(other, size=3), one == "a"]
    hashes = [outcome(lambda: hash(cls(name="a")) == hash(one)), outcome(lambda: hash(one) == hash(other))]
    changes = [outcome(lambda: setattr(one, "size", 5)), outcome(lambda: delattr(other, "size"))]
    fields = [(each.name, each.kw_only, each.repr, each.compare) for each in dataclasses.fields(cls)]
    shown = [repr(one), dataclasses.asdict(copy.deepcopy(one)), str(inspect.signature(cls))]
    params = (cls.__dataclass_params__.frozen, cls.__match_args__)
    return [made, alike, hashes, changes, fields, shown, params]


@pytest.mark.parametrize("kind", [frozen, changing, below])
def test_a_class_behaves_as_one_of_the_standard_library(kind: Callable[[Any], Any]) -> None:
    assert behaviour(kind(dataclass)) == behaviour(kind(dataclasses.dataclass))


def test_a_frozen_instance_is_pickled_and_shows_itself_within_itself() -> None:
    scope = Scope(user_id="ana")
    assert pickle.loads(pickle.dumps(scope)) == scope == copy.copy(scope)

    @dataclass(slots=True)
    class Ring:
        held: list[Any]

    ring = Ring([])
    ring.held.append(ring)
    assert repr(ring).endswith("Ring(held=[...])")


def test_a_subclass_that_is_no_dataclass_may_have_attributes_of_its_own() -> None:
    class Named(Scope):
        pass

    one: Any = Named(user_id="ana")
    one.note = "n"
    with pytest.raises(FrozenInstanceError):
        one.user_id = "ben"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labelled(Scope):
    label: str = ""


def test_copies_of_a_subclass_that_is_a_dataclass_keep_its_own_fields() -> None:
    one = Labelled(user_id="ana", label="home")
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert other == one
        assert other.label == "home"


@pytest.mark.parametrize("cls", [Record, Stats], ids=lambda cls: cls.__name__)  # with a twin, and without
def test_the_annotations_of_a_constructor_can_be_resolved(cls: Any) -> None:
    assert get_type_hints(cls.__init__) == {**get_type_hints(cls), "return": type(None)}


def test_a_copier_changes_what_is_named_and_freezes_what_a_constructor_would() -> None:
    record = Record(
        id="bees",
        scope=Scope(),
        content="bees",
        metadata={"at": {"city": ["Porto"]}},
        created_at=NOW,
        updated_at=NOW,
    )
    copied = copier(Record)
    changed = copied(record, {"metadata": {"at": {"city": ["Lisboa"]}}, "version": 4})
    assert changed == replace(record, metadata={"at": {"city": ["Lisboa"]}}, version=4)
    assert type(changed.metadata) is type(record.metadata)
    assert copied(record, {}) == record
    with pytest.raises(KeyError):
        copied(record, {"colour": "blue"})


def test_a_filler_makes_what_a_constructor_makes() -> None:
    record = Record(
        id="bees", scope=Scope(), content="bees", metadata={"a": ["b"]}, created_at=NOW, updated_at=NOW
    )
    values = {each.name: getattr(record, each.name) for each in dataclasses.fields(record)}
    filled: Any = filler(Record)(*(values | {"metadata": {"a": ["b"]}}).values())
    assert type(filled) is Record
    assert filled == record
    assert type(filled.metadata) is type(record.metadata)
    with pytest.raises(FrozenInstanceError):
        filled.content = "wasps"
