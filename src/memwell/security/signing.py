"""Keys that sign receipts and heads of the audit log.

Two algorithms: `hmac-sha256`, with a secret that signer and verifier share, needs nothing installed. `ed25519`, by
`cryptography` (`memwell[encryption]`), lets everybody with the public key verify. Texts name a key:

- `ed25519:` and 64 hexadecimal digits: the 32 bytes of a private key, as `new_key()` makes them;
- `hmac:` and a secret of at least 16 bytes; a text without a prefix is such a secret, too;
- `ed25519-public:` and 64 hexadecimal digits: a public key, which only verifies.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError
from memwell.values import Value

__all__ = ["UNSIGNED", "Key", "Signature", "new_key", "open_key", "seal", "unseal"]

HMAC: Final = "hmac-sha256"
ED25519: Final = "ed25519"
UNSIGNED: Final = "none"
"""The algorithm of what was sealed without a key: its value is a SHA-256, which shows damage and no forgery."""
_SHORTEST: Final = 16
_FORMS: Final = (
    "a key is hmac: and a secret of at least 16 bytes, ed25519: and 64 hexadecimal digits, or ed25519-public: and 64"
    " hexadecimal digits; `memwell receipt key` makes one"
)


@dataclass(frozen=True, slots=True)
class Signature(Value):
    """A signature: its algorithm, the key it can be verified by, and its value in hexadecimal digits."""

    algorithm: str
    key: str
    """For `ed25519` the public key; for `hmac-sha256` a name of the secret that does not reveal it; else empty."""
    value: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key that signs, or with `sign` absent only verifies."""

    algorithm: str
    name: str
    """What a `Signature` calls this key."""
    sign: Callable[[bytes], bytes] | None = field(repr=False)
    verify: Callable[[bytes, bytes], bool] = field(repr=False)
    secret: bytes = field(repr=False, default=b"")

    def digest(self, text: str) -> str:
        """A keyed digest of a text: the text cannot be guessed by trying without the key."""
        keyed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self.secret[:64], digest_size=16)
        return keyed.hexdigest()


def open_key(given: object) -> Key | None:
    """The key that a text names; `None` for `None`. Raises `ConfigError`, which never shows the text."""
    if given is None or isinstance(given, Key):
        return given
    if not isinstance(given, str) or not given.strip():
        raise ConfigError(
            f"{_FORMS}, not {'an empty text' if isinstance(given, str) else type(given).__name__}"
        )
    kind, colon, rest = given.strip().partition(":")
    if colon and kind in ("ed25519", "ed25519-public"):
        raw = _hexadecimal(rest)
        return _private(raw) if kind == "ed25519" else _public(raw)
    return _shared((rest if colon and kind == "hmac" else given.strip()).encode())


def new_key(algorithm: str = ED25519) -> str:
    """A new random key as text: `ed25519` or `hmac`."""
    if algorithm not in ("ed25519", "hmac"):
        raise ConfigError(f"a key is ed25519 or hmac, not {algorithm!r:.40}")
    return f"{algorithm}:{secrets.token_hex(32)}"


def seal(payload: bytes, key: Key | None) -> Signature:
    """The signature of a payload; without a key a checksum that says so. Raises `ConfigError` for a public key."""
    if key is None:
        return Signature(UNSIGNED, "", hashlib.sha256(payload).hexdigest())
    if key.sign is None:
        raise ConfigError("a public key verifies and cannot sign; give the private key")
    return Signature(key.algorithm, key.name, key.sign(payload).hex())


def unseal(payload: bytes, signature: Signature, key: Key | None) -> str | None:
    """What is wrong with a signature; `None` if nothing is. Without a key, `ed25519` is verified by the public key that
    the signature names. Raises `ConfigError` for an HMAC without its secret.
    """
    if signature.algorithm == UNSIGNED:
        if key is not None:
            return "it is not signed"
        same = hmac.compare_digest(signature.value, hashlib.sha256(payload).hexdigest())
        return None if same and not signature.key else "it was changed"
    if signature.algorithm not in (HMAC, ED25519):
        return f"it is signed by an unknown algorithm, {signature.algorithm!r:.40}"
    if key is None:
        if signature.algorithm == HMAC:
            raise ConfigError("it is signed by HMAC; give the secret by --key or MEMWELL_RECEIPT_KEY")
        try:
            key = _public(_hexadecimal(signature.key))
        except ConfigError:
            return "it names no public key"
    if (key.algorithm, key.name) != (signature.algorithm, signature.key):
        return f"it is signed by another key, {signature.key[:16]}…"
    try:
        value = bytes.fromhex(signature.value)
    except ValueError:
        return "its signature is not hexadecimal"
    return None if value.hex() == signature.value and key.verify(payload, value) else "it was changed"


def _shared(secret: bytes) -> Key:
    if len(secret) < _SHORTEST:
        raise ConfigError(f"a secret has at least {_SHORTEST} bytes; {_FORMS}")

    def sign(payload: bytes) -> bytes:
        return hmac.digest(secret, payload, "sha256")

    name = hmac.new(secret, b"memwell key name", "sha256").hexdigest()[:16]
    own = hmac.digest(secret, b"memwell digests", "sha256")
    return Key(HMAC, name, sign, lambda payload, value: hmac.compare_digest(sign(payload), value), own)


def _private(raw: bytes) -> Key:
    key = _ed25519().Ed25519PrivateKey.from_private_bytes(raw)
    public = key.public_key()
    own = hmac.digest(raw, b"memwell digests", "sha256")
    return Key(ED25519, public.public_bytes_raw().hex(), key.sign, _verifier(public), own)


def _public(raw: bytes) -> Key:
    return Key(ED25519, raw.hex(), None, _verifier(_ed25519().Ed25519PublicKey.from_public_bytes(raw)))


def _verifier(public: Any) -> Callable[[bytes, bytes], bool]:
    from cryptography.exceptions import InvalidSignature

    def verify(payload: bytes, value: bytes) -> bool:
        try:
            public.verify(value, payload)
        except InvalidSignature:
            return False
        return True

    return verify


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise ConfigError(
            "ed25519 needs the package cryptography: pip install 'memwell[encryption]'; or use an hmac: secret"
        ) from error
    return ed25519


def _hexadecimal(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 32 or raw.hex() != text:
        raise ConfigError(f"an Ed25519 key is 64 hexadecimal digits in small letters; {_FORMS}")
    return raw
