"""Encrypted vectors, in the form of vectors. Pure, given the cipher of the tenant.

A store keeps the vectors of a model as rows of float32 of unit length. So each row is encrypted as bytes, three bytes
of the ciphertext at a time become one number, which float32 holds exactly, and one number more makes the length 1. The
model has another name in the store. A ciphertext is bound to tenant, model, content and place among the passages.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from memwell.errors import Corrupt
from memwell.ports import Embedding
from memwell.ports.arrays import Vectors, numpy
from memwell.security.cipher import BYTES_MORE, TenantCipher

__all__ = ["inner_name", "is_sealed_model", "key_of", "opened_embedding", "outer_name", "sealed_embedding"]

_PREFIX: Final = "sealed:"
_PLAIN: Final = " (plain)"
_THREE_BYTES: Final = 1 << 24


def is_sealed_model(name: str | None) -> bool:
    """Whether a model of the store is one of encrypted vectors."""
    return name is not None and name.startswith(_PREFIX)


def inner_name(model: str) -> str:
    """The name under which the store keeps the encrypted vectors of a model; the inverse of `outer_name`."""
    return model.removesuffix(_PLAIN) if model.endswith(_PLAIN) else _PREFIX + model


def outer_name(name: str) -> str:
    """The model of encrypted vectors; one of plain vectors, which an encrypted store does not search, is marked."""
    return name.removeprefix(_PREFIX) if is_sealed_model(name) else name + _PLAIN


def sealed_embedding(cipher: TenantCipher, fingerprint: str, embedding: Embedding) -> Embedding:
    """The vectors of a content, encrypted; `fingerprint` is that of the content."""
    np = numpy()
    raw = embedding.vectors.astype("<f4", copy=False)
    rows = [
        _numbers(cipher.encrypt_bytes(row.tobytes(), fingerprint, "vectors", _place(embedding.model, at)))
        for at, row in enumerate(raw)
    ]
    return replace(embedding, model=_PREFIX + embedding.model, vectors=np.stack(rows))


def opened_embedding(cipher: TenantCipher, fingerprint: str, embedding: Embedding) -> Embedding:
    """The inverse of `sealed_embedding`. Raises `Corrupt` for what was changed or belongs elsewhere, `KeyError` for an
    unknown data key.
    """
    np, model = numpy(), outer_name(embedding.model)
    rows = []
    for at, row in enumerate(embedding.vectors):
        raw = cipher.decrypt_bytes(_bytes(row), fingerprint, "vectors", _place(model, at))
        rows.append(np.frombuffer(raw, dtype="<f4"))
    return replace(embedding, model=model, vectors=np.stack(rows).astype(np.float32))


def key_of(embedding: Embedding) -> str:
    """The name of the data key that encrypts vectors."""
    return TenantCipher.key_of(_bytes(embedding.vectors[0]))


def _place(model: str, at: int) -> str:
    return f"{model}\n{at}"


def _numbers(raw: bytes) -> Vectors:
    np = numpy()
    padded = np.frombuffer(raw + bytes(-len(raw) % 3), dtype=np.uint8).reshape(-1, 3).astype(np.uint32)
    whole = padded[:, 0] << 16 | padded[:, 1] << 8 | padded[:, 2]
    numbers = whole / _scale(len(whole))
    last = np.sqrt(1.0 - numbers @ numbers)
    found: Vectors = np.append(numbers, last).astype(np.float32)
    return found


def _bytes(row: Vectors) -> bytes:
    """The inverse of `_numbers`: as many bytes as belong to a whole number of float32."""
    np = numpy()
    numbers = row[:-1].astype(np.float64) * _scale(len(row) - 1)
    if not ((numbers >= 0) & (numbers < _THREE_BYTES)).all():
        raise Corrupt(
            "the vectors of a memory are not encrypted ones; run `memwell reembed`, or restore a backup",
            part="encrypted",
        )
    whole = numbers.astype(np.uint32)
    raw: bytes = np.stack([whole >> 16, whole >> 8 & 255, whole & 255], axis=1).astype(np.uint8).tobytes()
    return raw[: len(raw) - (len(raw) - BYTES_MORE) % 4]


def _scale(count: int) -> int:
    """What three bytes are divided by, so that `count` of them are no longer than 1: a power of 2."""
    return _THREE_BYTES << math.ceil(math.log2(count) / 2)
