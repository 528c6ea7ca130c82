"""The cipher of one tenant: what is encrypted (AES-256-GCM) and what is hashed with a key (BLAKE2b), each with a key
of its own that is derived from the tenant's data keys.

Each ciphertext is bound to the tenant, the record and the field (associated data), so that one that was moved or
changed is refused. Index terms, metadata values and contents are also hashed, so that a store can compare them.
"""

from __future__ import annotations

import base64
import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from memwell._forks import fork_safe
from memwell.errors import ConfigError, Corrupt
from memwell.frozen import FrozenDict, FrozenList
from memwell.security.keyring import NONCE, aesgcm

__all__ = ["BYTES_MORE", "TenantCipher"]

_NAME: Final = 4
BYTES_MORE: Final = _NAME + NONCE + 16
"""Bytes that `TenantCipher.encrypt_bytes` adds: number of the key, nonce, tag."""

_TERM: Final = 6
"""Characters of the hash of a term, each of 6 bits: of 100,000 different terms, two are alike in one tenant of 14."""
_DRAWN: Final = 64
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_REMEMBERED: Final = 50_000
"""Terms and speakers whose hashes are remembered."""


class TenantCipher:
    """Encrypts and hashes for one tenant. `index` is the key of all hashes, `data` the keys of ciphertexts by name, of
    which `current` encrypts. Safe for threads.
    """

    def __init__(
        self, tenant: str, index: bytes, data: Mapping[str, bytes], current: str, *, mixed: bool = False
    ) -> None:
        self.tenant = tenant
        self.mixed = mixed
        """Whether the tenant may have memories that are not encrypted yet."""
        self.current = current
        self._bound = tenant.encode()
        keys = {name: derived(index, name) for name in ("terms", "content", "metadata", "marks")}
        self._contents = blake2b(key=keys["content"], digest_size=15)
        self._marks = blake2b(key=keys["marks"], digest_size=12)
        self._values = blake2b(key=keys["metadata"], digest_size=12)
        self._siv = _siv(derived(index, "speaker-1") + derived(index, "speaker-2"))
        self._ciphers = {name: aesgcm(derived(key, "encrypt")) for name, key in data.items()}
        self._terms = _Terms(blake2b(key=keys["terms"], digest_size=_TERM))
        self._speakers: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"TenantCipher({self.tenant!r})"

    def encrypt(self, text: str, id: str, field: str, more: str = "") -> str:
        """`KEY.BASE64` of a text of a record, bound to tenant, record, field and `more`."""
        nonce = _nonce()
        sealed = self._ciphers[self.current].encrypt(nonce, text.encode(), self._context(id, field, more))
        return f"{self.current}.{b2a_base64(nonce + sealed, newline=False).decode()}"

    def decrypt(self, ciphertext: str, id: str, field: str, more: str = "") -> str:
        """The inverse of `encrypt`. Raises `KeyError` for a data key that is not known here, and `Corrupt` for what
        was changed or belongs elsewhere.
        """
        name, _, body = ciphertext.partition(".")
        cipher = self._ciphers[name]
        try:
            raw = a2b_base64(body, strict_mode=True)
            return str(cipher.decrypt(raw[:NONCE], raw[NONCE:], self._context(id, field, more)).decode())
        except Exception as error:
            raise Corrupt(
                f"the {field} of memory {id!r} cannot be decrypted: it was changed, or belongs to another memory;"
                " restore it from a backup, or forget it",
                part="encrypted",
            ) from error

    def encrypt_bytes(self, raw: bytes, id: str, field: str, more: str = "") -> bytes:
        """As `encrypt`, of bytes."""
        nonce = _nonce()
        sealed = self._ciphers[self.current].encrypt(nonce, raw, self._context(id, field, more))
        return int(self.current).to_bytes(_NAME, "big") + nonce + bytes(sealed)

    @staticmethod
    def key_of(sealed: bytes) -> str:
        """The name of the data key of encrypted bytes."""
        return str(int.from_bytes(sealed[:_NAME], "big"))

    def decrypt_bytes(self, sealed: bytes, id: str, field: str, more: str = "") -> bytes:
        """The inverse of `encrypt_bytes`. Raises as `decrypt`."""
        cipher = self._ciphers[self.key_of(sealed)]
        nonce, body = sealed[_NAME : _NAME + NONCE], sealed[_NAME + NONCE :]
        try:
            return bytes(cipher.decrypt(nonce, body, self._context(id, field, more)))
        except Exception as error:
            raise Corrupt(
                f"the {field} of a memory cannot be decrypted: they were changed, or belong to another memory; run"
                " `memwell reembed`, or restore a backup",
                part="encrypted",
            ) from error

    def term(self, term: str) -> str:
        """The keyed hash of an index term: 6 characters."""
        return self._terms[term]

    def terms(self, lexemes: str) -> str:
        """Index terms joined by spaces, each as its keyed hash."""
        return " ".join(map(self._terms.__getitem__, lexemes.split(" "))) if lexemes else ""

    def fingerprint(self, content: str) -> str:
        """The keyed hash of a content: 20 characters."""
        return _hashed(self._contents, content)

    def mark(self, text: str) -> str:
        """The keyed hash of metadata as JSON text: 16 characters."""
        return _hashed(self._marks, text)

    def value(self, value: Any, path: str = "") -> Any:
        """A value of the metadata with each scalar in it hashed with its type and its path; null stays null."""
        if value is None:
            return None
        if isinstance(value, Mapping):
            return FrozenDict({key: self.value(each, f"{path}\0{key}") for key, each in value.items()})
        if isinstance(value, list | tuple):
            return FrozenList([self.value(each, path) for each in value])
        return "~" + _hashed(self._values, f"{path}\0{_canonical(value)}")

    def speaker(self, name: str) -> str:
        """The name of a speaker, encrypted so that the same name gives the same text; lower case letters and digits."""
        found = self._speakers.get(name)
        if found is None:
            raw = self._siv.encrypt(name.encode(), [self._bound])
            found = base64.b32encode(raw).decode().rstrip("=").lower()
            _remember(self._speakers, name, found)
            _remember(self._speakers, f"\0{found}", name)
        return found

    def is_speaker(self, token: str | None) -> bool:
        """Whether a text is an encrypted speaker."""
        try:
            return bool(token) and bool(self.spoken_by(token or ""))
        except Corrupt:
            return False

    def spoken_by(self, token: str) -> str:
        """The inverse of `speaker`. Raises `Corrupt` for anything else."""
        found = self._speakers.get(f"\0{token}")
        if found is None:
            try:
                raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
                found = str(self._siv.decrypt(raw, [self._bound]).decode())
            except Exception as error:
                raise Corrupt(
                    "the speaker of a memory cannot be decrypted; run `memwell doctor`", part="encrypted"
                ) from error
            _remember(self._speakers, f"\0{token}", found)
        return found

    def _context(self, id: str, field: str, more: str) -> bytes:
        return b"\0".join((self._bound, id.encode(), field.encode(), more.encode()))


class _Terms(dict[str, str]):
    """Index terms and their keyed hashes, computed when they are first asked for."""

    def __init__(self, keyed: blake2b) -> None:
        self._keyed = keyed

    def __missing__(self, term: str) -> str:
        state = self._keyed.copy()
        state.update(term.encode())
        found = b2a_base64(state.digest(), newline=False).translate(_URL_SAFE)[:_TERM].decode()
        if len(self) >= _REMEMBERED:
            self.clear()
        self[term] = found
        return found


def _hashed(keyed: blake2b, text: str) -> str:
    """The hash of a text in URL-safe base64. `keyed` has taken in its key, and stays as it is."""
    state = keyed.copy()
    state.update(text.encode())
    return b2a_base64(state.digest(), newline=False).translate(_URL_SAFE).decode()


_nonces: list[bytes] = []
"""Random numbers drawn in advance, each used once; a forked child draws its own."""
fork_safe(_nonces.clear)


def _nonce() -> bytes:
    try:
        return _nonces.pop()
    except IndexError:
        drawn = os.urandom(NONCE * _DRAWN)
        _nonces.extend(drawn[at : at + NONCE] for at in range(NONCE, len(drawn), NONCE))
        return drawn[:NONCE]


def derived(key: bytes, name: str) -> bytes:
    """A key of 32 bytes for one purpose, from another key."""
    return blake2b(name.encode(), key=key, digest_size=32, person=b"memwell-derived").digest()


def _siv(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    except ImportError as error:
        raise ConfigError(
            "encryption needs cryptography; run: pip install 'memwell[encryption]'", part="encrypted"
        ) from error
    return AESSIV(key)


def _canonical(value: Any) -> str:
    """Values that a filter finds equal have the same: numbers by value, never across types."""
    if isinstance(value, bool):
        return f"b{value}"
    if isinstance(value, int | float):
        whole = isinstance(value, int) or value.is_integer()
        return f"n{int(value)}" if whole else f"n{value!r}"
    return f"s{value}"


def _remember(known: dict[str, str], key: str, value: str) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
