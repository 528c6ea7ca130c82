"""Searches for a time: what was learnt in it and what mentions a day of it is found, whatever its words."""

from __future__ import annotations

from datetime import datetime, timedelta

from memwell.testing.samples import ANYBODY, START
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["Timing"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)


def times_of(harness: Harness, *times: tuple[datetime, datetime], **options: object) -> set[str]:
    """The ids of all candidates of a search for times."""
    found = harness.search(times=times, **options)  # type: ignore[arg-type]
    return {found.ids[candidate.key] for candidate in found.candidates}


class Timing(StoreSuite):
    """Part of `StoreConformance`."""

    def test_what_was_created_from_a_moment_until_before_another_is_found(self, harness: Harness) -> None:
        harness.needs("times")
        for id, at in (
            ("early", START - MICROSECOND),
            ("first", START),
            ("last", START + HOUR - MICROSECOND),
            ("late", START + HOUR),
        ):
            harness.insert(f"text {id}", id, at=at)
        harness.advance(7200)
        assert times_of(harness, (START, START + HOUR)) == {"first", "last"}
        assert times_of(harness, (START + HOUR, START + 2 * HOUR), (START - HOUR, START)) == {"late", "early"}
        assert times_of(harness, (START + 5 * HOUR, START + 6 * HOUR)) == set()

    def test_the_pool_takes_the_newest_of_each_time(self, harness: Harness) -> None:
        harness.needs("times")
        for number in range(20):
            harness.insert(f"text {number}", f"r{number:02}", at=START + number * HOUR / 10)
        harness.advance(7200)
        times = (START, START + HOUR), (START + HOUR, START + 2 * HOUR)
        assert times_of(harness, *times, pool=2) == {"r08", "r09", "r18", "r19"}

    def test_what_mentions_a_day_of_the_time_is_found(self, harness: Harness) -> None:
        harness.needs("times")
        harness.insert("the ferry leaves on 3 June 2024", "june")
        harness.insert("the train leaves on 9 July 2024", "july")
        harness.insert("nothing", "none")
        assert times_of(harness, days=("2024-06-02", "2024-06-03")) == {"june"}
        found = harness.search("ferry", days=("2024-07-09",))
        assert {found.ids[candidate.key] for candidate in found.candidates} == {"june", "july"}
        assert list(found.statistics.frequencies) == [1], "a day of the time is no term"
        assert {tuple(candidate.matches) for candidate in found.candidates} == {((0, 1),), ()}

    def test_scope_expiry_and_filter_hold_for_times(self, harness: Harness) -> None:
        harness.needs("times", "filters")
        later = START + timedelta(hours=2)
        for id, scope, category, expires in (
            ("mine", ANN, "kept", None),
            ("old", ANN, "kept", START + HOUR / 2),
            ("other", ANN, "lost", None),
            ("hers", BOB, "kept", None),
        ):
            text = f"{id} on 3 June 2024"
            harness.insert(text, id, scope=scope, category=category, expires_at=expires, at=START)
        harness.now = later
        for asked in ({"times": ((START, later),)}, {"days": ("2024-06-03",)}):
            found = harness.search(scope=ANN, where={"category": "kept"}, **asked)
            assert {found.ids[candidate.key] for candidate in found.candidates} == {"mine"}
            found = harness.search(scope=ANYBODY, **asked)
            assert {found.ids[c.key] for c in found.candidates} == {"mine", "other", "hers"}
