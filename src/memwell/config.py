"""Settings from the environment, for the command line and other edges; the library itself never reads it.

Every variable starts with `MEMWELL_`. One that is not known is refused with the nearest known name, because a misspelt
variable that is silently ignored may send memories to the wrong place.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from memwell.errors import ConfigError

__all__ = ["PREFIX", "Settings", "load", "masked"]

PREFIX: Final = "MEMWELL_"
_SECRET: Final = re.compile(r"(?i)([?&;](?:[^=&;]*(?:key|token|secret|password|passwd|pwd)[^=&;]*)=)[^&;]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the edges were told. The variable of a field is `MEMWELL_` and its name in capitals."""

    url: str | None = None
    """Where memories are kept; by default one SQLite file in the user's data directory."""
    embedder: str = "auto"
    """`auto`, `none`, or a name such as `local` or `hashing`."""
    cache: str | None = None
    """URL of a key-value part that keeps embeddings across processes."""
    index: str | None = None
    """URL of a vector index that answers instead of the store."""
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
    values = _validated()
    sources = {name: f"environment {PREFIX}{name.upper()}" for name in values}
    return Settings(**values, sources=sources)


def masked(text: str) -> str:
    """A URL with its password, and every option that looks like a secret, replaced by dots."""
    text = re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:•••@", text)
    return _SECRET.sub(r"\1•••", text)


def _refuse_unknown(found: set[str]) -> None:
    known = [name.upper() for name in names()]
    for name in sorted(found):
        own = name.upper().removeprefix(PREFIX)
        if own not in known:
            near = difflib.get_close_matches(own, known, n=1, cutoff=0.6)
            every = ", ".join(PREFIX + each for each in known)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"known: {every}."
            raise ConfigError(f"unknown setting {name} in the environment; {hint} Unset or correct it")


def _validated() -> dict[str, Any]:
    """What the environment gives, typed and checked."""
    from pydantic_settings import BaseSettings, SettingsConfigDict

    types = {name: bool if name == "debug" else str | None for name in names()}
    body: dict[str, Any] = {
        "__module__": __name__,
        "__annotations__": types,
        **{name: False if name == "debug" else None for name in types},
        "model_config": SettingsConfigDict(
            env_prefix=PREFIX, env_ignore_empty=True, protected_namespaces=(), extra="ignore"
        ),
    }
    environment: Any = type("Environment", (BaseSettings,), body)
    try:
        found: dict[str, Any] = environment().model_dump(exclude_unset=True)
    except ValueError as error:
        told: list[Any] = getattr(error, "errors", list)()
        first = told[0] if told else {"loc": ("?",), "input": "", "msg": str(error)}
        name = f"{PREFIX}{str(first['loc'][0]).upper()}"
        raise ConfigError(f"{name}={first['input']!r} is wrong: {first['msg']}") from error
    return found
