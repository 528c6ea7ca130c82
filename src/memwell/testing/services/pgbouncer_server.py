"""PgBouncer in front of a PostgreSQL, from the program on the PATH."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Literal

from memwell.testing.services.service import Service, program

__all__ = ["PgBouncer"]


class PgBouncer(Service):
    """A pooler of a few connections to `server`, shared per transaction or per session."""

    name = "pgbouncer"
    unprivileged = True
    stop_signal = signal.SIGKILL  # It has nothing to save, and SIGTERM waits for clients.

    def __init__(
        self, server: Service, *, mode: Literal["transaction", "session"] = "transaction", size: int = 4
    ) -> None:
        self._server, self._mode, self._size = server, mode, size
        super().__init__()

    @property
    def url(self) -> str:
        """The server's URL, with the port of the pooler."""
        return self._server.url.replace(f":{self._server.port}/", f":{self.port}/")

    def _prepare(self) -> None:
        (self.folder / "users").write_text('"memwell" ""\n')
        self._configuration.write_text(
            f"""[databases]
* = host=127.0.0.1 port={self._server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self.folder / "users"}
pool_mode = {self._mode}
default_pool_size = {self._size}
"""
        )
        for path in (self.folder / "users", self._configuration):
            path.chmod(0o644)

    def _command(self) -> list[str]:
        return [program("pgbouncer"), str(self._configuration)]

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _configuration(self) -> Path:
        return self.folder / "pgbouncer.ini"
