"""The promises of the `KeyValue` port as tests. A third party joins in ten lines::

class TestMine(KeyValueConformance):
    @pytest.fixture
    def keyvalue(self):
        part = MyKeyValue(...)
        yield part
        run(part, part.close())
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from memwell.errors import Closed, InvalidInput
from memwell.ports import KeyValue
from memwell.testing._run import race, run

__all__ = ["KeyValueConformance"]

T = TypeVar("T")
Advance = Callable[[float], None]
THREADS = 8


class KeyValueConformance:
    """Subclass it and give the fixture `keyvalue`: an open, empty part. Give `advance` too, to test
    expiry."""

    ttl: float = 10.0
    """Seconds that short-lived values of the suite live; less where `advance` has to wait for real."""

    @pytest.fixture
    def keyvalue(self) -> KeyValue:
        """An open part. Closing it is up to the fixture; the suite may have done so before."""
        raise NotImplementedError("give the fixture `keyvalue`")

    @pytest.fixture
    def advance(self) -> Advance:
        """A function that lets so many seconds pass for the part."""
        pytest.skip("the fixture `advance` is not given")

    # -------------------------------------------------------------------------------------- get and set

    def test_a_missing_key_is_none(self, keyvalue: KeyValue) -> None:
        assert run(keyvalue, keyvalue.get("missing")) is None

    def test_a_value_set_comes_back(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("key", b"value"))
        assert run(keyvalue, keyvalue.get("key")) == b"value"

    def test_setting_again_replaces_the_value(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("key", b"old"))
        run(keyvalue, keyvalue.set("key", b"new"))
        assert run(keyvalue, keyvalue.get("key")) == b"new"

    def test_an_empty_value_is_a_value(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("key", b""))
        assert run(keyvalue, keyvalue.get("key")) == b""
        assert run(keyvalue, keyvalue.add("key", b"other")) is False

    @pytest.mark.parametrize(
        "value", [bytes(range(256)), b"\0", b"\0\0tail", "żółw 🐢".encode(), b"007", b"5"]
    )
    def test_bytes_come_back_as_they_were(self, keyvalue: KeyValue, value: bytes) -> None:
        run(keyvalue, keyvalue.set("key", value))
        found = run(keyvalue, keyvalue.get("key"))
        assert found == value
        assert type(found) is bytes

    def test_a_value_of_one_megabyte_comes_back(self, keyvalue: KeyValue) -> None:
        value = bytes(range(256)) * 4000
        run(keyvalue, keyvalue.set("key", value))
        assert run(keyvalue, keyvalue.get("key")) == value

    @pytest.mark.parametrize(
        "key",
        ["żółw", "🐢" * 256, "two words", "a:b/c.d*?[x]%", "line\nbreak", "'; DROP TABLE x; --", "k" * 1024],
    )
    def test_keys_may_be_any_text_up_to_1024_bytes(self, keyvalue: KeyValue, key: str) -> None:
        run(keyvalue, keyvalue.set(key, b"1"))
        assert run(keyvalue, keyvalue.get(key)) == b"1"
        assert run(keyvalue, keyvalue.get_many([key])) == {key: b"1"}
        assert run(keyvalue, keyvalue.delete(key)) is True

    def test_keys_that_look_alike_are_different(self, keyvalue: KeyValue) -> None:
        keys = ["key", "KEY", " key", "key ", "ké", "ké", "1", "01"]
        run(keyvalue, keyvalue.set_many({key: key.encode() for key in keys}))
        assert run(keyvalue, keyvalue.get_many(keys)) == {key: key.encode() for key in keys}

    @pytest.mark.parametrize("key", ["", "k" * 1025, "ż" * 513, "nul\0", "lone\ud800", 1, None, b"key"])
    def test_what_is_no_key_is_refused_everywhere(self, keyvalue: KeyValue, key: Any) -> None:
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: keyvalue.get(key),
            lambda: keyvalue.get_many([key]),
            lambda: keyvalue.set(key, b""),
            lambda: keyvalue.set_many({key: b""}),
            lambda: keyvalue.add(key, b""),
            lambda: keyvalue.replace(key, b"", expected=b""),
            lambda: keyvalue.increment(key),
            lambda: keyvalue.delete(key),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                run(keyvalue, call())

    @pytest.mark.parametrize("value", ["text", 5, None, bytearray(b"x"), memoryview(b"x")])
    def test_what_is_not_bytes_is_refused_and_nothing_stored(self, keyvalue: KeyValue, value: Any) -> None:
        for call in (keyvalue.set, keyvalue.add):
            with pytest.raises(InvalidInput):
                run(keyvalue, call("key", value))
        with pytest.raises(InvalidInput):
            run(keyvalue, keyvalue.set_many({"good": b"1", "key": value}))
        assert run(keyvalue, keyvalue.get_many(["key", "good"])) == {}

    @pytest.mark.parametrize("value", ["text", 5, None, bytearray(b"text")])
    def test_what_is_not_bytes_is_never_expected(self, keyvalue: KeyValue, value: Any) -> None:
        run(keyvalue, keyvalue.set_many({"key": b"text", "5": b"5"}))
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: keyvalue.replace("key", b"new", expected=value),
            lambda: keyvalue.replace("key", value, expected=b"text"),
        ]
        if value is not None:
            calls.append(lambda: keyvalue.delete("key", expected=value))
        for call in calls:
            with pytest.raises(InvalidInput):
                run(keyvalue, call())
        assert run(keyvalue, keyvalue.get_many(["key", "5"])) == {"key": b"text", "5": b"5"}

    # ------------------------------------------------------------------------------------------- many

    def test_get_many_leaves_out_what_is_missing(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set_many({"a": b"1", "b": b"2"}))
        assert run(keyvalue, keyvalue.get_many(["a", "x", "b", "a"])) == {"a": b"1", "b": b"2"}

    def test_get_many_takes_any_iterable_and_none_at_all(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("a", b"1"))
        assert run(keyvalue, keyvalue.get_many(key for key in "ab")) == {"a": b"1"}
        assert run(keyvalue, keyvalue.get_many([])) == {}

    def test_setting_nothing_does_nothing(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set_many({}))

    def test_thousands_of_values_in_one_call(self, keyvalue: KeyValue) -> None:
        values = {f"key {number}": b"%d" % number for number in range(3000)}
        run(keyvalue, keyvalue.set_many(values))
        assert run(keyvalue, keyvalue.get_many(values)) == values

    # ------------------------------------------------------------------------------------------- add

    def test_add_stores_only_what_is_absent(self, keyvalue: KeyValue) -> None:
        assert run(keyvalue, keyvalue.add("key", b"first")) is True
        assert run(keyvalue, keyvalue.add("key", b"second")) is False
        assert run(keyvalue, keyvalue.get("key")) == b"first"

    def test_add_succeeds_again_after_delete(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.add("key", b"first"))
        run(keyvalue, keyvalue.delete("key"))
        assert run(keyvalue, keyvalue.add("key", b"second")) is True

    def test_of_many_who_add_at_once_exactly_one_succeeds(self, keyvalue: KeyValue) -> None:
        for number in range(20):
            calls = [_later(keyvalue.add, f"lock {number}", b"%d" % owner) for owner in range(THREADS)]
            won = race(keyvalue, calls)
            assert won.count(True) == 1
            assert run(keyvalue, keyvalue.get(f"lock {number}")) == b"%d" % won.index(True)

    # --------------------------------------------------------------------------------------- replace

    def test_replace_stores_only_over_the_value_expected(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("key", b"old"))
        for other in (b"", b"Old", b"old ", b"ol", b"older"):
            assert run(keyvalue, keyvalue.replace("key", b"new", expected=other)) is False
        assert run(keyvalue, keyvalue.get("key")) == b"old"
        assert run(keyvalue, keyvalue.replace("key", b"new", expected=b"old")) is True
        assert run(keyvalue, keyvalue.replace("key", b"newer", expected=b"old")) is False
        assert run(keyvalue, keyvalue.get("key")) == b"new"

    def test_nothing_is_replaced_where_nothing_is(self, keyvalue: KeyValue) -> None:
        assert run(keyvalue, keyvalue.replace("key", b"new", expected=b"")) is False
        assert run(keyvalue, keyvalue.get("key")) is None

    def test_replace_takes_any_bytes_for_any(self, keyvalue: KeyValue) -> None:
        steps = [b"", b"\0", bytes(range(256)), b"7", b"7"]
        run(keyvalue, keyvalue.set("key", steps[0]))
        for before, after in itertools.pairwise(steps):
            assert run(keyvalue, keyvalue.replace("key", after, expected=before)) is True
            assert run(keyvalue, keyvalue.get("key")) == after

    def test_a_counter_can_be_replaced_and_counted_on(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.increment("count", -3))
        assert run(keyvalue, keyvalue.replace("count", b"10", expected=b"-3")) is True
        assert run(keyvalue, keyvalue.increment("count")) == 11

    def test_of_many_who_replace_at_once_exactly_one_succeeds(self, keyvalue: KeyValue) -> None:
        for number in range(20):
            run(keyvalue, keyvalue.set(f"key {number}", b"old"))
            calls = [
                _later(keyvalue.replace, f"key {number}", b"%d" % owner, expected=b"old")
                for owner in range(THREADS)
            ]
            won = race(keyvalue, calls)
            assert won.count(True) == 1
            assert run(keyvalue, keyvalue.get(f"key {number}")) == b"%d" % won.index(True)

    def test_no_step_is_lost_of_many_who_read_and_replace(self, keyvalue: KeyValue) -> None:
        async def climb() -> None:
            for _ in range(20):
                while True:
                    seen = await keyvalue.get("total") or b""
                    if await keyvalue.replace("total", b"%d" % (int(seen) + 1), expected=seen):
                        break

        run(keyvalue, keyvalue.set("total", b"0"))
        race(keyvalue, [climb] * 4)
        assert run(keyvalue, keyvalue.get("total")) == b"80"

    # ------------------------------------------------------------------------------------- increment

    def test_an_absent_counter_starts_at_zero(self, keyvalue: KeyValue) -> None:
        assert run(keyvalue, keyvalue.increment("count")) == 1
        assert run(keyvalue, keyvalue.increment("count")) == 2

    def test_counters_go_by_any_step_in_both_directions(self, keyvalue: KeyValue) -> None:
        assert run(keyvalue, keyvalue.increment("count", 10)) == 10
        assert run(keyvalue, keyvalue.increment("count", -25)) == -15
        assert run(keyvalue, keyvalue.increment("count", 0)) == -15

    def test_a_counter_reads_as_decimal_text(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.increment("count", -42))
        assert run(keyvalue, keyvalue.get("count")) == b"-42"
        assert run(keyvalue, keyvalue.get_many(["count"])) == {"count": b"-42"}

    def test_decimal_text_can_be_counted_up(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("count", b"5"))
        assert run(keyvalue, keyvalue.increment("count")) == 6

    @pytest.mark.parametrize(
        "value", [b"", b"five", b"5.0", b" 5", b"5\n", b"+5", b"0x5", b"05", b"-0", b"\xff"]
    )
    def test_what_is_not_a_counter_cannot_be_counted_up_and_stays(
        self, keyvalue: KeyValue, value: bytes
    ) -> None:
        run(keyvalue, keyvalue.set("key", value))
        with pytest.raises(InvalidInput):
            run(keyvalue, keyvalue.increment("key"))
        assert run(keyvalue, keyvalue.get("key")) == value

    @pytest.mark.parametrize(
        ("start", "by"), [(2**63 - 1, 1), (-(2**63), -1), (0, 2**63), (-1, 2**63), (1, 2**70)]
    )
    def test_a_counter_never_leaves_64_bits(self, keyvalue: KeyValue, start: int, by: int) -> None:
        assert run(keyvalue, keyvalue.increment("count", start)) == start
        with pytest.raises(InvalidInput):
            run(keyvalue, keyvalue.increment("count", by))
        assert run(keyvalue, keyvalue.get("count")) == str(start).encode()

    def test_no_increment_is_lost_among_many_at_once(self, keyvalue: KeyValue) -> None:
        async def count() -> list[int]:
            return [await keyvalue.increment("count") for _ in range(50)]

        seen = [number for numbers in race(keyvalue, [count] * THREADS) for number in numbers]
        assert sorted(seen) == list(range(1, 50 * THREADS + 1))
        assert run(keyvalue, keyvalue.get("count")) == b"%d" % (50 * THREADS)

    # ---------------------------------------------------------------------------------------- delete

    def test_delete_tells_whether_it_removed(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("key", b"value"))
        assert run(keyvalue, keyvalue.delete("key")) is True
        assert run(keyvalue, keyvalue.get("key")) is None
        assert run(keyvalue, keyvalue.delete("key")) is False

    def test_delete_touches_no_other_key(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set_many({"key": b"1", "key2": b"2", "ke": b"3"}))
        run(keyvalue, keyvalue.delete("key"))
        assert run(keyvalue, keyvalue.get_many(["key", "key2", "ke"])) == {"key2": b"2", "ke": b"3"}

    def test_delete_with_another_value_expected_keeps_the_key(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("key", b"mine"))
        for other in (b"", b"Mine", b"mine ", b"min"):
            assert run(keyvalue, keyvalue.delete("key", expected=other)) is False
        assert run(keyvalue, keyvalue.get("key")) == b"mine"

    def test_delete_with_the_value_expected_removes_it(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set_many({"key": b"mine", "empty": b""}))
        assert run(keyvalue, keyvalue.delete("key", expected=b"mine")) is True
        assert run(keyvalue, keyvalue.delete("key", expected=b"mine")) is False
        assert run(keyvalue, keyvalue.delete("empty", expected=b"")) is True

    def test_a_counter_can_be_deleted_by_its_decimal_text(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.increment("count", 7))
        assert run(keyvalue, keyvalue.delete("count", expected=b"7")) is True

    def test_of_many_who_delete_at_once_exactly_one_removes(self, keyvalue: KeyValue) -> None:
        for _ in range(20):
            run(keyvalue, keyvalue.set("key", b"value"))
            calls = [_later(keyvalue.delete, "key", expected=b"value") for _ in range(THREADS)]
            assert race(keyvalue, calls).count(True) == 1

    def test_a_lock_of_add_and_delete_lets_in_one_at_a_time(self, keyvalue: KeyValue) -> None:
        inside: list[int] = []

        async def work(owner: int) -> int:
            entered = 0
            for _ in range(40):
                if await keyvalue.add("lock", b"%d" % owner):
                    inside.append(owner)
                    assert inside == [owner]
                    inside.remove(owner)
                    entered += await keyvalue.delete("lock", expected=b"%d" % owner)
            return entered

        assert sum(race(keyvalue, [_later(work, owner) for owner in range(THREADS)])) >= 1

    # ---------------------------------------------------------------------------------------- expiry

    def test_a_value_lives_for_its_ttl_and_no_longer(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("short", b"1", ttl=self.ttl))
        run(keyvalue, keyvalue.set("long", b"2"))
        advance(self.ttl * 0.5)
        assert run(keyvalue, keyvalue.get("short")) == b"1"
        advance(self.ttl * 0.6)
        assert run(keyvalue, keyvalue.get("short")) is None
        assert run(keyvalue, keyvalue.get_many(["short", "long"])) == {"long": b"2"}

    def test_one_ttl_holds_for_all_of_set_many(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set_many({"a": b"1", "b": b"2"}, ttl=self.ttl))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.get_many(["a", "b"])) == {}

    def test_setting_again_replaces_the_expiry(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set_many({"kept": b"1", "cut": b"1"}, ttl=self.ttl))
        run(keyvalue, keyvalue.set("kept", b"2"))
        run(keyvalue, keyvalue.set("cut", b"2", ttl=self.ttl * 3))
        advance(self.ttl * 1.5)
        assert run(keyvalue, keyvalue.get_many(["kept", "cut"])) == {"kept": b"2", "cut": b"2"}
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get_many(["kept", "cut"])) == {"kept": b"2"}

    def test_an_expired_key_can_be_added_again(self, keyvalue: KeyValue, advance: Advance) -> None:
        assert run(keyvalue, keyvalue.add("key", b"1", ttl=self.ttl)) is True
        assert run(keyvalue, keyvalue.add("key", b"2", ttl=self.ttl)) is False
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.add("key", b"3")) is True
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get("key")) == b"3"

    def test_a_refused_add_changes_no_expiry(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("key", b"1", ttl=self.ttl))
        run(keyvalue, keyvalue.add("key", b"2", ttl=self.ttl * 10))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.get("key")) is None

    def test_a_counter_keeps_the_expiry_it_was_born_with(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.increment("count", ttl=self.ttl))
        run(keyvalue, keyvalue.increment("for good"))
        advance(self.ttl * 0.5)
        assert run(keyvalue, keyvalue.increment("count", ttl=self.ttl * 10)) == 2
        assert run(keyvalue, keyvalue.increment("for good", ttl=self.ttl)) == 2
        advance(self.ttl * 0.6)
        assert run(keyvalue, keyvalue.increment("count", ttl=self.ttl)) == 1
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get_many(["count", "for good"])) == {"for good": b"2"}

    def test_replace_sets_the_expiry_anew(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set_many({"kept": b"1", "cut": b"1", "refused": b"1"}, ttl=self.ttl))
        run(keyvalue, keyvalue.set("shortened", b"1"))
        assert run(keyvalue, keyvalue.replace("kept", b"2", expected=b"1")) is True
        assert run(keyvalue, keyvalue.replace("cut", b"2", expected=b"1", ttl=self.ttl * 3)) is True
        assert run(keyvalue, keyvalue.replace("refused", b"2", expected=b"x", ttl=self.ttl * 9)) is False
        assert run(keyvalue, keyvalue.replace("shortened", b"2", expected=b"1", ttl=self.ttl)) is True
        advance(self.ttl * 1.5)
        keys = ["kept", "cut", "refused", "shortened"]
        assert run(keyvalue, keyvalue.get_many(keys)) == {"kept": b"2", "cut": b"2"}
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get_many(keys)) == {"kept": b"2"}

    def test_an_expired_key_cannot_be_replaced(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("key", b"1", ttl=self.ttl))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.replace("key", b"2", expected=b"1")) is False
        assert run(keyvalue, keyvalue.get("key")) is None

    def test_an_expired_key_cannot_be_deleted(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("key", b"1", ttl=self.ttl))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.delete("key", expected=b"1")) is False
        assert run(keyvalue, keyvalue.delete("key")) is False

    @pytest.mark.parametrize(
        "ttl", [0, -1, float("nan"), float("inf"), -float("inf"), True, "1", "soon", b"1", [1]]
    )
    def test_a_ttl_is_a_finite_number_over_zero(self, keyvalue: KeyValue, ttl: Any) -> None:
        run(keyvalue, keyvalue.set("there", b"1"))
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: keyvalue.set("key", b"", ttl=ttl),
            lambda: keyvalue.set_many({"key": b""}, ttl=ttl),
            lambda: keyvalue.add("key", b"", ttl=ttl),
            lambda: keyvalue.replace("there", b"2", expected=b"1", ttl=ttl),
            lambda: keyvalue.increment("key", ttl=ttl),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                run(keyvalue, call())
        assert run(keyvalue, keyvalue.get_many(["key", "there"])) == {"there": b"1"}

    @pytest.mark.parametrize("ttl", [40 * 86_400, 1e15, 1e300])
    def test_a_ttl_may_be_as_long_as_one_likes(self, keyvalue: KeyValue, ttl: float) -> None:
        run(keyvalue, keyvalue.set("set", b"1", ttl=ttl))
        run(keyvalue, keyvalue.add("added", b"1", ttl=ttl))
        run(keyvalue, keyvalue.increment("counted", ttl=ttl))
        assert run(keyvalue, keyvalue.replace("set", b"2", expected=b"1", ttl=ttl)) is True
        found = run(keyvalue, keyvalue.get_many(["set", "added", "counted"]))
        assert found == {"set": b"2", "added": b"1", "counted": b"1"}

    # ------------------------------------------------------------------------------------ life cycle

    def test_an_open_part_answers_a_ping(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.ping())

    def test_every_call_after_close_raises_closed(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.close())
        calls: list[Callable[[], Awaitable[Any]]] = [
            keyvalue.ping,
            lambda: keyvalue.get("key"),
            lambda: keyvalue.get_many(["key"]),
            lambda: keyvalue.set("key", b""),
            lambda: keyvalue.set_many({"key": b""}),
            lambda: keyvalue.add("key", b""),
            lambda: keyvalue.replace("key", b"", expected=b""),
            lambda: keyvalue.increment("key"),
            lambda: keyvalue.delete("key"),
        ]
        for call in calls:
            with pytest.raises(Closed):
                run(keyvalue, call())

    def test_closing_twice_is_fine(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.close())
        run(keyvalue, keyvalue.close())

    # ---------------------------------------------------------------------------- against a dictionary

    def test_random_operations_equal_a_dictionary(self, keyvalue: KeyValue) -> None:
        _compare(keyvalue, None, self.ttl)

    def test_random_operations_in_passing_time_equal_a_dictionary(
        self, keyvalue: KeyValue, advance: Advance
    ) -> None:
        if self.ttl < 1:
            pytest.skip("time passes for real here")
        _compare(keyvalue, advance, self.ttl)


def _later(call: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> Callable[[], Awaitable[T]]:
    async def made() -> T:
        return await call(*args, **options)

    return made


_runs = itertools.count()


def _compare(part: KeyValue, advance: Advance | None, unit: float) -> None:
    def machine() -> _Machine:
        return _Machine(part, advance, unit)

    steps = settings(
        max_examples=25,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=steps)


KEYS = st.sampled_from(["a", "b", "ż"])
VALUES = st.one_of(st.binary(max_size=8), st.integers(-9, 9).map(lambda number: b"%d" % number))
TTLS = st.one_of(st.none(), st.sampled_from([1, 2, 5]))


class _Machine(RuleBasedStateMachine):
    """Each example works under keys of its own, so that one part serves them all."""

    def __init__(self, part: KeyValue, advance: Advance | None, unit: float) -> None:
        super().__init__()
        self.part, self.let_pass, self.unit = part, advance, unit
        self.prefix = f"run {next(_runs)} "
        self.now = 0
        self.model: dict[str, tuple[bytes, float]] = {}

    def value(self, key: str) -> bytes | None:
        value, expiry = self.model.get(key, (b"", -1.0))
        return value if expiry > self.now else None

    def ttl(self, ttl: int | None) -> float | None:
        return None if ttl is None or self.let_pass is None else ttl * self.unit

    def put(self, key: str, value: bytes, ttl: int | None) -> None:
        self.model[key] = (value, float("inf") if self.ttl(ttl) is None else self.now + (ttl or 0))

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        assert run(self.part, self.part.get(self.prefix + key)) == self.value(key)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def set(self, key: str, value: bytes, ttl: int | None) -> None:
        run(self.part, self.part.set(self.prefix + key, value, ttl=self.ttl(ttl)))
        self.put(key, value, ttl)

    @rule(keys=st.lists(KEYS, unique=True), value=VALUES, ttl=TTLS)
    def set_many(self, keys: list[str], value: bytes, ttl: int | None) -> None:
        run(self.part, self.part.set_many({self.prefix + key: value for key in keys}, ttl=self.ttl(ttl)))
        for key in keys:
            self.put(key, value, ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def add(self, key: str, value: bytes, ttl: int | None) -> None:
        absent = self.value(key) is None
        assert run(self.part, self.part.add(self.prefix + key, value, ttl=self.ttl(ttl))) is absent
        if absent:
            self.put(key, value, ttl)

    @rule(key=KEYS, value=VALUES, expected=st.none() | VALUES, ttl=TTLS)
    def replace(self, key: str, value: bytes, expected: bytes | None, ttl: int | None) -> None:
        held = self.value(key)
        if expected is None:  # what is there, so that it succeeds often
            expected = b"" if held is None else held
        call = self.part.replace(self.prefix + key, value, expected=expected, ttl=self.ttl(ttl))
        assert run(self.part, call) is (held == expected)
        if held == expected:
            self.put(key, value, ttl)

    @rule(key=KEYS, by=st.integers(-5, 5), ttl=TTLS)
    def increment(self, key: str, by: int, ttl: int | None) -> None:
        value = self.value(key)
        call = self.part.increment(self.prefix + key, by, ttl=self.ttl(ttl))
        if value is not None and value != str(_number(value)).encode():
            with pytest.raises(InvalidInput):
                run(self.part, call)
            return
        total = (_number(value) or 0) + by
        assert run(self.part, call) == total
        if value is None:
            self.put(key, str(total).encode(), ttl)
        else:
            self.model[key] = (str(total).encode(), self.model[key][1])

    @rule(key=KEYS, expected=st.one_of(st.none(), VALUES))
    def delete(self, key: str, expected: bytes | None) -> None:
        value = self.value(key)
        gone = value is not None and expected in (None, value)
        assert run(self.part, self.part.delete(self.prefix + key, expected=expected)) is gone
        if gone:
            del self.model[key]

    @precondition(lambda self: self.let_pass is not None)
    @rule(seconds=st.sampled_from([1, 3]))
    def advance(self, seconds: int) -> None:
        assert self.let_pass is not None
        self.let_pass(seconds * self.unit)
        self.now += seconds


def _number(value: bytes | None) -> int | None:
    try:
        return None if value is None else int(value.decode("ascii"))
    except ValueError:
        return None
