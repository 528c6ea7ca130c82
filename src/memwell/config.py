"""Settings from the environment, for the command line and other entry points. The library itself never reads it.

Every variable starts with `MEMWELL_`. An unknown one is refused, with the nearest known name: a misspelt variable that
is silently ignored could send memories to the wrong place.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError

__all__ = ["PREFIX", "Settings", "load"]

PREFIX: Final = "MEMWELL_"
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO: Final = frozenset({"0", "false", "f", "no", "n", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the command line. The variable of a field is `MEMWELL_` and its name in capitals."""

    url: str | None = None
    """Where memories are kept; by default one SQLite file in the user's data directory."""
    embedder: str = "auto"
    """`auto`, `none`, or a name such as `local` or `hashing`."""
    cache: str | None = None
    """URL of a key-value part that keeps embeddings across processes."""
    index: str | None = None
    """URL of a vector index that answers instead of the store."""
    encryption_key: str | None = field(default=None, repr=False)
    """Master keys in base64, separated by commas: the first encrypts, all decrypt."""
    user: str | None = None
    """Default for `--user`."""
    agent: str | None = None
    """Default for `--agent`."""
    session: str | None = None
    """Default for `--session`."""
    tenant: str | None = None
    """Default for `--tenant`."""
    namespace: str | None = None
    """Default for `--namespace`."""
    timezone: str | None = None
    """The time zone of days and times, such as `Europe/Berlin`, or `local`; UTC by default."""
    actor: str | None = None
    """Who acts, for the audit log and for receipts."""
    audit: str | None = None
    """URL of the log that keeps the audit log."""
    receipt_key: str | None = field(default=None, repr=False)
    """The key that signs receipts, as `memwell receipt key` makes one."""
    policies: str | None = None
    """File with the policies that `memwell tidy` applies."""
    model_dir: str | None = None
    """Folder with the weights of the local model."""
    debug: bool = False
    """Show tracebacks."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Field → where its value came from; fields not in it have their default."""

    def with_options(self, **given: Any) -> Settings:
        """The same under options of the command line. An empty text takes a setting back to its default."""
        plain = Settings()
        values = {name: value if value != "" else getattr(plain, name) for name, value in given.items()}
        sources = {**self.sources, **{name: f"option --{name}" for name in given}}
        return replace(self, **values, sources=sources)

    def source(self, name: str) -> str:
        """Where a field's value came from."""
        return self.sources.get(name, "default")


def names() -> tuple[str, ...]:
    """The fields that are settings."""
    return tuple(f.name for f in fields(Settings) if f.name != "sources")


def load() -> Settings:
    """The settings of this process. Raises `ConfigError` for an unknown variable or a value of the wrong type."""
    set_here = {name for name in os.environ if name.upper().startswith(PREFIX)}
    if not set_here:
        return Settings()
    _refuse_unknown(set_here)
    values = _values()
    sources = {name: f"environment {PREFIX}{name.upper()}" for name in values}
    return Settings(**values, sources=sources)


def _refuse_unknown(found: set[str]) -> None:
    known = [name.upper() for name in names()]
    for name in sorted(found):
        own = name.upper().removeprefix(PREFIX)
        if own not in known:
            near = difflib.get_close_matches(own, known, n=1, cutoff=0.6)
            every = ", ".join(PREFIX + each for each in known)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"known: {every}."
            raise ConfigError(f"unknown setting {name} in the environment; {hint} Unset or correct it")


def _values() -> dict[str, Any]:
    """What the environment gives, as the types of the fields; an empty variable counts as none."""
    found: dict[str, Any] = {}
    for variable, text in sorted(os.environ.items()):
        name = variable.upper().removeprefix(PREFIX).lower()
        if not variable.upper().startswith(PREFIX) or not text:
            continue
        if name in found:
            raise ConfigError(f"{variable} is set twice, in capitals and otherwise; unset one of them")
        found[name] = _flag(variable, text) if name == "debug" else text
    return found


def _flag(variable: str, text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise ConfigError(f"{variable}={text!r} is neither yes nor no; write true or false, 1 or 0")
