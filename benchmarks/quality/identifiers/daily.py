"""Identifiers of daily life."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import permutations, product

from benchmarks.quality.identifiers.making import PEOPLE, SERVICES, Probe, each, ports, shuffled


def phone(chance: random.Random) -> Iterator[Probe]:
    """Groups of digits, asked in one piece and with dashes."""
    spellings: list[Callable[[str], str]] = [lambda n: n.replace(" ", ""), lambda n: n.replace(" ", "-"), str]
    for at, name in enumerate(PEOPLE[:18]):
        number = f"+49 15{chance.randrange(10)} {chance.randrange(1000, 9999)} {chance.randrange(1000, 9999)}"
        yield f"{name}'s phone: {number}", [f"whose number is {spellings[at % 3](number)}?"] if at < 9 else []


def email(chance: random.Random) -> Iterator[Probe]:
    """Two names in both orders, at three providers."""
    first, last = (
        chance.sample(["kim", "lee", "ray", "dean"], 2),
        chance.sample(["jordan", "morgan", "taylor"], 2),
    )
    locals_ = [".".join(pair) for a, b in product(first, last) for pair in ((a, b), (b, a))]
    addresses = shuffled(
        chance, map("@".join, product(locals_, ("mail.example", "post.example", "web.example")))
    )
    yield from each(chance, addresses, "Write to {} about {}", "what is {} responsible for?")


def amount(chance: random.Random) -> Iterator[Probe]:
    """`1.234,56` and `1,234.56` and `1234.56` are one amount."""
    for at, name in enumerate(SERVICES[:18]):
        euros, cents = chance.randrange(1100, 9900), chance.randrange(10, 99)
        german, english = f"{euros:,}".replace(",", ".") + f",{cents}", f"{euros:,}.{cents}"
        stored, asked = ((german, f"{euros}.{cents}"), (english, german), (f"{euros}.{cents}", english))[
            at % 3
        ]
        yield (
            f"The invoice for {name} came to {stored} EUR",
            [f"which invoice was {asked} EUR?"] if at < 9 else [],
        )


def thousands(chance: random.Random) -> Iterator[Probe]:
    """`90k` is `90,000`."""
    for at, (name, value) in enumerate(zip(PEOPLE[:16], chance.sample(range(21, 99), 16), strict=True)):
        stored, asked = (f"{value}k", f"{value},000") if at % 2 else (f"{value},000", f"{value}k")
        yield f"{name} asks for a salary of {stored}", [f"who asks for {asked}?"] if at < 8 else []


def unit(chance: random.Random) -> Iterator[Probe]:
    """`12mm` is `12 mm`."""
    sizes = chance.sample(range(3, 60), 16)
    for at, (size, thing) in enumerate(zip(sizes, chance.sample(SERVICES, 16), strict=True)):
        unit_ = ("mm", "kg", "GB", "W")[at // 2 % 4]
        stored, asked = (
            (f"{size}{unit_}", f"{size} {unit_}") if at % 2 else (f"{size} {unit_}", f"{size}{unit_}")
        )
        yield f"The part for {thing} is the one with {stored}", [f"which part has {asked}?"] if at < 8 else []


def letter(chance: random.Random) -> Iterator[Probe]:
    """A letter that names something, `A` and `I` too."""
    for word, letters in {"Plan": "ABCD", "Vitamin": "ACDEK", "Gate": "ABI"}.items():
        payloads = chance.sample(SERVICES, len(letters))
        for name, payload in zip(letters, payloads, strict=True):
            yield f"{word} {name} is noted under {payload}", [f"what is {word.lower()} {name}?"]


def acronym(chance: random.Random) -> Iterator[Probe]:
    """`U.S.A.` is `USA`."""
    letters = chance.sample("BDFGHKLMNPQRSTVZ", 4)
    names = shuffled(chance, map("".join, permutations(letters, 3)), 20)
    for at, (text, questions) in enumerate(
        each(chance, names, "{} pays for {}", "what does {} pay for?", payloads=SERVICES)
    ):
        name = names[at]
        dotted = ".".join(name) + "."
        yield (
            (text.replace(name, dotted), questions)
            if at % 2
            else (
                text,
                [q.replace(name, dotted) for q in questions],
            )
        )


def bank_account(chance: random.Random) -> Iterator[Probe]:
    """An IBAN in groups of four, asked in one piece and the reverse."""
    for at, name in enumerate(PEOPLE[:16]):
        digits = f"DE{chance.randrange(10**19, 10**20)}"
        grouped = " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))
        stored, asked = (grouped, digits) if at % 2 else (digits, grouped)
        yield f"{name}'s IBAN is {stored}", [f"whose IBAN is {asked}?"] if at < 8 else []


def flight(chance: random.Random) -> Iterator[Probe]:
    """`LH 1234` is `LH1234`."""
    numbers = ports(chance)
    flights = shuffled(chance, map(" ".join, product(("LH", "BA", "TP"), numbers[:6])))
    yield from each(chance, flights, "Flight {} was taken by {}", "who took {}?", payloads=PEOPLE,
                     spell=lambda f: f.replace(" ", ""))  # fmt: skip


def invoice_number(chance: random.Random) -> Iterator[Probe]:
    """`2024-017` and `2024-071` look like dates."""
    numbers = shuffled(
        chance, (f"{year}-{n}" for year in (2023, 2024) for n in map("".join, permutations("0179", 3)))
    )
    yield from each(chance, numbers, "Invoice {} was for {}", "what was invoice {} for?", payloads=SERVICES)


def model_number(chance: random.Random) -> Iterator[Probe]:
    """`XR-500B` beside `XR-500` and `XR-50B`."""
    names = ["-".join(p) for p in product(("XR", "XT", "RX"), ("50", "500", "50B", "500B", "505"))]
    yield from each(
        chance, shuffled(chance, names), "The {} stands at {}'s desk", "who has the {}?", payloads=PEOPLE
    )


def quoted_phrase(chance: random.Random) -> Iterator[Probe]:
    """The same words in another order, in quotation marks."""
    words = chance.sample(["red", "black", "white", "gold", "blue"], 4)
    phrases = shuffled(chance, (f"{a} over {b} under {c}" for a, b, c in permutations(words, 3)))
    yield from each(chance, phrases, "The sign {} marks {}", 'what does "{}" mark?', payloads=SERVICES)


def stop_words(chance: random.Random) -> Iterator[Probe]:
    """Names made of stop words."""
    names = ["The The", "The Who", "It", "Them", "Us", "Her", "Now and Then", "To Be or Not to Be"]
    yield from each(chance, names, "{1} recommended {0} last week", 'who recommended "{}"?', payloads=PEOPLE)


KINDS = (
    phone,
    email,
    amount,
    thousands,
    unit,
    letter,
    acronym,
    bank_account,
    flight,
    invoice_number,
    model_number,
    quoted_phrase,
    stop_words,
)
