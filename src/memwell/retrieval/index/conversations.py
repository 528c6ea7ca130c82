"""The order of records within their conversations.

A record with a session belongs to that session. A record without a session but with a speaker belongs with the records
of the same user within half an hour of it. Any other record belongs to no conversation.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["REACH", "Conversations"]

REACH: Final = 3
"""Turns on either side that a window can span."""

_PAUSE: Final = 30 * 60 * 1_000_000
"""Microseconds of silence that end a conversation without a session."""

_Conversation: TypeAlias = tuple[str | None, str | None]
"""User and session."""


class Conversations:
    """The conversations of a corpus, whose records have slots 0, 1, 2, … in the order they are added.

    Not thread-safe: callers hold a lock.
    """

    def __init__(self) -> None:
        self.before = array("q")
        """Slot → the slot directly before it in its conversation; itself if there is none."""
        self.after = array("q")
        """Slot → the slot directly after it in its conversation; itself if there is none."""
        self.codes = array("q")
        """Slot → the code of its conversation: 0 for none, even for a session, odd for a user without one. Records
        of an odd code belong to several conversations, with pauses between them.
        """
        self.created = array("q")
        """Slot → when it was created, in microseconds."""
        self.keys = array("q")
        """Slot → its key, which orders records of the same time."""
        self.windows: dict[int, Any] = {}
        """Slot → its window, as long as that is current, for who wants to keep it."""
        self._known: list[_Conversation] = []
        """The conversations by half of their code, less one."""
        self._members: dict[_Conversation, tuple[int, array[int]]] = {}
        """Conversation → its code, and its slots by time, then by key."""

    def __bool__(self) -> bool:
        """Whether there is any conversation at all."""
        return bool(self._known)

    def fill(
        self,
        keys: Sequence[int],
        created: Sequence[int],
        users: Sequence[str | None],
        sessions: Sequence[str | None],
        spoken: Sequence[int],
    ) -> None:
        """Add the first slots at once; see `add`."""
        many = len(keys)
        self.keys, self.created = array("q", keys), array("q", created)
        self.before = array("q", range(many))
        self.after = self.before[:]
        self.codes = array("q", bytes(self.codes.itemsize * many))
        talks: dict[_Conversation, list[int]] = {}
        for slot, (user, session, speaks) in enumerate(zip(users, sessions, spoken, strict=True)):
            if speaks or session is not None:
                talks.setdefault((user, session), []).append(slot)
        for conversation, slots in talks.items():
            code, members = self._of(conversation)
            slots.sort(key=self._order)
            members.extend(slots)
            self._chain(slots, code)

    def _chain(self, slots: Sequence[int], code: int) -> None:
        """Connect slots in their order, one after another, where no pause is between them."""
        before, after, codes, created = self.before, self.after, self.codes, self.created
        last = slots[0]
        codes[last] = code
        for slot in slots[1:]:
            codes[slot] = code
            if not code % 2 or created[slot] - created[last] <= _PAUSE:
                after[last], before[slot] = slot, last
            last = slot

    def add(self, key: int, created: int, user: str | None, session: str | None, *, spoken: bool) -> None:
        """Add the next slot.

        `created` is in microseconds, `key` orders records of the same time, `spoken` says whether there is a speaker.
        """
        slot = len(self.codes)
        self.keys.append(key)
        self.created.append(created)
        self.before.append(slot)
        self.after.append(slot)
        self.codes.append(0)
        if spoken or session is not None:
            self._insert(slot, (user, session))

    def remove(self, slot: int) -> None:
        """Remove a slot from its conversation."""
        code = self.codes[slot]
        if not code:
            return
        self._forget(slot)
        _, members = self._members[self._known[code // 2 - 1]]
        place = bisect_left(members, self._order(slot), key=self._order)
        del members[place]
        self.codes[slot] = 0
        self.before[slot] = self.after[slot] = slot
        self._connect(members, place - 1, place)

    def conversation(self, code: int, day: int) -> Hashable | None:
        """The identity of a conversation with one of `codes`. One without a session is approximated by user and day."""
        found = self._known[code // 2 - 1] if code else None
        return (found, day) if code % 2 else found

    def _insert(self, slot: int, conversation: _Conversation) -> None:
        """Insert a slot into a conversation, by time, then by key."""
        code, members = self._of(conversation)
        self.codes[slot] = code
        place = len(members)
        if members and self._order(members[-1]) > self._order(slot):
            place = bisect_right(members, self._order(slot), key=self._order)
        members.insert(place, slot)
        self._connect(members, place - 1, place)
        self._connect(members, place, place + 1)
        self._forget(slot)

    def _connect(self, members: array[int], place: int, following: int) -> None:
        """Make the members at two places neighbours, unless there is a pause between them."""
        one = members[place] if place >= 0 else None
        other = members[following] if following < len(members) else None
        if one is not None and other is not None:
            named = not self.codes[one] % 2
            if named or self.created[other] - self.created[one] <= _PAUSE:
                self.after[one], self.before[other] = other, one
                return
        if one is not None:
            self.after[one] = one
        if other is not None:
            self.before[other] = other

    def _forget(self, slot: int) -> None:
        """Drop the windows that a slot is part of."""
        for links in (self.before, self.after) if self.windows else ():
            at = slot
            for _ in range(REACH + 1):
                self.windows.pop(at, None)
                at = links[at]

    def _of(self, conversation: _Conversation) -> tuple[int, array[int]]:
        """The code and the members of a conversation."""
        found = self._members.get(conversation)
        if found is None:
            self._known.append(conversation)
            code = 2 * len(self._known) + (conversation[1] is None)
            found = self._members[conversation] = (code, array("q"))
        return found

    def _order(self, slot: int) -> tuple[int, int]:
        return self.created[slot], self.keys[slot]
