"""Loop safety, measured: are echoes of recalled text recognised, and are different turns kept apart?

`python -m benchmarks.quality.loops --data FILE …` reads public conversations (see `benchmarks.quality.data`).

*Kept apart*: every turn is remembered without a date, right after a recall that asks with its own words, so that the
memories most like it count as recalled lately. A turn that comes back as another memory with other words is an error.
*Recognised*: turns that were recalled are said again in each of the forms of `FORMS`.
*Cost*: `remember` of the same turns with `on_echo="reinforce"` beside `"store"`, a recall before every turn; medians.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.quality.data import Conversation, load
from memwell import Hit, Memory

__all__ = ["main"]

_SAMPLE: Final = 4
"""One turn of this number is said again."""
_SAID: Final = re.compile(r"^[^:]{1,40}: ")

FORMS: Final[dict[str, Callable[[Hit], str]]] = {
    "as_text": lambda hit: f"- [{hit.created_at:%Y-%m-%d}] {hit.content}",
    "as_text with id": lambda hit: f"- [{hit.created_at:%Y-%m-%d} #{hit.id}] {hit.content}",
    "quoted": lambda hit: f'"{hit.content}"',
    "as I recall": lambda hit: f"As I recall, {_SAID.sub('', hit.content)}",
    "without the speaker": lambda hit: _SAID.sub("", hit.content),
    "other case and signs": lambda hit: hit.content.lower().rstrip(".!?") + " .",
    "an article more": lambda hit: hit.content.replace(" my ", " the ").replace(" a ", " the "),
}
"""Name → how a hit is said again."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.loops", description=__doc__)
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="files of conversations")
    found = [each for path in parser.parse_args().data for each in load(path)]
    turns = sum(len(each.items) for each in found)
    for name, strip in (("with speakers", False), ("without speakers", True)):
        wrong = [pair for each in found for pair in merged(each, strip=strip)]
        print(f"kept apart, {name}: {len(wrong)} of {turns} turns were merged ({len(wrong) / turns:.2%})")
        for new, stored in wrong[:10]:
            print(f"    {new[:110]!r}\n    {stored[:110]!r}")
    said = [recognised(each) for each in found]
    for form in FORMS:
        right, asked = (sum(each[form][at] for each in said) for at in (0, 1))
        print(f"recognised, {form}: {right / max(1, asked):.1%} of {asked}")
    for url in ("memory://", "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            usual, plain = cost(found[0], f"sqlite:///{folder}/a.db" if url == "sqlite" else url)
        more = f"{usual / plain - 1:+.1%}"
        print(f"remember on {url}: {usual * 1e6:.0f} µs, with on_echo='store' {plain * 1e6:.0f} µs: {more}")


def merged(talk: Conversation, *, strip: bool) -> list[tuple[str, str]]:
    """(turn, memory) of each turn that was taken for another with other words."""
    wrong = []
    with Memory("memory://", embedder=None) as memory:
        for item in talk.items:
            text = _SAID.sub("", item.text) if strip else item.text
            memory.recall(text[:2000], user_id="u")
            record = memory.remember(text, user_id="u", session_id=item.session)
            if record.content != text:
                wrong.append((text, record.content))
    return wrong


def recognised(talk: Conversation) -> dict[str, tuple[int, int]]:
    """Form → how many of how many echoes added no memory."""
    counts = dict.fromkeys(FORMS, (0, 0))
    with Memory("memory://", embedder=None) as memory:
        for item in talk.items:
            memory.remember(item.text, user_id="u", session_id=item.session, id=item.id)
        for item in itertools.islice(talk.items, 0, None, _SAMPLE):
            if len(item.text.split()) < 6:
                continue
            hits = memory.recall(item.text[:2000], user_id="u", limit=5)
            hit = next((hit for hit in hits if hit.id == item.id), None)
            for form, say in FORMS.items() if hit is not None else ():
                record = memory.remember(say(hit), user_id="u", session_id="echo")
                right, asked = counts[form]
                counts[form] = right + (record.id == item.id), asked + 1
                if record.id != item.id and record.session_id == "echo":
                    memory.forget(record.id)
    return counts


def cost(talk: Conversation, url: str) -> tuple[float, float]:
    """Median seconds of `remember` with and without the look at what was recalled, call by call in turns."""
    seconds: dict[str, list[float]] = {"reinforce": [], "store": []}
    with Memory(url, embedder=None) as memory:
        for number, item in enumerate(talk.items):
            for way in ("reinforce", "store") if number % 2 else ("store", "reinforce"):
                memory.recall(item.text[:200], user_id=way)
                text = f"{item.text} {number}"
                start = time.process_time()
                memory.remember(text, user_id=way, on_echo=way)  # type: ignore[arg-type]
                seconds[way].append(time.process_time() - start)
    usual, plain = (statistics.median(seconds[way]) for way in ("reinforce", "store"))
    return usual, plain


if __name__ == "__main__":
    main()
