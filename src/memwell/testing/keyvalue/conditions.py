"""Atomic operations that depend on the stored value: add, replace, increment and delete."""

from __future__ import annotations

import itertools

import pytest

from memwell.errors import InvalidInput
from memwell.ports import KeyValue
from memwell.testing._run import race, run
from memwell.testing.keyvalue._harness import THREADS, KeyValueSuite, later

__all__ = ["Conditions"]


class Conditions(KeyValueSuite):
    """Part of `KeyValueConformance`."""

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
            calls = [later(keyvalue.add, f"lock {number}", b"%d" % owner) for owner in range(THREADS)]
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

    def test_values_are_expected_to_the_last_byte(self, keyvalue: KeyValue) -> None:
        held = (b"value\0", b"x" * 300, b"x" * 70_000, b"\0\0", b"7", b"")
        for number, value in enumerate(held):
            key = f"key {number}"
            run(keyvalue, keyvalue.set(key, value))
            others = {value + b"\0", value + b" ", value[:-1], value[:-1] + b"!", value.upper(), b"0" + value}
            for other in others - {value}:
                assert run(keyvalue, keyvalue.replace(key, b"new", expected=other)) is False, (
                    value[:9],
                    other[-9:],
                )
                assert run(keyvalue, keyvalue.delete(key, expected=other)) is False, (value[:9], other[-9:])
            assert run(keyvalue, keyvalue.get(key)) == value
            assert run(keyvalue, keyvalue.replace(key, value, expected=value)) is True
            assert run(keyvalue, keyvalue.delete(key, expected=value)) is True

    def test_a_counter_can_be_replaced_and_counted_on(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.increment("count", -3))
        assert run(keyvalue, keyvalue.replace("count", b"10", expected=b"-3")) is True
        assert run(keyvalue, keyvalue.increment("count")) == 11

    def test_of_many_who_replace_at_once_exactly_one_succeeds(self, keyvalue: KeyValue) -> None:
        for number in range(20):
            run(keyvalue, keyvalue.set(f"key {number}", b"old"))
            calls = [
                later(keyvalue.replace, f"key {number}", b"%d" % owner, expected=b"old")
                for owner in range(THREADS)
            ]
            won = race(keyvalue, calls)
            assert won.count(True) == 1
            assert run(keyvalue, keyvalue.get(f"key {number}")) == b"%d" % won.index(True)

    def test_no_step_is_lost_of_many_who_read_and_replace(self, keyvalue: KeyValue) -> None:
        async def climb() -> int:
            done = 0
            for _ in range(4_000):  # far more attempts than it takes, so that a broken part does not hang
                seen = await keyvalue.get("total") or b""
                done += await keyvalue.replace("total", b"%d" % (int(seen or b"0") + 1), expected=seen)
                if done == 20:
                    break
            return done

        run(keyvalue, keyvalue.set("total", b"0"))
        assert race(keyvalue, [climb] * 4) == [20] * 4
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
        for by, expected in ((142, b"100"), (-1, b"99"), (-90, b"9"), (-9, b"0"), (10, b"10")):
            run(keyvalue, keyvalue.increment("count", by))
            assert run(keyvalue, keyvalue.get("count")) == expected

    def test_decimal_text_can_be_counted_up(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set("count", b"5"))
        assert run(keyvalue, keyvalue.increment("count")) == 6

    def test_what_is_not_a_counter_cannot_be_counted_up_and_stays(self, keyvalue: KeyValue) -> None:
        for value in (b"", b"five", b"5.0", b" 5", b"5\n", b"+5", b"0x5", b"05", b"-0", b"\xff"):
            run(keyvalue, keyvalue.set("key", value))
            with pytest.raises(InvalidInput):
                run(keyvalue, keyvalue.increment("key"))
            assert run(keyvalue, keyvalue.get("key")) == value

    def test_a_counter_never_leaves_64_bits(self, keyvalue: KeyValue) -> None:
        for start, by in ((2**63 - 1, 1), (-(2**63), -1), (0, 2**63), (-1, 2**63), (1, 2**70)):
            key = f"count {start} {by}"
            assert run(keyvalue, keyvalue.increment(key, start)) == start
            with pytest.raises(InvalidInput):
                run(keyvalue, keyvalue.increment(key, by))
            assert run(keyvalue, keyvalue.get(key)) == str(start).encode()

    def test_no_increment_is_lost_among_many_at_once(self, keyvalue: KeyValue) -> None:
        async def count() -> list[int]:
            return [await keyvalue.increment("count") for _ in range(50)]

        seen = [number for numbers in race(keyvalue, [count] * THREADS) for number in numbers]
        assert sorted(seen) == list(range(1, 50 * THREADS + 1))
        assert run(keyvalue, keyvalue.get("count")) == b"%d" % (50 * THREADS)

    # ---------------------------------------------------------------------------------------- delete

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
            calls = [later(keyvalue.delete, "key", expected=b"value") for _ in range(THREADS)]
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

        assert sum(race(keyvalue, [later(work, owner) for owner in range(THREADS)])) >= 1
