"""Is the default fitted to the conversations it was chosen on? `python -m benchmarks.quality.leave_one_out
--data FILE…`

Random settings of all weights are measured on every conversation. For each conversation the setting that is
best on all
*others* (recall@10 + nDCG@10 / 2, both kinds of text alike) is set beside the fixed default. Where choosing
afresh gains nothing, the default is a plateau and not a fit; the spread of the random settings shows how flat
it is.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.quality.data import Conversation, load
from benchmarks.quality.metrics import mean, measure
from benchmarks.quality.systems import System, Variant
from memwell import Strategy
from memwell.ports.store.search import DEFAULT, Weights

__all__ = ["main"]

RANGES = {
    "semantic": (0.35, 0.65), "lexical": (0.35, 0.65), "actor": (0.15, 0.45), "role": (0.1, 0.3), "time": (0.1, 0.4),
    "when": (0.05, 0.25), "session": (0.0, 0.2), "question_share": (0.1, 0.4), "reach": (12.0, 36.0), "before": (0.6,
    1.1), "after": (0.3, 0.9), "reply": (0.2, 0.5), "asked": (0.0, 1.0),
    "coverage": (0.1, 0.3),
}  # fmt: skip
"""Weight → the range that random settings are drawn from, about half to one and a half of the default."""

Found = Mapping[str, Mapping[str, float]]
"""Conversation → its measures."""


def main() -> None:
    """Measure, choose and print."""
    parser = argparse.ArgumentParser("benchmarks.quality.leave_one_out", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--settings", type=int, default=40, help="random settings beside the default")
    parser.add_argument("--embedder", default="local")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 120)
    groups = {conversation.id: path.name for path in options.data for conversation in load(path)}
    conversations = [conversation for path in options.data for conversation in load(path)]
    chance = random.Random(options.seed)
    settings = [DEFAULT, *(_random(chance) for _ in range(options.settings))]
    with System(conversations, options.embedder) as system:
        found = [_measured(system, conversations, weights) for weights in track(settings, console=console)]
    console.print(_table(found, groups))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


def _random(chance: random.Random) -> Weights:
    return replace(DEFAULT, **{name: chance.uniform(*between) for name, between in RANGES.items()})


def _measured(system: System, conversations: Sequence[Conversation], weights: Weights) -> Found:
    variant = Variant("setting", {"strategy": Strategy(signals=weights)})
    return {
        conversation.id: mean(
            measure(system.ranking(conversation, question, variant), question.gold)
            for question in conversation.questions
        )
        for conversation in conversations
    }


def _merit(found: Found, groups: Mapping[str, str], left_out: str) -> float:
    """How good a setting is without one conversation; each file counts alike."""
    merits = []
    for group in set(groups.values()):
        rows = [m for id, m in found.items() if groups[id] == group and id != left_out]
        merits += [sum(m["recall@10"] + m["ndcg@10"] / 2 for m in rows) / len(rows)] if rows else []
    return sum(merits) / len(merits)


def _table(found: Sequence[Found], groups: Mapping[str, str]) -> Table:
    table = Table(title="Leave one conversation out, percent", title_justify="left")
    for column in (
        "left out",
        "default R@5 / R@10 / nDCG@10",
        "chosen on the others",
        "random R@10, 5 % / median / 95 %",
    ):
        table.add_column(column)
    for id in groups:
        best = max(found[1:], key=lambda setting: _merit(setting, groups, id))
        spread = sorted(setting[id]["recall@10"] for setting in found[1:])
        cuts = (spread[int(share * (len(spread) - 1))] for share in (0.05, 0.5, 0.95))
        table.add_row(
            id, _cell(found[0][id]), _cell(best[id]), " / ".join(f"{100 * cut:.1f}" for cut in cuts)
        )
    return table


def _cell(measures: Mapping[str, float]) -> str:
    return " / ".join(f"{100 * measures[name]:.1f}" for name in ("recall@5", "recall@10", "ndcg@10"))


if __name__ == "__main__":
    main()
