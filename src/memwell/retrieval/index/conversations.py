"""Who stands next to whom: the order of records within their conversations.

A record belongs to the session that it names. One that names none but has a speaker belongs with those of the same user
that were said within half an hour of it; anything else stands alone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from memwell.ports.store.search import DEFAULT, Facts, Weights
from memwell.retrieval.ranking.windows import REACH, Share, shares

__all__ = ["Conversations"]

_PAUSE: Final = 30 * 60 * 1_000_000
"""Microseconds of silence that end a conversation without a name."""


class Conversations:
    """The conversations of a corpus, whose records have slots 0, 1, 2, … in the order they are added.

    `facts` tells what is known of a slot; it is asked when a window is. Guard it from outside.
    """

    def __init__(self, facts: Callable[[int], Facts]) -> None:
        self._facts = facts
        self._seats: dict[Hashable, list[int]] = {}
        """Conversation → its slots by time, then by key."""
        self._of: list[Hashable | None] = []
        self._named: list[bool] = []
        self._order: list[tuple[int, int]] = []
        """Slot → (created in microseconds, key)."""
        self._places = array("l")
        """Slot → its place in its conversation, unless that is stale."""
        self._stale: set[Hashable] = set()
        self._windows: dict[int, list[Share]] = {}

    def __bool__(self) -> bool:
        """Whether there is any conversation at all."""
        return bool(self._seats)

    def fill(
        self,
        keys: Sequence[int],
        created: Sequence[int],
        users: Sequence[str | None],
        sessions: Sequence[str | None],
        spoken: Sequence[bool],
    ) -> None:
        """Seat the first slots at once; see `add`."""
        self._of = [None] * len(keys)
        self._named = [session is not None for session in sessions]
        self._order = list(zip(created, keys, strict=True))
        self._places = array("l", bytes(self._places.itemsize * len(keys)))
        for slot, speaks in enumerate(spoken):
            if speaks or self._named[slot]:
                self._of[slot] = conversation = (users[slot], sessions[slot])
                self._seats.setdefault(conversation, []).append(slot)
        for seats in self._seats.values():
            seats.sort(key=self._order.__getitem__)
            for place, slot in enumerate(seats):
                self._places[slot] = place

    def add(self, key: int, created: int, user: str | None, session: str | None, *, spoken: bool) -> None:
        """Seat the next slot.

        `created` is in microseconds, `key` orders what was created at once, `spoken` tells that it has a speaker.
        """
        slot = len(self._of)
        self._of.append(None)
        self._named.append(session is not None)
        self._order.append((created, key))
        self._places.append(0)
        if spoken or session is not None:
            self._take_seat(slot, (user, session))

    def _take_seat(self, slot: int, conversation: Hashable) -> None:
        """Put a slot in its place: by time, then by key."""
        self._of[slot] = conversation
        seats, order = self._seats.setdefault(conversation, []), self._order
        place = len(seats)
        if seats and order[seats[-1]] > order[slot]:
            place = bisect_right(seats, order[slot], key=order.__getitem__)
            self._stale.add(conversation)
        self._places[slot] = place
        seats.insert(place, slot)
        self._unsettle(seats, place)

    def remove(self, slot: int) -> None:
        """Take a slot out of its conversation; it stands alone from then on."""
        conversation = self._of[slot]
        if conversation is None:
            return
        seats, place = self._seat(conversation, slot)
        self._unsettle(seats, place)
        self._stale.add(conversation)
        self._of[slot] = None
        del seats[place]

    def of(self, slot: int, day: int) -> Hashable | None:
        """The conversation of a record, as far as it can be told; without a name, those of one user and day."""
        conversation = self._of[slot]
        return conversation if conversation is None or self._named[slot] else (conversation, day)

    def beside(self, slot: int) -> list[int]:
        """A record and those right before and after it, in order."""
        seats, place = self._wrap(slot)
        return seats[max(0, place - 1) : place + 2]

    def window(self, slot: int, weights: Weights) -> list[Share]:
        """What a record takes of its neighbours' evidence (see `memwell.retrieval.ranking.windows`)."""
        if weights is not DEFAULT:
            return shares(*self._wrap(slot), self._facts, weights)
        if self._of[slot] is None:
            return []
        found = self._windows.get(slot)
        if found is None:
            found = self._windows[slot] = shares(*self._wrap(slot), self._facts, weights)
        return found

    def _wrap(self, slot: int) -> tuple[list[int], int]:
        """The slots within reach of a record in its conversation, and its place among them."""
        conversation = self._of[slot]
        if conversation is None:
            return [slot], 0
        seats, place = self._seat(conversation, slot)
        first = max(0, place - REACH)
        near = seats[first : place + REACH + 1]
        place -= first
        if self._named[slot]:
            return near, place
        return self._unbroken(near, place)

    def _unbroken(self, seats: list[int], place: int) -> tuple[list[int], int]:
        """The part around a place without a long silence."""
        times = [self._order[slot][0] for slot in seats]
        first = place
        while first > 0 and times[first] - times[first - 1] <= _PAUSE:
            first -= 1
        last = place
        while last + 1 < len(seats) and times[last + 1] - times[last] <= _PAUSE:
            last += 1
        return seats[first : last + 1], place - first

    def _seat(self, conversation: Hashable, slot: int) -> tuple[list[int], int]:
        seats = self._seats[conversation]
        if conversation in self._stale:
            self._stale.discard(conversation)
            for place, other in enumerate(seats):
                self._places[other] = place
        return seats, self._places[slot]

    def _unsettle(self, seats: list[int], place: int) -> None:
        """The windows around a place are to be found anew."""
        for slot in seats[max(0, place - REACH) : place + REACH + 1]:
            self._windows.pop(slot, None)
