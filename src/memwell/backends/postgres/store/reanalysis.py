"""Index terms made by an older analysis are made again after the migrations.

The number of the analysis (`memwell.retrieval.analysis.text.ANALYSIS`) stands in the list of migrations as component
`analysis`; a schema without one has number 1.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from memwell.backends.postgres import Connection, Derived
from memwell.backends.postgres.store.rows import COLUMNS, SELECT, columns_of, record_of, rows_of
from memwell.errors import Corrupt
from memwell.records.codec import digest
from memwell.retrieval.analysis.text import ANALYSIS

__all__ = ["TERMS"]

_BATCH: Final = 1000
_WRITTEN: Final = ("lexemes", "signals", "length", "repeats", "words")
_PLACES: Final = [list(COLUMNS).index(name) for name in _WRITTEN]
_UPDATE: Final = (
    f"UPDATE records SET {', '.join(f'{name} = %s::{COLUMNS[name]}' for name in _WRITTEN)} WHERE key = %s"
)

_log = logging.getLogger("memwell.backends.postgres.store")


async def _analyse_again(connection: Connection, prepare: bytes) -> None:
    """Bring all index terms up to date, in batches between which others write. `prepare` begins each transaction."""
    last: int | None = -1
    done = changed = 0
    while last is not None:
        async with connection.transaction():
            await connection.execute(prepare)
            await connection.execute("SELECT memwell_writing()")
            last, read, fresh = await _batch(connection, last)
        done, changed = done + read, changed + fresh
        if read:
            _log.info("index terms of %d memories analysed again, %d of them changed", done, changed)
    async with connection.transaction():
        await connection.execute(prepare)
        await connection.execute(
            "INSERT INTO memwell_migrations (component, number, checksum, creates) VALUES ('analysis', %s, '', '{}')"
            " ON CONFLICT DO NOTHING",
            (ANALYSIS,),
        )


async def _batch(connection: Connection, last: int) -> tuple[int | None, int, int]:
    """The last key of a batch (`None`: there are no more), rows read and rows changed."""
    rows = await rows_of(
        connection, f"{SELECT} WHERE r.key > %s ORDER BY r.key LIMIT %s FOR UPDATE OF r", [last, _BATCH]
    )
    if not rows:
        return None, 0, 0
    keys = [row[0] for row in rows]
    stored = await rows_of(
        connection, "SELECT key, lexemes, signals FROM records WHERE key = ANY (%s)", [keys]
    )
    before = {key: terms for key, *terms in stored}
    changed: list[tuple[Any, ...]] = []
    for row in rows:
        try:
            record = record_of(row)
        except Corrupt:  # the doctor reports it
            continue
        values = columns_of(record, digest(record), record.embedded)
        found = [values[place] for place in _PLACES]
        if found[:2] != before[row[0]]:
            changed.append((*found, row[0]))
    async with connection.cursor() as cursor:
        await cursor.executemany(_UPDATE.encode(), changed)
    await connection.execute(
        "INSERT INTO changes (ordinal, key) SELECT n, key FROM unnest(%s::bigint[]) WITH ORDINALITY AS g (key, n)",
        ([row[-1] for row in changed],),
    )
    return int(keys[-1]), len(rows), len(changed)


TERMS: Final = Derived("analysis", ANALYSIS, _analyse_again)
"""The index terms beside the records."""
