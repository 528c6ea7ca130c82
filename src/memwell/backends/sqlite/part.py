"""What every part on a SQLite file shares: its URL, its database, health, closing, and the translation of errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, cast

from memwell.backends.sqlite.database import Database, translate
from memwell.errors import ConfigError, MemwellError
from memwell.ports import Port
from memwell.urls import Url

__all__ = ["SqlitePart", "options_of"]


def options_of(url: Url, *more: str) -> dict[str, Any]:
    """Path, durability and timeout that a URL names; `more` are options that the caller has taken already.

    `sqlite://` is in memory. Raises `ConfigError` for a URL with a slash and no file behind it.
    """
    if url.rest == "/":
        raise ConfigError(
            f"{url.text!r} names no file; write sqlite:///notes.db, or sqlite:// for memory only"
        )
    durability = cast("Any", url.take("durability", "normal"))
    timeout = url.number("timeout", 30.0)
    url.done("durability", "timeout", *more)
    return {"path": url.path() or ":memory:", "durability": durability, "timeout": timeout}


class SqlitePart(Port):
    """A part over the tables of one component in a SQLite file, beside whatever else memwell keeps there."""

    part = "sqlite"
    blocking = True
    _database: Database

    def _open(
        self,
        database: Database,
        component: str,
        scripts: Sequence[str],
        created: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        """Take a database and bring the component's tables up to date; it is closed when that fails."""
        self._database = database
        try:
            database.migrate(component, scripts, created)
        except BaseException:
            database.close()
            raise

    async def _ping(self) -> None:
        self._database.check_file()
        self._database.read().execute("SELECT 1 FROM memwell_migrations LIMIT 1").fetchone()

    async def _close(self) -> None:
        self._database.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, sqlite3.Error):
            return translate(error, self.part, operation, path=self._database.path)
        return super()._translate(error, operation)
