"""A real server on a free port of the loopback interface, with a folder of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from memwell.testing.services import watchdog

__all__ = ["Service", "ServiceFailed", "answer", "program"]

READY_WITHIN = 60.0
"""Seconds that a server has to answer."""
_PORTS = range(20_000, 32_000)
"""Below what Linux and macOS hand out to clients, so that a port stays free while its server is down."""


class ServiceFailed(RuntimeError):
    """A server cannot be started or does not answer; the message contains its log."""


class Service(ABC):
    """One server: started when made, stopped and its folder removed by `close` or at the end of the `with` block.

    `stop` and `kill` keep the folder; `start` then serves the same data on the same port. Each may be called twice.
    The server never outlives the process that started it, even when that is killed.
    """

    name: ClassVar[str]
    """The name of the server in errors."""
    stop_signal: ClassVar[int] = signal.SIGTERM
    """The signal for an orderly shutdown."""
    unprivileged: ClassVar[bool] = False
    """Whether it refuses to run as root; then it runs as the user `nobody`."""

    def __init__(self) -> None:
        self.user = _unprivileged_user() if self.unprivileged and os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix=f"memwell-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._removal = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        if self.user:
            os.chown(self.folder, *self.user)
        self.port = free_port()
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL by which memwell opens parts on this server."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments, in the foreground, logging to its output."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server serves; `OSError` and False both mean: not yet."""

    def _prepare(self) -> None:  # noqa: B027  most servers need nothing
        """Make what the first start needs, in the folder."""

    @property
    def running(self) -> bool:
        """Whether the server has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server, again too, and wait until it answers. Raises `ServiceFailed` with its log."""
        if self.running:
            return self
        job = {
            "command": self._command(),
            "user": self.user,
            "folder": str(self.folder),
            "signal": int(self.stop_signal),
        }
        command = [sys.executable, "-I", "-S", watchdog.__file__, json.dumps(job)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own script
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        self._await_answer(self._process)
        return self

    def stop(self) -> None:
        """End the server in order; its data stay."""
        self._order(b"stop\n")

    def kill(self) -> None:
        """End the server with SIGKILL, as when its machine loses it; what it had made durable stays."""
        self._order(b"kill\n")

    def close(self) -> None:
        """End the server and remove its folder."""
        self._order(b"stop\n")
        self._removal()

    def log(self) -> str:
        """What the server has said so far."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self.name} on port {self.port}, {'running' if self.running else 'stopped'}>"

    def _order(self, order: bytes) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(order, timeout=watchdog.PATIENCE + 20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + READY_WITHIN
        while process.poll() is None and time.monotonic() < end:
            try:
                if self._answers():
                    return
            except OSError:  # It does not listen yet, or closes the connection while it starts.
                pass
            time.sleep(0.02)
        how = "does not answer" if process.poll() is None else f"ended with status {process.returncode}"
        self._order(b"kill\n")
        raise ServiceFailed(
            f"{self.name} {how} on port {self.port}; it was started by `{' '.join(self._command())}` and logged:\n"
            f"{self.log()[-4000:] or '(nothing)'}"
        )


def answer(port: int, question: bytes) -> bytes:
    """Send a question to a line protocol and return the answer. Raises `OSError` when no server listens on the port."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(question)
        return connection.recv(1000)


def program(name: str) -> str:
    """The path of a program: on the PATH, or in the folders of Debian and Homebrew. Raises `ServiceFailed` if none."""
    places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    if found is None:
        raise ServiceFailed(
            f"no {name} on the PATH; run: apt-get install {name} (macOS: brew install {name})"
        )
    return found


def free_port() -> int:
    """A free port of 127.0.0.1, outside the range of client ports."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServiceFailed("200 ports of 127.0.0.1 tried, none is free")


def _unprivileged_user() -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid
