"""What is simple: the rows that a recall must beat. Same texts, same vectors, same analyzer where there is one."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from math import log

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.data import Conversation
from memwell._bridge import drive
from memwell.ports import Embedder
from memwell.retrieval.analysis.text import analyze

__all__ = ["BASELINES", "Baseline", "Prepared", "best", "prepare"]

Scores = NDArray[np.float64]
Baseline = Callable[["Prepared", str], Scores]
_K = 60


class Prepared:
    """One conversation with everything that the baselines score by."""

    def __init__(
        self,
        conversation: Conversation,
        vectors: NDArray[np.float32],
        queries: Mapping[str, NDArray[np.float32]],
    ) -> None:
        self.vectors = vectors
        self.queries = queries
        self.terms = [Counter(analyze(item.text)) for item in conversation.items]
        self.lengths = np.array([sum(found.values()) for found in self.terms], dtype=float)
        self.frequency = Counter(term for found in self.terms for term in found)
        self.full_text = sqlite3.connect(":memory:")
        self.full_text.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='porter unicode61')")
        self.full_text.executemany(
            "INSERT INTO texts VALUES (?)", [(item.text,) for item in conversation.items]
        )


def prepare(conversation: Conversation, embedder: Embedder) -> Prepared:
    """A conversation with the vectors of its texts and questions."""
    queries = [question.text for question in conversation.questions]
    vectors = drive(embedder.embed(queries, kind="query"))
    texts = drive(embedder.embed([item.text for item in conversation.items]))
    return Prepared(conversation, texts, dict(zip(queries, vectors, strict=True)))


def best(conversation: Conversation, scores: Scores, limit: int) -> list[tuple[str, float]]:
    """The items with the highest scores, as (id, score), best first."""
    return [
        (conversation.items[at].id, float(scores[at])) for at in np.argsort(-scores, kind="stable")[:limit]
    ]


def cosine(data: Prepared, question: str) -> Scores:
    """Exact cosine of the whole text."""
    return (data.vectors @ data.queries[question]).astype(float)


def bm25(data: Prepared, question: str, k1: float = 1.2, b: float = 0.75) -> Scores:
    """Okapi BM25 over memwell's analyzer (Porter2 stems, no stop words)."""
    total, norm = len(data.terms), k1 * (1 - b + b * data.lengths / data.lengths.mean())
    scores = np.zeros(total)
    for term in set(analyze(question)):
        df = data.frequency[term]
        counts = np.array([found[term] for found in data.terms], dtype=float)
        scores += log(1 + (total - df + 0.5) / (df + 0.5)) * counts * (k1 + 1) / (counts + norm)
    return scores


def fts5(data: Prepared, question: str) -> Scores:
    """SQLite's FTS5 with the porter tokenizer, OR of all words."""
    words = re.findall(r"\w+", question)
    scores = np.zeros(len(data.terms))
    query = " OR ".join(f'"{word}"' for word in words)
    rows = data.full_text.execute("SELECT rowid, bm25(texts) FROM texts WHERE texts MATCH ?", (query,))
    for row, score in rows:
        scores[row - 1] = -score
    return scores


def rrf(data: Prepared, question: str) -> Scores:
    """Reciprocal rank fusion (k = 60) of cosine and BM25."""
    return sum((1 / (_K + _ranks(part(data, question))) for part in (cosine, bm25)), start=np.zeros(1))


def weighted(data: Prepared, question: str, lexical: float = 0.5) -> Scores:
    """Weighted sum of min–max cosine and max-norm BM25."""
    near, words = cosine(data, question), bm25(data, question)
    near = (near - near.min()) / (np.ptp(near) or 1)
    return (1 - lexical) * near + lexical * words / (words.max() or 1)


def _ranks(scores: Scores) -> Scores:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


BASELINES: dict[str, Baseline] = {
    "cosine": cosine,
    "BM25": bm25,
    "FTS5, OR of all words": fts5,
    "RRF of cosine and BM25": rrf,
    "weighted sum, lexical .5": weighted,
    "weighted sum, lexical .2": lambda data, question: weighted(data, question, 0.2),
}
"""Name → scores of every item for a question."""
