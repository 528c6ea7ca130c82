"""MemoryCore's settings, from the environment or a `.env` file, checked when they are read."""

from __future__ import annotations

import difflib
import io
import math
import os
import re
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError

__all__ = ["Settings"]

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "embedding_provider": ("chromadb", "openai", "sentence-transformers", "none"),
    "observability_log_level": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "observability_log_format": ("json", "text"),
}
_BACKENDS: Final = ("chromadb", "faiss", "memory")
_WORDS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}
_GROUPS: Final = ("STORAGE_", "EMBEDDING_", "OBSERVABILITY_", "RETRY_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field for each variable; the variable has the field's name in capitals.

    Raises `ConfigError` for a value that cannot be used, and says which would do.
    """

    storage_backend: str = "chromadb"
    """`chromadb` or `faiss` (records in SQLite, vectors there), `memory`, or any URL of memwell."""
    storage_path: str = "./memorycore_db"
    storage_collection_name: str = "memories"
    storage_persist: bool = True
    """Without it, everything is in memory."""
    embedding_provider: str = "chromadb"
    embedding_model_name: str = "all-MiniLM-L6-v2"
    embedding_dimension: int | None = None
    """If given, a model with vectors of another length is refused."""
    embedding_api_key: str | None = field(default=None, repr=False)
    observability_log_level: str = "INFO"
    observability_log_format: str = "json"
    observability_enable_metrics: bool = True
    observability_metrics_port: int = 9090
    observability_enable_health: bool = True
    observability_health_port: int = 8080
    retry_max_attempts: int = 3
    retry_initial_delay: float = 1.0
    retry_max_delay: float = 60.0
    retry_exponential_base: float = 2.0
    tenant_id: str = "default"
    default_ttl_days: float | None = None
    enable_versioning: bool = True
    max_memory_size: int = 1_000_000
    """Bytes of a text in UTF-8."""

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name.upper()} is one of {', '.join(allowed)}, not {getattr(self, name)!r}"
                )
        if self.storage_backend not in _BACKENDS and ":" not in self.storage_backend:
            raise ConfigError(
                f"STORAGE_BACKEND is {', '.join(_BACKENDS)} or a URL such as postgresql://…, "
                f"not {self.storage_backend!r}"
            )
        for name in ("observability_metrics_port", "observability_health_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise ConfigError(f"{name.upper()} is a port, 0 to 65535, not {getattr(self, name)}")
        for name in ("retry_max_attempts", "max_memory_size", "embedding_dimension", "default_ttl_days"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name.upper()} is a number of more than 0, not {value}")
        for name, least in (
            ("retry_initial_delay", 0),
            ("retry_max_delay", 0),
            ("retry_exponential_base", 1),
        ):
            if not least <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name.upper()} is a number of {least} or more, not {getattr(self, name)}")
        if not re.fullmatch(r"\w[\w.-]{0,99}", self.storage_collection_name):
            raise ConfigError(
                "STORAGE_COLLECTION_NAME is of letters, digits, and _ - . after the first, not "
                f"{self.storage_collection_name!r}"
            )
        if not self.tenant_id:
            raise ConfigError("TENANT_ID is a text that is not empty")

    @classmethod
    def load(cls, env_file: str | Path = ".env") -> Settings:
        """The settings of the environment, which wins, and of a `.env` file, if there is one.

        An unknown variable beside the known ones (`STORAGE_BAKEND`) is an error in the file; in the environment, where
        other programs have theirs, it is none.
        """
        names = {one.name.upper(): one for one in fields(cls)}
        found = _read(Path(env_file))
        for name in found:
            if name not in names and name.startswith(_GROUPS):
                near = difflib.get_close_matches(name, names, n=1)
                raise ConfigError(
                    f"{env_file} has an unknown setting {name}"
                    + (f"; did you mean {near[0]}?" if near else "")
                )
        given = {**found, **{name: os.environ[name] for name in names if os.environ.get(name)}}
        values = {
            names[name].name: _value(name, str(names[name].type), text)
            for name, text in given.items()
            if name in names
        }
        return cls(**values)


def _read(path: Path) -> dict[str, str]:
    """The variables of a `.env` file, in capitals. Raises `ConfigError` for a line that says no value."""
    if not path.is_file():
        return {}
    try:
        from dotenv.parser import parse_stream
    except ImportError as error:
        raise ConfigError(f"to read {path} pip install 'memwell[memorycore]'") from error
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as UTF-8: {error}") from error
    lines = list(parse_stream(io.StringIO(text)))
    for line in lines:
        if line.error or (line.key and not re.fullmatch(r"[\w.-]+", line.key)):
            raise ConfigError(f"line {line.original.line} of {path} is not of the form NAME=value")
    return {line.key.upper(): line.value for line in lines if line.key and line.value}


def _value(name: str, kind: str, text: str) -> Any:
    try:
        if kind.startswith("bool"):
            return _WORDS[text.lower()]
        if kind.startswith("int"):
            return int(text)
        if kind.startswith("float"):
            return float(text)
    except (KeyError, ValueError):
        wanted = "true or false" if kind.startswith("bool") else "a number"
        raise ConfigError(f"{name}={text!r} is not {wanted}") from None
    return text.upper() if name == "OBSERVABILITY_LOG_LEVEL" else text
