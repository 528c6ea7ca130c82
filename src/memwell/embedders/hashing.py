"""Vectors by feature hashing: deterministic, offline, no model, no download.

Signed feature hashing (Weinberger et al., 2009, arXiv:0902.2206) of words and their character n-grams. Texts that share
words, or forms of a word, get similar vectors. It knows nothing about meaning; use it for tests, demonstrations and
machines without a model.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Self

from memwell.errors import ConfigError
from memwell.ports import Embedder, Vectors
from memwell.ports.arrays import numpy

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["Hashing"]

_WORD = re.compile(r"\w+")
_LONG = 6
"""Letters from which a word has full weight; shorter words carry less meaning in most languages."""
_UNSPACED = 0x2E80
"""First code point of scripts that are written without spaces (CJK), with few exceptions."""
_CACHED_WORDS = 50_000
"""Number of words whose features are cached."""


class Hashing(Embedder):
    """Vectors without a model. The same text gives the same vector in every process and on every platform.

    A text without letters or digits has the zero vector. Raises `ConfigError` if the dimension is below 1 or numpy is
    missing.
    """

    part = "hashing"
    blocking = True
    dimension: int
    symmetric = True
    """Documents and queries are embedded in the same way."""

    def __init__(self, dimension: int = 384) -> None:
        numpy()
        if not isinstance(dimension, int) or dimension < 1:
            raise ConfigError(
                f"dimension must be an integer of at least 1, not {dimension!r}", part=self.part
            )
        self.dimension = dimension
        self.model = f"hashing-1-{dimension}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `hashing` or `hashing:?dimension=256`."""
        dimension = url.number("dimension", 384)
        url.done("dimension")
        return cls(int(dimension))

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
        del kind
        return self._rows(texts)

    def _rows(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        rows = np.zeros((len(texts), self.dimension))
        for row, text in zip(rows, texts, strict=True):
            for word, times in Counter(_words(text)).items():
                weight = min(1.0, len(word) / _LONG) * (1 + np.log(times))
                for feature, share in _features(word):
                    row[(feature >> 1) % self.dimension] += weight * (share if feature & 1 else -share)
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        norms[norms == 0] = 1
        vectors: Vectors = (rows / norms[:, None]).astype(np.float32)
        return vectors


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(unicodedata.normalize("NFKC", text).casefold()):
        yield match.group()


@functools.lru_cache(_CACHED_WORDS)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """Hash and weight of a word and of its n-grams; all n-grams together weigh as much as the word. In scripts without
    spaces, a run of letters is not a word, and only its pairs count."""
    spaced = ord(max(word)) < _UNSPACED
    framed = f"<{word}>" if spaced else word
    size = 3 if spaced else 2
    grams = [framed[at : at + size] for at in range(max(1, len(framed) - size + 1))]
    share = len(grams) ** -0.5
    if not spaced:
        return tuple((_hash(f"g{gram}"), share) for gram in grams)
    return ((_hash(f"w{word}"), 1.0), *((_hash(f"g{gram}"), share) for gram in grams))


def _hash(feature: str) -> int:
    raw = feature.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")
