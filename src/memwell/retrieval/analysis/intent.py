"""What a question asks for besides its topic: a time, what holds now or held once, and which words say little."""

from __future__ import annotations

import re
from functools import cache

from memwell.retrieval.analysis.english import COMMON
from memwell.retrieval.analysis.folding import fold
from memwell.retrieval.analysis.words import word_terms

__all__ = ["asks_when", "light_terms", "prefers_newest"]

_WHEN = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:date|day|month|year|time)\b|\bhow long ago\b|\bhow recently\b"
)

_NOW = re.compile(
    r"\b(?:now|nowadays|currently|current|latest|newest|today|still|these days|at the moment|at present|any ?more"
    r"|most recent|most recently|up to date|so far|jetzt|aktuell\w*|derzeit|momentan|heute|noch immer|ahora"
    r"|actualmente|maintenant|actuellement|attualmente|adesso|agora|nu|nog steeds)\b"
)
_ONCE = re.compile(
    r"(?<!'ve )(?<!have )(?<!has )(?<!was )(?<!were )(?<!is )(?<!are )(?<!be )(?<!been )\bused to\b|\buse to\b"
    r"|\b(?:previously|originally|formerly|former|at first|initially|back then|in the beginning|early on"
    r"|fruher|damals|ursprunglich|antes|avant|autrefois|prima)\b"
)
_EARLIER = re.compile(r"\b(?:before|previous|earlier|past|old|older|first|ago|original|history|ever)\b")
_PAST = re.compile(r"\b(?:did|was|were|had|happened|took|went|came)\b")


def asks_when(question: str) -> bool:
    """Whether the answer to `question` is a time."""
    return bool(_WHEN.search(fold(question)))


def prefers_newest(question: str, *, dated: bool) -> float:
    """How much of memories that fit alike the newer is preferred: 3 if the question asks for the present, 0 if it names
    a time, tells what was or asks for something earlier, below 0 if it asks how things were, else 1."""
    folded = fold(question)
    if _ONCE.search(folded):
        return -1.0
    if _NOW.search(folded):
        return 3.0
    if _PAST.search(folded):
        return 0.0
    return 0.0 if dated or _EARLIER.search(folded) else 1.0


@cache
def light_terms() -> frozenset[str]:
    """Index terms of common words, which say little about a topic."""
    return frozenset(word_terms(" ".join(COMMON)))
