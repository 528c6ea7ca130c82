"""Who stands next to whom, whatever the order in which records come and go."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.retrieval.index.conversations import Conversations
from memwell.retrieval.ranking.windows import REACH

MINUTE = 60 * 1_000_000


@dataclass
class Room:
    """Conversations, and the slot of each record by its key."""

    talk: Conversations = field(default_factory=Conversations)
    slots: list[int] = field(default_factory=list)
    """Slot → key."""

    def say(
        self,
        key: int,
        minute: float,
        *,
        session: str | None = "s",
        user: str | None = "ana",
        spoken: bool = True,
    ) -> int:
        self.talk.add(key, int(minute * MINUTE), user, session, spoken=spoken)
        self.slots.append(key)
        return len(self.slots) - 1

    def beside(self, slot: int) -> list[int]:
        """The keys of the turn before, of the slot, and of the turn after, as far as there are such."""
        around = [self.talk.before[slot], slot, self.talk.after[slot]]
        return [self.slots[other] for other in dict.fromkeys(around)]

    def window(self, slot: int) -> list[int]:
        """The keys of all within reach of a record, ascending."""
        found = set()
        for links in (self.talk.before, self.talk.after):
            at = slot
            for _ in range(REACH):
                at = links[at]
                found.add(self.slots[at])
        return sorted(found - {self.slots[slot]})

    def of(self, slot: int, day: int) -> Hashable | None:
        """The conversation of a record of a day."""
        return self.talk.conversation(self.talk.codes[slot], day)


@pytest.fixture
def room() -> Room:
    return Room()


def test_neighbours_are_those_right_before_and_after(room: Room) -> None:
    slots = [room.say(key, key) for key in range(4)]
    assert [room.beside(slot) for slot in slots] == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]]


def test_time_decides_and_not_the_order_of_arrival(room: Room) -> None:
    late, early, middle = room.say(1, 30), room.say(2, 10), room.say(3, 20)
    assert room.beside(middle) == [2, 3, 1]
    assert room.beside(early) == [2, 3]
    assert room.beside(late) == [3, 1]


def test_what_was_said_at_once_goes_by_key(room: Room) -> None:
    slots = {key: room.say(key, 5) for key in (3, 1, 2)}
    assert room.beside(slots[2]) == [1, 2, 3]


def test_a_changed_record_keeps_its_place(room: Room) -> None:
    """It comes back with its key and time, in a new slot."""
    slots = [room.say(key, key) for key in range(3)]
    room.talk.remove(slots[1])
    assert room.beside(slots[0]) == [0, 2]
    again = room.say(1, 1)
    assert room.beside(again) == [0, 1, 2]
    assert room.beside(slots[2]) == [1, 2]


def test_one_that_was_removed_stands_alone(room: Room) -> None:
    slots = [room.say(key, key) for key in range(3)]
    room.talk.remove(slots[1])
    assert room.beside(slots[1]) == [1]
    assert room.window(slots[1]) == []
    assert room.of(slots[1], 0) is None
    room.talk.remove(slots[1])
    assert room.beside(slots[0]) == [0, 2]


def test_sessions_and_users_are_apart(room: Room) -> None:
    mine = room.say(0, 0)
    room.say(1, 1, session="t")
    room.say(2, 2, user="bo")
    after = room.say(3, 3)
    assert room.beside(mine) == [0, 3]
    assert room.beside(after) == [0, 3]


def test_a_session_lasts_however_long_the_pauses_are(room: Room) -> None:
    slots = [room.say(key, 1000 * key) for key in range(3)]
    assert room.beside(slots[1]) == [0, 1, 2]
    assert room.of(slots[0], 1) == room.of(slots[2], 9)


def test_without_a_session_half_an_hour_of_silence_ends_a_conversation(room: Room) -> None:
    times = (0, 30, 60, 90.1, 91)
    slots = [room.say(key, minute, session=None) for key, minute in enumerate(times)]
    assert room.beside(slots[1]) == [0, 1, 2]
    assert room.beside(slots[2]) == [1, 2]
    assert room.beside(slots[3]) == [3, 4]
    assert room.window(slots[2]) == [0, 1]
    assert room.window(slots[4]) == [3]


def test_without_a_session_a_conversation_is_of_one_user_and_day(room: Room) -> None:
    mine, other, bo = (room.say(i, i, session=None, user=user) for i, user in enumerate(("ana", "ana", "bo")))
    assert room.of(mine, 7) == room.of(other, 7)
    assert room.of(mine, 7) != room.of(other, 8)
    assert room.of(mine, 7) != room.of(bo, 7)
    assert room.beside(other) == [0, 1]


def test_notes_stand_alone(room: Room) -> None:
    """No session and no speaker."""
    slots = [room.say(key, key, session=None, spoken=False) for key in range(3)]
    assert [room.beside(slot) for slot in slots] == [[0], [1], [2]]
    assert [room.window(slot) for slot in slots] == [[], [], []]
    assert [room.of(slot, 0) for slot in slots] == [None] * 3


def test_a_note_between_turns_does_not_part_them(room: Room) -> None:
    first = room.say(0, 0, session=None)
    room.say(1, 1, session=None, spoken=False)
    room.say(2, 2, session=None)
    assert room.beside(first) == [0, 2]


def test_a_window_reaches_three_turns_either_way(room: Room) -> None:
    slots = [room.say(key, key) for key in range(9)]
    assert room.window(slots[4]) == [1, 2, 3, 5, 6, 7]


def test_windows_are_found_again_after_a_change_near_by(room: Room) -> None:
    slots = [room.say(key, 10 * key) for key in range(4)]
    assert room.window(slots[0]) == [1, 2, 3]
    new = room.say(9, 5)
    assert room.window(slots[0]) == [1, 2, 9]
    assert room.window(slots[3]) == [1, 2, 9]
    room.talk.remove(new)
    assert room.window(slots[0]) == [1, 2, 3]
    room.talk.remove(slots[1])
    assert room.window(slots[0]) == [2, 3]


TURNS = st.tuples(
    st.integers(0, 200),
    st.sampled_from([None, "s", "t"]),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(TURNS, max_size=20), st.lists(TURNS, max_size=8), st.data())
def test_seated_at_once_or_one_by_one_is_the_same(
    first: list[tuple[int, str | None, bool, bool]],
    more: list[tuple[int, str | None, bool, bool]],
    data: st.DataObject,
) -> None:
    minutes, sessions, spoken = ([turn[i] for turn in first] for i in range(3))
    keys = data.draw(st.permutations(range(len(first))))
    filled, added = Room(slots=list(keys)), Room()
    users = ["ana"] * len(first)
    filled.talk.fill(keys, [m * MINUTE for m in minutes], users, sessions, spoken)
    for key, (minute, session, speaks, _) in zip(keys, first, strict=True):
        added.say(key, minute, session=session, spoken=speaks)
    for key, (minute, session, speaks, _) in enumerate(more, len(first)):
        for room in (filled, added):
            room.say(key, minute, session=session, spoken=speaks)
    for slot in range(len(first) + len(more)):
        assert filled.beside(slot) == added.beside(slot)
        assert filled.window(slot) == added.window(slot)
        assert filled.of(slot, 1) == added.of(slot, 1)


def test_there_is_a_conversation_or_there_is_none(room: Room) -> None:
    assert not room.talk
    room.say(0, 0, session=None, spoken=False)
    assert not room.talk
    room.say(1, 0)
    assert room.talk


@given(st.lists(TURNS, max_size=30), st.data())
def test_any_history_gives_the_neighbours_of_a_plain_sort(
    turns: list[tuple[int, str | None, bool, bool]], data: st.DataObject
) -> None:
    room, living = Room(), dict[int, tuple[int, int, str | None, bool]]()
    for key, (minute, session, spoken, remove) in enumerate(turns):
        living[room.say(key, minute, session=session, spoken=spoken)] = (minute, key, session, spoken)
        if living:
            asked = data.draw(st.sampled_from(sorted(living)))
            before, after = expected(living, asked)
            assert room.beside(asked) == [*before[-1:], room.slots[asked], *after[:1]]
            assert room.window(asked) == sorted([*before[-REACH:], *after[:REACH]])
        if remove:
            gone = data.draw(st.sampled_from(sorted(living)))
            room.talk.remove(gone)
            del living[gone]


def expected(living: dict[int, tuple[int, int, str | None, bool]], slot: int) -> tuple[list[int], list[int]]:
    """The keys before and after a record in its conversation."""
    minute, key, session, spoken = living[slot]
    if session is None and not spoken:
        return [], []
    seats = sorted(
        (other[0], other[1]) for other in living.values() if other[2] == session and (session or other[3])
    )
    place = seats.index((minute, key))
    first, last = place, place
    while first > 0 and (session or seats[first][0] - seats[first - 1][0] <= 30):
        first -= 1
    while last + 1 < len(seats) and (session or seats[last + 1][0] - seats[last][0] <= 30):
        last += 1
    return [k for _, k in seats[first:place]], [k for _, k in seats[place + 1 : last + 1]]
