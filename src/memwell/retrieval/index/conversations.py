"""The order of records within their conversations.

A record with a session belongs to that session. A record without a session but with a speaker belongs with the records
of the same user within half an hour of it. Any other record belongs to no conversation.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from memwell.ports.store.search import DEFAULT, Features, Weights
from memwell.retrieval.ranking.windows import REACH, Share, shares

__all__ = ["Conversations"]

_PAUSE: Final = 30 * 60 * 1_000_000
"""Microseconds of silence that end a conversation without a session."""


class Conversations:
    """The conversations of a corpus, whose records have slots 0, 1, 2, … in the order they are added.

    `features` returns the features of a slot. Not thread-safe: callers hold a lock.
    """

    def __init__(self, features: Callable[[int], Features]) -> None:
        self._features = features
        self._members: dict[Hashable, list[int]] = {}
        """Conversation → its slots by time, then by key."""
        self._conversation: list[Hashable | None] = []
        self._named: list[bool] = []
        self._order: list[tuple[int, int]] = []
        """Slot → (created in microseconds, key)."""
        self._places = array("l")
        """Slot → its position in its conversation, unless that is stale."""
        self._stale: set[Hashable] = set()
        self._windows: dict[int, list[Share]] = {}

    def __bool__(self) -> bool:
        """Whether there is any conversation at all."""
        return bool(self._members)

    def fill(
        self,
        keys: Sequence[int],
        created: Sequence[int],
        users: Sequence[str | None],
        sessions: Sequence[str | None],
        spoken: Sequence[bool],
    ) -> None:
        """Add the first slots at once; see `add`."""
        self._conversation = [None] * len(keys)
        self._named = [session is not None for session in sessions]
        self._order = list(zip(created, keys, strict=True))
        self._places = array("l", bytes(self._places.itemsize * len(keys)))
        for slot, speaks in enumerate(spoken):
            if speaks or self._named[slot]:
                self._conversation[slot] = conversation = (users[slot], sessions[slot])
                self._members.setdefault(conversation, []).append(slot)
        for members in self._members.values():
            members.sort(key=self._order.__getitem__)
            for place, slot in enumerate(members):
                self._places[slot] = place

    def add(self, key: int, created: int, user: str | None, session: str | None, *, spoken: bool) -> None:
        """Add the next slot.

        `created` is in microseconds, `key` orders records of the same time, `spoken` says whether there is a speaker.
        """
        slot = len(self._conversation)
        self._conversation.append(None)
        self._named.append(session is not None)
        self._order.append((created, key))
        self._places.append(0)
        if spoken or session is not None:
            self._insert(slot, (user, session))

    def _insert(self, slot: int, conversation: Hashable) -> None:
        """Insert a slot into a conversation, by time, then by key."""
        self._conversation[slot] = conversation
        members, order = self._members.setdefault(conversation, []), self._order
        place = len(members)
        if members and order[members[-1]] > order[slot]:
            place = bisect_right(members, order[slot], key=order.__getitem__)
            self._stale.add(conversation)
        self._places[slot] = place
        members.insert(place, slot)
        self._forget_windows(members, place)

    def remove(self, slot: int) -> None:
        """Remove a slot from its conversation."""
        conversation = self._conversation[slot]
        if conversation is None:
            return
        members, place = self._member(conversation, slot)
        self._forget_windows(members, place)
        self._stale.add(conversation)
        self._conversation[slot] = None
        del members[place]

    def of(self, slot: int, day: int) -> Hashable | None:
        """The conversation of a record; for one without a session, an approximation: the same user and day."""
        conversation = self._conversation[slot]
        return conversation if conversation is None or self._named[slot] else (conversation, day)

    def beside(self, slot: int) -> list[int]:
        """A record and those directly before and after it, in order."""
        members, place = self._around(slot)
        return members[max(0, place - 1) : place + 2]

    def window(self, slot: int, weights: Weights) -> list[Share]:
        """The share of each neighbour in the window of a record (see `memwell.retrieval.ranking.windows`)."""
        if weights is not DEFAULT:
            return shares(*self._around(slot), self._features, weights)
        if self._conversation[slot] is None:
            return []
        found = self._windows.get(slot)
        if found is None:
            found = self._windows[slot] = shares(*self._around(slot), self._features, weights)
        return found

    def _around(self, slot: int) -> tuple[list[int], int]:
        """The slots within reach of a record in its conversation, and its position among them."""
        conversation = self._conversation[slot]
        if conversation is None:
            return [slot], 0
        members, place = self._member(conversation, slot)
        first = max(0, place - REACH)
        near = members[first : place + REACH + 1]
        place -= first
        if self._named[slot]:
            return near, place
        return self._unbroken(near, place)

    def _unbroken(self, members: list[int], place: int) -> tuple[list[int], int]:
        """The part around a position that has no long silence."""
        times = [self._order[slot][0] for slot in members]
        first = place
        while first > 0 and times[first] - times[first - 1] <= _PAUSE:
            first -= 1
        last = place
        while last + 1 < len(members) and times[last + 1] - times[last] <= _PAUSE:
            last += 1
        return members[first : last + 1], place - first

    def _member(self, conversation: Hashable, slot: int) -> tuple[list[int], int]:
        members = self._members[conversation]
        if conversation in self._stale:
            self._stale.discard(conversation)
            for place, other in enumerate(members):
                self._places[other] = place
        return members, self._places[slot]

    def _forget_windows(self, members: list[int], place: int) -> None:
        """Drop the cached windows around a position."""
        for slot in members[max(0, place - REACH) : place + REACH + 1]:
            self._windows.pop(slot, None)
