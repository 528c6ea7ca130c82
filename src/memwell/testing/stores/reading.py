"""Getting, listing, counting: order, paging, expiry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwell.ports.store.outlines import outline_of
from memwell.testing.samples import ANYBODY, START
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["Reading"]

ORDERS = ("created_at", "updated_at", "importance", "id")


class Reading(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- by id

    def test_an_empty_store_has_nothing(self, harness: Harness) -> None:
        assert harness.get("a") == harness.get() == harness.scan() == []
        assert harness.count() == 0

    def test_records_come_in_the_order_asked_and_missing_ones_are_left_out(self, harness: Harness) -> None:
        for id in ("a", "b", "c"):
            harness.insert(f"text {id}", id)
        assert [found.id for found in harness.get("c", "missing", "a", "b")] == ["c", "a", "b"]

    # ---------------------------------------------------------------------------------------------- order

    @pytest.mark.parametrize("order", ORDERS)
    def test_a_listing_is_ordered_and_ties_are_broken_by_id(self, harness: Harness, order: str) -> None:
        _populate(harness)
        for descending in (False, True):
            found = harness.scan(order=order, descending=descending)
            places = [(getattr(record, order), record.id) for record in found]
            assert places == sorted(places, reverse=descending)
            assert len(found) == 24

    @pytest.mark.parametrize("order", ["created_at", "updated_at"])
    def test_a_listing_is_ordered_by_microseconds(self, harness: Harness, order: str) -> None:
        for number in (3, 0, 2, 1):
            at = START + timedelta(microseconds=number)
            harness.insert(f"text {number}", f"r{9 - number}", at=at)
        expected = ["r9", "r8", "r7", "r6"]
        assert [found.id for found in harness.scan(order=order)] == expected
        assert [found.id for found in harness.scan(order=order, descending=True)] == expected[::-1]
        for limit in (1, 3):
            assert harness.walk(limit, order=order) == expected

    def test_texts_are_ordered_by_code_point(self, harness: Harness) -> None:
        names = ["A", "Z", "a", "z", "é", "ﬁ", "\uffff", "\U0001f600", "10", "9"]
        for id in names:
            harness.insert(f"text {id}", id)
        assert harness.ids() == sorted(names)

    def test_times_before_1970_come_first(self, harness: Harness) -> None:
        for year in (1970, 1601, 2100, 1969):
            harness.insert(f"year {year}", str(year), at=START.replace(year=year))
        assert [found.id for found in harness.scan()] == ["1601", "1969", "1970", "2100"]

    def test_the_default_is_oldest_first_and_a_hundred(self, harness: Harness) -> None:
        for number in range(101):
            harness.insert(f"text {number}", f"r{100 - number:03}")
            harness.advance(1)
        found = harness.scan()
        assert [record.id for record in found] == [f"r{100 - n:03}" for n in range(100)]

    # --------------------------------------------------------------------------------------------- paging

    @pytest.mark.parametrize("order", ORDERS)
    def test_the_pages_together_are_the_listing(self, harness: Harness, order: str) -> None:
        _populate(harness)
        for descending in (False, True):
            whole = [found.id for found in harness.scan(order=order, descending=descending, limit=1000)]
            for limit in (1, 5, 24, 100):
                assert harness.walk(limit, order=order, descending=descending) == whole

    @pytest.mark.parametrize(
        ("order", "descending"), [("created_at", False), ("created_at", True), ("id", False)]
    )
    def test_what_exists_throughout_a_walk_is_met_exactly_once(
        self, harness: Harness, order: str, descending: bool
    ) -> None:
        _populate(harness)
        stays = set(harness.ids()) - {"r03", "r11", "r20"}

        def meanwhile(number: int) -> None:
            harness.insert(f"before {number}", f"a{number}", at=START.replace(year=2000))
            harness.insert(f"tied {number}", f"r12{number}", at=START)
            harness.insert(f"after {number}", f"z{number}", at=START.replace(year=2050))
            harness.update("r05", category=str(number))
            harness.update("r15", content=str(number))
            harness.touch("r07")
            harness.delete("r03", "r11", "r20")

        met = harness.walk(4, meanwhile, order=order, descending=descending)
        assert len(met) == len(set(met))
        assert stays <= set(met)

    def test_a_walk_goes_on_from_a_place_whose_record_has_gone(self, harness: Harness) -> None:
        for id in "abcdef":
            harness.insert(f"text {id}", id)
        page = harness.scan(order="id", limit=3)
        harness.delete("c")
        rest = harness.scan(order="id", after=("c", "c"))
        assert [found.id for found in [*page, *rest]] == list("abcdef")

    def test_a_filter_holds_over_all_pages(self, harness: Harness) -> None:
        _populate(harness)
        where = {"n": {"$in": [0, 5, 7, 8, 23]}}
        assert harness.walk(2, where=where, order="id") == ["r00", "r05", "r07", "r08", "r23"]

    def test_a_limit_beyond_the_end_gives_what_there_is(self, harness: Harness) -> None:
        _populate(harness)
        assert len(harness.scan(limit=1000)) == 24
        assert harness.scan(limit=1000, after=(START.replace(year=2500), "z")) == []

    def test_outlines_are_those_of_the_listing_in_pages(self, harness: Harness) -> None:
        _populate(harness)
        harness.insert("żółw 🐢", "turtle", tags=("a", "b"), category="c", tier="short_term", source="chat")
        ben = Scope(user_id="ben")
        harness.insert("of another", "other", scope=ben)
        harness.touch("r07")
        store, scope = harness.store, ANYBODY
        found, after = [], None
        while page := harness.run(store.outlines(scope, now=harness.now, limit=7, after=after)):
            found += page
            after = page[-1].id
        assert found == [outline_of(record) for record in harness.scan(order="id", limit=100)]
        assert [one.size for one in found if one.id == "turtle"] == [12]
        narrow = harness.run(store.outlines(ben, now=harness.now))
        assert [(one.id, one.user_id) for one in narrow] == [("other", "ben")]

    # --------------------------------------------------------------------------------------------- counts

    def test_a_count_equals_the_listing(self, harness: Harness) -> None:
        _populate(harness)
        wheres: list[dict[str, Any] | None] = [
            None,
            {},
            {"n": {"$lt": 7}},
            {"category": "changed"},
            {"importance": {"$gte": 0.5}},
        ]
        for where in wheres:
            assert harness.count(where) == len(harness.ids(where))


def _populate(harness: Harness) -> None:
    """24 records with ties in every order but that of ids; they come in no order of theirs."""
    for place in range(24):
        number = place * 7 % 24
        fields: dict[str, Any] = {"importance": number % 5 / 4, "metadata": {"n": number}}
        harness.insert(f"text {number}", f"r{number:02}", **fields)
        if place % 3 == 0:
            harness.advance(1)
    for number in (9, 2, 10, 4):
        harness.update(f"r{number:02}", category="changed")
