"""Write `memwell/retrieval/analysis/calendar_words.py`: month and weekday names of many languages, from Unicode's CLDR.

    pip install babel && python scripts/calendar_words.py

Names are in lower case and without diacritics, as `memwell.retrieval.analysis.dates` reads a text. A name that means
two months in two languages, or an everyday word, is left out.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import Any

from babel import Locale, __version__  # type: ignore[import-not-found, unused-ignore]

LANGUAGES = "ar ca cs da de el es et eu fi fr hi hu hy id it lt nb nl pl pt ro ru sr sv ta tr uk".split()
PLACE = Path(__file__).parents[1] / "src/memwell/retrieval/analysis/calendar_words.py"
EVERYDAY = frozenset(
    "may march mars maj set out ago mar dec die das den der sat sun mon do son fri di mi".split()
)


def each(words: str, *endings: str, first: int = 1) -> dict[int, str]:
    """Number → the word with each of the endings."""
    return {
        n: " ".join(word + end for end in endings or ("",)) for n, word in enumerate(words.split(), first)
    }


MORE_MONTHS = {
    "de": {1: "jaenner feber janner", 3: "maerz", 10: "okt"},
    "fi": each("tammi helmi maalis huhti touko kesa heina elo syys loka marras joulu", "kuuta", "kuussa"),
    "hu": each("januar februar marcius aprilis majus junius julius", "ban")
    | each("augusztus", "ban", first=8) | each("szeptember oktober november december", "ben", first=9),
    "pl": each("styczniu lutym marcu kwietniu maju czerwcu lipcu sierpniu wrzesniu pazdzierniku listopadzie grudniu"),
    "ru": each("январе феврале марте апреле мае июне июле августе сентябре октябре ноябре декабре"),
    "sr": each("januara februara marta aprila maja juna jula avgusta septembra oktobra novembra decembra"),
    "uk": each("січні лютому березні квітні травні червні липні серпні вересні жовтні листопаді грудні"),
}  # fmt: skip
"""Inflected and other spellings that CLDR has not."""
MORE_WEEKDAYS = {
    "de": {5: "sonnabend"},
    "ru": {2: "среду", 4: "пятницу", 5: "субботу"},
    "uk": {2: "середу", 4: "пятницю", 5: "суботу", 6: "неділю"},
    "pl": {2: "srode", 5: "sobote", 6: "niedziele"},
    "cs": {2: "stredu", 5: "sobotu", 6: "nedeli"},
    "hu": each("hetfon kedden szerdan csutortokon penteken szombaton vasarnap", first=0),
    "fi": each("maanantaina tiistaina keskiviikkona torstaina perjantaina lauantaina sunnuntaina", first=0),
    "pt": each("segunda terca quarta quinta sexta sabado domingo", first=0),
}  # fmt: skip
NOT_ALONE = {"pt": {"segunda", "terca", "quarta", "quinta", "sexta"}}
"""Words that also mean something else."""


def folded(name: str) -> str:
    plain = "".join(
        c for c in unicodedata.normalize("NFD", name.lower()) if not unicodedata.combining(c) or c > "\u0900"
    )
    return unicodedata.normalize("NFC", plain.replace("ı", "i").replace("ø", "o").replace("ł", "l")).rstrip(
        "."
    )


def names(data: Any, widths: tuple[str, ...], more: dict[int, str], first: int) -> list[set[str]]:
    """For each of the months or weekdays the names that are one word."""
    found = [set(more.get(n, "").split()) for n in range(first, first + len(data["format"]["wide"]))]
    for context in ("format", "stand-alone"):
        for width in widths:
            for n, name in data[context].get(width, {}).items():
                word = folded(str(name))
                if (
                    "’" not in word
                    and re.fullmatch(r"[^\s\d]{3,}|[\u0900-\u0dff]{2,}", word)
                    and (width == "wide" or len(word) < 6)
                ):
                    found[n - first].add(word)
    return found


def tables() -> dict[str, dict[str, list[set[str]]]]:
    """Kind of names → language → names by number."""
    kinds: dict[str, dict[str, list[set[str]]]] = {"MONTHS": {}, "SHORT_MONTHS": {}, "WEEKDAYS": {}}
    for code in LANGUAGES:
        locale = Locale(code)
        kinds["MONTHS"][code] = names(locale.months, ("wide",), MORE_MONTHS.get(code, {}), 1)
        kinds["SHORT_MONTHS"][code] = names(locale.months, ("abbreviated",), {}, 1)
        kinds["WEEKDAYS"][code] = names(locale.days, ("wide",), MORE_WEEKDAYS.get(code, {}), 0)
    for kind, languages in kinds.items():
        meanings = defaultdict(set)
        for rows in languages.values():
            for n, row in enumerate(rows):
                for word in row:
                    meanings[word].add(n)
        unclear = {word for word, numbers in meanings.items() if len(numbers) > 1}
        for code, rows in languages.items():
            for row in rows:
                row -= unclear
                row -= NOT_ALONE.get(code, set()) if kind == "WEEKDAYS" else set()
                if kind == "WEEKDAYS":
                    row -= EVERYDAY
                if kind == "SHORT_MONTHS":
                    row -= {word for words in kinds["MONTHS"].values() for each in words for word in each}
    return kinds


def main() -> None:
    """Write the module."""
    lines = [
        '"""Month and weekday names of many languages, in lower case and without diacritics.',
        "",
        f"Written by `scripts/calendar_words.py` from the CLDR of babel {__version__}. A line has the twelve months",
        "or, from Monday on, the seven weekdays; `/` parts names of one, `-` means none.",
        '"""',
        "",
        "from typing import Final",
        "",
        '__all__ = ["MONTHS", "SHORT_MONTHS", "WEEKDAYS"]',
        "",
        "# fmt: off",
    ]
    for kind, languages in tables().items():
        lines.append(f"{kind}: Final = {{")
        for code, rows in languages.items():
            text = " ".join("/".join(sorted(row)) or "-" for row in rows)
            first, *rest = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
            quoted = [f'    "{code}": "{first}', *(f'        "{line}' for line in rest)]
            lines += [f'{line} "' for line in quoted[:-1]] + [f'{quoted[-1]}",']
        lines += ["}", ""]
    PLACE.write_text("\n".join(lines).rstrip() + "\n# fmt: on\n", "utf-8")


if __name__ == "__main__":
    main()
