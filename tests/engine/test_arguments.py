"""Every keyword of every method, given what nobody should give: the answer is an error that tells what to give."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from memwell import (
    ConfigError,
    Conflict,
    Corrupt,
    InvalidInput,
    InvalidQuery,
    Memory,
    NewMemory,
    NotFound,
    NotSupported,
    Strategy,
)
from memwell._bridge import drive
from memwell.backends.sqlite.store import SqliteStore
from memwell.ports import Insert
from memwell.ports.store.search import Weights
from memwell.testing.samples import record as sample


class Broken(tzinfo):
    """A time zone whose methods fail."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        raise RuntimeError("no offset")

    def tzname(self, _: datetime | None) -> str:
        return "broken"

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)


class Floating(Broken):
    """A time zone that does not know its offset."""

    def utcoffset(self, _: datetime | None) -> Any:
        return None


class Array:
    """Compares element by element, as an array of numpy does: the answer is neither true nor false."""

    def __eq__(self, other: object) -> Any:
        return Array()

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def circle() -> Any:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


BAD: Final[dict[str, Any]] = {
    "none": None,
    "object": object(),
    "list": [object()],
    "mapping": {1: object()},
    "set": {1},
    "bytes": b"x",
    "empty": "",
    "blank": " ",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "long": "x" * 2_000_000,
    "zero": 0,
    "minus": -1,
    "true": True,
    "half": 0.5,
    "huge": 10**400,
    "digits": 10**5000,
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "first": datetime.min,  # noqa: DTZ901
    "last": datetime.max,  # noqa: DTZ901
    "broken zone": datetime(2024, 1, 1, tzinfo=Broken()),
    "forever": timedelta.max,
    "back": timedelta(-1),
    "deep": deep(10_000),
    "deep mapping": {"k": deep(10_000)},
    "circle": circle(),
    "class": int,
    "function": len,
    "array": Array(),
}
GIVEN: Final[dict[str, dict[str, Any]]] = {
    "remember": {"content": "tea"},
    "recall": {"query": "tea"},
    "get": {"id": "a"},
    "list": {},
    "update": {"id": "a", "category": "x"},
    "forget": {"ids": "b"},
    "history": {"id": "a"},
    "restore": {"id": "a", "version": 1},
    "relate": {"source": "a", "target": "b"},
    "unrelate": {"source": "a", "target": "b"},
    "related": {"id": "a"},
    "count": {},
    "stats": {},
    "export": {},
    "import_": {},
    "reembed": {},
    "rotate_keys": {},
    "shred": {"tenant": "acme", "reason": "asked to"},
    "plan": {"policies": {}},
    "apply": {"plan": None},
    "conflicts": {},
    "clusters": {},
    "rebuild_clusters": {},
    "summarise": {"ids": ["a"]},
    "erase": {"ids": "b", "reason": "asked to"},
    "receipts": {},
    "complete_receipts": {},
    "audit_log": {},
    "verify_audit": {},
    "add_webhook": {"url": "https://example.com/hook"},
    "remove_webhook": {"webhook": "hook"},
    "test_webhook": {"webhook": "hook"},
    "deliver": {},
    "dead_letters": {"webhook": "hook"},
    "replay_webhook": {"webhook": "hook"},
}
REFUSALS: Final = (ConfigError, InvalidInput, NotFound, NotSupported, Conflict, Corrupt)


def keywords() -> Iterator[tuple[str, str]]:
    for method in GIVEN:
        for name in inspect.signature(getattr(Memory, method)).parameters:
            if name not in ("self", "progress", "path"):
                yield method, name


def test_every_method_with_arguments_is_tried() -> None:
    silent = {
        "on",
        "close",
        "repair",
        "doctor",
        "health",
        "sweep",
        "encrypt",
        "key_status",
        "audit_head",
        "webhooks",
    }
    public = {name for name, _ in inspect.getmembers(Memory, inspect.isfunction) if not name.startswith("_")}
    assert public - silent - {"scoped"} == GIVEN.keys()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path}/m.db", embedder=None) as memory:
        yield memory


def check_refusal(call: Callable[[], object], kind: str) -> bool:
    """Whether the call was refused. Fails for any other error, and for one that quotes at length."""
    try:
        call()
    except REFUSALS as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001
        pytest.fail(f"{kind} raised {error!r:.300}")
    else:
        return False
    assert "please report" not in message, kind
    assert len(message) < 700, kind
    return True


@pytest.mark.parametrize(("method", "name"), list(keywords()))
def test_a_bad_argument_is_refused_in_plain_words(
    memory: Memory, method: str, name: str, tmp_path: Path
) -> None:
    for kind, value in BAD.items():
        for content, id in (("tea", "a"), ("rye", "b")):
            with suppress(Conflict):
                memory.remember(content, id=id)
        if method in ("export", "import_"):
            memory.export(tmp_path / "out.jsonl")
        paths = {"path": tmp_path / "out.jsonl"} if method in ("export", "import_") else {}
        given = GIVEN[method] | paths | {name: value}
        check_refusal(partial(getattr(memory, method), **given), f"{method}({name}={kind})")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_value_inside_an_argument_is_refused_in_plain_words(memory: Memory, kind: str) -> None:
    value = BAD[kind]
    memory.remember("tea", id="a", metadata={"k": 1}, tags=["x"])
    names = ("k", "k.l", "metadata.k", "created_at", "importance", "user_id", "tags", "version", "embedded")
    for name in names:
        for operator in ("$eq", "$ne", "$gt", "$in", "$nin", "$contains", "$exists", "$not"):
            for where in ({name: {operator: value}}, {name: {operator: [value]}}, {"$not": {name: value}}):
                check_refusal(partial(memory.count, where=where), f"{name} {operator} {kind}")
    for where in ({"$and": value}, {"$or": [value]}, {"$not": value}, {"$near": value}, value):
        check_refusal(partial(memory.count, where=where), f"{kind} as a filter")
    for field in NewMemory.__dataclass_fields__:
        item = NewMemory(**({"content": "rye"} | {field: value}))
        check_refusal(partial(memory.remember, [item]), f"NewMemory({field}={kind})")
    for number, metadata in enumerate(({"k": value}, {"k": [value]}, {"k": {"l": value}})):
        call = partial(memory.remember, f"rye {number}", metadata=metadata)
        if not check_refusal(call, f"{kind} in metadata"):
            assert memory.count(where={"content": f"rye {number}", "k": {"$exists": True}}) == 1
    for call in (memory.remember, memory.recall, memory.forget):
        check_refusal(partial(call, [value]), f"a list of {kind}")


@pytest.mark.parametrize("kind", BAD)
def test_a_strategy_of_bad_weights_is_refused(kind: str) -> None:
    """`zero`, `half` and `true` apart, which are numbers here or there."""
    for name in Strategy.__dataclass_fields__:
        refused = check_refusal(lambda name=name: Strategy(**{name: BAD[kind]}), f"{name}={kind}")  # type: ignore[misc]
        allowed = {"linear": {"none", "half"}, "sources": {"deep mapping", "empty mapping"}}.get(
            name, {"zero", "half"}
        )
        assert refused or kind in allowed, (name, kind)
    for name in Weights.__dataclass_fields__:
        refused = check_refusal(lambda name=name: Weights(**{name: BAD[kind]}), f"{name}={kind}")  # type: ignore[misc]
        assert refused or kind in ("zero", "half")


@pytest.mark.parametrize("progress", [0, True, "x", [], Array()])
def test_progress_that_is_no_function_is_refused_before_anything_is_stored(
    memory: Memory, progress: Any, tmp_path: Path
) -> None:
    calls = (
        partial(memory.remember, ["tea", "rye"]),
        partial(memory.export, tmp_path / "out.jsonl"),
        partial(memory.import_, tmp_path / "out.jsonl"),
        memory.repair,
        memory.reembed,
    )
    for call in calls:
        with pytest.raises(InvalidInput, match=r"progress is a function of \(done, total\)"):
            call(progress=progress)  # type: ignore[operator]
    with pytest.raises(InvalidInput, match="no event"):
        memory.on(progress, print)
    assert memory.count() == 0


@pytest.mark.parametrize("value", [None, 0, 1, "no", [], float("nan")])
def test_true_and_false_are_not_guessed(memory: Memory, value: Any, tmp_path: Path) -> None:
    memory.remember("tea")
    for call in (
        partial(memory.list, descending=value),
        partial(memory.recall, "tea", explain=value),
        partial(memory.forget, everything=value),
        partial(memory.export, tmp_path / "x", vectors=value),
        partial(memory.reembed, drop_old=value),
    ):
        with pytest.raises(InvalidQuery, match="is True or False"):
            call()
    assert memory.count() == 1


@pytest.mark.parametrize(
    "ttl", [timedelta(days=365 * 9000), timedelta.max, 1e12, 10**400, 9_999_999 * 86_400 * 10, math.inf]
)
def test_a_ttl_that_ends_after_the_last_year_is_refused(memory: Memory, ttl: Any) -> None:
    stored = memory.remember("tea")
    for call in (
        partial(memory.remember, "rye", ttl=ttl),
        partial(memory.remember, [NewMemory(content="rye", ttl=ttl)]),
        partial(memory.update, stored.id, ttl=ttl),
    ):
        with pytest.raises(InvalidInput, match="ends after the year 9999"):
            call()
    assert memory.count() == 1


def test_a_ttl_that_ends_in_the_last_year_is_taken() -> None:
    now = datetime(9999, 12, 30, tzinfo=UTC)
    with Memory("memory://", embedder=None, clock=lambda: now) as memory:
        assert memory.remember("tea", ttl=60).expires_at == now + timedelta(seconds=60)
        with pytest.raises(InvalidInput, match="ends after the year 9999"):
            memory.remember("rye", ttl=timedelta(days=3))


def test_a_datetime_whose_zone_knows_no_offset_is_taken_as_utc(memory: Memory) -> None:
    moment = datetime(2024, 1, 1, tzinfo=Floating())
    assert memory.remember("tea", created_at=moment).created_at == datetime(2024, 1, 1, tzinfo=UTC)
    assert memory.count(where={"created_at": moment}) == 1


# ---------------------------------------------------------------------------------------------- metadata


@pytest.mark.parametrize(
    "metadata", [{"service.name": "api"}, {"a": {"b.c": 1}}, {"a": [{"b.": 1}]}, {".": 1}]
)
def test_a_metadata_key_with_a_dot_is_refused_with_what_to_write(memory: Memory, metadata: Any) -> None:
    stored = memory.remember("tea")
    for call in (
        partial(memory.remember, "rye", metadata=metadata),
        partial(memory.remember, [NewMemory(content="rye", metadata=metadata)]),
        partial(memory.update, stored.id, metadata=metadata),
    ):
        with pytest.raises(InvalidInput, match=r"holds a dot.*nest it"):
            call()
    assert memory.count() == 1


def test_every_key_that_is_taken_can_be_asked_for(memory: Memory) -> None:
    """Also one that is called as a field is, begins with `$`, or looks like the word of another system."""
    for number, key in enumerate(
        ("category", "$ref", "metadata", "AND", "eq", "a b", "é", "'", "created_at", "%s")
    ):
        stored = memory.remember(f"text {number}", metadata={key: {"x": number, "$y": "z"}})
        for where in ({f"metadata.{key}.x": number}, {f"metadata.{key}": {"$eq": {"x": number, "$y": "z"}}}):
            assert [found.id for found in memory.list(where=where)] == [stored.id]
        assert memory.count(where={f"metadata.{key}.$y": "z"}) == 1


def test_a_record_of_before_whose_key_has_a_dot_is_still_read_and_imported(tmp_path: Path) -> None:
    old = sample("tea", id="a", metadata={"service.name": "api"})
    store = SqliteStore(f"{tmp_path}/old.db")
    drive(store.write([Insert(record=old, named=True)], now=old.created_at))
    drive(store.close())
    with Memory(f"sqlite:///{tmp_path}/old.db", embedder=None) as memory:
        assert memory.get("a").metadata == {"service.name": "api"}
        assert memory.update("a", category="x").metadata == {"service.name": "api"}
        assert memory.restore("a", 1).category is None
        assert memory.doctor().ok
        memory.export(tmp_path / "out.jsonl")
    with Memory("memory://", embedder=None) as other:
        other.import_(tmp_path / "out.jsonl")
        assert other.get("a").metadata == {"service.name": "api"}


def test_metadata_that_repeat_one_list_many_times_are_refused_quickly(memory: Memory) -> None:
    value: Any = "x"
    for _ in range(12):
        value = [value] * 10
    for call in (
        partial(memory.remember, "tea", metadata={"k": value}),
        partial(memory.count, where={"k": value}),
    ):
        with pytest.raises(InvalidInput, match=r"65,536 bytes|10,000 values"):
            call()


def test_a_negative_zero_is_stored_as_zero() -> None:
    """The two are equal, so what a store keeps of values that it has written before could be either."""
    with Memory("memory://", embedder=None) as memory:
        assert repr(memory.remember("bees", importance=-0.0).importance) == "0.0"
