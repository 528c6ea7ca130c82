"""URLs that name parts: `scheme`, `scheme:rest` or `scheme://user:password@host:port/path?option=value`."""

from __future__ import annotations

import os
import re
from dataclasses import field
from typing import Final

from memwell._dataclasses import dataclass
from memwell._patterns import pattern
from memwell.errors import ConfigError
from memwell.masking import secrets_of

__all__ = ["Place", "Url", "of_file", "shown"]

_SCHEME: Final = pattern(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""A letter alone before a colon is a drive of Windows."""
_FILE: Final = pattern(r".*[/\\].*|.+\.(?:db|db3|sqlite|sqlite3)", re.IGNORECASE | re.DOTALL)

_ENCODE: Final = "in a user or password write / as %2F, ? as %3F, # as %23 and @ as %40"


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed name. Adapters take what they know with `take` and then call `done`. Shows no more than its scheme."""

    text: str = field(repr=False)
    scheme: str
    rest: str = field(repr=False)
    """What follows the scheme, options cut off, percent-decoded."""
    options: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False, default=())
    """What must not be shown, by `masking.hide`."""

    @classmethod
    def parse(cls, text: str) -> Url:
        """Split a name. Raises `ConfigError` for an option given twice."""
        head, _, tail = text.partition(":")
        rest, _, query = tail.removeprefix("//").partition("?")
        options: dict[str, str] = {}
        if query or "%" in rest:
            from urllib.parse import parse_qsl, unquote

            rest, pairs = unquote(rest), parse_qsl(query, keep_blank_values=True)
            options = dict(pairs)
            if len(options) != len(pairs):
                raise ConfigError(f"an option is given twice in {shown(text)!r}")
        return cls(text, head.lower(), rest, options, secrets_of(text))

    def path(self) -> str:
        """The file path of `scheme:///relative` and `scheme:////absolute`; empty when there is none."""
        if self.rest and not self.rest.startswith("/"):
            raise ConfigError(
                f"{shown(self.text)!r} names a host; write {self.scheme}:///relative.db or {self.scheme}:////absolute.db"
            )
        return self.rest[1:]

    def take(self, name: str, default: str | None = None) -> str | None:
        """Remove an option and return its value."""
        return self.options.pop(name, default)

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        """Remove an option and return it as a whole number. Raises `ConfigError` for any other, or below `least`."""
        number = self.number(name, default)
        if number != int(number) or number < least:
            raise ConfigError(f"option {name} is a whole number of {least} or more, not {number:g}")
        return int(number)

    def flag(self, name: str, default: bool) -> bool:
        """Remove an option and return it as a flag: `true`, `yes`, `1`, `on` or `false`, `no`, `0`, `off`."""
        given = self.options.pop(name, None)
        if given is None:
            return default
        if given.lower() in ("true", "yes", "1", "on"):
            return True
        if given.lower() in ("false", "no", "0", "off"):
            return False
        raise ConfigError(f"option {name} is true or false, not {given!r}")

    def place(self) -> Place:
        """User, password, hosts and path of `scheme://user:password@host:port,host:port/path`, decoded. Raises
        `ConfigError` for a port that is none, showing nothing that may be part of a password.
        """
        from urllib.parse import unquote

        head, _, _ = self.text.partition(":")
        rest = self.text[len(head) + 1 :].removeprefix("//").partition("?")[0]
        rest, _, fragment = rest.partition("#")
        authority, _, path = rest.partition("/")
        login, at, hosts = authority.rpartition("@")
        user, _, password = login.partition(":")
        if "@" in path or "@" in fragment:  # a part of the password is taken for it
            raise ConfigError(f"{self.scheme} has an @ behind its host; {_ENCODE}")
        return Place(
            user=unquote(user) if at else None,
            password=unquote(password) if password else None,
            hosts=tuple(_host(host) for host in hosts.split(",") if host),
            path=unquote(path),
        )

    def number(self, name: str, default: float) -> float:
        """Remove an option and return it as a number. Raises `ConfigError` if it is not one of 0 or more."""
        given = self.options.pop(name, None)
        try:
            number = default if given is None else float(given)
        except ValueError as error:
            raise ConfigError(f"option {name}={given!r} is not a number") from error
        if not 0 <= number < float("inf"):
            raise ConfigError(f"option {name}={given!r} is not a finite number of 0 or more")
        return number

    def done(self, *names: str) -> None:
        """Raise `ConfigError` for options that are left; `names` are those that exist."""
        if self.options:
            valued = [name for name, value in sorted(self.options.items()) if value]
            plain = [name for name in valued if name.replace("-", "_").isidentifier()]
            if len(plain) < len(self.options):  # more likely the rest of a password
                raise ConfigError(f"what follows the ? of {self.scheme} is not a list of options; {_ENCODE}")
            left = ", ".join(plain)
            raise ConfigError(f"{self.scheme} has no option {left}; it has: {', '.join(names) or 'none'}")


@dataclass(frozen=True, slots=True)
class Place:
    """The address of a service, and the login to use there."""

    user: str | None
    password: str | None = field(repr=False)
    hosts: tuple[tuple[str, int | None], ...]
    """Name or address, and port if one is given."""
    path: str
    """What follows the first slash."""

    def host(self, port: int, name: str = "localhost") -> tuple[str, int]:
        """The host and port, with defaults for what is absent. Raises `ConfigError` for several hosts."""
        if len(self.hosts) > 1:
            raise ConfigError("this URL takes one host, not several")
        found = self.hosts[0] if self.hosts else (name, None)
        return found[0], found[1] or port


def _host(text: str) -> tuple[str, int | None]:
    from urllib.parse import unquote

    if text.startswith("["):
        name, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"the port of {unquote(name)!r} is not a number from 1 to 65535; {_ENCODE}")
    return unquote(name), int(port) if port else None


def of_file(name: object) -> object:
    """The `sqlite:` URL of a file that is named by its path: a `Path`, or a text such as `notes.db`, `./x/notes` or
    `~/notes.db?durability=full`. Anything else as it is.
    """
    if isinstance(name, os.PathLike):
        path, options = os.fspath(name), ""
    elif name == ":memory:":
        return "sqlite:///:memory:"
    elif isinstance(name, str) and not _SCHEME.match(name) and _FILE.fullmatch(name.partition("?")[0]):
        path, _, options = name.partition("?")
        path = os.path.expanduser(path)  # noqa: PTH111  a Path raises without a home
    else:
        return name
    if not isinstance(path, str):
        raise ConfigError("a path given as bytes names no file here; give it as a text (os.fsdecode)")
    quoted = path.replace("%", "%25").replace("?", "%3F")
    return f"sqlite:///{quoted}{'?' if options else ''}{options}"


def shown(text: str) -> str:
    """A URL without its user, its password and its options, any of which may be secret."""
    head, at, tail = text.rpartition("@")
    scheme, _, rest = head.partition(":")
    shown = f"{scheme}:{'//' if rest.startswith('//') else ''}…@{tail}" if at else text
    return shown.partition("?")[0]
