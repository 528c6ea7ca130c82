"""Prefixes that some models expect before a text, as their authors document.

Without them, the vectors of questions and answers are farther apart.
"""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["prefixes_of", "variant"]

_BGE: Final = "Represent this sentence for searching relevant passages: "
_KNOWN: Final = (
    ("nomic-embed-text", "search_document: ", "search_query: "),
    ("multilingual-e5-large-instruct", "", ""),
    ("e5-", "passage: ", "query: "),
    ("mxbai-embed-large", "", _BGE),
    ("snowflake-arctic-embed", "", _BGE),
    ("bge-small-en", "", _BGE),
    ("bge-base-en", "", _BGE),
    ("bge-large-en", "", _BGE),
)
"""(beginning of the name, prefix of documents, prefix of queries); the first match is used."""


def prefixes_of(model: str) -> tuple[str, str]:
    """The prefixes of documents and of queries; empty for unknown models."""
    name = model.lower().rpartition("/")[2]
    for part, document, query in _KNOWN:
        if name.startswith(part) or (part == "e5-" and f"-{part}" in name):
            return document, query
    return "", ""


def variant(model: str, *own: str) -> str:
    """The name of vectors that a model gives with other settings than its own: `model+1a2b3c4d`."""
    digest = hashlib.blake2b("\0".join(own).encode(), digest_size=4).hexdigest()
    return f"{model}+{digest}"
