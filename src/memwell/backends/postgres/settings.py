"""The settings in a `postgresql://` URL, validated before a connection is opened."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError
from memwell.urls import Place, Url

__all__ = ["OPTIONS", "Settings"]

OPTIONS: Final = (
    "schema", "pool", "timeout", "connect_timeout", "statement_timeout", "replica", "prepare", "migrate", "warm",
)  # fmt: skip
"""The options of memwell; those of `_LIBPQ` are passed to the driver unchanged."""

_LIBPQ: Final = (
    "application_name", "channel_binding", "gssencmode", "hostaddr", "keepalives", "keepalives_count",
    "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts", "options", "passfile",
    "require_auth", "service", "sslcert", "sslcertmode", "sslcrl", "sslkey", "sslmode", "sslnegotiation",
    "sslpassword", "sslrootcert", "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs",
    "tcp_user_timeout",
)  # fmt: skip

_DEFAULTS: Final = {
    "application_name": "memwell",
    # So that a connection ends on a network that drops packets silently.
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Parameters of libpq that a URL may override. Times are in seconds, `tcp_user_timeout` in milliseconds."""
_SCHEMA: Final = re.compile(r"(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,62}", re.ASCII | re.IGNORECASE)
_LONGEST: Final = 2_000_000
"""Seconds (23 days): the server's limit, 31 bits of milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the database is, and how to use it."""

    target: dict[str, Any] = field(repr=False)
    """Parameters of libpq."""
    replica: dict[str, Any] | None = field(default=None, repr=False)
    """The same for the replica that answers searches, if there is one."""
    schema: str = "memwell"
    """The schema of all tables; letters, digits and underscores."""
    pool: int = 10
    """Maximum number of connections of one process (and event loop)."""
    timeout: float = 30.0
    """Seconds to wait for a free connection, and for a migration by another process."""
    statement_timeout: float = 0.0
    """Seconds after which the server cancels a statement; 0 for never."""
    prepare: bool = True
    """False behind a pooler in transaction mode, which gives a server connection to another client after each
    transaction."""
    migrate: bool = True
    """Whether the first use creates and changes tables."""
    warm: int = 200_000
    """Records of hot owners (those searched often) that a process may hold in memory."""

    @classmethod
    def from_url(cls, url: Url) -> Settings:
        """Read a URL. Raises `ConfigError` for a value that is not valid."""
        connect_timeout = url.whole("connect_timeout", 10, least=1)
        migrate = url.take("migrate", "auto")
        if migrate not in ("auto", "off"):
            raise ConfigError(f"option migrate is auto or off, not {migrate!r}")
        schema = url.take("schema", "memwell") or ""
        if not _SCHEMA.fullmatch(schema):
            raise ConfigError(
                f"option schema is letters, digits and underscores, and none of the server's own, not {schema!r}"
            )
        common: dict[str, Any] = {"connect_timeout": connect_timeout, **_DEFAULTS}
        common.update({name: url.options.pop(name) for name in _LIBPQ if name in url.options})
        common["client_encoding"] = "UTF8"  # whatever the environment, the role or the database says
        target = common | _address(url.place(), url.take("host"))
        replica = url.take("replica")
        found = cls(
            target=target,
            replica=None if replica is None else target | _replica(replica),
            schema=schema,
            pool=url.whole("pool", 10, least=1),
            timeout=_seconds(url, "timeout", 30.0),
            statement_timeout=_seconds(url, "statement_timeout", 0.0),
            prepare=url.flag("prepare", True),
            migrate=migrate == "auto",
            warm=url.whole("warm", 200_000),
        )
        url.done(*OPTIONS, "host", *_LIBPQ)
        if any("\0" in str(value) for value in target.values()):  # libpq would drop the rest
            raise ConfigError("a PostgreSQL URL must not contain %00")
        return found

    @property
    def place(self) -> str:
        """The database as errors name it, without user and password."""
        hosts, ports = str(self.target.get("host", "")), str(self.target.get("port", ""))
        pairs = zip(
            hosts.split(","), ports.split(",") if ports else [""] * (hosts.count(",") + 1), strict=True
        )
        where = ",".join(f"{host}:{port}" if port else host for host, port in pairs)
        return f"{where or 'localhost'}/{self.target.get('dbname', '')}"


def _seconds(url: Url, name: str, default: float) -> float:
    number = url.number(name, default)
    if number > _LONGEST:
        raise ConfigError(f"option {name} is {_LONGEST} seconds at most, not {number:g}")
    return number


def _address(place: Place, socket: str | None) -> dict[str, Any]:
    """User, password, hosts and database as parameters of libpq; `socket` is the folder of a Unix socket."""
    found: dict[str, Any] = {}
    if place.hosts and socket is not None:
        raise ConfigError(
            "option host is the folder of a socket and needs a URL without a host: postgresql:///database"
        )
    if place.hosts:
        found["host"] = ",".join(host for host, _ in place.hosts)
        found["port"] = ",".join(str(port or 5432) for _, port in place.hosts)
    elif socket is not None:
        found["host"] = socket
    named = {"user": place.user, "password": place.password, "dbname": place.path}
    return found | {name: value for name, value in named.items() if value}


def _replica(text: str) -> dict[str, Any]:
    """The parameters that differ on the replica, from `host`, `host:port` or a whole URL."""
    whole = text if "://" in text else f"postgresql://{text}"
    url = Url.parse(whole)
    if url.scheme not in ("postgresql", "postgres") or url.options:
        raise ConfigError("option replica is host:port or postgresql://user:password@host:port/database")
    found = _address(url.place(), None)
    if not found.get("host"):
        raise ConfigError("option replica names no host")
    return found | {"target_session_attrs": "any"}
