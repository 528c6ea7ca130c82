"""Tables and the plot of `benchmarks.quality.answers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.quality.data import Conversation
from benchmarks.quality.metrics import auc, chance_of, kept, mean
from benchmarks.quality.systems import MODES

__all__ = [
    "COMPARED", "CUTS", "HYBRID", "Loss", "by", "kept_and_rejected", "losses", "pair", "plot", "show", "show_misses",
    "summary",
]  # fmt: skip

Entries = Sequence[Mapping[str, Any]]
Rows = Mapping[str, Entries]

LEXICAL, SEMANTIC, HYBRID = (mode.name for mode in MODES)
HALVES = (SEMANTIC, LEXICAL, "cosine")
COMPARED = (HYBRID, *HALVES, "BM25", "RRF of cosine and BM25")
CUTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
NOISE = 0.1
"""A difference that equals show with at least this chance is noise."""


class Loss(NamedTuple):
    """Where hybrid has fewer questions right than one of its halves, by `recall@1` or `hit@5`."""

    group: str
    measure: str
    half: str
    questions: int
    hybrid: int
    other: int
    chance: float

    @property
    def is_noise(self) -> bool:
        """Whether equals would differ so much often enough."""
        return self.chance >= NOISE


def show(console: Console, name: str, conversations: Sequence[Conversation], rows: Rows) -> int:
    """Print all tables of one set; how many groups are worse under hybrid than under a half of it."""
    memories = sum(len(c.items) for c in conversations)
    asked = rows[HYBRID]
    answered = sum("hit@5" in entry for entry in asked)
    console.rule(
        f"{name}: {len(conversations)} of {memories} memories, "
        f"{answered} questions with an answer, {len(asked) - answered} without"
    )
    console.print(_systems(rows))
    console.print(_groups(rows, "category"))
    if len(conversations) > 1 and name != "identifiers":
        console.print(_groups(rows, "conversation"))
    if len(asked) > answered:
        console.print(_cuts(rows))
    found = sorted({loss for key in ("set", "category", "conversation") for loss in losses(rows, key)})
    worse = [loss for loss in found if not loss.is_noise]
    for loss in found:
        console.print(
            f"{'[yellow]~[/]' if loss.is_noise else '[red]✗[/]'} {loss.group}, {loss.measure}: hybrid "
            f"{loss.hybrid} of {loss.questions}, {loss.half} {loss.other} (chance {loss.chance:.2f})"
        )
    if worse:
        console.print(f"[red]✗[/] {name}: hybrid is worse than a half of itself in {len(worse)} places")
    else:
        console.print(f"[green]✓[/] {name}: hybrid is nowhere worse than its halves by more than noise")
    return len(worse)


def show_misses(console: Console, conversations: Sequence[Conversation], rows: Rows, category: str) -> None:
    """What stood first instead of the answer, for each question of a category that hybrid got wrong."""
    asked = ((c, q) for c in conversations for q in c.questions)
    for (conversation, question), entry in zip(asked, rows[HYBRID], strict=True):
        if category not in ("all", question.category) or not question.gold or entry["recall@1"]:
            continue
        texts = {item.id: item.text for item in conversation.items}
        console.print(f"[bold]{conversation.id}, {question.category}: {question.text}", highlight=False)
        console.print(f"   [red]✗ {entry['score']:.2f}[/] {[texts[id][:110] for id in entry['first'][:1]]}")
        for id in sorted(question.gold):
            place = entry["first"].index(id) + 1 if id in entry["first"] else "—"
            console.print(f"   [green]✓ {place}[/] {texts[id][:110]}", highlight=False)


def summary(entries: Entries) -> dict[str, float]:
    """recall@1, hit@5 and recall@5 of the questions with an answer, and the AUC of the best score."""
    answerable = [entry for entry in entries if "hit@5" in entry]
    measures = mean([{name: e[name] for name in ("recall@1", "hit@5", "recall@5")} for e in answerable])
    return measures | {"AUC": auc(*_scores(entries))}


def by(entries: Entries, key: str) -> dict[str, list[Mapping[str, Any]]]:
    """The entries by category or conversation, in the order of their first appearance."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        groups.setdefault(entry[key], []).append(entry)
    return groups


def losses(rows: Rows, key: str) -> Iterator[Loss]:
    """Where hybrid has fewer questions right than a half of it, with the sign test of the difference."""
    hybrid = by(rows[HYBRID], key)
    for half, measured in product(HALVES, ("recall@1", "hit@5")):
        for group, others in by(rows[half], key).items():
            pairs = [
                (int(mine[measured]), int(its[measured]))
                for mine, its in zip(hybrid[group], others, strict=True)
                if measured in mine
            ]
            lost, won = pairs.count((0, 1)), pairs.count((1, 0))
            if lost > won:
                mine, its = (sum(column) for column in zip(*pairs, strict=True))
                yield Loss(group, measured, half, len(pairs), mine, its, chance_of(lost, won))


def _scores(entries: Entries) -> tuple[list[float], list[float]]:
    """The best scores of the questions with an answer, and of those without."""
    return (
        [entry["score"] for entry in entries if "hit@5" in entry],
        [entry["score"] for entry in entries if "hit@5" not in entry],
    )


def _systems(rows: Rows) -> Table:
    table = _table("", "system", ("recall@1", "hit@5", "recall@5", "AUC"))
    for row, entries in rows.items():
        found = summary(entries)
        auc_cell = "" if found["AUC"] != found["AUC"] else f"{found.pop('AUC'):.3f}"
        found.pop("AUC", None)
        cells = [f"{100 * value:.1f}" for value in found.values()]
        table.add_row(row, *cells, auc_cell, style="bold" if row == HYBRID else None)
    return table


def _groups(rows: Rows, key: str) -> Table:
    table = _table("first / among five, percent", key, ("questions", *COMPARED))
    groups = {row: by(rows[row], key) for row in COMPARED}
    for group, entries in groups[HYBRID].items():
        asked = [entry for entry in entries if "hit@5" in entry]
        if asked:
            table.add_row(group, str(len(asked)), *(pair(groups[row][group]) for row in COMPARED))
    return table


def pair(entries: Entries) -> str:
    """recall@1 / hit@5 in percent."""
    found = summary(entries)
    return f"{100 * found['recall@1']:.0f} / {100 * found['hit@5']:.0f}"


def _cuts(rows: Rows) -> Table:
    table = _table("kept of the answerable / rejected of the rest, percent", "cut", COMPARED[:4])
    for cut in CUTS:
        table.add_row(f"{cut:g}", *(kept_and_rejected(rows[row], cut) for row in COMPARED[:4]))
    return table


def kept_and_rejected(entries: Entries, cut: float) -> str:
    """How many answerable questions a cut keeps, and how many of the rest it rejects, in percent."""
    answerable, rest = _scores(entries)
    return f"{100 * kept(answerable, cut):.0f} / {100 * (1 - kept(rest, cut)):.0f}"


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def plot(path: Path, results: Mapping[str, Rows]) -> None:
    """Two panels a set: recall@1 by category, and what is kept against what is rejected as the cut rises."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(len(results), 2, figsize=(14, 5 * len(results)), squeeze=False)
    for (bars, curve), (name, rows) in zip(panels, results.items(), strict=True):
        _plot_groups(bars, name, rows)
        if all("hit@5" in entry for entry in rows[HYBRID]):
            curve.remove()
            bars.set_subplotspec(bars.get_gridspec()[bars.get_subplotspec().rowspan.start, :])
        else:
            _plot_curve(curve, rows)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def _plot_groups(panel: Any, name: str, rows: Rows) -> None:
    shown = COMPARED[:4]
    groups = [group for group, entries in by(rows[HYBRID], "category").items() if "hit@5" in entries[0]]
    for at, row in enumerate(shown):
        found = by(rows[row], "category")
        values = [100 * summary(found[group])["recall@1"] for group in groups]
        panel.bar([x + 0.2 * at for x in range(len(groups))], values, 0.2, label=row)
    panel.set_xticks([x + 0.3 for x in range(len(groups))], groups, rotation=45, ha="right", fontsize=8)
    panel.set_title(f"{name}: recall@1, %")
    panel.legend(fontsize=7)


def _plot_curve(panel: Any, rows: Rows) -> None:
    panel.set_title("kept of the answerable against rejected of the rest, %")
    panel.set_xlabel("rejected")
    for row in COMPARED[:4]:
        answerable, rest = _scores(rows[row])
        if rest:
            cuts = sorted({*answerable, *rest})
            xs = [100 * (1 - kept(rest, cut)) for cut in cuts]
            panel.plot(
                xs,
                [100 * kept(answerable, cut) for cut in cuts],
                label=f"{row}, AUC {auc(answerable, rest):.2f}",
            )
            panel.legend(fontsize=7)
