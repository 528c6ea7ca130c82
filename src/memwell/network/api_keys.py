"""API keys, passed in or read from the environment, and never shown in messages."""

from __future__ import annotations

import os
from collections.abc import Sequence

from memwell.errors import ConfigError

__all__ = ["resolve_key"]


def resolve_key(given: str | None, names: Sequence[str], *, part: str) -> str | None:
    """The given key, or else that of the first environment variable in `names` that is set. An empty key means none.
    Surrounding whitespace, such as a line break, is removed.

    Raises `ConfigError` for characters that no HTTP header can hold: clients would show the whole key in their error.
    """
    candidates = [given] if given is not None else [os.environ.get(name, "") for name in names]
    key = next((text.strip() for text in candidates if text.strip()), None)
    if key is not None and not (key.isascii() and key.isprintable()):
        source = "key=" if given is not None else " or ".join(names)
        raise ConfigError(
            f"the API key in {source} contains characters that are not allowed in one; check how it was copied",
            part=part,
        )
    return key
