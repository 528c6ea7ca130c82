"""The operations that are compared call by call, on any database: each gives the calls of ours and of the floor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.speed.sides import Sides

__all__ = ["OPERATIONS", "USER", "Calls"]

USER = "u"
"""Who holds the memories, where it is one user."""
Calls = tuple[Sequence[Callable[[], Any]], Sequence[Callable[[], Any]]]
"""Calls of ours and of the floor."""


def recall(sides: Sides[Any], times: int) -> Calls:
    """The ten best of one user's memories, each time another question."""
    return sides.recalls(sides.questions(USER, times, sides.count), [USER])


def recall_one_of_many(sides: Sides[Any], times: int) -> Calls:
    """The same by twenty users of many in turn."""
    users = list(sides.first)[:: max(1, len(sides.first) // 20)]
    each = sides.count // len(sides.first)
    asked = [sides.questions(user, -(-times // len(users)), each) for user in users]
    pairs = [(query, user) for user, of_user in zip(users, asked, strict=True) for query in of_user]
    return sides.recalls([query for query, _ in pairs], [user for _, user in pairs])


def remember(sides: Sides[Any], times: int) -> Calls:
    """One new memory a call, with its session where the corpus has sessions."""
    session = sides.corpus.session(sides.taken)
    texts = sides.unused(times)
    ours = [partial(sides.ours.remember, text, user_id=USER, **session) for text in texts]
    return ours, [partial(sides.floor.remember, text, USER) for text in texts]


def get(sides: Sides[Any], times: int) -> Calls:
    """One memory by its id."""
    mine, theirs = _spread(sides, times)
    return [partial(sides.ours.get, id) for id in mine], [partial(sides.floor.get, id) for id in theirs]


def update(sides: Sides[Any], times: int) -> Calls:
    """Another content, with its words and its vector."""
    mine, theirs = _spread(sides, times)
    texts = sides.unused(times)
    ours = [partial(sides.ours.update, id, content=text) for id, text in zip(mine, texts, strict=True)]
    return ours, [partial(sides.floor.update, id, text) for id, text in zip(theirs, texts, strict=True)]


def forget(sides: Sides[Any], times: int) -> Calls:
    """One memory less, with its words and its vector."""
    mine, theirs = _spread(sides, times)
    ours = [partial(sides.ours.forget, id) for id in mine]
    return ours, [partial(sides.floor.forget, id) for id in theirs]


def _spread(sides: Sides[Any], times: int) -> tuple[list[str], list[str]]:
    """Ids of memories from all over the store, ours and the floor's. Texts said twice have one id of ours."""
    pairs = list(dict(zip(*sides.ids, strict=True)).items())
    chosen = pairs[:: max(1, len(pairs) // times)][:times]
    return [mine for mine, _ in chosen], [theirs for _, theirs in chosen]


OPERATIONS: Mapping[str, Callable[[Sides[Any], int], Calls]] = {
    "recall": recall,
    "one-of-many": recall_one_of_many,
    "remember": remember,
    "get": get,
    "update": update,
    "forget": forget,
}
"""Name of the row → the calls to measure."""
