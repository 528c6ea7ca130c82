"""Getting, listing, counting: order, paging, expiry."""

from __future__ import annotations

from typing import Any

import pytest

from memwell.testing.samples import START
from memwell.testing.stores._harness import Driven, StoreSuite
from memwell.types import Scope

__all__ = ["Reading"]

ORDERS = ("created_at", "updated_at", "importance", "id")


class Reading(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- by id

    def test_an_empty_store_has_nothing(self, driven: Driven) -> None:
        assert driven.get("a") == driven.get() == driven.scan() == []
        assert driven.count() == 0

    def test_records_come_in_the_order_asked_and_missing_ones_are_left_out(self, driven: Driven) -> None:
        for id in ("a", "b", "c"):
            driven.insert(f"text {id}", id)
        assert [found.id for found in driven.get("c", "missing", "a", "b")] == ["c", "a", "b"]

    def test_many_ids_can_be_asked_at_once(self, driven: Driven) -> None:
        names = [f"r{n:04}" for n in range(1200)]
        driven.write(*(driven.insertion(f"text {id}", id) for id in names))
        assert [found.id for found in driven.get(*reversed(names), "missing")] == names[::-1]

    def test_ids_are_compared_exactly(self, driven: Driven) -> None:
        for id in ("a", "A", " a", "é", "e\u0301", "%", "_"):
            driven.insert(f"text {id}", id)
            assert driven.one(id).content == f"text {id}"
        assert driven.get("a ", "b") == []

    # --------------------------------------------------------------------------------------------- expiry

    def test_an_expired_record_is_gone_from_that_very_moment(self, driven: Driven) -> None:
        driven.insert("short-lived apple", "a", ttl=10)
        driven.insert("apple", "b")
        driven.advance(9.999999)
        assert driven.ids() == ["a", "b"]
        driven.advance(0.000001)
        assert driven.get("a") == []
        assert driven.ids() == ["b"]
        assert driven.count() == 1
        assert driven.found("apple") == {"b"}
        assert driven.stats().records == 1

    def test_a_filter_does_not_bring_expired_records_back(self, driven: Driven) -> None:
        driven.insert("short-lived apple", "a", ttl=10, category="c")
        driven.advance(10)
        for where in ({"category": "c"}, {"expires_at": {"$exists": True}}, {"$not": {"category": "x"}}):
            assert driven.ids(where) == []
            assert driven.count(where) == 0
            assert driven.found("apple", where=where) == set()

    # ---------------------------------------------------------------------------------------------- order

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("descending", [False, True])
    def test_a_listing_is_ordered_and_ties_are_broken_by_id(
        self, driven: Driven, order: str, descending: bool
    ) -> None:
        _populate(driven)
        found = driven.scan(order=order, descending=descending)
        places = [(getattr(record, order), record.id) for record in found]
        assert places == sorted(places, reverse=descending)
        assert len(found) == 24

    def test_texts_are_ordered_by_code_point(self, driven: Driven) -> None:
        names = ["A", "Z", "a", "z", "é", "ﬁ", "\uffff", "\U0001f600", "10", "9"]
        for id in names:
            driven.insert(f"text {id}", id)
        assert driven.ids() == sorted(names)

    def test_times_before_1970_come_first(self, driven: Driven) -> None:
        for year in (1970, 1601, 2100, 1969):
            driven.insert(f"year {year}", str(year), at=START.replace(year=year))
        assert [found.id for found in driven.scan()] == ["1601", "1969", "1970", "2100"]

    def test_the_default_is_oldest_first_and_a_hundred(self, driven: Driven) -> None:
        for number in range(101):
            driven.insert(f"text {number}", f"r{100 - number:03}")
            driven.advance(1)
        found = driven.scan()
        assert [record.id for record in found] == [f"r{100 - n:03}" for n in range(100)]

    # --------------------------------------------------------------------------------------------- paging

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("limit", [1, 5, 24, 100])
    def test_the_pages_together_are_the_listing(
        self, driven: Driven, order: str, descending: bool, limit: int
    ) -> None:
        _populate(driven)
        whole = [found.id for found in driven.scan(order=order, descending=descending, limit=1000)]
        assert driven.walk(limit, order=order, descending=descending) == whole

    @pytest.mark.parametrize("order", ["created_at", "id"])
    @pytest.mark.parametrize("descending", [False, True])
    def test_what_exists_throughout_a_walk_is_met_exactly_once(
        self, driven: Driven, order: str, descending: bool
    ) -> None:
        _populate(driven)
        stays = set(driven.ids()) - {"r03", "r11", "r20"}

        def meanwhile(number: int) -> None:
            driven.insert(f"before {number}", f"a{number}", at=START.replace(year=2000))
            driven.insert(f"tied {number}", f"r12{number}", at=START)
            driven.insert(f"after {number}", f"z{number}", at=START.replace(year=2050))
            driven.update("r05", category=str(number))
            driven.update("r15", content=str(number))
            driven.touch("r07")
            driven.delete("r03", "r11", "r20")

        met = driven.walk(4, meanwhile, order=order, descending=descending)
        assert len(met) == len(set(met))
        assert stays <= set(met)

    def test_a_walk_goes_on_from_a_place_whose_record_has_gone(self, driven: Driven) -> None:
        for id in "abcdef":
            driven.insert(f"text {id}", id)
        page = driven.scan(order="id", limit=3)
        driven.delete("c")
        rest = driven.scan(order="id", after=("c", "c"))
        assert [found.id for found in [*page, *rest]] == list("abcdef")

    def test_a_filter_holds_over_all_pages(self, driven: Driven) -> None:
        _populate(driven)
        where = {"n": {"$in": [0, 5, 7, 8, 23]}}
        assert driven.walk(2, where=where, order="id") == ["r00", "r05", "r07", "r08", "r23"]

    def test_a_limit_beyond_the_end_gives_what_there_is(self, driven: Driven) -> None:
        _populate(driven)
        assert len(driven.scan(limit=1000)) == 24
        assert driven.scan(limit=1000, after=(START.replace(year=2500), "z")) == []

    # --------------------------------------------------------------------------------------------- counts

    def test_a_count_equals_the_listing(self, driven: Driven) -> None:
        _populate(driven)
        wheres: list[dict[str, Any] | None] = [
            None,
            {},
            {"n": {"$lt": 7}},
            {"category": "changed"},
            {"importance": {"$gte": 0.5}},
        ]
        for where in wheres:
            assert driven.count(where) == len(driven.ids(where))

    def test_statistics_count_what_the_scope_sees(self, driven: Driven) -> None:
        ann = Scope(user_id="ann", session_id="s1")
        driven.insert("one", "a", scope=ann, category="x", kind="fact")
        driven.advance(5)
        driven.insert("two", "b", scope=Scope(user_id="ann", session_id="s2"), category="x")
        driven.insert("three", "c", scope=Scope(user_id="bob"), ttl=100)
        driven.insert("four", "d", scope=Scope(tenant_id="other"))
        driven.update("a", importance=0.1)
        driven.link("a", "b")
        stats = driven.stats()
        assert (stats.records, stats.users, stats.sessions, stats.expired) == (3, 2, 2, 0)
        assert dict(stats.by_kind) == {"memory": 2, "fact": 1}
        assert dict(stats.by_category) == {"x": 2}
        assert (stats.versions, stats.links, stats.unembedded) == (1, 1, 3)
        assert (stats.oldest, stats.newest) == (START, driven.now)
        assert driven.stats(ann).records == 1
        driven.advance(100)
        assert (driven.stats().records, driven.stats().expired) == (2, 1)

    def test_statistics_of_an_empty_store_are_zeros(self, driven: Driven) -> None:
        stats = driven.stats()
        assert (stats.records, stats.users, stats.sessions, stats.versions, stats.links) == (0, 0, 0, 0, 0)
        assert (stats.oldest, stats.newest, dict(stats.by_kind), dict(stats.embedded)) == (None, None, {}, {})


def _populate(driven: Driven) -> None:
    """24 records with ties in every order but that of ids."""
    for number in range(24):
        fields: dict[str, Any] = {"importance": number % 5 / 4, "metadata": {"n": number}}
        driven.insert(f"text {number}", f"r{number:02}", **fields)
        if number % 3 == 0:
            driven.advance(1)
    for number in (2, 4, 9, 10):
        driven.update(f"r{number:02}", category="changed")
