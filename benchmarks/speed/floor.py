"""The floor: what an expert writes in an hour with sqlite3, FTS5 and numpy, for one purpose, without a promise.

One row a memory, a table of float32 blobs, FTS5 with the porter stemmer kept by hand, WAL with `synchronous=NORMAL`.
A search is the OR of the question's words under bm25, the exact product with a matrix kept per user, and reciprocal
rank fusion of both. No filters, history, duplicates, explanations, migrations or threads: whatever memwell does
besides must fit into the ratio.

The user is an indexed word too, so that a search ranks the words of one user only: with a hundred users in a file words
are then found ten times faster than with a join, and those of a single user about as fast. It stands in the first
column, since the words of later columns take more room.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Embed", "Floor", "asked_words", "new_name"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS memories (key INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, user_id TEXT NOT NULL,
  content TEXT NOT NULL, created_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS memories_user ON memories (user_id);
CREATE TABLE IF NOT EXISTS vectors (key INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  user_id, content, content='memories', content_rowid='key', tokenize='porter unicode61');
"""
SEARCH = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 0, 1) LIMIT ?"
INDEX = "INSERT INTO words (rowid, user_id, content) VALUES (?, ?, ?)"
UNINDEX = "INSERT INTO words (words, rowid, user_id, content) VALUES ('delete', ?, ?, ?)"
FIND = "SELECT key, user_id, content FROM memories WHERE id = ?"
INSERT = "INSERT INTO memories (id, user_id, content, created_at) VALUES (?, ?, ?, ?)"
STOP = frozenset(
    """
    a about after all am an and any are as at be been but by can could did do does for from had has have
    he her him his how i if in into is it its just me my no not of on or our she so some than that the
    their them then there these they this to up us was we were what when where which who why will with
    would you your
    """.split()
)
K = 60
DEPTH = 50
WORD = re.compile(r"\w+")
Embed = Callable[[Sequence[str]], Any]


def asked_words(query: str) -> list[str]:
    """The question's words without single letters and those in every other text, unless there are only such."""
    words = list(dict.fromkeys(WORD.findall(query.lower())))
    return [word for word in words if len(word) > 1 and word not in STOP] or words[:1]


def new_name() -> str:
    """A new unique id. Ids that grow are indexed faster than random ones."""
    return f"{time.time_ns():016x}-{random.getrandbits(32):08x}"


class Matrix:
    """The vectors of one user in memory, with room to grow."""

    def __init__(self, keys: list[int], rows: Any) -> None:
        import numpy as np

        self.count = len(keys)
        room = max(1024, self.count + self.count // 2)
        self.rows = np.zeros((room, rows.shape[1]), np.float32)
        self.rows[: self.count] = rows
        self.keys = np.zeros(room, np.int64)
        self.keys[: self.count] = keys
        self.places = {key: place for place, key in enumerate(keys)}

    def put(self, key: int, vector: Any) -> None:
        import numpy as np

        place = self.places.setdefault(key, self.count)
        if place == len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
            self.keys = np.concatenate([self.keys, np.zeros_like(self.keys)])
        self.rows[place] = vector
        self.keys[place] = key
        self.count = max(self.count, place + 1)

    def drop(self, key: int) -> None:
        place = self.places.pop(key, None)
        if place is None:
            return
        self.count -= 1
        if place != self.count:
            self.rows[place] = self.rows[self.count]
            self.keys[place] = self.keys[self.count]
            self.places[int(self.keys[place])] = place

    def nearest(self, vector: Any) -> list[int]:
        """Keys of the nearest, nearest first."""
        import numpy as np

        scores = self.rows[: self.count] @ vector
        top = np.argpartition(scores, max(0, self.count - DEPTH))[-DEPTH:]
        best: list[int] = self.keys[top[np.argsort(-scores[top])]].tolist()
        return best


class Floor:
    """A memory of many users in one file; `embed` is None for words alone."""

    def __init__(self, path: str | Path, embed: Embed | None) -> None:
        self.path = str(path)
        self.embed = embed
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("PRAGMA busy_timeout=5000")
        self.db.execute("PRAGMA cache_size=-65536")
        self.db.execute("PRAGMA mmap_size=268435456")
        self.db.executescript(SCHEMA)
        self.matrices: dict[str, Matrix] = {}
        self.seen = self._data_version()

    def close(self) -> None:
        self.db.close()

    def beside(self) -> Floor:
        """Another connection, for another thread, that shares the matrices."""
        other = Floor(self.path, self.embed)
        other.matrices = self.matrices
        return other

    def remember(self, content: str, user_id: str) -> str:
        """Store one memory durably; its id."""
        vector = self.embed([content])[0] if self.embed else None
        name = new_name()
        with self._transaction():
            key = self.db.execute(INSERT, (name, user_id, content, time.time())).lastrowid
            assert key is not None
            self.db.execute(INDEX, (key, user_id, content))
            if vector is not None:
                self.db.execute("INSERT INTO vectors VALUES (?, ?)", (key, vector.tobytes()))
        if vector is not None and (matrix := self.matrices.get(user_id)):
            matrix.put(key, vector)
        return name

    def remember_many(self, contents: Sequence[str], user_id: str) -> list[str]:
        """Store memories in one transaction; their ids."""
        vectors = self.embed(contents) if self.embed else ()
        now = time.time()
        ids = [new_name() for _ in contents]
        with self._transaction():
            first = self.db.execute("SELECT coalesce(max(key), 0) + 1 FROM memories").fetchone()[0]
            keys = range(first, first + len(ids))
            rows = [(name, user_id, text, now) for name, text in zip(ids, contents, strict=True)]
            self.db.executemany(INSERT, rows)
            words = [(key, user_id, text) for key, text in zip(keys, contents, strict=True)]
            self.db.executemany(INDEX, words)
            blobs = [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=False)]
            self.db.executemany("INSERT INTO vectors VALUES (?, ?)", blobs)
        if matrix := self.matrices.get(user_id):
            for key, vector in zip(keys, vectors, strict=False):
                matrix.put(key, vector)
        return ids

    def get(self, name: str) -> str:
        """The content; raises KeyError."""
        row = self.db.execute("SELECT content FROM memories WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise KeyError(name)
        content: str = row[0]
        return content

    def update(self, name: str, content: str) -> None:
        """Replace the content, its words and its vector."""
        vector = self.embed([content])[0] if self.embed else None
        with self._transaction():
            key, user_id, old = self.db.execute(FIND, (name,)).fetchone()
            self.db.execute(UNINDEX, (key, user_id, old))
            self.db.execute("UPDATE memories SET content = ? WHERE key = ?", (content, key))
            self.db.execute(INDEX, (key, user_id, content))
            if vector is not None:
                self.db.execute("UPDATE vectors SET vector = ? WHERE key = ?", (vector.tobytes(), key))
        if vector is not None and (matrix := self.matrices.get(user_id)):
            matrix.put(key, vector)

    def forget(self, name: str) -> None:
        """Remove a memory with its words and vector."""
        with self._transaction():
            key, user_id, old = self.db.execute(FIND, (name,)).fetchone()
            self.db.execute(UNINDEX, (key, user_id, old))
            self.db.execute("DELETE FROM memories WHERE key = ?", (key,))
            self.db.execute("DELETE FROM vectors WHERE key = ?", (key,))
        if matrix := self.matrices.get(user_id):
            matrix.drop(key)

    def recall(self, query: str, user_id: str, limit: int = 10) -> list[tuple[Any, ...]]:
        """The best rows, each with its fused score, best first."""
        ranked = [self._by_words(query, user_id)]
        if self.embed is not None:
            ranked.append(self._matrix(user_id).nearest(self.embed([query])[0]))
        scores: dict[int, float] = {}
        for keys in ranked:
            for place, key in enumerate(keys, 1):
                scores[key] = scores.get(key, 0.0) + 1 / (K + place)
        best = sorted(scores, key=scores.__getitem__, reverse=True)[:limit]
        marks = ",".join("?" * len(best))
        rows = self.db.execute(f"SELECT * FROM memories WHERE key IN ({marks})", best).fetchall()
        return sorted(((scores[row[0]], *row) for row in rows), reverse=True)

    def _by_words(self, query: str, user_id: str) -> list[int]:
        asked = " OR ".join(f'"{word}"' for word in asked_words(query))
        if not asked:
            return []
        found = self.db.execute(SEARCH, (f'user_id:"{user_id}" AND content:({asked})', DEPTH))
        return [key for (key,) in found]

    def _matrix(self, user_id: str) -> Matrix:
        version = self._data_version()
        if version != self.seen:
            self.matrices.clear()
            self.seen = version
        if user_id not in self.matrices:
            self.matrices[user_id] = self._load(user_id)
        return self.matrices[user_id]

    def _load(self, user_id: str) -> Matrix:
        import numpy as np

        rows = self.db.execute(
            "SELECT v.key, v.vector FROM memories m JOIN vectors v ON v.key = m.key WHERE m.user_id = ?",
            (user_id,),
        ).fetchall()
        blob = b"".join(vector for _, vector in rows)
        return Matrix([key for key, _ in rows], np.frombuffer(blob, np.float32).reshape(len(rows), -1))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise

    def _data_version(self) -> int:
        version: int = self.db.execute("PRAGMA data_version").fetchone()[0]
        return version
