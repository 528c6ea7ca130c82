"""The promises of the `Log` port as tests. A third party joins in ten lines::

    class TestMine(LogConformance):
        @pytest.fixture
        def log(self):
            part = MyLog(...)
            yield part
            run(part, part.close())

`LogFrontage` tries what the port refuses by itself: it concerns the port, and no adapter.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from memwell.errors import Closed, InvalidInput, InvalidQuery
from memwell.ports import Log
from memwell.testing._run import race, run
from memwell.testing.samples import LOOKALIKES

__all__ = ["LogConformance", "LogFrontage"]

THREADS = 8


class LogSuite:
    """The fixture."""

    @pytest.fixture
    def log(self) -> Log:
        """An open part. Closing it is up to the fixture; the suite may have done so before."""
        raise NotImplementedError("give the fixture `log`")


class LogConformance(LogSuite):
    """Subclass it and give the fixture `log`: an open, empty part."""

    # ------------------------------------------------------------------------------- append and read

    def test_an_unknown_stream_is_empty(self, log: Log) -> None:
        assert run(log, log.read("unknown")) == []

    def test_entries_come_back_in_the_order_appended(self, log: Log) -> None:
        run(log, log.append("s", [b"one", b"two"]))
        run(log, log.append("s", [b"three"]))
        assert _data(log, "s") == [b"one", b"two", b"three"]

    def test_append_gives_the_positions_that_read_gives(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two"])) + run(log, log.append("s", [b"three"]))
        assert [entry.position for entry in run(log, log.read("s"))] == given
        assert len(set(given)) == 3

    def test_positions_of_a_stream_are_ordered_as_text(self, log: Log) -> None:
        given = [position for _ in range(30) for position in run(log, log.append("s", [b"a", b"b"]))]
        assert given == sorted(given)

    def test_appending_nothing_gives_nothing(self, log: Log) -> None:
        assert run(log, log.append("s", [])) == []
        assert run(log, log.read("s")) == []

    def test_an_entry_is_of_the_time_of_its_append(self, log: Log) -> None:
        """Give or take what the clocks of two machines differ by."""
        for number in range(3):
            run(log, log.append("s", [b"%d" % number, b"more"]))
        entries = run(log, log.read("s"))
        for entry in entries:
            assert isinstance(entry.at, datetime)
            assert entry.at.utcoffset() == timedelta(0)
            assert abs(entry.at - datetime.now(UTC)) < timedelta(minutes=10)
        times = [entry.at for entry in entries]
        assert times == sorted(times)
        assert [entry.at for entry in run(log, log.read("s"))] == times
        assert [entry.at for entry in run(log, log.read("s", after=entries[2].position))] == times[3:]

    def test_bytes_come_back_as_they_were(self, log: Log) -> None:
        entries = [
            b"",
            b"\0",
            b"\0tail\0",
            bytes(range(256)),
            "żółw 🐢".encode(),
            b" 7 ",
            b"\r\n",
            b"x" * 1_000_000,
        ]
        run(log, log.append("s", entries))
        assert _data(log, "s") == entries
        assert {type(data) for data in _data(log, "s")} == {bytes}

    def test_streams_of_any_name_are_separate(self, log: Log) -> None:
        long = [
            start + end for start in ("k" * 254, "k" * 1023, "ż" * 511, "🐢" * 255) for end in ("", "a", "b")
        ]
        odd = ["żółw", "🐢" * 256, "a:b/c.d*%", "line\nbreak", "'; DROP TABLE x; --", "a", "ab", "b"]
        pathlike = ["a/", "/a", "a//", "a.", "./a", "a:", "a\\", "a?", "a#", "A"]
        names = [*LOOKALIKES, *long, *odd, *pathlike]
        given = [run(log, log.append(name, [b"%d" % number])) for number, name in enumerate(names)]
        for number, name in enumerate(names):
            assert _data(log, name) == [b"%d" % number], name[-9:]
        for number, name in enumerate(names):
            if number % 3 == 0:
                through = given[number][0] if number % 2 else None
                assert run(log, log.trim(name, through=through)) == 1
        left = {name: _data(log, name) for name in names}
        assert left == {name: [b"%d" % n] if n % 3 else [] for n, name in enumerate(names)}

    def test_streams_are_apart(self, log: Log) -> None:
        for number in range(3):
            run(log, log.append("a", [b"a%d" % number]))
            run(log, log.append("A", [b"A%d" % number]))
        assert _data(log, "a") == [b"a0", b"a1", b"a2"]
        assert _data(log, "A") == [b"A0", b"A1", b"A2"]
        run(log, log.trim("a"))
        assert len(_data(log, "A")) == 3

    def test_ten_thousand_entries_in_one_call(self, log: Log) -> None:
        entries = [b"%d" % number for number in range(10_050)]
        given = run(log, log.append("s", entries))
        assert given == sorted(set(given))
        assert _data(log, "s", limit=10_100) == entries
        assert run(log, log.trim("s", keep=10_040)) == 10
        assert _data(log, "s", limit=10_100) == entries[10:]
        assert run(log, log.trim("s", through=given[10_019])) == 10_010
        assert _data(log, "s") == entries[10_020:]

    def test_a_list_that_was_returned_may_be_changed(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two"]))
        given.clear()
        run(log, log.read("s")).clear()
        assert _data(log, "s") == [b"one", b"two"]

    def test_nothing_goes_that_was_not_trimmed(self, log: Log) -> None:
        for number in range(0, 3_000, 100):
            run(log, log.append("s", [b"%d" % n for n in range(number, number + 100)]))
            run(log, log.append("other", [b"x"]))
            assert _data(log, "s", limit=1) == [b"0"]
        assert len(_data(log, "other", limit=5_000)) == 30
        assert run(log, log.trim("other", keep=1)) == 29
        assert _data(log, "s", limit=5_000) == [b"%d" % n for n in range(3_000)]

    # ------------------------------------------------------------------------------------- positions

    def test_reading_goes_on_after_a_position(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two", b"three"]))
        assert _data(log, "s", after=given[0]) == [b"two", b"three"]
        assert _data(log, "s", after=given[2]) == []
        run(log, log.append("s", [b"four"]))
        assert _data(log, "s", after=given[2]) == [b"four"]

    def test_reading_stops_at_the_limit(self, log: Log) -> None:
        run(log, log.append("s", [b"%d" % number for number in range(250)]))
        assert len(_data(log, "s", limit=None)) == 100
        assert _data(log, "s", limit=2) == [b"0", b"1"]

    def test_pages_give_every_entry_once(self, log: Log) -> None:
        run(log, log.append("s", [b"%d" % number for number in range(50)]))
        seen: list[bytes] = []
        after = None
        while page := run(log, log.read("s", after=after, limit=7)):
            seen += [entry.data for entry in page]
            after = page[-1].position
            if len(seen) < 70:
                run(log, log.append("s", [b"more"]))
        assert seen[:50] == [b"%d" % number for number in range(50)]
        assert len(seen) == len(_data(log, "s", limit=1000))

    def test_what_no_log_gives_as_a_position_is_refused(self, log: Log) -> None:
        run(log, log.append("s", [b"one"]))
        for after in ("", "x", "-", "1' OR 1=1", "🐢", "-1", "9" * 60, " 1", "１" * 19):
            for stream in ("s", "unknown"):
                with pytest.raises(InvalidQuery):
                    run(log, log.read(stream, after=after))
                with pytest.raises(InvalidQuery):
                    run(log, log.trim(stream, through=after))
        assert _data(log, "s") == [b"one"]

    # ------------------------------------------------------------------------------------------ trim

    def test_trim_drops_everything_and_tells_how_many(self, log: Log) -> None:
        run(log, log.append("s", [b"one", b"two"]))
        assert run(log, log.trim("s")) == 2
        assert run(log, log.read("s")) == []
        assert run(log, log.trim("s")) == 0

    def test_trimming_an_unknown_stream_drops_nothing(self, log: Log) -> None:
        assert run(log, log.trim("unknown")) == 0
        assert run(log, log.trim("unknown", keep=5)) == 0

    def test_trim_keeps_the_newest(self, log: Log) -> None:
        run(log, log.append("s", [b"%d" % number for number in range(9)]))
        for keep, left in ((12, 9), (9, 9), (5, 5), (3, 3), (1, 1), (1, 1)):
            before = len(_data(log, "s"))
            assert run(log, log.trim("s", keep=keep)) == before - left
            assert _data(log, "s") == [b"%d" % number for number in range(9 - left, 9)]

    def test_bad_input_is_refused(self, log: Log) -> None:
        """That the part stands behind the port; `LogFrontage` tries all that is bad."""
        bad: Any = "text"
        run(log, log.append("s", [b"one"]))
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: log.append("", [b"x"]),
            lambda: log.append("s", [b"good", bad]),
            lambda: log.read("nul\0"),
            lambda: log.read("s", limit=0),
            lambda: log.trim("s", keep=-1),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                run(log, call())
        assert _data(log, "s") == [b"one"]

    def test_trim_drops_up_to_and_including_a_position(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two", b"three"]))
        assert run(log, log.trim("s", through=given[1])) == 2
        assert _data(log, "s") == [b"three"]
        assert run(log, log.trim("s", through=given[1])) == 0

    def test_a_position_that_was_trimmed_can_still_be_read_after(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two", b"three"]))
        run(log, log.trim("s", keep=1))
        assert _data(log, "s", after=given[0]) == [b"three"]

    def test_positions_grow_on_after_a_full_trim(self, log: Log) -> None:
        before = run(log, log.append("s", [b"one", b"two"]))
        run(log, log.trim("s"))
        after = run(log, log.append("s", [b"three"]))
        assert after[0] > before[-1]
        assert _data(log, "s", after=before[-1]) == [b"three"]

    # ------------------------------------------------------------------- conditional appends, removing

    def test_append_if_adds_only_where_nothing_follows(self, log: Log) -> None:
        first = run(log, log.append_if("s", [b"one", b"two"], last=None))
        assert first is not None
        assert run(log, log.append_if("s", [b"x"], last=None)) is None
        assert run(log, log.append_if("s", [b"x"], last=first[0])) is None
        second = run(log, log.append_if("s", [b"three"], last=first[1]))
        assert second is not None
        assert [e.position for e in run(log, log.read("s"))] == [*first, *second]
        assert run(log, log.append_if("other", [b"four"], last=second[0])) is not None
        assert _data(log, "s") == [b"one", b"two", b"three"]

    def test_append_if_goes_on_where_entries_were_removed_or_trimmed(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two"]))
        assert run(log, log.remove("s", [given[1]])) == 1
        again = run(log, log.append_if("s", [b"three"], last=given[0]))
        assert again is not None
        assert again[0] > given[1]
        run(log, log.trim("s"))
        assert run(log, log.append_if("s", [b"four"], last=None)) is not None
        assert _data(log, "s") == [b"four"]

    def test_of_several_conditional_appends_at_once_one_succeeds(self, log: Log) -> None:
        async def write(writer: int) -> list[str]:
            done: list[str] = []
            last = None
            while len(done) < 5:
                positions = await log.append_if("s", [b"%d %d" % (writer, len(done))], last=last)
                if positions is None:
                    last = (await log.read("s", after=last, limit=1000))[-1].position
                else:
                    last = positions[-1]
                    done += positions
            return done

        given = race(log, [_writing(write, writer) for writer in range(THREADS)])
        entries = run(log, log.read("s", limit=1000))
        assert sorted(p for some in given for p in some) == [entry.position for entry in entries]
        assert len(entries) == 5 * THREADS

    def test_last_is_the_newest_entry_that_is_there(self, log: Log) -> None:
        assert run(log, log.last("s")) is None
        given = run(log, log.append("s", [b"one", b"two"]))
        run(log, log.append("other", [b"x"]))
        assert run(log, log.last("s")) == run(log, log.read("s"))[1]
        run(log, log.remove("s", [given[1]]))
        assert run(log, log.last("s")) == run(log, log.read("s"))[0]
        run(log, log.trim("s"))
        assert run(log, log.last("s")) is None

    def test_remove_drops_single_entries(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one", b"two", b"three"]))
        kept = run(log, log.append("other", [b"kept"]))
        assert run(log, log.remove("s", [given[1], given[1]])) == 1
        assert run(log, log.remove("s", [given[1]])) == 0
        assert [e.position for e in run(log, log.read("s"))] == [given[0], given[2]]
        assert run(log, log.remove("unknown", kept)) == 0
        assert run(log, log.remove("s", [])) == 0
        assert _data(log, "other") == [b"kept"]
        with pytest.raises(InvalidQuery):
            run(log, log.remove("s", [given[0], "x"]))
        assert len(_data(log, "s")) == 2

    # ----------------------------------------------------------------------------------- many at once

    def test_calls_at_once_lose_nothing_and_keep_each_call_together(self, log: Log) -> None:
        async def write(writer: int) -> list[str]:
            given: list[str] = []
            for number in range(25):
                given += await log.append("s", [b"%d %d %d" % (writer, number, part) for part in range(3)])
            return given

        given = race(log, [_writing(write, writer) for writer in range(THREADS)])
        entries = run(log, log.read("s", limit=10_000))
        assert sorted(position for some in given for position in some) == [
            entry.position for entry in entries
        ]
        data = [entry.data for entry in entries]
        calls = [tuple(data[at : at + 3]) for at in range(0, len(data), 3)]
        assert {tuple(part.rsplit(b" ", 1)[1] for part in call) for call in calls} == {(b"0", b"1", b"2")}
        for writer in range(THREADS):
            own = [item for item in data if item.startswith(b"%d " % writer)]
            assert own == [b"%d %d %d" % (writer, number, part) for number in range(25) for part in range(3)]

    def test_a_reader_that_follows_writers_misses_nothing(self, log: Log) -> None:
        written, lock = 0, threading.Lock()

        async def write(writer: int) -> list[bytes]:
            for number in range(30):
                await log.append("s", [b"%d %d" % (writer, number)])
            nonlocal written
            with lock:
                written += 1
            return []

        async def follow() -> list[bytes]:
            seen: list[bytes] = []
            after, empty = None, 0
            while len(seen) < 30 * (THREADS - 1) and empty < 3:
                last = written == THREADS - 1  # read once more after the last write, and then give up
                page = await log.read("s", after=after, limit=5)
                for entry in page:
                    seen.append(entry.data)
                    after = entry.position
                empty = empty + 1 if last and not page else 0
            return seen

        calls: list[Callable[[], Awaitable[list[bytes]]]] = [follow]
        calls += [_writing(write, writer) for writer in range(THREADS - 1)]
        seen = race(log, calls)[0]
        assert sorted(seen) == sorted(b"%d %d" % (w, n) for w in range(THREADS - 1) for n in range(30))

    # ------------------------------------------------------------------------------------ life cycle

    def test_an_open_part_answers_a_ping(self, log: Log) -> None:
        run(log, log.ping())

    def test_every_call_after_close_raises_closed(self, log: Log) -> None:
        run(log, log.close())
        calls: list[Callable[[], Awaitable[Any]]] = [
            log.ping,
            lambda: log.append("s", [b"x"]),
            lambda: log.read("s"),
            lambda: log.trim("s"),
        ]
        for call in calls:
            with pytest.raises(Closed):
                run(log, call())

    def test_closing_twice_is_fine(self, log: Log) -> None:
        run(log, log.close())
        run(log, log.close())

    # ---------------------------------------------------------------------------------- against a list

    def test_random_operations_equal_a_list(self, log: Log) -> None:
        steps = settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        run_state_machine_as_test(cast("type[RuleBasedStateMachine]", lambda: _Machine(log)), settings=steps)


class LogFrontage(LogSuite):
    """What the port refuses before any adapter sees it. Subclass it and give the fixture `log`."""

    @pytest.mark.parametrize("stream", ["", "k" * 1025, "nul\0", "lone\ud800", 1, None])
    def test_what_is_no_stream_name_is_refused(self, log: Log, stream: Any) -> None:
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: log.append(stream, [b"x"]),
            lambda: log.read(stream),
            lambda: log.trim(stream),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                run(log, call())

    @pytest.mark.parametrize("entry", ["text", 5, None, bytearray(b"x")])
    def test_one_entry_that_is_not_bytes_keeps_out_the_whole_call(self, log: Log, entry: Any) -> None:
        with pytest.raises(InvalidInput):
            run(log, log.append("s", [b"good", entry]))
        assert run(log, log.read("s")) == []

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_is_at_least_one(self, log: Log, limit: int) -> None:
        with pytest.raises(InvalidInput):
            run(log, log.read("s", limit=limit))

    def test_keep_and_through_exclude_each_other(self, log: Log) -> None:
        given = run(log, log.append("s", [b"one"]))
        with pytest.raises(InvalidInput):
            run(log, log.trim("s", keep=1, through=given[0]))
        with pytest.raises(InvalidInput):
            run(log, log.trim("s", keep=-1))
        assert _data(log, "s") == [b"one"]


def _data(log: Log, stream: str, *, after: str | None = None, limit: int | None = 100) -> list[bytes]:
    call = log.read(stream, after=after) if limit is None else log.read(stream, after=after, limit=limit)
    return [entry.data for entry in run(log, call)]


def _writing(call: Callable[[int], Awaitable[Any]], writer: int) -> Callable[[], Awaitable[Any]]:
    return lambda: call(writer)


_runs = itertools.count()
STREAMS = st.sampled_from(["a", "b"])


class _Machine(RuleBasedStateMachine):
    """Each example works on streams of its own, so that one part serves them all."""

    def __init__(self, part: Log) -> None:
        super().__init__()
        self.part = part
        self.prefix = f"run {next(_runs)} "
        self.entries: dict[str, list[tuple[str, bytes]]] = {"a": [], "b": []}
        self.given: dict[str, list[str]] = {"a": [], "b": []}

    @rule(stream=STREAMS, data=st.lists(st.binary(max_size=5), max_size=4))
    def append(self, stream: str, data: list[bytes]) -> None:
        positions = run(self.part, self.part.append(self.prefix + stream, data))
        assert len(positions) == len(data)
        assert self.given[stream] + positions == sorted(set(self.given[stream] + positions))
        self.given[stream] += positions
        self.entries[stream] += zip(positions, data, strict=True)

    @rule(stream=STREAMS, at=st.integers(0, 20), limit=st.integers(1, 5))
    def read(self, stream: str, at: int, limit: int) -> None:
        after = self.given[stream][at] if at < len(self.given[stream]) else None
        found = run(self.part, self.part.read(self.prefix + stream, after=after, limit=limit))
        expected = [entry for entry in self.entries[stream] if after is None or entry[0] > after]
        assert [(entry.position, entry.data) for entry in found] == expected[:limit]

    @rule(stream=STREAMS, keep=st.integers(0, 5))
    def trim_to(self, stream: str, keep: int) -> None:
        held = self.entries[stream]
        self.entries[stream] = held[max(len(held) - keep, 0) :]
        gone = run(self.part, self.part.trim(self.prefix + stream, keep=keep))
        assert gone == len(held) - len(self.entries[stream])

    @rule(stream=STREAMS, at=st.integers(0, 20))
    def trim_through(self, stream: str, at: int) -> None:
        if at >= len(self.given[stream]):
            return
        through = self.given[stream][at]
        held = self.entries[stream]
        self.entries[stream] = [entry for entry in held if entry[0] > through]
        gone = run(self.part, self.part.trim(self.prefix + stream, through=through))
        assert gone == len(held) - len(self.entries[stream])
