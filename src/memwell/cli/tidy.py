"""`tidy`, and `policies check`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

import typer

from memwell.cli.output import Output, short
from memwell.cli.shared import Cli, Yes, ask
from memwell.errors import Unavailable
from memwell.policies import durations
from memwell.policies.loading import load
from memwell.policies.plans import Applied, Plan, Step
from memwell.sync import Memory

__all__ = ["COMMANDS", "HELP", "show_plan", "tidy"]

HELP: Final = "Policies: tiers, and the rules by which memories move, fade and leave."
_SHOWN: Final = 40
"""Steps shown in a terminal."""


def tidy(
    cli: Cli,
    policies: Annotated[
        str | None,
        typer.Option(
            "--policies",
            metavar="FILE",
            help="The policies, .toml, .yaml or .json. Default: MEMWELL_POLICIES.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")] = False,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="FILE", help="Write the plan to a file, and change nothing."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="FILE", help="Apply the plan in this file, instead of a new one."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="TIME", help="Go on, once in this time: 30m, 1h, 1d. Asks nothing."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Plan what the policies ask for, show it, and do it. Asks before it forgets memories."""
    pause = None if every is None else _seconds(every)
    chosen = policies if policies is not None else cli.settings.policies
    if plan is None and not chosen:
        raise typer.BadParameter("give --policies FILE, or set MEMWELL_POLICIES")
    if plan is not None and (policies is not None or every is not None or save is not None):
        raise typer.BadParameter("--plan applies one stored plan; it goes with --dry-run and --yes only")
    rules = None if plan is not None else load(chosen or "")
    with cli.memory(embeds=True) as memory:
        while True:
            found = Plan.load(plan) if plan is not None else memory.plan(rules, **cli.owner)
            if save is not None:
                found.save(save)
            _run(
                cli,
                memory,
                found,
                only_shown=dry_run or save is not None,
                ask_first=not yes and pause is None,
            )
            if pause is None:
                return
            time.sleep(pause)


def _run(cli: Cli, memory: Memory, plan: Plan, *, only_shown: bool, ask_first: bool) -> None:
    show_plan(cli.out, plan)
    if only_shown or not plan:
        return
    forgets = plan.by_action.get("forget", 0)
    if forgets and ask_first:
        ask(f"Forget {forgets:,} memories for good?")
    try:
        with cli.out.progress("Tidying") as progress:
            done = memory.apply(plan, progress=progress)
    except Unavailable as error:
        if ask_first or "another process" not in error.message:
            raise
        cli.out.hint(error.message)
        return
    _show_done(cli.out, done)


def _seconds(text: str) -> float:
    try:
        found = durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(f"--every {error}") from error
    if found < 1:
        raise typer.BadParameter("--every is at least 1s")
    return found


def show_plan(out: Output, plan: Plan) -> None:
    """The steps as a table, and a summary. With JSON, one line for each step and one for the whole."""
    if out.as_json:
        for step in plan.steps:
            out.json(step.to_dict())
        counts = plan.to_dict() | {"steps": len(plan)}
        out.json({"plan": counts})
        return
    steps = islice(plan.steps, _SHOWN) if out.fancy else iter(plan.steps)
    if plan:
        rows = _narrow(steps) if out.fancy else _rows(steps)
        out.table(("step", "memory", "change, and why"), rows, wide="change, and why")
    if out.fancy and len(plan) > _SHOWN:
        out.line(f"… and {len(plan) - _SHOWN:,} more steps; in a pipe all are written\n")
    _totals(out, plan)


def _rows(steps: Iterator[Step]) -> Iterator[Sequence[object]]:
    for step in steps:
        yield step.action, short(step.id), _change(step), step.rule, step.reason


def _narrow(steps: Iterator[Step]) -> Iterator[Sequence[object]]:
    """For a terminal: rule and reason on a line of their own."""
    for step in steps:
        yield step.action, short(step.id), f"{_change(step)}\n{step.rule}: {step.reason}"


def _change(step: Step) -> str:
    """What a step changes, in words."""
    if step.action == "forget":
        merged = f"merged into {short(next(iter(step.requires)))}" if step.requires else "forgotten"
        return f"{step.before.get('tier') or 'no tier'} → {merged}"
    if step.action == "summarise":
        return f"{len(step.requires):,} memories → {step.after['content']}"
    found = [_one(name, step.before.get(name), after) for name, after in step.after.items()]
    return ", ".join(found)


def _one(name: str, before: object, after: object) -> str:
    if name == "tier":
        return f"{before or 'no tier'} → {after}"
    if name == "expires_at":
        return f"expires {str(after)[:16]}" if after else "no expiry"
    return f"{name} {before} → {after}"


def _totals(out: Output, plan: Plan) -> None:
    if not out.fancy:
        return
    if not plan:
        out.line(f"Nothing to do for {plan.records:,} memories.")
        return
    out.table(
        ("tier", "now", "then"),
        [(tier or "no tier", f"{before:,}", f"{after:,}") for tier, (before, after) in plan.tiers.items()],
    )
    counts = ", ".join(f"{count:,} {action}" for action, count in sorted(plan.by_action.items()))
    out.line(f"{len(plan):,} steps for {plan.records:,} memories: {counts}.")


def _show_done(out: Output, done: Applied) -> None:
    if out.as_json:
        out.json({"applied": done.to_dict()})
        return
    parts = [f"{done.done:,} steps taken"]
    parts += [f"{done.already:,} taken before"] if done.already else []
    parts += [f"{len(done.refused):,} refused"] if done.refused else []
    parts += [f"{done.left:,} left"] if done.left else []
    out.line(f"{', '.join(parts)}.")
    for one in done.refused[:_SHOWN]:
        out.hint(f"{one.id} ({one.rule}): {one.reason}")


def check(
    cli: Cli,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A policies file, .toml, .yaml or .json.")],
) -> None:
    """Check a policies file: unknown keys, rules that never apply, and rules that overlap, each with its line."""
    found = load(file)
    if cli.out.as_json:
        cli.out.json(
            {"file": file, "tiers": [tier.name for tier in found.tiers], "rules": len([*found.rules()])}
        )
        return
    cli.out.line(f"{file}: {len(found.tiers)} tiers, {len([*found.rules()])} rules, nothing wrong.")


COMMANDS: Final[Sequence[tuple[str, Callable[..., None]]]] = (("check", check),)
