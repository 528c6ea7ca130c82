"""The process between a test run and one server: it starts the server, and stops it when the test run ends.

Run as a script with one JSON argument (see `main`). It reads commands from its standard input: `stop` shuts the
server down in order, `kill` ends it with SIGKILL. When the input ends without a command, the owner has ended or was
killed: the server is stopped and its folder removed. When this process has exited, no process of the server is left. It
uses the standard library alone, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

__all__ = ["main"]

PATIENCE = 20.0
"""Seconds that a server has to end in order before it is killed."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(job: dict[str, Any]) -> int:
    """Run `job["command"]` as `job["user"]` (or the current user) until it ends or is stopped; returns its exit status.

    `job["signal"]` ends it in order; `job["folder"]` is removed when the owner is gone.
    """
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    user = job["user"]
    whose = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
    server = subprocess.Popen(  # noqa: S603  what our owner asks for
        job["command"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        cwd=job["folder"],
        preexec_fn=lambda: _control(_PR_SET_PDEATHSIG, signal.SIGKILL),
        **whose,
    )
    ended, orders = threading.Event(), list[str]()
    threading.Thread(target=_obey, args=(server.pid, job["signal"], ended, orders), daemon=True).start()
    status = _wait(server.pid)
    ended.set()
    _kill_leftovers()
    if orders == [""]:
        shutil.rmtree(job["folder"], ignore_errors=True)
    return status


def _obey(server: int, stop_signal: int, ended: threading.Event, orders: list[str]) -> None:
    orders.append(sys.stdin.readline().strip())
    if orders[0] != "kill":
        _send(server, stop_signal)
        if ended.wait(PATIENCE):
            return
    _send(-server, signal.SIGKILL)


def _wait(server: int) -> int:
    """The server's exit status; its orphaned children are reaped on the way."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == server:
            return abs(os.waitstatus_to_exitcode(status))


def _kill_leftovers() -> None:
    """End what the server left behind, and wait for it. Linux hands it to us; elsewhere it is not ours to see."""
    while True:
        for pid in _children():
            _send(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our child processes, adopted ones too, as far as /proc tells."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It ended meanwhile.
            after_name = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(after_name[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _control(option: int, value: int) -> None:
    """Call Linux's prctl; do nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
