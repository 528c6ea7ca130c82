"""Expiry: a value is there until its `ttl` has passed."""

from __future__ import annotations

from memwell.ports import KeyValue
from memwell.testing._run import run
from memwell.testing.keyvalue._harness import Advance, KeyValueSuite, patient

__all__ = ["Expiry"]


class Expiry(KeyValueSuite):
    """Part of `KeyValueConformance`."""

    @patient
    def test_a_value_lives_for_its_ttl_and_no_longer(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("short", b"1", ttl=self.ttl))
        run(keyvalue, keyvalue.set("long", b"2"))
        advance(self.ttl * 0.5)
        assert run(keyvalue, keyvalue.get("short")) == b"1"
        advance(self.ttl * 0.6)
        assert run(keyvalue, keyvalue.get("short")) is None
        assert run(keyvalue, keyvalue.get_many(["short", "long"])) == {"long": b"2"}

    @patient
    def test_a_ttl_may_have_fractions(self, keyvalue: KeyValue, advance: Advance) -> None:
        ttl = self.ttl * 0.29
        for key in ("added", "counted"):
            run(keyvalue, keyvalue.delete(key))
        run(keyvalue, keyvalue.set("set", b"1", ttl=ttl))
        run(keyvalue, keyvalue.set_many({"many": b"1"}, ttl=ttl))
        run(keyvalue, keyvalue.add("added", b"1", ttl=ttl))
        run(keyvalue, keyvalue.increment("counted", ttl=ttl))
        run(keyvalue, keyvalue.set("replaced", b"0"))
        run(keyvalue, keyvalue.replace("replaced", b"1", expected=b"0", ttl=ttl))
        keys = ("set", "many", "added", "counted", "replaced")
        advance(ttl * 0.75)
        assert run(keyvalue, keyvalue.get_many(keys)) == dict.fromkeys(keys, b"1")
        advance(ttl * 0.27)
        assert run(keyvalue, keyvalue.get_many(keys)) == {}

    @patient
    def test_one_ttl_holds_for_all_of_set_many(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set_many({"a": b"1", "b": b"2"}, ttl=self.ttl))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.get_many(["a", "b"])) == {}

    @patient
    def test_setting_again_replaces_the_expiry(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set_many({"kept": b"1", "cut": b"1"}, ttl=self.ttl))
        run(keyvalue, keyvalue.set("kept", b"2"))
        run(keyvalue, keyvalue.set("cut", b"2", ttl=self.ttl * 3))
        advance(self.ttl * 1.5)
        assert run(keyvalue, keyvalue.get_many(["kept", "cut"])) == {"kept": b"2", "cut": b"2"}
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get_many(["kept", "cut"])) == {"kept": b"2"}

    @patient
    def test_an_expired_key_can_be_added_again(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.delete("key"))
        assert run(keyvalue, keyvalue.add("key", b"1", ttl=self.ttl)) is True
        assert run(keyvalue, keyvalue.add("key", b"2", ttl=self.ttl)) is False
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.add("key", b"3")) is True
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get("key")) == b"3"

    @patient
    def test_a_refused_add_changes_no_expiry(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("key", b"1", ttl=self.ttl))
        run(keyvalue, keyvalue.add("key", b"2", ttl=self.ttl * 10))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.get("key")) is None

    @patient
    def test_a_counter_keeps_the_expiry_it_was_born_with(self, keyvalue: KeyValue, advance: Advance) -> None:
        for key in ("count", "for good"):
            run(keyvalue, keyvalue.delete(key))
        run(keyvalue, keyvalue.increment("count", ttl=self.ttl))
        run(keyvalue, keyvalue.increment("for good"))
        advance(self.ttl * 0.5)
        assert run(keyvalue, keyvalue.increment("count", ttl=self.ttl * 10)) == 2
        assert run(keyvalue, keyvalue.increment("for good", ttl=self.ttl)) == 2
        advance(self.ttl * 0.6)
        assert run(keyvalue, keyvalue.increment("count", ttl=self.ttl)) == 1
        advance(self.ttl * 2)
        assert run(keyvalue, keyvalue.get_many(["count", "for good"])) == {"for good": b"2"}

    @patient
    def test_replace_sets_a_new_expiry(self, keyvalue: KeyValue, advance: Advance) -> None:
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

    @patient
    def test_an_expired_key_cannot_be_replaced(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("key", b"1", ttl=self.ttl))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.replace("key", b"2", expected=b"1")) is False
        assert run(keyvalue, keyvalue.get("key")) is None

    @patient
    def test_an_expired_key_cannot_be_deleted(self, keyvalue: KeyValue, advance: Advance) -> None:
        run(keyvalue, keyvalue.set("key", b"1", ttl=self.ttl))
        advance(self.ttl * 1.1)
        assert run(keyvalue, keyvalue.delete("key", expected=b"1")) is False
        assert run(keyvalue, keyvalue.delete("key")) is False

    def test_a_ttl_may_be_as_long_as_one_likes(self, keyvalue: KeyValue) -> None:
        for ttl in (40 * 86_400, 1e15, 1e300):
            run(keyvalue, keyvalue.set("set", b"1", ttl=ttl))
            run(keyvalue, keyvalue.delete("added"))
            run(keyvalue, keyvalue.add("added", b"1", ttl=ttl))
            run(keyvalue, keyvalue.delete("counted"))
            run(keyvalue, keyvalue.increment("counted", ttl=ttl))
            assert run(keyvalue, keyvalue.replace("set", b"2", expected=b"1", ttl=ttl)) is True
            found = run(keyvalue, keyvalue.get_many(["set", "added", "counted"]))
            assert found == {"set": b"2", "added": b"1", "counted": b"1"}
