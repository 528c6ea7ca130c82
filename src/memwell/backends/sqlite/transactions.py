"""Write transactions as context managers that release the turn even after Ctrl-C."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from memwell.backends.sqlite.writer_queue import Ticket

if TYPE_CHECKING:
    from memwell.backends.sqlite.database import Database

__all__ = ["Transaction"]


class _Ended:
    """A transaction that was committed or rolled back."""

    __slots__ = ("_connection", "_database", "_ticket")

    _database: Database
    _connection: sqlite3.Connection
    _ticket: Ticket | None


class Transaction(_Ended):
    """A write transaction as a context manager: BEGIN IMMEDIATE, then COMMIT, or ROLLBACK on any
    exception."""

    __slots__ = ()

    def __init__(self, database: Database) -> None:
        self._ticket = None
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        ticket = self._ticket = Ticket()
        self._connection = self._database._begin(ticket)
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ticket, database = self._ticket, self._database
        interrupt: BaseException | None = None
        assert ticket is not None
        try:
            if kind is None:
                database.check_file(writing=True)
                self._connection.execute("COMMIT")
        finally:
            while database._queue.holder is ticket:  # in place: a signal finds no gap before it
                try:
                    database._release(ticket)
                except BaseException as error:  # noqa: BLE001
                    interrupt = error
            self.__class__ = _Ended  # type: ignore[assignment]  # nothing is left for __del__
            if interrupt is not None:
                raise interrupt

    def __del__(self) -> None:
        """The way out when a signal comes between the block and the first step of `__exit__`."""
        ticket = getattr(self, "_ticket", None)
        if ticket is not None:
            self._database._release(ticket)
