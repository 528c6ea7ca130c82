"""What the kinds of identifiers are made of: payloads, and one memory a spelling."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import permutations

__all__ = ["PEOPLE", "SERVICES", "THINGS", "Kind", "Probe", "each", "ports", "shuffled"]

Probe = tuple[str, list[str]]
"""A memory, and the questions that it alone answers."""
Kind = Callable[[random.Random], Iterator[Probe]]

THINGS = (
    "the login loop", "the printer driver", "the slow search page", "the broken export", "the missing invoices",
    "the wrong totals", "the frozen sidebar", "the double e-mails", "the lost session", "the crooked labels",
    "the empty report", "the stale cache", "the noisy alarm", "the dark theme", "the map tiles", "the upload limit",
    "the calendar feed", "the currency rounding", "the font size", "the backup job", "the avatar upload",
    "the time zone menu", "the spam filter", "the coupon field",
)  # fmt: skip
SERVICES = (
    "billing", "search", "mail", "maps", "chat", "wiki", "shop", "video", "login", "print", "queue", "metrics",
    "backup", "payroll", "tickets", "archive", "calendar", "proxy", "forum", "gallery", "radio", "survey", "dns",
    "ldap",
)  # fmt: skip
PEOPLE = (
    "Ana", "Bo", "Cy", "Dora", "Emil", "Finn", "Greta", "Hugo", "Ines", "Jon", "Kira", "Leo", "Mona", "Nils", "Olga",
    "Paul", "Quim", "Rita", "Sven", "Tara", "Udo", "Vera", "Wim", "Yara",
)  # fmt: skip


def each(
    chance: random.Random,
    identifiers: Iterable[str],
    memory: str,
    question: str,
    *,
    payloads: Sequence[str] = THINGS,
    asked: int = 8,
    spell: Callable[[str], str] = str,
) -> Iterator[Probe]:
    """`memory` with each identifier and a payload; `question` with the identifier as `spell` writes it."""
    left = chance.sample(payloads, len(payloads))
    for at, identifier in enumerate(identifiers):
        questions = [question.format(spell(identifier))] if at < asked else []
        yield memory.format(identifier, left[at % len(left)]), questions


def shuffled(chance: random.Random, values: Iterable[str], count: int = 24) -> list[str]:
    """At most `count` different values in random order."""
    found = list(dict.fromkeys(values))
    return chance.sample(found, min(count, len(found)))


def ports(chance: random.Random) -> list[str]:
    """Numbers that are the same four digits in another order."""
    digits = chance.sample("123456789", 4)
    return shuffled(chance, map("".join, permutations(digits)))
