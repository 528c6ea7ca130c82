"""Tables partitioned by calendar month (UTC), with a default partition for months without one.

Creating a month's partition moves its rows out of the default one. Meanwhile readers go on and see each row once;
writers wait, because a row that is being written to the default partition would be missed. Each step is a transaction
of its own: finished steps remain when a later one fails, and concurrent processes do each step once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from psycopg import sql
from psycopg.errors import DuplicateTable

from memwell._dataclasses import dataclass
from memwell.backends.postgres.connections import Connection
from memwell.errors import ConfigError

__all__ = ["Partition", "Partitioned", "Step"]

_LISTED: Final = """
SELECT c.relname, b.bound = 'DEFAULT', (regexp_match(b.bound, 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz,
  (regexp_match(b.bound, 'TO \\(''([^'']+)''\\)'))[1]::timestamptz,
  nullif(c.reltuples, -1)::bigint, pg_total_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, pg_get_expr(c.relpartbound, c.oid) AS b (bound)
WHERE i.inhparent = to_regclass(%s) ORDER BY 3 NULLS FIRST, 1"""
_PATIENCE: Final = "5s"
"""How long a step waits for a lock. Other sessions wait behind it, so it must be short."""
_EVER: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The current state of one partition."""

    name: str
    default: bool
    start: datetime | None
    """Its first moment; `None` for the default partition, and for one without a lower bound."""
    end: datetime | None
    """The first moment after it."""
    rows: int | None
    """An estimate, as of the last ANALYZE; `None` before the first."""
    size: int
    """Bytes with indexes."""

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether its bounds overlap this interval."""
        return not self.default and (self.start or _EVER[0]) < end and start < (self.end or _EVER[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of maintenance: create a month's partition, drop one, or delete old rows from the default one."""

    action: Literal["create", "drop", "clear"]
    name: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table that is partitioned by month."""

    table: str
    column: str

    async def partitions(self, connection: Connection) -> list[Partition]:
        """The partitions, the default one first; empty when the table does not exist."""
        rows = await (await connection.execute(_LISTED, (self.table,))).fetchall()
        names = ("name", "default", "start", "end", "rows", "size")
        return [Partition(**dict(zip(names, row, strict=True))) for row in rows]

    async def plan(
        self, connection: Connection, now: datetime, *, ahead: int, keep: int | None
    ) -> list[Step]:
        """The steps after which this month, the next `ahead` months and every month with rows in the default partition
        have a partition, and no row is older than `keep` months before this one (`None`: no limit of age).
        """
        found = await self.partitions(connection)
        strays = [month for p in found if p.default for month in await self._months(connection, p.name)]
        return self._steps(found, strays, now, ahead, keep)

    async def carry_out(self, connection: Connection, step: Step) -> int:
        """Run a step, unless it was done meanwhile; returns how many rows were moved, or deleted one by one."""
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'".encode())
            await self._run(connection, "LOCK TABLE ONLY {table} IN SHARE ROW EXCLUSIVE MODE")
            found = {partition.name: partition for partition in await self.partitions(connection)}
            if step.action == "create" and step.name not in found:
                return await self._create(connection, step, found.values())
            if step.action == "drop" and step.name in found:
                await self._run(connection, "DROP TABLE {name}", step)
            if step.action == "clear" and step.name in found:
                return await self._run(connection, "DELETE FROM {name} WHERE {column} < {end}", step)
        return 0

    async def _create(self, connection: Connection, step: Step, found: Any) -> int:
        try:
            await self._run(connection, "CREATE TABLE {name} (LIKE {table} INCLUDING ALL)", step)
        except DuplicateTable as error:
            raise ConfigError(
                f"the table {step.name} exists but is not a partition of {self.table}; attach it, or rename or drop it",
                part="postgres",
            ) from error
        moved = 0
        for default in (partition.name for partition in found if partition.default):
            moved += await self._run(
                connection,
                "WITH moved AS (DELETE FROM {default} WHERE {column} >= {start} AND {column} < {end} RETURNING *)"
                " INSERT INTO {name} SELECT * FROM moved",
                step,
                default=default,
            )
        attach = "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"
        await self._run(connection, attach, step)
        return moved

    async def _months(self, connection: Connection, default: str) -> list[datetime]:
        months = "SELECT DISTINCT date_trunc('month', {column}, 'UTC') FROM {default}"
        query = self._composed(months, None, default)
        return [row[0] for row in await (await connection.execute(query)).fetchall()]

    def _steps(
        self,
        found: Sequence[Partition],
        strays: Sequence[datetime],
        now: datetime,
        ahead: int,
        keep: int | None,
    ) -> list[Step]:
        this = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        oldest = _EVER[0] if keep is None else _later(this, -keep)
        months = {*strays, *(_later(this, n) for n in range(ahead + 1))}
        steps = []
        for start in sorted(month for month in months if month >= oldest):
            end = _later(start, 1)
            if not any(partition.overlaps(start, end) for partition in found):
                name = f"{self.table}_{start:%Y_%m}"
                steps.append(Step(action="create", name=name, start=start, end=end))
        for partition in found:
            if partition.end is not None and partition.end <= oldest:
                end = partition.end
                steps.append(Step(action="drop", name=partition.name, start=partition.start, end=end))
            elif partition.default and any(month < oldest for month in strays):
                steps.append(Step(action="clear", name=partition.name, end=oldest))
        return steps

    async def _run(
        self, connection: Connection, text: str, step: Step | None = None, default: str = ""
    ) -> int:
        return (await connection.execute(self._composed(text, step, default))).rowcount

    def _composed(self, text: str, step: Step | None, default: str) -> sql.Composed:
        """The statement with its identifiers and bounds, which cannot be passed as values."""
        return sql.SQL(text).format(
            table=sql.Identifier(self.table),
            column=sql.Identifier(self.column),
            default=sql.Identifier(default),
            name=sql.Identifier(step.name if step else ""),
            start=sql.Literal(step.start.isoformat() if step and step.start else None),
            end=sql.Literal(step.end.isoformat() if step and step.end else None),
        )


def _later(month: datetime, months: int) -> datetime:
    """The first moment of the month `months` later (or earlier), limited to the calendar's range."""
    year, index = divmod(month.year * 12 + month.month - 1 + months, 12)
    return month.replace(year=year, month=index + 1) if 0 < year < 10_000 else _EVER[year > 0]
