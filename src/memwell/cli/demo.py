"""`demo`: store a conversation and answer questions about it, ranked and explained."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from memwell import importers
from memwell._dataclasses import dataclass
from memwell.cli.local import remedy
from memwell.cli.output import Output
from memwell.cli.shared import Cli
from memwell.cli.transfer import Result, store
from memwell.cli.views import bar, hit_to_json, marked
from memwell.errors import InvalidInput
from memwell.security.signing import new_key
from memwell.sync import Memory
from memwell.types import Hit

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["demo"]

USER: Final = "demo"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Answer:
    question: str
    hits: list[Hit]
    seconds: float


def demo(
    cli: Cli,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="PATH",
            help="Keep the database in this file; otherwise it is removed afterwards.",
        ),
    ] = None,
) -> None:
    """Store a year of two people's conversation and answer questions about it."""
    script = json.loads(Path(__file__).with_name("demo.json").read_text("utf-8"))
    if keep is not None and not Path(keep).absolute().parent.is_dir():
        raise InvalidInput(f"{Path(keep).absolute().parent} is not a directory; choose another --keep PATH")
    with ExitStack() as stack:
        path = keep or str(Path(stack.enter_context(tempfile.TemporaryDirectory()), "demo.db"))
        missing = remedy(cli.settings.model_dir) if cli.settings.embedder == "auto" else None
        embedder = None if missing else cli.embedder()
        url = f"sqlite:///{quote(str(Path(path).absolute()))}"
        memory = stack.enter_context(Memory(url, embedder=embedder, receipts=new_key("hmac")))
        memory.health()  # loads the model, so that it is not counted as the first question's time
        result, seconds = _store(memory, script["conversation"])
        if not cli.out.as_json:
            _opening(cli.out, script, result, seconds, embedder is not None, missing)
        answers = [_ask(cli, memory, question) for question in script["questions"]]
        if not cli.out.as_json:
            _policies(cli.out, memory)
            _erase(cli.out, memory)
    _closing(cli.out, answers, keep)


def _store(memory: Memory, conversation: dict[str, Any]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = Result(file="demo")
    lines = [json.dumps({"conversation": conversation})]
    items = importers.read(lines, format="chat", name="demo", session="demo")
    store(memory, items, {"user_id": USER}, result, lambda _done, _total: None)
    return result, time.perf_counter() - started


def _ask(cli: Cli, memory: Memory, question: str) -> _Answer:
    started = time.perf_counter()
    hits = memory.recall(question, user_id=USER, limit=_SHOWN)
    answer = _Answer(question, hits, time.perf_counter() - started)
    if cli.out.as_json:
        found = [hit_to_json(rank, hit) for rank, hit in enumerate(hits, 1)]
        cli.out.json({"question": question, "seconds": answer.seconds, "hits": found})
    else:
        _show(cli.out, answer)
    return answer


def _erase(out: Output, memory: Memory) -> None:
    """Erase one memory, and show the receipt."""
    from rich.text import Text

    text = "My door code is 7351"
    memory.remember(text, user_id=USER, id="door-code")
    receipt = memory.erase("door-code", reason="shown in the demo", user_id=USER)
    out.show("", Text.assemble(("❯ ", "bold cyan"), (f'Erase "{text}", with a receipt', "bold")))
    for trace in receipt.traces:
        mark = ("✓", "green") if trace.state == "gone" else ("…", "yellow")
        detail = f", {trace.detail}" if trace.detail else ""
        out.show(Text.assemble("  ", mark, f" {trace.place}: {trace.state}", (detail, "dim")))
    state = "complete" if receipt.complete else "to be completed"
    signed = receipt.signature.algorithm if receipt.signature else ""
    out.show(Text(f"  Receipt {receipt.id}: {state}, signed ({signed}).", style="dim"))


def _opening(
    out: Output, script: dict[str, Any], result: Result, seconds: float, semantic: bool, missing: str | None
) -> None:
    from rich.rule import Rule
    from rich.text import Text

    conversation = script["conversation"]
    sessions = sum(key.endswith("_date_time") for key in conversation)
    people = f"{conversation['speaker_a']} and {conversation['speaker_b']}"
    out.show("", Rule(Text("memwell demo", style="bold"), align="left", style="cyan"), "")
    turns = result.added + result.present
    out.show(
        Text.assemble(
            ("  Stored ", ""),
            (f"{turns} turns", "bold"),
            f" of {people}, {sessions} sessions {script['period']},\n  in ",
            (f"{seconds:.2f} s", "bold green"),
            ": one SQLite file, no API key, no server, no LLM.\n",
            ("  Recall uses words and meaning (all-MiniLM-L6-v2, on this machine).", "dim")
            if semantic
            else ("  Recall uses words only here. For recall by meaning too: ", "yellow"),
            ("" if semantic else missing or "memwell demo --embedder local", "bold yellow"),
        )
    )


def _show(out: Output, answer: _Answer) -> None:
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(ratio=1)
    head.add_column(justify="right", style="dim", no_wrap=True)
    head.add_row(
        Text.assemble(("❯ ", "bold cyan"), (answer.question, "bold")), f"{answer.seconds * 1000:.1f} ms"
    )
    out.show("", head)
    for hit in answer.hits:
        out.show(_shown(hit, best=hit is answer.hits[0]))
    if not answer.hits:
        out.show(Text("  nothing found", style="dim"))


def _shown(hit: Hit, *, best: bool) -> Table:
    """A hit: bar, score and text, with date and reasons below."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=1)
    grid.add_column(width=10)
    grid.add_column(width=4)
    grid.add_column(ratio=1)
    text = marked(hit.record.content, hit.why.terms)
    if not best:
        text.stylize("dim")
    grid.add_row("", bar(hit.score), Text(f"{hit.score:.2f}", style="bold" if best else "dim"), text)
    if best:
        parts = [f"{c.name} {c.points:+.2f}" for c in hit.why.components if abs(c.points) >= 0.005][:4]
        when = f"{hit.record.created_at.day} {hit.record.created_at:%B %Y}"
        grid.add_row("", "", "", Text("  ".join((when, *parts)), style="green dim"))
    return grid


_POLICIES: Final[dict[str, Any]] = {
    "tier": [
        {"name": "short_term", "capacity": 40, "overflow": "next"},
        {"name": "long_term"},
    ],
    "write": [{"tier": "short_term"}],
    "deduplicate": {"words": 0.8},
    "summarise": [{"tier": "long_term", "at_least": 5, "characters": 120}],
}


def _policies(out: Output, memory: Memory) -> None:
    """A plan of policies, which changes nothing."""
    from rich.rule import Rule
    from rich.text import Text

    started = time.perf_counter()
    plan = memory.plan(_POLICIES, user_id=USER)
    seconds = time.perf_counter() - started
    title = Text("What policies would do (a dry run)", style="bold")
    out.show("", Rule(title, align="left", style="cyan"), "")
    shown = {step.rule: step for step in plan.steps}
    for rule, step in shown.items():
        line = Text.assemble(
            (f"  {plan.by_rule[rule]:>3} × ", "bold"),
            (step.action, "green"),
            f" by {rule}: ",
            (step.reason, "dim"),
        )
        out.show(line)
    moved = "; ".join(f"{tier or 'no tier'} {a} → {b}" for tier, (a, b) in plan.tiers.items())
    out.show("", Text(f"  {len(plan)} steps for {plan.records} memories in {seconds * 1000:.0f} ms: {moved}"))


def _closing(out: Output, answers: list[_Answer], keep: str | None) -> None:
    if out.as_json:
        return
    from rich.rule import Rule
    from rich.text import Text

    median = statistics.median(answer.seconds for answer in answers) * 1000
    summary = (
        f"  {len(answers)} questions, median {median:.1f} ms from question to ranked, explained answers."
    )
    out.show("", Rule(style="cyan"), Text(summary), Text("  Try next:", style="dim"))
    if keep is None:
        examples: tuple[str, ...] = (
            "memwell demo --keep demo.db",
            'memwell remember "I take my tea without sugar" --user me',
        )
        examples += (
            'memwell recall "How do I like my tea?" --user me --explain',
            "memwell import chat.json --user me",
        )
    else:
        at = f"--url sqlite:///{quote(keep)} --user {USER}"
        examples = (f'memwell recall "Who waters the tomatoes?" {at} --explain', f"memwell list {at}")
        examples += (f"memwell stats {at}", f"memwell doctor --url sqlite:///{quote(keep)}")
    for line in examples:
        out.show(Text(f"    {line}", style="cyan", no_wrap=True, overflow="ignore"), soft_wrap=True)
    out.show("")
