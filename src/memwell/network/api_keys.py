"""Keys to services: handed in or from the environment, and never shown."""

from __future__ import annotations

import os
from collections.abc import Sequence

from memwell.errors import ConfigError

__all__ = ["key_from"]


def key_from(given: str | None, names: Sequence[str], *, part: str) -> str | None:
    """The key that was given, else that of the first variable of the environment that holds one. An empty key that is
    given means none. Space around it, such as the end of the line it was read from, is cut off.

    Raises `ConfigError` for what no HTTP header can hold: clients would tell the whole key in their error.
    """
    found = [given] if given is not None else [os.environ.get(name, "") for name in names]
    key = next((text.strip() for text in found if text.strip()), None)
    if key is not None and not (key.isascii() and key.isprintable()):
        where = "key=" if given is not None else " or ".join(names)
        raise ConfigError(f"the key in {where} holds characters that no key has", part=part)
    return key
