"""What a question asks for besides its topic: a time, what holds now or held once, and which words say little."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from memwell._patterns import pattern
from memwell.retrieval.analysis.english import COMMON, STOP_WORDS
from memwell.retrieval.analysis.folding import fold, straight
from memwell.retrieval.analysis.related import is_word
from memwell.retrieval.analysis.words import Languages, word_terms

__all__ = [
    "abbreviations",
    "asks_when",
    "light_terms",
    "name_terms",
    "negates",
    "prefers_newest",
    "present_spans",
    "words_of",
]

# In English and, folded, in other languages; words of scripts without blanks or with marks count anywhere in a text.
_WHEN = pattern(
    r"\b(?:when|(?:what|which) (?:date|day|month|year|time)|how long ago|how recently"
    r"|wann|quand|cuando|quando|nar|hvornar|wanneer|когда|коли|kiedy|kdy|ne zaman|ποτε|milloin|mikor|cand)\b"
    r"|متي|कब|いつ|什么时候|什麼時候|何时|何時|언제|เมื่อไ"
)
_NOW = pattern(
    r"\b(?:now|nowadays|currently|current|latest|newest|today|still|these days|right now|at the moment|at present"
    r"|any ?more|most recent|most recently|up to date|so far|jetzt|aktuell\w*|derzeit|momentan|heute|noch immer|ahora"
    r"|actualmente|maintenant|actuellement|attualmente|adesso|agora|nu|nog steeds"
    r"|zurzeit|gegenwartig|actuel(?:le)?s?|actualidad|attuale|attuali|oggi|hoje|atualmente|atual|huidige"
    r"|numera|nuvarande|for narvarande|сеичас|теперь|нынешн\w+|сегодня|зараз|teraz|obecnie|nyni|simdi|nykyinen)\b"
)
_NOW_UNSPACED = pattern("الان|حاليا|الحالي|अब|अभी|今|現在|现在|目前|如今|지금|ตอนนี้")
_ONCE = pattern(
    r"\b(?:(?<!'ve )(?<!have )(?<!has )(?<!was )(?<!were )(?<!is )(?<!are )(?<!be )(?<!been )used to|use to"
    r"|previously|originally|formerly|former|at first|initially|back then|in the beginning|early on"
    r"|fruher|damals|ursprunglich|antes|avant|autrefois|prima"
    r"|vorher|ehemals|ehemalig\w+|jadis|auparavant|anteriormente|al principio|antigamente|in passato|una volta"
    r"|tidigare|forut|brukade|tidligere|pleide|vroeger|раньше|прежде|раніше|dawniej|wczesniej|poprzednio|driv|predtim"
    r"|eskiden|aiemmin)\b"
    r"|سابقا|من قبل|السابق|पहले|以前|从前|從前|原来|原來|曾经|曾經|昔|前に|예전에|เมื่อก่อน"
)
_PAST = pattern(
    r"\b(?:did|was|were|had|happened|took|went|came"
    r"|waren|hatten?|wurden?|etait|etaient|avait|avaient|avions|estaba|estaban|tenia|tenian|habia|estava|tinha"
    r"|aveva|avevo|avevamo|hade|havde|hadde|был|была|было|были)\b|كان|كنا|था|थी|थे"
)
_WORD = pattern(r"([^\W\d_]+(?:[-'’][^\W\d_]+)*?)(['’]s)?(?![\w'’])")
_BEGINNING = frozenset(".?!:")
_CAPITALS = frozenset("am pm uk us usa eu ui ux api id ids ok ceo cto tv pc ai it hr pr faq diy url".split())
"""Abbreviations that are common words."""
_LONGEST = 6
"""Letters of an abbreviation."""
_PREDECESSOR = pattern(r"\b(?:did|was|were|had|\w+ed)\b.*\bbefore\b")
_EARLIER = pattern(
    r"\b(?:before|previous|earlier|past|old|older|first|ago|original|history|ever"
    r"|all|each|every|everyone|everybody|everything|list|over the years)\b"
)
_NOT = pattern(r"\b(?:not|never|cannot|without)\b|n't\b")


def asks_when(question: str) -> bool:
    """Whether the answer to `question` is a time."""
    folded = fold(question)
    return _WHEN.search(folded) is not None


def prefers_newest(question: str, *, dated: bool) -> float:
    """How much of memories that fit alike the newer is preferred: 3 if the question asks for the present, 0 if it names
    a time, tells what was or asks for something earlier, below 0 if it asks how things were or what was there before
    something else, else 1."""
    folded = fold(question)
    if _ONCE.search(folded):
        return -1.0
    if not dated and "before" in folded and _PREDECESSOR.search(folded):
        return -1.0
    if _NOW.search(folded) or (not folded.isascii() and _NOW_UNSPACED.search(folded)):
        return 3.0
    if _PAST.search(folded):
        return 0.0
    return 0.0 if dated or _EARLIER.search(folded) else 1.0


def negates(question: str) -> bool:
    """Whether an English question asks what is not so."""
    return _NOT.search(straight(question).lower()) is not None


def present_spans(question: str) -> list[tuple[int, int]]:
    """Where a question only says that it asks for the present, as first and last character; none where folding changes
    the length of the text."""
    folded = fold(question)
    if len(folded) != len(question):
        return []
    return [match.span() for match in _NOW.finditer(folded)]


@cache
def light_terms() -> frozenset[str]:
    """Index terms of common words, which say little about a topic."""
    return frozenset(word_terms(" ".join(COMMON)))


def words_of(question: str) -> list[re.Match[str]]:
    """The words of a question: as a whole, without *'s*, and that."""
    return list(_WORD.finditer(question))


def name_terms(question: str, spoken: Languages, words: Sequence[re.Match[str]]) -> frozenset[str]:
    """Index terms of the names in an English question: words with a capital that begin no sentence, and a first word
    with *'s*. None in other languages, and none where most words have capitals. Common abbreviations (*GP*, *TV*)
    are no names. `words` are those of `words_of`.
    """
    if question.islower() or spoken:
        return frozenset()
    if sum([word[0][0].isupper() for word in words]) * 2 > len(words) + 1:
        return frozenset()
    named = [word[1] for word in words if _is_name(word, question)]
    found = [term for name in named for term in word_terms(name) if not (name.isupper() and is_word(term))]
    return frozenset(found) - light_terms()


def abbreviations(question: str, words: Iterable[re.Match[str]]) -> list[str]:
    """Index terms of the abbreviations in a question that name one thing (*EIN*); common ones (*GP*, *TV*) are words.
    None where most letters are capitals. `words` are those of `words_of`."""
    found = [word[1] for word in words if word[1].isupper() and 1 < len(word[1]) <= _LONGEST]
    if not found or 2 * sum(map(str.isupper, question)) > sum(map(str.isalpha, question)):
        return []
    rare = [word for word in found if word.lower() not in _CAPITALS]
    return [term for word in rare for term in word_terms(word) if not is_word(term)]


def _is_name(word: re.Match[str], question: str) -> bool:
    if not word[1][0].isupper() or word[1].lower() in STOP_WORDS or word[0].lower() in STOP_WORDS:
        return False
    before = question[: word.start()].rstrip()
    return bool(word[2]) or (before != "" and before[-1] not in _BEGINNING)
