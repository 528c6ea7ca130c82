"""Keys and values in one table of a PostgreSQL database, shared by all that connect to it.

URL: `postgresql://user:password@host/database`; the options are those of `memwell.backends.postgres`. Every call is one
statement, one round trip, and atomic. A call that raises `Unavailable` changed nothing, unless the connection was lost
after the statement was sent: then the outcome is unknown. Concurrent calls wait for each other only on the same key.

Values expire by the server's clock, so clients need not agree on the time. Expired values are never returned; each
`set` and `add` removes a few of them, `memwell db maintain` removes the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from memwell.backends.postgres import Component, Connection, Database, Settings
from memwell.backends.postgres.part import PostgresPart
from memwell.ports import KeyValue
from memwell.ports.counters import added, check_step
from memwell.ports.declaration import Effect, operation

__all__ = ["COMPONENT", "PostgresKeyValue"]

COMPONENT: Final = Component.of("keyvalue", Path(__file__).parent / "migrations" / "keyvalue")
"""The tables of this part."""
_SWEEP: Final = """DELETE FROM memwell_keyvalue WHERE key IN (
  SELECT key FROM memwell_keyvalue WHERE expires_at <= {now} {but}
  ORDER BY expires_at LIMIT {limit} FOR UPDATE SKIP LOCKED)"""
_SWEPT: Final = 16
"""Expired keys that one write removes at most. It skips keys that are locked, so it never waits."""
_AT_ONCE: Final = 10_000
"""Expired keys that one statement of `sweep` removes at most."""
_LONGEST: Final = 1e10
"""Seconds (300 years). A longer `ttl` means no expiry, because the database's calendar ends."""
_NOW: Final = "coalesce(%(now)s::timestamptz, statement_timestamp())"
_EXPIRY: Final = f"{_NOW} + make_interval(secs => %(ttl)s)"
_ALIVE: Final = f"(k.expires_at IS NULL OR k.expires_at > {_NOW})"
_COUNTER: Final = "encode(k.value, 'escape')"
_SUM: Final = f"({_COUNTER}::numeric + %(by)s::numeric)"

# The sweep skips the keys being written: one statement cannot change a row twice. It runs last, so that it never
# holds a lock that another call waits for while it waits itself.
_SWEEPING: Final = (
    f"WITH swept AS ({_SWEEP.format(now=_NOW, but='AND key <> ALL (%(keys)s::text[])', limit=_SWEPT)})"
)
_GET: Final = f"SELECT key, value FROM memwell_keyvalue k WHERE key = ANY (%(keys)s::text[]) AND {_ALIVE}"
_SET: Final = f"""{_SWEEPING}
INSERT INTO memwell_keyvalue AS k (key, value, expires_at)
SELECT key, value, {_EXPIRY} FROM unnest(%(keys)s::text[], %(values)s::bytea[]) AS given (key, value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"""
_ADD: Final = f"{_SET} WHERE NOT {_ALIVE}"
_REPLACE: Final = f"""UPDATE memwell_keyvalue k SET value = %(value)s, expires_at = {_EXPIRY}
WHERE key = %(key)s AND value = %(expected)s AND {_ALIVE}"""
_DELETE: Final = f"""DELETE FROM memwell_keyvalue k
WHERE key = %(key)s AND {_ALIVE} AND (%(expected)s::bytea IS NULL OR value = %(expected)s)"""
_INCREMENT: Final = f"""INSERT INTO memwell_keyvalue AS k (key, value, expires_at)
VALUES (%(key)s, convert_to(%(by)s::text, 'UTF8'), {_EXPIRY})
ON CONFLICT (key) DO UPDATE SET
  value = CASE WHEN {_ALIVE} THEN convert_to({_SUM}::text, 'UTF8') ELSE excluded.value END,
  expires_at = CASE WHEN {_ALIVE} THEN k.expires_at ELSE excluded.expires_at END
WHERE NOT {_ALIVE} OR CASE
  WHEN {_COUNTER} ~ '^(0|-?[1-9][0-9]{{0,18}})$' THEN {_SUM} BETWEEN -(2::numeric ^ 63) AND 2::numeric ^ 63 - 1
  ELSE false END
RETURNING value"""


class PostgresKeyValue(PostgresPart, KeyValue):
    """Values in the table `memwell_keyvalue` of the schema.

    `clock` gives seconds since 1970, instead of the server's clock.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._database = Database(settings, COMPONENT)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        async def ask(connection: Connection) -> dict[str, bytes]:
            cursor = await connection.execute(_GET, self._timed(keys=list(keys)), binary=True)
            return dict(await cursor.fetchall())

        return await self._database.read(ask)

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        keys = sorted(values)  # In one order everywhere, so that no two calls wait for each other.
        await self._write(_SET, ttl, keys=keys, values=[values[key] for key in keys])

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        return await self._write(_ADD, ttl, keys=[key], values=[value]) > 0

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        return await self._write(_REPLACE, ttl, key=key, value=value, expected=expected) > 0

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        return await self._write(_DELETE, None, key=key, expected=expected) > 0

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        values = self._timed(key=key, by=check_step(by), ttl=_limited(ttl))
        while True:
            async with self._database.connection() as connection:
                cursor = await connection.execute(_INCREMENT, values, binary=True)
                row = await cursor.fetchone()
            if row is not None:
                return int(row[0])
            # The server declined: say why, unless the value was replaced meanwhile by one that can be counted.
            added((await self._get_many([key])).get(key), by)

    @operation(Effect.UPKEEP)
    async def sweep(self) -> int:
        """Remove every value that has expired; how many went."""
        gone, statement = 0, _SWEEP.format(now=_NOW, but="", limit=_AT_ONCE)
        while some := await self._write(statement, None):
            gone += some
        return gone

    async def _write(self, statement: str, ttl: float | None, **values: Any) -> int:
        """Run a statement; how many rows it wrote."""
        async with self._database.connection() as connection:
            return (await connection.execute(statement, self._timed(ttl=_limited(ttl), **values))).rowcount

    def _timed(self, **values: Any) -> dict[str, Any]:
        now = None if self._clock is None else datetime.fromtimestamp(self._clock(), UTC)
        return {"now": now, **values}

    async def _ping(self) -> None:
        await self._database.ping("SELECT 1 FROM memwell_keyvalue LIMIT 1")


def _limited(ttl: float | None) -> float | None:
    return None if ttl is None or ttl > _LONGEST else float(ttl)
