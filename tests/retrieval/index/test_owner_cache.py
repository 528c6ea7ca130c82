"""What is kept of the owners in use: bounded, each for one user at a time, never half changed."""

from __future__ import annotations

import threading

import pytest

from memwell.registry import open_store
from memwell.retrieval.index.owner_cache import OwnerCache
from memwell.testing import run
from memwell.testing.stores import Harness
from memwell.types import Scope


def grown(value: list[int] | None, owner: tuple[str, str | None]) -> list[int]:
    """One longer at each use; of a whole tenant, ten longer."""
    return [*(value or []), *range(1 if owner[1] else 10)]


def kept(budget: int = 100) -> OwnerCache[list[int]]:
    return OwnerCache(grown, len, budget)


def used(values: OwnerCache[list[int]], *users: str | None) -> None:
    for user in users:
        with values.fresh(("t", user)):
            pass


def test_a_value_is_brought_up_to_date_at_each_use() -> None:
    values = kept()
    used(values, "ann", "ann", "bob")
    with values.fresh(("t", "ann")) as value:
        assert value == [0, 0, 0]
    values.drop(("t", "ann"))
    with values.fresh(("t", "ann")) as value:
        assert value == [0]


def test_owners_of_whom_nothing_is_kept_weigh_something_and_go() -> None:
    values = OwnerCache[list[int]](lambda before, owner: [], len, 100)
    used(values, *map(str, range(10_000)))
    assert 10 < len(values.owners()) <= 50
    assert values.owners()[-1] == ("t", "9999")


def test_a_value_that_grows_while_it_is_in_use_puts_others_away() -> None:
    values = kept(30)
    used(values, "a", "b", "c")
    assert len(values.owners()) == 3
    used(values, *["c"] * 16)
    assert values.owners() == [("t", "b"), ("t", "c")]
    used(values, None)
    assert values.owners() == [("t", None)]
    used(values, None, None, None)  # the only one stays, however large it is
    assert values.owners() == [("t", None)]
    used(values, "a")
    assert values.owners() == [("t", "a")]


def test_what_is_dropped_or_forgotten_weighs_nothing() -> None:
    values = kept(20)
    for _ in range(50):
        used(values, "a")
        values.drop(("t", "a"))
    used(values, "b", "c")
    values.clear()
    used(values, "d", "e", "f")
    assert len(values.owners()) == 3


def test_what_an_interrupt_left_half_changed_is_created_again() -> None:
    failing = False

    def follow(value: list[int] | None, owner: tuple[str, str | None]) -> list[int]:
        made = [0] if value is None else value
        made.append(1)
        if failing:
            raise KeyboardInterrupt
        return made

    values = OwnerCache(follow, len, 100)
    used(values, "a", "a")
    failing = True
    with pytest.raises(KeyboardInterrupt):
        used(values, "a")
    failing = False
    with values.fresh(("t", "a")) as value:
        assert value == [0, 1]


def test_one_at_a_time_has_an_owner_and_others_do_not_wait() -> None:
    values = kept()
    here, done = threading.Event(), threading.Event()

    def hold() -> None:
        with values.fresh(("t", "a")):
            here.set()
            done.wait(10)

    def wait_for_it() -> None:
        with values.fresh(("t", "a")) as value:
            lengths.append(len(value))

    lengths: list[int] = []
    threads = [threading.Thread(target=hold), threading.Thread(target=wait_for_it)]
    threads[0].start()
    assert here.wait(10)
    threads[1].start()
    used(values, "b")
    assert lengths == []
    done.set()
    for thread in threads:
        thread.join()
    assert lengths == [2]


def test_a_store_that_is_asked_for_owners_it_does_not_have_forgets_them() -> None:
    store = open_store("memory://")
    corpora = store._corpora  # type: ignore[attr-defined]
    corpora._cache.budget = 40
    harness = Harness(store)
    for number in range(50):
        assert harness.found("apple", scope=Scope(user_id=f"u{number}")) == set()
    assert len(corpora._cache.owners()) == 10
    run(store, store.close())
