"""The settings of a Redis connection, read from a URL: a server, Sentinel or a Cluster."""

from __future__ import annotations

import ssl
from dataclasses import field
from typing import Final, Literal, Self, cast

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError
from memwell.urls import Url

__all__ = ["OPTIONS", "Settings", "Tls", "Verify"]

Verify = Literal["full", "ca", "none"]
SERVER_PORT, SENTINEL_PORT = 6379, 26379

OPTIONS: Final = (
    "prefix",
    "pool",
    "timeout",
    "connect_timeout",
    "cluster",
    "sentinel",
    "sentinel_user",
    "sentinel_password",
    "ca",
    "cert",
    "key",
    "verify",
)
"""The options in the query of a Redis URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates to verify the server, and the client certificate."""

    ca: str | None = None
    """File of the certificates to trust; by default those of the system."""
    cert: str | None = None
    """File of the client certificate, for servers that require one."""
    key: str | None = field(default=None, repr=False)
    """File of the client certificate's key."""
    verify: Verify = "full"
    """`full`: chain and host name; `ca`: the chain only; `none`: neither, so that any server is accepted."""

    def __post_init__(self) -> None:
        """Refuse files that cannot be used, before a connection is opened."""
        if self.key and not self.cert:
            raise ConfigError("option key is for the certificate of option cert")
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if self.ca:
                context.load_verify_locations(self.ca)
            if self.cert:
                context.load_cert_chain(
                    self.cert, self.key, password=""
                )  # else a locked key asks the terminal
        except OSError as error:
            raise ConfigError(f"the files of the options ca, cert and key cannot be used: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A parsed URL; its `repr` contains no secrets."""

    hosts: tuple[tuple[str, int], ...] = (("localhost", SERVER_PORT),)
    db: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    sentinel: str | None = None
    """Name of the master that the sentinels at `hosts` watch."""
    sentinel_user: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    cluster: bool = False
    """Whether `hosts` are nodes of a Cluster; the others are found through them."""
    prefix: str = "memwell:"
    """What every key begins with."""
    pool: int = 16
    """Maximum number of connections of each client (in a Cluster: of concurrent commands); further calls wait."""
    timeout: float = 5.0
    """Seconds to wait for an answer, and for a free connection."""
    connect_timeout: float = 5.0
    """Seconds to wait for a new connection."""

    def __post_init__(self) -> None:
        """Refuse options that exclude each other."""
        if self.sentinel and self.cluster:
            raise ConfigError("a redis URL has either `sentinel` or `cluster`, not both")
        if self.cluster and self.db:
            raise ConfigError("a Redis Cluster has database 0 only; separate users by `prefix`")
        if len(self.hosts) > 1 and not (self.sentinel or self.cluster):
            raise ConfigError(
                "a redis URL with several hosts needs cluster=true, or sentinel=NAME of the master"
            )
        if self.pool < 1 or self.timeout <= 0 or self.connect_timeout <= 0:
            raise ConfigError("pool is 1 or more; timeout and connect_timeout are over 0")
        if "\0" in self.prefix:
            raise ConfigError("a prefix must not contain NUL")

    @classmethod
    def from_url(cls, url: Url, *others: str) -> Self:
        """The settings in a URL. `others` are options that the part has taken already, named in the error for
        an unknown one. Raises `ConfigError`.

        `redis://user:password@host:port/db`, `rediss://` for TLS, `redis://h1:26379,h2:26379/db?sentinel=mymaster`,
        `redis://h1,h2?cluster=true`; percent-encode what has a meaning in URLs.
        """
        place = url.place()
        sentinel = url.take("sentinel")
        port = SENTINEL_PORT if sentinel else SERVER_PORT
        hosts = tuple((name, given or port) for name, given in place.hosts) or (("localhost", port),)
        settings = cls(
            hosts=hosts,
            db=_database(place.path),
            user=place.user or None,
            password=place.password,
            tls=_tls(url),
            sentinel=sentinel,
            sentinel_user=url.take("sentinel_user"),
            sentinel_password=url.take("sentinel_password"),
            cluster=url.flag("cluster", False),
            prefix=url.take("prefix", "memwell:") or "",
            pool=url.whole("pool", 16, least=1),
            timeout=url.number("timeout", 5.0),
            connect_timeout=url.number("connect_timeout", 5.0),
        )
        url.done(*OPTIONS, *others)
        return settings


def _database(path: str) -> int:
    if not path:
        return 0
    if not (path.isascii() and path.isdigit() and len(path) < 10):
        raise ConfigError(f"a redis URL ends with the number of a database, such as /0, not with /{path}")
    return int(path)


def _tls(url: Url) -> Tls | None:
    given = {name: url.take(name) for name in ("ca", "cert", "key", "verify")}
    if url.scheme != "rediss":
        if named := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"option {', '.join(named)} is for TLS: write rediss:// instead of redis://")
        return None
    verify = given["verify"] or "full"
    if verify not in ("full", "ca", "none"):
        raise ConfigError(f"option verify is full, ca or none, not {verify!r}")
    return Tls(ca=given["ca"], cert=given["cert"], key=given["key"], verify=cast("Verify", verify))
