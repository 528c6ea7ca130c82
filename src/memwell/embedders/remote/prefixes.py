"""Words that some models want before a text, by the name of the model, as their authors tell.

Without them the vectors of questions and answers lie farther apart than they need to.
"""

from __future__ import annotations

from typing import Final

__all__ = ["prefixes_of"]

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
"""(part of the name, before a document, before a query), the first that fits counts."""


def prefixes_of(model: str) -> tuple[str, str]:
    """What goes before a document and before a query; empty for a model that is not known to want anything."""
    name = model.lower().rpartition("/")[2]
    for part, document, query in _KNOWN:
        if name.startswith(part) or (part == "e5-" and f"-{part}" in name):
            return document, query
    return "", ""
