"""Months of the log: made ahead, filled from the default partition while others write, dropped when old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from memwell.backends.postgres import Connection, Database, Settings
from memwell.backends.postgres.log import COMPONENT, PARTITIONED, PostgresLog
from memwell.backends.postgres.partitions import Partition, Step
from memwell.errors import ConfigError, Unavailable
from memwell.registry import Url
from memwell.testing import run


class Part:
    """A log whose clock can be set, and a connection beside it."""

    def __init__(self, url: str) -> None:
        settings = Settings.from_url(Url.parse(url))
        self.now = datetime.now(UTC)
        self.log = PostgresLog(settings, clock=lambda: self.now.timestamp())
        self.database = Database(settings, COMPONENT)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with self.database.connection() as connection:
            yield connection

    async def partitions(self) -> dict[str, Partition]:
        async with self.connection() as connection:
            return {
                p.name.removeprefix("memwell_log_entries_"): p
                for p in await PARTITIONED.partitions(connection)
            }

    async def plan(
        self, now: datetime | None = None, *, ahead: int = 3, keep: int | None = None
    ) -> list[Step]:
        async with self.connection() as connection:
            return await PARTITIONED.plan(connection, now or datetime.now(UTC), ahead=ahead, keep=keep)

    async def maintain(
        self, now: datetime | None = None, *, ahead: int = 3, keep: int | None = None
    ) -> list[int]:
        steps = await self.plan(now, ahead=ahead, keep=keep)
        async with self.connection() as connection:
            return [await PARTITIONED.carry_out(connection, step) for step in steps]

    async def append_at(self, moment: datetime, *entries: bytes) -> None:
        self.now = moment
        await self.log.append("s", entries)

    async def close(self) -> None:
        await self.log.close()
        await self.database.close()


@pytest.fixture
def part(postgres_url: str) -> Iterator[Part]:
    part = Part(postgres_url)
    yield part
    run(part.log, part.close())


def at(year: int, month: int, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_the_first_use_makes_this_month_and_three_more(part: Part) -> None:
    before = datetime.now(UTC)
    found = run(part.log, part.partitions())
    names = list(found)
    assert names[0] == "default"
    assert names[1] in {f"{before:%Y_%m}", f"{datetime.now(UTC):%Y_%m}"}  # the month may end meanwhile
    assert len(names) == 5
    assert [p.start for p in found.values()][2:] == [p.end for p in found.values()][1:-1]
    assert run(part.log, part.plan(found[names[1]].start)) == []


def test_months_are_made_ahead_across_the_turn_of_the_year(part: Part) -> None:
    assert run(part.log, part.maintain(at(2031, 11, 30), ahead=3)) == [0, 0, 0, 0]
    found = run(part.log, part.partitions())
    assert list(found)[-4:] == ["2031_11", "2031_12", "2032_01", "2032_02"]
    assert (found["2031_12"].start, found["2031_12"].end) == (at(2031, 12), at(2032, 1))
    assert run(part.log, part.maintain(at(2031, 11, 30), ahead=3)) == []


def test_rows_of_the_default_partition_move_to_their_month(part: Part) -> None:
    async def scene() -> None:
        await part.append_at(at(2020, 1, 31), b"one", b"two")
        await part.append_at(at(2020, 2, 1), b"three")
        assert sorted(await part.maintain()) == [1, 2]
        found = await part.partitions()
        assert {"2020_01", "2020_02"} <= set(found)
        entries = await part.log.read("s")
        assert [entry.data for entry in entries] == [b"one", b"two", b"three"]
        await part.append_at(at(2020, 1, 15), b"four")
        async with part.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM memwell_log_entries_2020_01")
            assert await cursor.fetchone() == (3,)
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid"
                " WHERE indrelid = 'memwell_log_entries_2020_01'::regclass AND indisprimary"
            )
            assert await cursor.fetchone() == (1,)

    run(part.log, scene())


def test_old_months_are_dropped_and_the_default_partition_cleared_of_them(part: Part) -> None:
    async def scene() -> None:
        for month in (1, 2, 3):
            await part.append_at(at(2020, month), b"%d" % month)
        await part.maintain()
        await part.append_at(at(2019, 5), b"stray")
        await part.append_at(at(2020, 4), b"4")
        steps = await part.plan(at(2020, 4, 20), keep=1)
        assert [(step.action, step.name[-7:]) for step in steps if step.action != "create"] == [
            ("clear", "default"), ("drop", "2020_01"), ("drop", "2020_02"),
        ]  # fmt: skip
        await part.maintain(at(2020, 4, 20), keep=1)
        assert [entry.data for entry in await part.log.read("s")] == [b"3", b"4"]
        assert "2020_04" in await part.partitions()
        await part.append_at(at(2020, 5), b"5")
        assert [entry.data for entry in await part.log.read("s")] == [b"3", b"4", b"5"]

    run(part.log, scene())


def test_a_partition_made_by_hand_for_other_bounds_is_left_as_it_is(part: Part) -> None:
    async def scene() -> None:
        await part.partitions()
        async with part.connection() as connection:
            await connection.execute(
                "CREATE TABLE by_hand PARTITION OF memwell_log_entries"
                " FOR VALUES FROM ('2030-01-01 00:00Z') TO ('2031-01-01 00:00Z')"
            )
        steps = await part.plan(at(2030, 11), ahead=3)
        assert [step.name[-7:] for step in steps] == ["2031_01", "2031_02"]

    run(part.log, scene())


def test_writers_and_readers_meanwhile_lose_nothing(part: Part) -> None:
    """Half of the entries are there before their month is; the others are written while it is made."""

    async def write(stream: str) -> None:
        for number in range(60):
            await part.log.append(stream, [b"%d" % number])

    async def follow(stream: str) -> None:
        while len(entries := await part.log.read(stream, limit=1000)) < 120:
            numbers = [int(entry.data) for entry in entries]
            assert numbers == [*range(60), *range(60)][: len(numbers)]

    async def scene() -> None:
        part.now = at(2020, 7, 7)
        streams = [f"stream {number}" for number in range(4)]
        await asyncio.gather(*map(write, streams))
        work = [asyncio.ensure_future(call(stream)) for stream in streams for call in (write, follow)]
        moved = await asyncio.gather(part.maintain(), part.maintain(), part.maintain())
        await asyncio.gather(*work)
        assert 240 <= sum(map(sum, moved)) <= 480
        assert (await part.partitions())["default"].size > 0
        async with part.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM memwell_log_entries_default")
            assert await cursor.fetchone() == (0,)

    run(part.log, scene())


def test_a_table_that_others_hold_is_left_alone_after_a_while(
    part: Part, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memwell.backends.postgres.partitions._PATIENCE", "100ms")

    async def scene() -> None:
        await part.append_at(at(2020, 1), b"one")
        base, _, schema = postgres_url.partition("?schema=")
        options = f"-c search_path={schema}"
        async with await psycopg.AsyncConnection.connect(base, options=options) as other:
            await other.execute("LOCK TABLE memwell_log_entries IN SHARE MODE")
            with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
                await part.maintain()
            error = part.database.translate(caught.value, "postgres", "maintain")
            assert isinstance(error, Unavailable)
        assert [entry.data for entry in await part.log.read("s")] == [b"one"]
        assert await part.maintain() == [1]

    run(part.log, scene())


def test_a_partition_that_was_taken_out_and_left_there_is_named(part: Part) -> None:
    async def scene() -> None:
        await part.maintain()
        name = list(await part.partitions())[-1]
        async with part.connection() as connection:
            detach = f"ALTER TABLE memwell_log_entries DETACH PARTITION memwell_log_entries_{name}"
            await connection.execute(detach.encode())
        with pytest.raises(ConfigError, match=f"{name}.*attach it"):
            await part.maintain()

    run(part.log, scene())
