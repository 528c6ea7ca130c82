"""Entries of a log that are encrypted as a whole: AES-256-GCM under a key of their own, wrapped by a master key."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from memwell.errors import ConfigError, Corrupt
from memwell.security.keyring import NONCE, SIZE, VARIABLE, Keyring, aesgcm

__all__ = ["is_sealed", "open_entry", "seal_entry"]

_FIELDS = {"master", "key", "sealed"}


def seal_entry(keyring: Keyring, data: bytes, context: str) -> dict[str, str]:
    """The data encrypted, as JSON values. `context` says what it is; only under the same one it can be opened."""
    bound, key, nonce = context.encode(), os.urandom(SIZE), os.urandom(NONCE)
    found = {
        "key": keyring.first.wrap(key, bound),
        "sealed": nonce + bytes(aesgcm(key).encrypt(nonce, data, bound)),
    }
    text = {name: base64.b64encode(raw).decode() for name, raw in found.items()}
    return {"master": keyring.first.id, **text}


def is_sealed(found: Mapping[str, Any]) -> bool:
    """Whether an entry is one of `seal_entry`."""
    return found.keys() >= _FIELDS


def open_entry(keyring: Keyring | None, found: Mapping[str, Any], context: str) -> bytes:
    """The data of an entry. Raises `ConfigError` without its master key, and `Corrupt` if it was changed."""
    from cryptography.exceptions import InvalidTag

    if keyring is None or found["master"] not in keyring.ids:
        given = "there is no keyring" if keyring is None else f"the keyring has {', '.join(keyring.ids)}"
        raise ConfigError(
            f"{context} is encrypted under master key {found['master']}, and {given}; add that key to encryption= or to"
            f" {VARIABLE}",
            part="encrypted",
        )
    bound = context.encode()
    try:
        wrapped, raw = (base64.b64decode(found[name], validate=True) for name in ("key", "sealed"))
        key = keyring.named(found["master"], tenant=context).unwrap(wrapped, bound)
        return bytes(aesgcm(key).decrypt(raw[:NONCE], raw[NONCE:], bound))
    except (InvalidTag, ValueError, TypeError, Corrupt):
        raise Corrupt(f"{context} was changed where it is stored; remove it and add it again") from None
