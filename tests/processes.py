"""Processes of tests: forked from one that has imported what tests import, so that each starts in a moment."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TextIO

__all__ = ["PROCESSES", "Script"]

PROCESSES = multiprocessing.get_context("forkserver")
"""In place of `multiprocessing`. Processes share nothing with the tests but what they are given, as with `spawn`."""

PROCESSES.set_forkserver_preload(
    [
        "psycopg",
        "pytest",
        "redis.asyncio",
        "memwell.cli.root",
        "memwell.sync",
        "memwell.indexes.exact",
        "memwell.embedders.hashing",
        "memwell.security.encryption",
        "memwell.testing.keyvalue",
        "memwell.testing.logs",
        "memwell.testing.memory",
        "memwell.testing.stores",
    ]
)


class Script:
    """Python code in a process of its own, as by `python -c CODE ARGUMENTS`: a `subprocess.Popen` with text pipes.

    `stdin` and `stdout` are pipes; what it writes to `stderr` is that of the test.
    """

    def __init__(self, code: str, *arguments: object) -> None:
        input, theirs = os.pipe(), os.pipe()
        streams = [Connection(input[0]), Connection(theirs[1], readable=False), Connection(os.dup(2))]
        self.stdin: TextIO = os.fdopen(input[1], "w", encoding="utf-8")
        self.stdout: TextIO = os.fdopen(theirs[0], encoding="utf-8")
        self._process = PROCESSES.Process(target=_execute, args=(code, [*map(str, arguments)], streams))
        self._process.start()
        for stream in streams:
            stream.close()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended: its status, or the negative number of a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, close the pipes and return how it ended."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError(f"process {self.pid} has not ended within {timeout} seconds")
        self._close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> str:
        """Close its input, wait for its end and return the rest of its output."""
        self.stdin.close()
        said = self.stdout.read()
        self.wait(timeout)
        return said

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self.wait(60)

    def _close(self) -> None:
        with suppress(BrokenPipeError):  # It has ended, and what was written was not read.
            self.stdin.close()
        self.stdout.close()


def _execute(code: str, arguments: list[str], streams: list[Connection]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["-c", *arguments]
    try:
        exec(compile(code, "<script>", "exec"), {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()
