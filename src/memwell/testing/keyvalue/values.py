"""Setting, reading and deleting values under any key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from memwell.errors import Closed, InvalidInput
from memwell.ports import KeyValue
from memwell.testing._run import run
from memwell.testing.keyvalue._harness import KeyValueSuite
from memwell.testing.samples import LOOKALIKES

__all__ = ["Values"]


class Values(KeyValueSuite):
    """Part of `KeyValueConformance`."""

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

    def test_bytes_come_back_as_they_were_however_they_went_in(self, keyvalue: KeyValue) -> None:
        values = (
            bytes(range(256)),
            b"\0",
            b"\0\0tail\0",
            "żółw 🐢".encode(),
            b"007",
            b"5",
            b" ",
            b"\r\n",
            b"\xff\xfe",
            b"",
        )
        for number, value in enumerate(values):
            key = f"key {number}"
            run(keyvalue, keyvalue.set(f"{key} set", value))
            run(keyvalue, keyvalue.set_many({f"{key} set_many": value, f"{key} replaced": b"before"}))
            assert run(keyvalue, keyvalue.add(f"{key} added", value)) is True
            assert run(keyvalue, keyvalue.replace(f"{key} replaced", value, expected=b"before")) is True
            keys = [f"{key} {way}" for way in ("set", "set_many", "added", "replaced")]
            many = run(keyvalue, keyvalue.get_many(keys))
            for each in keys:
                found = run(keyvalue, keyvalue.get(each))
                assert found == many[each] == value, each
                assert type(found) is type(many[each]) is bytes

    def test_a_value_of_one_megabyte_comes_back(self, keyvalue: KeyValue) -> None:
        value = bytes(range(256)) * 4000
        run(keyvalue, keyvalue.set("key", value))
        assert run(keyvalue, keyvalue.get("key")) == value

    def test_keys_may_be_any_text_up_to_1024_bytes(self, keyvalue: KeyValue) -> None:
        keys = (
            "żółw",
            "🐢" * 256,
            "two words",
            "a:b/c.d*?[x]%",
            "line\nbreak",
            "'; DROP TABLE x; --",
            "k" * 1024,
        )
        for number, key in enumerate(keys):
            run(keyvalue, keyvalue.set(key, b"%d" % number))
        assert run(keyvalue, keyvalue.get_many(keys)) == {
            key: b"%d" % number for number, key in enumerate(keys)
        }
        for number, key in enumerate(keys):
            assert run(keyvalue, keyvalue.get(key)) == b"%d" % number
            assert run(keyvalue, keyvalue.delete(key)) is True

    def test_keys_that_look_alike_are_different(self, keyvalue: KeyValue) -> None:
        run(keyvalue, keyvalue.set_many({key: key.encode() for key in LOOKALIKES}))
        assert run(keyvalue, keyvalue.get_many(LOOKALIKES)) == {key: key.encode() for key in LOOKALIKES}
        for number, key in enumerate(LOOKALIKES):
            assert run(keyvalue, keyvalue.delete(key)) is True
            assert len(run(keyvalue, keyvalue.get_many(LOOKALIKES))) == len(LOOKALIKES) - number - 1

    def test_long_keys_are_distinguished_by_their_ends(self, keyvalue: KeyValue) -> None:
        starts = ("k" * 127, "k" * 249, "k" * 254, "k" * 511, "k" * 1023, "ż" * 511, "ż" * 127, "🐢" * 255)
        keys = [start + end for start in starts for end in ("a", "b", "")]
        for number, key in enumerate(keys):
            assert run(keyvalue, keyvalue.add(key, b"%d" % number)) is True, f"{key[:3]}… of {len(key)}"
        assert run(keyvalue, keyvalue.get_many(keys)) == {
            key: b"%d" % number for number, key in enumerate(keys)
        }
        firsts = ["a" + "k" * 300, "b" + "k" * 300]
        run(keyvalue, keyvalue.set_many({key: key[:1].encode() for key in firsts}))
        assert run(keyvalue, keyvalue.get_many(firsts)) == {key: key[:1].encode() for key in firsts}

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

    def test_ten_thousand_values_in_one_call(self, keyvalue: KeyValue) -> None:
        values = {f"key {number}": b"%d" % number for number in range(10_050)}
        run(keyvalue, keyvalue.set_many(values))
        assert run(keyvalue, keyvalue.get_many(values)) == values

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

    def test_bad_input_is_refused(self, keyvalue: KeyValue) -> None:
        """That the part stands behind the port; `KeyValueFrontage` tries all that is bad."""
        bad: Any = "text"
        run(keyvalue, keyvalue.set("there", b"1"))
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: keyvalue.get(""),
            lambda: keyvalue.get_many(["k" * 1025]),
            lambda: keyvalue.set("key", bad),
            lambda: keyvalue.set_many({"key": b"1", "nul\0": b"1"}),
            lambda: keyvalue.add("key", b"", ttl=0),
            lambda: keyvalue.replace("there", b"2", expected=bad),
            lambda: keyvalue.increment("key", ttl=-1),
            lambda: keyvalue.delete("there", expected=bad),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                run(keyvalue, call())
        assert run(keyvalue, keyvalue.get_many(["key", "there"])) == {"there": b"1"}
