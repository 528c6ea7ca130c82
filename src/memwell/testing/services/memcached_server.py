"""A memcached server, from the program on the PATH."""

from __future__ import annotations

import signal

from memwell.testing.services.service import Service, answer, program

__all__ = ["MemcachedServer"]


class MemcachedServer(Service):
    """One memcached with a memory of `megabytes`. It stores nothing on disk."""

    name = "memcached"
    unprivileged = True
    stop_signal = signal.SIGKILL  # It has nothing to save, and SIGTERM takes a second.

    def __init__(self, *, megabytes: int = 64) -> None:
        self._megabytes = megabytes
        super().__init__()

    @property
    def url(self) -> str:
        """`memcached://127.0.0.1:PORT`"""
        return f"memcached://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        return [
            program("memcached"),
            "-l",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "0",
            "-m",
            str(self._megabytes),
        ]

    def _answers(self) -> bool:
        return answer(self.port, b"version\r\n").startswith(b"VERSION")
