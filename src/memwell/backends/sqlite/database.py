"""One SQLite file in WAL mode: one writer and a reader per thread, safe across threads, processes and forks.

The store, the key-value and the log are built on it. Statements raise native `sqlite3` errors, which the ports
translate into memwell's with `translate`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from memwell.backends.sqlite import forks
from memwell.backends.sqlite.connect import Connection, Opening
from memwell.backends.sqlite.errors import translate
from memwell.backends.sqlite.files import cannot_write, path_of
from memwell.backends.sqlite.identity import Identity
from memwell.backends.sqlite.migrations.runner import migrate
from memwell.backends.sqlite.transactions import Transaction
from memwell.backends.sqlite.writer_queue import Ticket, WriterQueue
from memwell.errors import BackendError, Closed, ConfigError

__all__ = ["Database", "Durability", "translate"]

T = TypeVar("T")

Durability = Literal["normal", "full"]


TOGETHER = 128
"""The most jobs that share one commit, about."""


class _Snapshot:
    """Marks a `with` block of `Database.snapshot` that is running."""

    over = False


class Database:
    """A SQLite file shared by any number of threads and processes.

    Writers take turns, first come first served, each waiting up to `timeout` seconds for the other threads
    and as long again for other processes. Readers never wait for writers. With `":memory:"` one connection
    serves all: a reader may then see a transaction of another thread before it commits.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "normal",
        readonly: bool = False,
        timeout: float = 30.0,
        setup: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Open the file, or create it; its folder must exist.

        `durability="full"` syncs every commit to the disk; `"normal"` survives the death of the process,
        while a power loss may take the last moments. A file that cannot be written is opened for reading, as
        with `readonly`. `setup` is called with each new connection, to register functions or set pragmas.

        Raises `ConfigError` for a bad option or a path that cannot be opened, `Corrupt` when it is not a
        SQLite file, `Unavailable` when it stays locked.
        """
        if durability not in ("normal", "full"):
            raise ConfigError(
                f"durability is 'normal' or 'full', not {durability!r}", part="sqlite", operation="open"
            )
        memory = os.fspath(path) == ":memory:"
        self.path = ":memory:" if memory else path_of(path)
        """Absolute path, or `:memory:`."""
        self.readonly = not memory and (readonly or cannot_write(self.path))
        """Whether writes are refused."""
        self._opening = Opening(self.path, durability, self.readonly, timeout, setup)
        self._queue = WriterQueue(timeout)
        self._readers = threading.local()
        self._writer: Connection | None = None
        self._attached: dict[str, Database] = {}
        """Schema name → the other file, as the writer sees it."""
        self._closed = False
        try:
            self._first_connection()
        except sqlite3.Error as error:
            raise translate(error, "sqlite", "open", path=self.path) from error
        self._identity = None if memory else Identity(self.path)
        forks.register(self)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def read(self) -> Connection:
        """This thread's connection for reading, in autocommit: each statement sees what is committed when it
        starts.

        Do not hand it to another thread. Raises `Closed` after close.
        """
        try:
            connection: Connection = self._readers.connection
        except AttributeError:
            return self._open_reader()
        if connection.in_transaction and self.path != ":memory:" and not self._in_snapshot():
            connection.execute(
                "ROLLBACK"
            )  # an interrupt left it open: it would be blind to every later write
        return connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection for reading, which sees one state of the file for the whole block."""
        connection = self.read()
        if connection.in_transaction:
            yield connection
            return
        snapshot = _Snapshot()
        self._readers.snapshot = weakref.ref(snapshot)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            snapshot.over = True
            connection.execute("COMMIT")

    def glance(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a read of a few rows, as of now.

        While no thread writes it runs on the writer's connection, whose cache has the newest pages; those of readers
        are empty after every write. The job must not write.
        """
        ticket = Ticket(job)
        if self._writer is None or not self._in_turn(ticket, self._queue.take_at_once, self._run_glance):
            return job(self.read())
        result: T = ticket.result
        return result

    def _in_snapshot(self) -> bool:
        """Whether a block of `snapshot` is under way in this thread: a signal handler may read in the middle of it."""
        reference: Callable[[], _Snapshot | None] | None = getattr(self._readers, "snapshot", None)
        snapshot = None if reference is None else reference()
        return snapshot is not None and not snapshot.over

    def transaction(self) -> Transaction:
        """A write transaction, yielding the connection: committed at the end, rolled back on any exception.

        Raises `Unavailable` when the turn does not come in time, `BackendError` on a read-only file, `Closed`
        after close. Transactions do not nest: inside one, this thread gets `Unavailable` for another.
        """
        return Transaction(self)

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in a write transaction and return its result; when this returns, it is committed.

        Jobs that several threads submit at the same time share one transaction and one commit, run by one of
        the threads, each job in a savepoint of its own: an exception undoes only its own job and is raised in
        its own caller. A failing commit is raised in every caller. A job must neither commit nor roll back,
        nor use `transaction` or `submit`.
        """
        ticket = Ticket(job)
        self._in_turn(ticket, self._queue.take, self._run)
        result: T = ticket.outcome()
        return result

    def _in_turn(
        self,
        ticket: Ticket,
        take: Callable[[Ticket], bool],
        run: Callable[[Callable[[sqlite3.Connection], Any]], Any],
    ) -> bool:
        """Let `run` carry out the ticket's job, if `take` gives it the turn; returns whether it did."""
        interrupt: BaseException | None = None
        try:
            if not take(ticket):
                return False
            ticket.result = run(ticket.job)  # type: ignore[arg-type]  # every caller gives it one
            return True
        finally:
            while self._queue.holder is ticket:  # in place: a signal finds no gap before it
                try:
                    self._release(ticket)
                except BaseException as error:  # noqa: BLE001
                    interrupt = error
            if interrupt is not None:
                raise interrupt

    def migrate(
        self,
        component: str,
        scripts: Sequence[str],
        created: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        """Bring one component's tables up to date: run those of the numbered scripts that the file has not
        seen, in one transaction.

        `created` is called in that transaction when there was nothing of the component. Scripts are only ever
        appended. Any number of processes may do this at once. Raises `ConfigError` when
        the file was written by a newer version, or is read-only and of an older one, `Corrupt` when it is
        damaged.
        """
        try:
            migrate(self, component, scripts, created)
        except sqlite3.Error as error:
            raise translate(error, "sqlite", "open", path=self.path) from error

    def attach(self, other: Database) -> str | None:
        """Let jobs write to another file in the same transaction; the name of its schema: `main` for the same file.
        `None` where one of them is in memory or read-only. Both files are locked by each transaction from then on.
        """
        if ":memory:" in (self.path, other.path) or self.readonly or other.readonly:
            return None
        if os.path.samefile(self.path, other.path):  # noqa: PTH121
            return "main"
        for name, known in self._attached.items():
            if known is other:
                return name
        name = f"beside_{len(self._attached)}"
        ticket = Ticket()
        try:
            self._queue.take(ticket)
            if self._writer is not None:
                other._opening.attach_to(self._writer, name)
            self._attached[name] = other
        finally:
            self._release(ticket)
        return name

    def vacuum(self) -> None:
        """Rewrite the file without unused pages. Needs as much disk space again."""
        ticket = Ticket()
        try:
            self._queue.take(ticket)
            (self._writer or self._open_writer()).execute("VACUUM")
        finally:
            self._release(ticket)

    def empty_log(self, patience: float = 2.0) -> bool:
        """Move the write-ahead log into the file and cut it to nothing. Returns whether it was possible: a connection
        that reads an older state prevents it, and is waited for `patience` seconds.
        """
        ticket = Ticket()
        try:
            self._queue.take(ticket)
            connection = self._writer or self._open_writer()
            usual = connection.execute("PRAGMA busy_timeout").fetchone()[0]
            connection.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
            try:
                busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout={usual}")
            return not busy
        finally:
            self._release(ticket)

    def check_file(self, *, writing: bool = False) -> None:
        """Raise `Unavailable` when the file was deleted or replaced since it was opened. Takes some microseconds."""
        if self._identity is not None:
            self._identity.check(writing=writing)

    def close(self) -> None:
        """Close without waiting: a transaction or read under way in another thread ends first and closes what
        it used. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        forks.unregister(self)
        reader: Connection | None = getattr(self._readers, "connection", None)
        self._readers = threading.local()
        if reader is not None and reader is not self._writer and self.path != ":memory:":
            reader.close()
        del reader
        ticket = Ticket()
        if self._queue.take_at_once(ticket):
            self._release(ticket)

    # ------------------------------------------------------------------------------------------ connections

    def _first_connection(self) -> None:
        if self.readonly:
            self._readers.connection = self._opening.reader()
        else:
            self._writer = self._opening.writer()
            if self.path == ":memory:":
                self._readers.connection = self._writer

    def _open_reader(self) -> Connection:
        if self._closed:
            raise _closed()
        if self.path == ":memory:":
            connection = self._writer
            if connection is None:
                raise _closed()
        else:
            self.check_file()
            connection = self._opening.reader()
        self._readers.connection = connection
        return connection

    def _close_writer(self) -> None:
        connection, self._writer = self._writer, None
        if connection is not None and self.path != ":memory:":
            self._opening.checkpoint(connection)
            connection.close()

    # ------------------------------------------------------------------------------------------------ forks

    def pause(self, ticket: Ticket, timeout: float) -> None:
        """Before a fork: keep every thread from writing. `resume` ends it."""
        self._queue.take(ticket, timeout)

    def resume(self, ticket: Ticket) -> None:
        """After a fork, in the parent."""
        self._release(ticket)

    def forget_parent(self) -> None:
        """After a fork, in the child: do not use the parent's connections. New ones are opened when needed."""
        self._queue = WriterQueue(self._opening.timeout)
        if self.path != ":memory:":
            self._readers = threading.local()
            self._writer = None
            if self._identity is not None:
                self._identity.forget_log()

    # ---------------------------------------------------------------------------------------------- writing

    def _begin(self, ticket: Ticket) -> Connection:
        try:
            self._queue.take(ticket)
            connection = self._writer or self._open_writer()
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._release(ticket)
            raise
        return connection

    def _open_writer(self) -> Connection:
        if self._closed:
            raise _closed()
        if self.readonly:
            raise BackendError(
                f"{self.path} is read-only; make the file and its folder writable", part="sqlite"
            )
        if self._identity is not None:
            self._identity.forget_log()
            self._identity.check()
        connection = self._opening.writer()
        for name, other in self._attached.items():
            other.check_file()
            other._opening.attach_to(connection, name)
        self._writer = connection
        return connection

    def _release(self, ticket: Ticket) -> None:
        """Pass the turn on, with no transaction left open. Does nothing if the ticket does not hold it."""
        try:
            if self._queue.holder is ticket:
                if self._writer is not None and self._writer.in_transaction:
                    self._roll_back(self._writer)
                if self._closed:
                    self._close_writer()
        finally:
            self._queue.release(ticket)

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer = None  # the next one gets a new connection
            if self._identity is not None:
                self._identity.forget_log()
            raise

    def _run_glance(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return job(self._writer or self.read())

    def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run the job, and those that other threads submit meanwhile, in one transaction."""
        connection = self._writer or self._open_writer()
        companions: list[Ticket] = []
        committing = committed = False
        failure: BaseException | None = None
        interrupt: BaseException | None = None
        try:
            connection.execute("BEGIN IMMEDIATE")
            result = job(connection)
            while len(companions) < TOGETHER and (more := self._queue.companions(companions)):
                _run_each(connection, more)
            self.check_file(writing=True)
            for other in self._attached.values():
                other.check_file(writing=True)
            committing = True
            connection.execute("COMMIT")
            committed = True
        except BaseException as error:
            failure = error
            if connection.in_transaction:
                self._roll_back(connection)
            else:  # a signal may come when the commit is done
                committed = committing and not isinstance(error, Exception)
            raise
        finally:
            while companions:  # in place, as above
                try:
                    companions = self._queue.settle(companions, committed, failure)
                except BaseException as error:  # noqa: BLE001
                    interrupt = error
            if interrupt is not None:
                raise interrupt
        return result


def _run_each(connection: sqlite3.Connection, tickets: list[Ticket]) -> None:
    for ticket in tickets:
        assert ticket.job is not None
        connection.execute("SAVEPOINT memwell_job")
        try:
            ticket.result = ticket.job(connection)
        except Exception as error:
            if not connection.in_transaction:  # SQLite itself has rolled back: a full disk, for one
                raise
            ticket.error = error
            connection.execute("ROLLBACK TO memwell_job")
        connection.execute("RELEASE memwell_job")


def _closed() -> Closed:
    return Closed("the database was closed; open it again to use it", part="sqlite")
