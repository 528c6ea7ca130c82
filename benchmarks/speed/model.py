"""The rows with the real model: what it costs, and what everything else costs beside it."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from benchmarks.speed.measure import Row, spell, steady
from benchmarks.speed.texts import FUNCTION_WORDS, NAMES, PLACES
from memwell import Memory, MemwellError
from memwell.ports import Embedder, Vectors
from memwell.registry import open_embedder

__all__ = ["with_model"]


CONTENT_WORDS = """
garden weekend daughter project meeting coffee painting doctor summer travel concert kitchen budget river mountain
festival library guitar neighbor birthday camping adoption swimming marathon recipe airport therapist volunteer
museum laptop insurance schedule teacher apartment medicine photograph ceramic counselor restaurant dentist bicycle
ordered booked visited cancelled repaired planned started finished moved adopted learned cooked painted promised
""".split()


def sentences(count: int, seed: int = 1) -> list[str]:
    """Twenty English words each, so that a model sees as many tokens as in real memories."""
    rng = random.Random(seed)
    pools = (FUNCTION_WORDS[:80], CONTENT_WORDS, [*NAMES, *PLACES])
    return [
        " ".join(rng.choice(rng.choices(pools, (11, 8, 1))[0]) for _ in range(20)).capitalize() + "."
        for _ in range(count)
    ]


def embed(coder: Embedder, texts: Sequence[str]) -> Vectors:
    """Vectors of the texts, from synchronous code."""

    async def run() -> Vectors:
        return await coder.embed(texts)

    return asyncio.run(run())


class Timed(Embedder):
    """An embedder that adds up its own time and texts."""

    part = "timed"
    blocking = True

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self.model, self.dimension, self.window = inner.model, inner.dimension, inner.window
        self.seconds = 0.0
        self.texts = 0

    def spans(self, text: str) -> list[tuple[int, int]]:
        """As the model counts them; part of the embedding's time."""
        start = time.perf_counter()
        found = self._inner.spans(text)
        self.seconds += time.perf_counter() - start
        return found

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        start = time.perf_counter()
        found = await self._inner.embed(texts, kind=kind)
        self.seconds += time.perf_counter() - start
        self.texts += len(texts)
        return found


def with_model(folder: Path, quick: bool) -> Iterator[Row]:
    """Every row that needs the weights of MiniLM; one row that says so when they are not there."""
    try:
        inner = open_embedder("local")
        embed(inner, ["warm up"])
    except (MemwellError, ImportError) as error:
        yield Row(name="with the local model", value=float("nan"), note=f"not measured: {error}")
        return
    texts = sentences(4_000 if quick else 12_000)
    yield from _embedding(inner, texts, 20 if quick else 200)
    yield from _whole(folder, Timed(inner), texts, quick)


def _embedding(inner: Embedder, texts: list[str], times: int) -> Iterator[Row]:
    singles, batches = [], []
    with steady():
        for text in texts[:times]:
            before = time.process_time()
            embed(inner, [text])
            singles.append(time.process_time() - before)
        for start in range(0, max(2, times // 20) * 64, 64):
            before = time.process_time()
            embed(inner, texts[start : start + 64])
            batches.append((time.process_time() - before) / 64)
    one, many = statistics.median(singles) * 1000, statistics.median(batches) * 1000
    yield Row(name="embedding, one text of 20 words", value=one, unit="CPU-ms", ours=f"{one:.1f}", must=10.0)
    yield Row(name="embedding, in batches of 64", value=many, unit="CPU-ms", ours=f"{many:.1f}", must=6.5)


def _whole(folder: Path, coder: Timed, texts: list[str], quick: bool) -> Iterator[Row]:
    count, singles, times = (1_000, 100, 20) if quick else (10_000, 500, 100)
    memory = Memory(f"sqlite:///{folder / 'model.db'}", embedder=coder)
    start = time.perf_counter()
    for at in range(0, count, 500):
        memory.remember(texts[at : at + 500], user_id="u")
    for text in texts[count : count + singles]:
        memory.remember(text, user_id="u")
    asked = [f"What about {sentence[:60].lower()}?" for sentence in sentences(times, seed=2)]
    besides = []
    for query in asked:
        seconds, before = coder.seconds, time.perf_counter()
        memory.recall(query, user_id="u")
        besides.append(time.perf_counter() - before - (coder.seconds - seconds))
    total = time.perf_counter() - start
    share = 100 * (1 - coder.seconds / total)
    rest = statistics.median(besides)
    yield Row(
        name=f"recall of {count:,} besides the embedding",
        value=rest * 1e3,
        unit="ms",
        ours=spell(rest),
        must=3,
    )
    yield Row(
        name="everything besides the embedding, end to end",
        value=share,
        unit="%",
        ours=f"{share:.1f} %",
        must=6.0,
        note=f"{count:,} in batches, {singles} single, {times} recalls",
    )
    yield from _seen_before(memory, coder, asked[0], texts[:50], texts[count : count + 50])
    memory.close()


def _seen_before(
    memory: Memory, coder: Timed, asked: str, first: list[str], last: list[str]
) -> Iterator[Row]:
    """Texts that come again, from another user so that they are no duplicates."""
    for name, texts in (("just now", last), ("at the very start", first)):
        embedded = coder.texts
        memory.recall(asked, user_id="u")
        memory.remember(texts, user_id="another")
        again = coder.texts - embedded
        yield Row(name=f"embeddings of texts seen {name}", value=again, unit="texts", ours=str(again), must=0)
