"""Memories, questions and vectors made from a seed: no data file, the same on every machine.

A memory is about twenty words whose frequencies follow Zipf's law over twenty thousand words, the commonest being
the function words of English, with names, places, dates and numbers between. A vector lies near the centre of one of
64 topics; it stands in for a model's, so that both sides of a comparison are measured without the cost of one.
"""

from __future__ import annotations

import random
import zlib
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]
else:
    Matrix = Any

__all__ = ["DIMENSION", "Lookup", "Matrix", "Texts", "vectors", "vocabulary"]

DIMENSION = 384
TOPICS = 64
WORDS = 20_000

FUNCTION_WORDS = """
the to and a i of in it was that we my for on with she he is but they at had this have you me about so her his as be
not just out when up all what from been are there like some really go would after our one by if then because time
got were more did can or an who will them him how went good new last back their very day said no do two other now
week first into where over also still think know want make before than only get even much has could well too down
never work home year us off people since while again
""".split()
NAMES = """
Anna Ben Carla David Elena Farid Grace Hannah Ivan Julia Kenji Laura Miguel Nadia Oliver Priya Quentin Rosa Samir Tara
Umar Vera Wei Xenia Yusuf Zoe Caroline Melanie Jonas Aisha Noah Emma Liam Sofia Mateo Chloe Diego Ines Lukas
""".split()
PLACES = """
Lisbon Berlin Kyoto Boston Nairobi Oslo Lima Delhi Toronto Dublin Prague Cairo Sydney Zurich Austin
""".split()
MONTHS = """
January February March April May June July August September October November December
""".split()

ONSETS = (
    *"b b c d d f g h j l l m m n n p p r r s s t t v w".split(),
    "br",
    "ch",
    "cl",
    "gr",
    "pl",
    "sh",
    "st",
    "tr",
)
VOWELS = (*"a e i o u".split(), "ai", "ea", "oo")
CODAS = (*[""] * 10, *"l m n n r r s t t d ck nd ng nt rd st".split())
ENDINGS = ("", "", "", "er", "ing", "ed", "ly", "tion", "ment", "s", "y", "al", "ness")


@cache
def vocabulary() -> tuple[str, ...]:
    """Twenty thousand words, commonest first."""
    rng = random.Random(20_000)
    syllables = ["".join(parts) for parts in product(ONSETS, VOWELS, CODAS)]
    found = dict.fromkeys(FUNCTION_WORDS)
    while len(found) < WORDS:
        count = rng.choices((1, 2, 3), (2, 5, 2))[0]
        found["".join(rng.choices(syllables, k=count)) + rng.choice(ENDINGS)] = None
    return tuple(found)


@cache
def _weights() -> list[float]:
    """Running sums of 1 / (rank + 2.7), the Zipf–Mandelbrot law."""
    return list(accumulate(1 / (rank + 2.7) for rank in range(1, WORDS + 1)))


class Texts:
    """A stream of memories from a seed; `questions` asks about memories that were made."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed

    def memory(self, number: int) -> str:
        """The memory with this number."""
        rng = random.Random(f"{self.seed}:{number}")
        words = self._words(rng, max(5, round(rng.gauss(18, 5))))
        if rng.random() < 0.6:
            words.insert(rng.randrange(3), rng.choice(NAMES))
        if rng.random() < 0.3:
            words += ["in", rng.choice(PLACES)]
        if rng.random() < 0.3:
            words += ["on", str(rng.randint(1, 28)), rng.choice(MONTHS), str(rng.randint(2021, 2026))]
        text = " ".join(words)
        return text[0].upper() + text[1:] + "."

    def memories(self, count: int, start: int = 0) -> list[str]:
        """`count` memories from a number on."""
        return [self.memory(number) for number in range(start, start + count)]

    def questions(self, count: int, among: int, start: int = 0) -> list[str]:
        """Questions of about eight words: some words of a memory among the first ones, and common words."""
        rng = random.Random(f"questions:{self.seed}:{start}")
        asked = []
        for _ in range(count):
            about = self.memory(start + rng.randrange(among)).rstrip(".").split()
            rare = [word for word in about if word.lower() not in FUNCTION_WORDS] or about
            chosen = rng.sample(rare, min(len(rare), rng.randint(3, 5)))
            common = rng.choices(FUNCTION_WORDS[:60], k=8 - len(chosen) - 1)
            words = [rng.choice(["What", "When", "Who", "Where", "Why"]), *common, *chosen]
            asked.append(" ".join(words) + "?")
        return asked

    def _words(self, rng: random.Random, count: int) -> list[str]:
        words, weights = vocabulary(), _weights()
        return [words[min(bisect(weights, rng.random() * weights[-1]), WORDS - 1)] for _ in range(count)]


def vectors(texts: Iterable[str]) -> Matrix:
    """One unit vector per text, `(n, 384) float32`, near one of 64 centres chosen by the text alone."""
    import numpy as np

    seeds = [zlib.crc32(text.encode()) for text in texts]
    rows = np.empty((len(seeds), DIMENSION), np.float32)
    for row, seed in zip(rows, seeds, strict=True):
        row[:] = np.random.Generator(np.random.SFC64(seed)).standard_normal(DIMENSION, np.float32)
    rows += 1.2 * _centres()[np.array([seed % TOPICS for seed in seeds], dtype=int)]
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    return rows


@cache
def _centres() -> Any:
    import numpy as np

    return np.random.default_rng(64).standard_normal((TOPICS, DIMENSION), np.float32)


@dataclass
class Lookup:
    """Texts to vectors at the price of a dictionary: what was prepared is looked up, the rest is computed."""

    vectors: Callable[[Sequence[str]], Matrix] = vectors
    """Texts → `(n, 384) float32`."""

    def __post_init__(self) -> None:
        self._known: dict[str, Matrix] = {}

    def prepare(self, texts: Sequence[str]) -> None:
        """Compute the vectors of these texts now."""
        self._known.update(zip(texts, self.vectors(texts), strict=True))

    def forget(self) -> None:
        """Let go of everything prepared."""
        self._known.clear()

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """`(n, 384) float32`."""
        import numpy as np

        known = self._known
        found = [known[text] if text in known else self.vectors([text])[0] for text in texts]
        return np.array(found, np.float32) if found else np.empty((0, DIMENSION), np.float32)
