"""What deleted records leave behind in a PostgreSQL server: dead rows until VACUUM, and bytes beyond its reach."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from memwell.backends.postgres import Database
from memwell.types import Trace

__all__ = ["purge"]

_TABLES: Final = ("records", "history", "links", "access", "changes")
_LEFT: Final = (
    "vacuumed; bytes may stay in free space of the tables' files until it is used again (VACUUM FULL rewrites them),"
    " and in the server's write-ahead log, its archive, standbys and backups until those are recycled"
)


async def purge(database: Database, *, vectors: bool) -> list[Trace]:
    """Vacuum the tables, if the server lets this user do it, and say what remains."""
    tables = [*_TABLES, "vectors"] if vectors else list(_TABLES)
    refused: list[str] = []
    try:
        async with database.session() as connection:
            connection.add_notice_handler(lambda notice: refused.append(notice.message_primary or ""))
            for table in tables:
                await connection.execute(f"VACUUM {table}".encode())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
        refused.append(str(error))
    except psycopg.Error as error:
        return [_trace("pending", f"could not be vacuumed yet: {error}")]
    if refused:
        return [_trace("remains", f"dead rows stay until VACUUM, which this user may not run: {refused[0]}")]
    return [_trace("remains", _LEFT)]


def _trace(state: Any, detail: str) -> Trace:
    return Trace(place="postgresql server", state=state, detail=detail)
