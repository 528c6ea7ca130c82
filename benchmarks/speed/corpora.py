"""The two corpora of every row: notes, and chat turns from a file of conversations or generated.

A corpus is an endless list of memories, each known by its number, and questions about them. Both sides of a comparison
get the same texts, and the same vectors from `Lookup`.

- *Notes* are those of `texts.Texts`: a question's words are rare, and vectors lie around 64 centres.
- *Chat turns* (`Name: text`) come in sessions of 25, a session a day, and questions name who speaks. An OR over the
  words of a question matches a large part of the turns. Vectors are sums of the vectors of words, so that a question is
  near the turns that share its words, as with a model.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.quality.data import load
from benchmarks.speed.texts import DIMENSION, MONTHS, NAMES, Matrix, Texts, vectors, vocabulary
from memwell.types import NewMemory

__all__ = ["MARKED", "Chat", "Corpus", "Notes", "Recorded", "Talk", "corpora"]

MARKED: Mapping[str, Any] = {"marked": True}
"""The metadata of one memory in a hundred, so that a filter can choose them."""
SESSION = 25
"""Turns of a session."""
START = datetime(2020, 1, 1, tzinfo=UTC)
BUCKETS = 8192
"""Different vectors of words."""
SPEAKER = re.compile(r"([^:\n]{1,40}): ")
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


class Corpus:
    """Memories by their number, and questions about them."""

    name: ClassVar[str]

    def text(self, number: int) -> str:
        """The memory with this number."""
        raise NotImplementedError

    def questions(self, count: int, among: int, start: int = 0) -> list[str]:
        """Questions about the `among` memories from `start` on."""
        raise NotImplementedError

    def session(self, number: int) -> dict[str, Any]:
        """The session in which a memory is learnt, as keywords of `remember`."""
        del number
        return {}

    def details(self, number: int) -> dict[str, Any]:
        """What an import knows besides: the session, and when it was."""
        return self.session(number)

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """One unit vector per text, `(n, 384) float32`."""
        return vectors(texts)

    def texts(self, count: int, start: int = 0) -> list[str]:
        """`count` memories from a number on."""
        return [self.text(number) for number in range(start, start + count)]

    def new(self, texts: Sequence[str], start: int) -> list[NewMemory]:
        """The same with their details, as `remember` takes them. One in a hundred is `MARKED`."""
        return [
            NewMemory(content=text, metadata=MARKED if number % 100 == 7 else None, **self.details(number))
            for number, text in enumerate(texts, start)
        ]


class Notes(Corpus):
    """Sentences of about twenty words."""

    name = "notes"

    def __init__(self) -> None:
        self._texts = Texts()

    def text(self, number: int) -> str:
        return self._texts.memory(number)

    def questions(self, count: int, among: int, start: int = 0) -> list[str]:
        return self._texts.questions(count, among, start)


class Chat(Corpus):
    """Turns of conversations, in sessions."""

    name = "chat"

    def session(self, number: int) -> dict[str, Any]:
        return {"session_id": f"s{number // SESSION}"}

    def details(self, number: int) -> dict[str, Any]:
        day, turn = divmod(number, SESSION)
        return {**self.session(number), "created_at": START + timedelta(days=day % 2_000, minutes=turn)}

    def vectors(self, texts: Sequence[str]) -> Matrix:
        import numpy as np

        rows = np.empty((len(texts), DIMENSION), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = [zlib.crc32(word.encode()) % BUCKETS for word in WORD.findall(text.lower())] or [0]
            row[:] = _words()[words].sum(0)
        rows /= np.linalg.norm(rows, axis=1)[:, None]
        return rows


class Talk(Chat):
    """Turns of two people, generated: the words of `Texts`, said by one of them."""

    def __init__(self) -> None:
        self._texts = Texts(seed=2)

    def text(self, number: int) -> str:
        return f"{self._speakers(number)[number % 2]}: {self._texts.memory(number)}"

    def questions(self, count: int, among: int, start: int = 0) -> list[str]:
        asked, speakers = self._texts.questions(count, among, start), self._speakers(start)
        return [f"{text.removesuffix('?')} {speakers[n % 2]}?" for n, text in enumerate(asked)]

    def _speakers(self, number: int) -> tuple[str, str]:
        """The same two for ten thousand turns."""
        first = number // 10_000 % (len(NAMES) - 1)
        return NAMES[first], NAMES[first + 1]


class Recorded(Chat):
    """The turns and questions of a file; turns beyond are made of two halves, a date and two rare words.

    `path`: LoCoMo's own form or the neutral one of `benchmarks.quality`. A question may be about another's turns.
    """

    def __init__(self, path: Path) -> None:
        found = load(path)
        self._turns = [item.text for conversation in found for item in conversation.items]
        self._questions = [question.text for conversation in found for question in conversation.questions]

    def text(self, number: int) -> str:
        if number < len(self._turns):
            return self._turns[number]
        rng = random.Random(f"turn:{number}")
        (speaker, head), (_, tail) = (_parted(rng.choice(self._turns)) for _ in range(2))
        said = [*head[: max(3, len(head) // 2)], *tail[len(tail) // 2 :]]
        date = f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(2019, 2026)}"
        rare = " ".join(rng.choices(vocabulary()[4_000:], k=2))
        return f"{speaker}: {' '.join(said)} ({date}, {rare})"

    def questions(self, count: int, among: int, start: int = 0) -> list[str]:  # noqa: ARG002
        step = 7 if len(self._questions) % 7 else 11  # neighbours in the file ask about the same turns
        return [self._questions[(start + n) * step % len(self._questions)] for n in range(count)]


def _parted(turn: str) -> tuple[str, list[str]]:
    """Who speaks, and the words."""
    found = SPEAKER.match(turn)
    return (found[1], turn[found.end() :].split()) if found else ("user", turn.split())


@cache
def _words() -> Matrix:
    import numpy as np

    return np.random.default_rng(11).standard_normal((BUCKETS, DIMENSION), np.float32)


def corpora(data: Path | None = None) -> dict[str, Corpus]:
    """Name → corpus; chat turns from the file if there is one."""
    both: tuple[Corpus, ...] = (Notes(), Talk() if data is None else Recorded(data))
    return {corpus.name: corpus for corpus in both}
