"""Memoric's configuration.

Values of the file of `config_path` replace the defaults, and those of `overrides` replace both. Mappings are merged,
lists replaced.

A section that does not exist is an error. A key that has no effect is logged as a warning, or is an error if
`MEMORIC_STRICT_CONFIG` is set.
"""

from __future__ import annotations

import copy
import difflib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from memwell import policies
from memwell.compat.memoric.tiers import rules_of, tier_for
from memwell.errors import ConfigError, shown
from memwell.security.keyring import Keyring
from memwell.urls import Url

__all__ = ["DEFAULTS", "SCOPES", "file_of", "keyring_of", "load", "merged", "url_of"]

log = logging.getLogger("memwell.compat.memoric")

Config = dict[str, Any]
SUMMARIZERS: Final = ("simple", "llm", "noop")
SCOPES: Final = ("thread", "topic", "user", "global")
DEFAULTS: Final[Mapping[str, Any]] = {
    "database": {"dsn": None, "pool": None},
    "storage": {
        "sqlite_dsn": "sqlite:///memoric.db",
        "tiers": [
            {"name": "short_term", "expiry_days": 1, "capacity": 1000, "trim": {"max_chars": 800}},
            {"name": "mid_term", "expiry_days": 30, "capacity": 100_000},
            {"name": "long_term", "expiry_days": 3650, "capacity": 1_000_000},
        ],
    },
    "policies": {"write": []},
    "text_processing": {"trimmer": "simple", "summarizer": "simple"},
    "summarization": {
        "enabled": True,
        "min_chars": 600,
        "target_chars": 300,
        "mark_summarized": True,
        "thread_summarization": {"enabled": True, "min_records": 10, "max_chars": 1000},
    },
    "recall": {"scope": "thread", "default_top_k": 10, "include_summarized": False},
    "scoring": {
        "importance_weight": 0.5,
        "recency_weight": 0.3,
        "repetition_weight": 0.2,
        "decay_days": 60,
    },
    "metadata": {"model": "gpt-4o-mini", "api_key": None, "base_url": None, "enrichers": []},
    "clustering": {"min_cluster_size": 1},
    "privacy": {
        "enforce_user_scope": True,
        "allow_shared_namespace": False,
        "default_namespace": None,
        "encrypt_content": False,
        "encryption_key": None,
    },
    "integrations": {"embedder": "auto", "vector_db": None},
    "observability": {},
    "performance": {},
    "developer": {},
}
"""What holds where nothing else is said. `integrations.embedder` and `integrations.vector_db` are names of memwell."""

TIER: Final = ("name", "expiry_days", "ttl_seconds", "capacity", "trim")
_OPEN: Final = ("tiers", "write", "enrichers")
_DRIVER: Final = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql"}


def load(
    config_path: str | os.PathLike[str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Config:
    """The configuration, checked. Raises `ConfigError` for what cannot be used."""
    given = merged({} if config_path is None else file_of(config_path), overrides or {})
    _check_known(given, DEFAULTS, "")
    config = merged(DEFAULTS, given)
    _check_values(config)
    return config


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Config:
    """Two configurations as one; the second wins."""
    if not isinstance(above, Mapping):
        raise ConfigError(f"a configuration is a mapping of sections, not {shown(above)}")
    found = copy.deepcopy(dict(below))
    for key, value in above.items():
        inner = found.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = merged(inner, value)
        found[key] = copy.deepcopy(value)
    return found


def file_of(path: str | os.PathLike[str]) -> Config:
    """What a YAML file says. Raises `ConfigError`."""
    try:
        import yaml
    except ImportError as error:
        raise ConfigError("a configuration in YAML needs PyYAML; run: pip install 'memwell[yaml]'") from error
    try:
        found = yaml.safe_load(Path(path).read_text("utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} has no sections")
    return found


def url_of(config: Mapping[str, Any]) -> str:
    """Where memories are kept, as a URL of memwell: `database.dsn`, `DATABASE_URL`, or the file `memoric.db`."""
    dsn = config["database"]["dsn"] or os.environ.get("DATABASE_URL") or config["storage"]["sqlite_dsn"]
    scheme, mark, rest = str(dsn).partition("://")
    driver = _DRIVER.get(
        scheme.partition("+")[0]
    )  # the name of a driver, as in SQLAlchemy's URLs, is left out
    url = f"{driver or scheme}{mark}{rest}"
    pool = config["database"]["pool"]
    size = pool.get("size", pool.get("pool_size")) if isinstance(pool, Mapping) else pool
    if size is None or driver == "sqlite" or "pool" in Url.parse(url).options:
        return url
    return f"{url}{'&' if '?' in url else '?'}pool={size}"


def keyring_of(config: Mapping[str, Any]) -> Keyring | None:
    """The key of `privacy.encryption_key` or `MEMORIC_ENCRYPTION_KEY`: 32 bytes in base64 (a key of Fernet is one), or
    a passphrase of at least 12 characters. `None` if contents are not encrypted. Raises `ConfigError` without a key.
    """
    if not config["privacy"]["encrypt_content"]:
        return None
    text = config["privacy"]["encryption_key"] or os.environ.get("MEMORIC_ENCRYPTION_KEY") or ""
    if not text.strip():
        raise ConfigError(
            "privacy.encrypt_content needs a key: set MEMORIC_ENCRYPTION_KEY to what `memwell keys generate` prints"
        )
    try:
        return Keyring.from_text(text)
    except ConfigError:
        return Keyring(Keyring.from_passphrase(text, salt="memoric"))


def _check_known(given: Mapping[str, Any], known: Mapping[str, Any], path: str) -> None:
    for key, value in given.items():
        name = f"{path}{key}"
        if key not in known:
            _unknown(name, key, known, section=not path)
        elif key not in _OPEN and isinstance(known[key], Mapping):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{name} is a mapping, not {shown(value)}")
            _check_known(value, known[key], f"{name}.")


def _unknown(name: str, key: str, known: Mapping[str, Any], *, section: bool) -> None:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    if section:
        raise ConfigError(f"the configuration has no section {name!r}{hint} Known are {', '.join(known)}")
    if os.environ.get("MEMORIC_STRICT_CONFIG", "").lower() in ("1", "true", "yes"):
        raise ConfigError(f"{name} has no effect{hint} (MEMORIC_STRICT_CONFIG is set)")
    log.warning("%s has no effect%s", name, hint)


def _check_values(config: Config) -> None:
    url_of(config)
    _check_tiers(config["storage"]["tiers"])
    tier_for(config, 100)
    policies.load(rules_of(config))
    named = config["text_processing"]["summarizer"]
    if named not in SUMMARIZERS:
        raise ConfigError(
            f"text_processing.summarizer is one of {', '.join(SUMMARIZERS)}, not {shown(named)}"
        )
    if config["recall"]["scope"] not in SCOPES:
        raise ConfigError(
            f"recall.scope is one of {', '.join(SCOPES)}, not {shown(config['recall']['scope'])}"
        )
    for name, value in config["integrations"].items():
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"integrations.{name} is a name of memwell as a text, not {shown(value)}")
    weights = {name: config["scoring"][name] for name in DEFAULTS["scoring"]}
    for name, value in weights.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ConfigError(f"scoring.{name} is a number of at least 0, not {shown(value)}")
    days = weights.pop("decay_days")
    if not days or abs(sum(weights.values()) - 1) > 0.15:
        raise ConfigError(f"the weights of scoring add up to about 1, not {sum(weights.values()):g}")
    for section, name in (
        ("summarization", "min_chars"),
        ("summarization", "target_chars"),
        ("recall", "default_top_k"),
        ("clustering", "min_cluster_size"),
    ):
        value = config[section][name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"{section}.{name} is a whole number of at least 1, not {shown(value)}")


def _check_tiers(tiers: object) -> None:
    if not isinstance(tiers, list) or not tiers or not all(isinstance(tier, Mapping) for tier in tiers):
        raise ConfigError("storage.tiers is a list of mappings, each with a name")
    names = [tier.get("name") for tier in tiers]
    if None in names or len({*names}) < len(names):
        raise ConfigError(f"each tier has a name of its own, not {', '.join(map(str, names))}")
    for tier in tiers:
        for key in tier:
            if key not in TIER:
                _unknown(f"storage.tiers[{tier['name']}].{key}", key, dict.fromkeys(TIER), section=False)
