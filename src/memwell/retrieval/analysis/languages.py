"""Which language a text is in, by its script, its letters and its function words.

A text in Latin letters is in another language than English only if it has words that English does not have, and
if those of English are fewer. So a short text that could be either counts as English.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from functools import cache
from typing import Final, NamedTuple

from memwell._patterns import pattern
from memwell.retrieval.analysis.english import COMMON, STOP_WORDS
from memwell.retrieval.analysis.folding import fold
from memwell.retrieval.analysis.function_words import DAILY_WORDS, FUNCTION_WORDS

__all__ = ["SCRIPTS", "hints", "hints_at_another", "languages_of", "script_of"]

SCRIPTS: Final[Mapping[str, tuple[str, ...]]] = {
    "latin": tuple("en es fr de pt it nl pl tr sv da no ro cs fi hu ca id sr lt et ga eu eo".split()),
    "cyrillic": ("ru", "uk", "bg", "sr"),
    "greek": ("el",),
    "armenian": ("hy",),
    "hebrew": ("he", "yi"),
    "arabic": ("ar", "fa"),
    "devanagari": ("hi", "ne"),
    "tamil": ("ta",),
}
"""Script → its languages, as ISO 639-1 codes; of those that fit alike, the first is meant."""
_RANGES: Final = (
    (0x24F, "latin"), (0x36F, ""), (0x3FF, "greek"), (0x52F, "cyrillic"), (0x58F, "armenian"), (0x5FF, "hebrew"),
    (0x6FF, "arabic"), (0x74F, ""), (0x77F, "arabic"), (0x8FF, ""), (0x97F, "devanagari"), (0xB7F, ""),
    (0xBFF, "tamil"), (0x1DFF, ""), (0x1EFF, "latin"), (0x1FFF, "greek"),
)  # fmt: skip
_LETTERS_OF: Final = {
    "de": "ßäöü", "sv": "äöå", "fi": "äö", "et": "äöüõšž", "hu": "öüőűáíóúé", "tr": "öüçğşı", "da": "åøæ",
    "no": "åøæ", "es": "ñ¿¡áíóúé", "eu": "ñ", "fr": "çœêèùîéàâ", "pt": "çêãõáíóúéàâ", "ca": "çèòà",
    "it": "èùòìà", "nl": "ĳ", "pl": "łąęśźżćńó", "lt": "ąęščžėįųū", "sr": "ćščžđјљњћђџ",
    "cs": "ěščřžůýáíóúé", "ro": "țșţăîâ", "eo": "ĉĝĥĵŝŭ", "ga": "áíóú", "ru": "ёыэ", "uk": "іїєґ",
    "bg": "ъ", "fa": "پچژگکی", "ar": "ةأإ", "yi": "ײװױ",
}  # fmt: skip
"""Language → letters that speak for it."""
_SPEAKS_FOR: Final = {
    letter: tuple(code for code, own in _LETTERS_OF.items() if letter in own)
    for letter in "".join(_LETTERS_OF.values())
}
"""Letter → those languages."""
_LETTERS: Final = frozenset(_SPEAKS_FOR)
_LETTER: Final = 0.6
"""What a letter counts beside a function word."""
_LETTERS_AT_MOST: Final = 0.9
_MANY: Final = 3
"""Letters that tell a language without a word."""
_UNSURE: Final = 0.4
"""What a function word counts that is also a word of English texts."""
_SHARED: Final = 0.1
"""What it counts less for each other language that has it."""
_ENOUGH: Final = 0.7
_ENOUGH_UNSURE: Final = 1.1
"""What all of it must come to, with a word that is surely not English and without one."""
_OF_ENGLISH: Final = STOP_WORDS | COMMON
_LONGEST: Final = 64
"""Characters; what is longer is no word."""
_AS_IN_ENGLISH: Final = 0.2
"""The same of one that English has, too."""
_BOTH_HAVE: Final = 0.5
"""The share of what an English word counts against a language that has it, too."""
_SPANISH: Final = frozenset("¿¡")
_ENDING: Final = 0.2
"""What the end of a word counts, which tells neighbours apart."""
_ENDINGS: Final = {
    end: code
    for code, ends in {
        "it": "are ere ire zione etto etta atto ogni chi ghi gli eva ava ato ita ico ica uti tore",
        "es": "cion dad tad ado ada idos idas aba ero era illo illa ces nes eza",
        "pt": "cao dade oes inho inha agem eiro eira ava ado",
        "fr": "eau eaux eux ment ette elle euse aise eur oir ique ais ait ee",
        "de": "ung heit keit lich isch chen tung ende igen eren",
        "nl": "heid lijk atie tje ende ende ijk aar",
        "sv": "ning arna orna erna ade are heten ligt",
        "da": "erne else ede hed lig",
        "no": "ene elsen ene het",
    }.items()
    for end in ends.split()
}
_ADDRESS: Final = frozenset("/\\@_=")
_APART: Final = pattern(r"[\s.,:;!?…()\[\]{}\"'“”„«»¿¡*+<>|0-9-]+")
_BLANKED: Final = "".join(
    " " if chr(code) in ".,:;!?()[]{}\"'`*+<>|0123456789-" else chr(code) for code in range(128)
)
"""The same as a table for a text in ASCII: several times as fast as the pattern."""
_BOTH: Final = frozenset(
    """a ab abril actor ad ada address adres adresse aften ai air al ale ali alive all allen alt alto am an ana and
    anders animal annual any april art as at ate audio august augustus auto automobile aux avant back bag banana
    banco band bank bar bare barn base be ben best bet big bil bill bin bio bon bor born bra bring bud bus but
    by ca cad caine cal can cane cap capital car care casa case cat central change chat chi china chose chun
    clau clave close co cobra col color com come comes comment como con contrat control cost costa cultural cum
    da dad dag dai dal dan dare data date day de december deci deed deg dei del dem den des di dia die dies dig
    digital din director dit do doctor does dog dom domingo don dona door dos dove drama drive dry du ed edo ei
    el eli ella elle ellen em en encore end era err error es est et eta euro euros eva even face factor fan far
    fare fast fat februar fi fia fill fin final fire fit five fix fly for fort fra fresh fri from full fur gar
    gat gate ge general get gi gift gill give glad go god gore gos gun gut ha had hai ham han hand handy hans
    har hat hay he heel hem hen her here hi his ho hola hole hon horror hos hospital hot hotel how hun hund hus
    id ida idea ideal if ik ile ill im imam in inn ins international io iris is isa it ja jag jake jam jan
    janeiro januar je jen jest jim jo job joc joga ju juan juli julio julius juni just kan kat katt keep key ki
    kim kind kit knife koala la lag land las last le lege lena les let lev li life list live local los lot luna
    lune ma made mae mag mai main maj mal male mama man mand mane manga mann mans manual many mar marc marco
    mare mari marin mars mart marte martes mat max mayo mayor me med meg mei mel men mens mer mere merge mes met
    mi mia mig mij mile min mina mine mint mir mit mo mob mobil mod mole mon mor mora more most mot motor mu
    much must my na nach nam name nap nas nasa nat natt natural ne ned need nell ni nina ninja nino nit no noch
    non nor normal nos nose not note notre nou nous nova november novo now nu nuevo numero nun ny of off ok
    oktober old ole om oma on only ono op opa open opera operation or ora orden order ore original ort os ott ou
    our out over own pa pale pan papa pare pas pass passe past pasta pat per personal pin pizza plan plant
    plastic plus po pole police pop portable post pot pour prima pris prix pro professor prose quest quinta
    radio re reais real regional rep res rest rib rock role rose rua rue sale sam same san sans santa sao sara
    school se sea sean seas sector sedan see sem semester sen sense sent september ser serve set sexta she si
    sim sin sit small so social soda sofa sol sole some son sons sort soy special spiller stand star start still
    stop stuck studio sub sue sul sun sur syn ta table tag tai take tale tar tau te team ted telefon telephone
    ten terror test than that the them then there they thou thu ti til till tim time to todo tog tom ton too top
    total tri try tu tue tun uge un under uno up us va vad van vapor var ve ven venn vere vet vi via video ville
    virtual vis visa visual viu vole voll von vor wall want war ware was we web week weg wen wer were what when
    where while wife wild wilde will wind with wo won word work ya yang yo you your ze zebra zen""".split()
)
"""Folded function words of other languages that also occur in English texts, if only in names."""

_RARE: Final = frozenset(
    """le la les de del des du el en est et il las los mas mi mit nos para per sans se si su sur te tu un une van vi die
    der den det dal dei dell con com da di das har hat han hen ik je jag ja ma mes mon na ne non nu och og om op ou pa
    par pas que qui son ta ti til um und uno va var vas vis von vor wat wil zu im am zum""".split()
)
"""Those that are rare in English texts."""


def script_of(letter: str) -> str:
    """The script of a letter, as in `SCRIPTS`; empty for others."""
    code = ord(letter)
    for last, name in _RANGES:
        if code <= last:
            return name
    return ""


class _Vote(NamedTuple):
    """What a function word says of the language of its text."""

    languages: tuple[str, ...]
    """Those that have it."""
    weight: float
    """What it counts for each of them."""
    sure: bool
    """Whether English surely does not have it."""


@cache
def _votes() -> dict[str, _Vote]:
    """The votes of all folded function words."""
    found: dict[str, tuple[str, ...]] = {}
    for words_of in (FUNCTION_WORDS, DAILY_WORDS):
        for code, words in words_of.items():
            own = (code,)
            for word in dict.fromkeys(words.split()):
                found[word] = found.get(word, ()) + own
    sure = {
        codes: _Vote(codes, max(_UNSURE, 1 - _SHARED * (len(codes) - 1)), True) for codes in {*found.values()}
    }
    votes = {word: sure[codes] for word, codes in found.items()}
    short = {word for word in found if len(word) < 3 and word.isascii()}
    for word in found.keys() & (_BOTH | COMMON | short):  # which may be an English word or a name, too
        votes[word] = _Vote(found[word], _UNSURE, False)
    for word in found.keys() & STOP_WORDS:
        votes[word] = _Vote(found[word], _AS_IN_ENGLISH, False)
    return votes


def hints_at_another(chunk: str) -> bool:
    """Whether a chunk of a text, between blanks, is a reason to ask for its language."""
    if chunk.isascii():
        low = chunk.lower()
        if low.isalpha():
            return low in hints()
        is_word = len(low) <= _LONGEST and _ADDRESS.isdisjoint(low)
        return is_word and not hints().isdisjoint(low.translate(_BLANKED).split())
    low = chunk.lower()
    if any(c in _LETTERS or script_of(c) not in ("", "latin") for c in low if ord(c) > 0x7F):
        return True
    return not hints().isdisjoint(_words(fold(chunk)))


@cache
def hints() -> frozenset[str]:
    """Words in lower case that are a reason to ask for the language of a text."""
    return frozenset(
        word for word, vote in _votes().items() if vote.sure or (word in _RARE and word not in STOP_WORDS)
    )


def _words(folded: str) -> set[str]:
    """The words of a folded text. What has marks of a path or an address is none, and a single letter of ours may be
    the end of "Ana's"."""
    chunks = filter(_ADDRESS.isdisjoint, set(folded.split()))
    kept = " ".join([chunk for chunk in chunks if len(chunk) <= _LONGEST])
    words = kept.translate(_BLANKED).split() if kept.isascii() else _APART.split(kept)
    return {word for word in words if len(word) > 1 or not word.isascii()}


def languages_of(text: str) -> dict[str, str]:
    """Script → language, of each script in a text."""
    words, votes, in_ascii = _words(fold(text)), _votes(), text.isascii()
    said_by = [votes[word] for word in votes.keys() & words]
    if (
        in_ascii
        and sum([vote.weight for vote in said_by]) < _ENOUGH
        and not any(vote.sure for vote in said_by)
    ):
        return {"latin": "en"}
    scores: defaultdict[str, float] = defaultdict(float)
    sure = {"es"} if not _SPANISH.isdisjoint(text) else set[str]()
    for word in sorted(votes.keys() & words):  # a sum of floats depends on their order
        vote = votes[word]
        if vote.sure:
            sure.update(vote.languages)
        for code in vote.languages:
            scores[code] += vote.weight
    said = dict(scores)
    scripts = {"latin"} if in_ascii and words else set(map(script_of, {word[0] for word in words}))
    if scripts <= {"latin", ""} and max([_ENDING, *said.values()]) < _BOTH_HAVE * _english(words):
        return {"latin": "en"}  # whichever the other language is
    for word in words:
        scores[_ENDINGS.get(word[-4:], _ENDINGS.get(word[-3:], ""))] += _ENDING
    letters = frozenset[str]() if in_ascii else _LETTERS.intersection(text.lower())
    for code, count in Counter(code for letter in letters for code in _SPEAKS_FOR[letter]).items():
        scores[code] += min(count * _LETTER, _LETTERS_AT_MOST)
    found = {name: _best(codes, scores) for name, codes in SCRIPTS.items() if name in scripts}
    latin = _best(SCRIPTS["latin"][1:], scores)
    enough = _ENOUGH if latin in sure else _ENOUGH_UNSURE
    spoken = said.get(latin, 0.0)
    plenty = (
        latin in sure or spoken >= _ENOUGH or len(letters.intersection(_LETTERS_OF.get(latin, ""))) >= _MANY
    )
    foreign = plenty and scores[latin] >= enough and (spoken or _ENDING) > _english(words, latin)
    return found | {"latin": latin if foreign else "en"}


def _best(codes: Sequence[str], scores: defaultdict[str, float]) -> str:
    return max(codes, key=scores.__getitem__)


def _english(words: Set[str], other: str = "") -> float:
    """What speaks for English against another language, or against one that has none of these words."""
    votes = _votes()
    return sum(
        (1.0 if word in STOP_WORDS else _UNSURE)
        * (_BOTH_HAVE if word in votes and other in votes[word].languages else 1.0)
        for word in sorted(words & _OF_ENGLISH)
    )
