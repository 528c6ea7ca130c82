"""What the port refuses before any adapter sees it. Run it over one part of your own, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from memwell.errors import InvalidInput
from memwell.ports import KeyValue
from memwell.testing._run import run
from memwell.testing.keyvalue._harness import KeyValueSuite

__all__ = ["KeyValueFrontage"]


class KeyValueFrontage(KeyValueSuite):
    """Subclass it and give the fixture `keyvalue`."""

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
