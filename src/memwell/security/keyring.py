"""Master keys: what wraps the data keys of the tenants. A keyring never shows a key, and is not pickled."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, NoReturn, Protocol, TypeAlias, get_args

from memwell.errors import ConfigError, Corrupt, MemwellError, Unavailable, shown

__all__ = ["VARIABLE", "KeyService", "Keyring", "MasterKey", "aesgcm", "generate_key"]

VARIABLE: Final = "MEMWELL_ENCRYPTION_KEY"
SIZE: Final = 32
"""Bytes of a key."""
NONCE: Final = 12
_PASSPHRASE: Final = 12
"""Least number of characters of a passphrase."""
_REMEDY: Final = "a key is 32 random bytes in base64; make one by `memwell keys generate`"

_Vectors: TypeAlias = Literal["plain", "encrypted"]
Source: TypeAlias = "str | bytes | Callable[[], str | bytes]"


class MasterKey(Protocol):
    """What wraps a data key: a secret in this process, or a key service."""

    id: str
    """Stored beside what it has wrapped, to find it again. It reveals nothing of the key."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, encrypted and bound to a context."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The inverse of `wrap`. Raises `Corrupt` for what was not wrapped by this key in this context."""
        ...


def generate_key() -> str:
    """A new master key: 32 random bytes in base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(SIZE)).decode()


class _Secret:
    """Objects that hold keys: their `repr` shows none, and they are neither copied to disk nor to other processes."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled; pass the key by {VARIABLE} instead")


class LocalKey(_Secret):
    """A master key in the memory of this process."""

    def __init__(self, secret: str | bytes) -> None:
        self._cipher = aesgcm(raw := _key_bytes(secret))
        self.cache_key = hashlib.blake2b(raw, digest_size=32, person=b"memwell-cache").digest()
        self.id = hashlib.blake2b(raw, digest_size=6, person=b"memwell-master").hexdigest()

    def __repr__(self) -> str:
        return f"LocalKey({self.id})"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """See `MasterKey.wrap`."""
        nonce = os.urandom(NONCE)
        return nonce + bytes(self._cipher.encrypt(nonce, key, context))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See `MasterKey.unwrap`."""
        from cryptography.exceptions import InvalidTag

        try:
            return bytes(self._cipher.decrypt(wrapped[:NONCE], wrapped[NONCE:], context))
        except (InvalidTag, ValueError) as error:
            raise Corrupt(
                f"a data key cannot be unwrapped by master key {self.id}: the stored key was changed;"
                " restore the store from a backup",
                part="encrypted",
            ) from error


class KeyService(_Secret):
    """A master key that never leaves a key management service, by two functions over bytes.

    `wrap` encrypts 48 bytes and `unwrap` gives them back; both may raise whatever they like, which becomes
    `Unavailable`. They are called once for each tenant and process, and again when keys are rotated. `id` names the key
    and stands in the store::

        kms = boto3.client("kms")
        KeyService(
            "alias/memwell",
            wrap=lambda key: kms.encrypt(KeyId="alias/memwell", Plaintext=key)["CiphertextBlob"],
            unwrap=lambda wrapped: kms.decrypt(CiphertextBlob=wrapped)["Plaintext"],
        )
    """

    def __init__(self, id: str, *, wrap: Callable[[bytes], bytes], unwrap: Callable[[bytes], bytes]) -> None:
        if not isinstance(id, str) or not id or not callable(wrap) or not callable(unwrap):
            raise ConfigError("KeyService(id, wrap=…, unwrap=…) takes a name and two functions over bytes")
        self.id = id
        self._wrap, self._unwrap = wrap, unwrap

    def __repr__(self) -> str:
        return f"KeyService({self.id!r})"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """See `MasterKey.wrap`."""
        return self._asked("wrap", self._wrap, key + _bound(context))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See `MasterKey.unwrap`."""
        found = self._asked("unwrap", self._unwrap, wrapped)
        if len(found) != SIZE + 16 or not secrets.compare_digest(found[SIZE:], _bound(context)):
            raise Corrupt(
                f"the key service {self.id!r} gave a key that belongs elsewhere; restore the store from a backup",
                part="encrypted",
            )
        return found[:SIZE]

    def _asked(self, name: str, function: Callable[[bytes], bytes], data: bytes) -> bytes:
        try:
            found = function(data)
        except MemwellError:
            raise
        except Exception as error:
            raise Unavailable(
                f"the key service {self.id!r} could not {name} a key: {type(error).__name__}; try again",
                part="encrypted",
            ) from error
        if not isinstance(found, bytes | bytearray):
            raise ConfigError(
                f"{name} of the key service {self.id!r} returns bytes, not {type(found).__name__}"
            )
        return bytes(found)


class Keyring(_Secret):
    """Master keys. The first wraps what is new; all of them unwrap what is stored.

    A key is text (32 bytes in base64, as `Keyring.generate()` makes it), bytes, a function without arguments that gives
    one of these, or a `KeyService`. `Keyring("new", "old")` opens memories that were encrypted by either, and
    `memory.rotate_keys()` moves them to the first. With `vectors="encrypted"` a new store encrypts vectors, too, and
    searches them in this process; a store that does is recognised. Raises `ConfigError` for anything else.
    """

    def __init__(self, *keys: Source | KeyService, vectors: _Vectors = "plain") -> None:
        if vectors not in get_args(_Vectors):
            raise ConfigError(f"vectors is 'plain' or 'encrypted', not {shown(vectors)}")
        self.vectors: _Vectors = vectors
        if not keys:
            raise ConfigError(f"a Keyring needs at least one key: {_REMEDY}")
        made = [key if isinstance(key, KeyService) else _local(key) for key in keys]
        self._keys: dict[str, MasterKey] = {key.id: key for key in made}
        self._first: MasterKey = made[0]

    @staticmethod
    def generate() -> str:
        """A new master key as text. Store it where the store's backups are not: without it nothing can be read."""
        return generate_key()

    @staticmethod
    def from_passphrase(passphrase: str, *, salt: str) -> str:
        """The master key that scrypt (N 2**15, r 8, p 1) makes of a passphrase, as text. `salt` is any text that stays
        the same, and differs between stores. Raises `ConfigError` for less than 12 characters, or no salt.
        """
        if not isinstance(passphrase, str) or len(passphrase.strip()) < _PASSPHRASE:
            raise ConfigError(f"a passphrase has at least {_PASSPHRASE} characters; or {_REMEDY}")
        if not isinstance(salt, str) or not salt:
            raise ConfigError("salt is a text that stays the same, such as the name of the store")
        raw = hashlib.scrypt(
            passphrase.encode(), salt=salt.encode(), n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=SIZE
        )
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def from_text(cls, text: str) -> Keyring:
        """The keys of a text, separated by commas, as `MEMWELL_ENCRYPTION_KEY` has them; the first encrypts."""
        return cls(*[part for each in text.split(",") if (part := each.strip())])

    @classmethod
    def from_env(cls) -> Keyring:
        """The keys in `MEMWELL_ENCRYPTION_KEY`. Raises `ConfigError` when it is not set."""
        text = os.environ.get(VARIABLE, "")
        if not text:
            raise ConfigError(f"{VARIABLE} is not set: {_REMEDY}")
        return cls.from_text(text)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @property
    def first(self) -> MasterKey:
        """The key that wraps what is new."""
        return self._first

    @property
    def cache_key(self) -> bytes:
        """What hashes the texts whose embeddings are cached; another one after a rotation. Raises `ConfigError` for a
        `KeyService`.
        """
        if not isinstance(self._first, LocalKey):
            raise ConfigError(
                "cache= keeps hashes of texts, which need a key in this process: omit cache=, or put a key before the"
                " KeyService"
            )
        return self._first.cache_key

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the keys, the first first."""
        return tuple(self._keys)

    def named(self, id: str, *, tenant: str) -> MasterKey:
        """The key of this name. Raises `ConfigError` when the keyring lacks it."""
        found = self._keys.get(id)
        if found is None:
            raise ConfigError(
                f"the keys of tenant {tenant!r} are wrapped by master key {id}, but this keyring has"
                f" {', '.join(self._keys)}; add that key to the keyring or to {VARIABLE}",
                part="encrypted",
            )
        return found


def aesgcm(key: bytes) -> Any:
    """AES-256-GCM under a key. Raises `ConfigError` when cryptography is not installed."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ConfigError(
            "encryption needs cryptography; run: pip install 'memwell[encryption]'", part="encrypted"
        ) from error
    return AESGCM(key)


def _local(key: object) -> LocalKey:
    if callable(key):
        key = key()
    if not isinstance(key, str | bytes):
        raise ConfigError(f"{_REMEDY}; not {type(key).__name__}")
    return LocalKey(key)


def _key_bytes(secret: str | bytes) -> bytes:
    if isinstance(secret, bytes) and len(secret) == SIZE:
        return secret
    text = secret if isinstance(secret, bytes) else secret.strip().encode()
    for decode in _DECODERS:
        try:
            if len(found := decode(text)) == SIZE:
                return found
        except (ValueError, binascii.Error):
            continue
    raise ConfigError(f"this is no key of {SIZE} bytes: {_REMEDY}")


_DECODERS: Final[Iterable[Callable[[bytes], bytes]]] = (
    lambda text: binascii.unhexlify(text),
    lambda text: base64.b64decode(
        text.translate(bytes.maketrans(b"-_", b"+/")) + b"=" * (-len(text) % 4), validate=True
    ),
)


def _bound(context: bytes) -> bytes:
    return hashlib.blake2b(context, digest_size=16).digest()
