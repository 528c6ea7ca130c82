"""`webhooks`: deliver what is stored and forgotten to other systems."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer

from memwell.cli.failures import Code
from memwell.cli.output import short, when
from memwell.cli.shared import Cli
from memwell.followers.delivery.endpoints import WebhookStatus
from memwell.policies import durations

__all__ = ["COMMANDS", "HELP", "add", "dead", "deliver", "list_", "remove", "replay", "test"]

HELP: Final = "Webhooks: deliver what is stored and forgotten to other systems."

Webhook = Annotated[str, typer.Argument(metavar="ID", help="The webhook, as `webhooks list` shows it.")]


def add(
    cli: Cli,
    target: Annotated[
        str, typer.Argument(metavar="URL", help="An https:// URL, or that of a log such as redis://host.")
    ],
    secret: Annotated[
        str | None, typer.Option("--secret", help="whsec_ and 24 to 64 bytes in base64. Default: a new one.")
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="Send whole memories, not only which ones they are.")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Allow http:// and addresses of private networks.")
    ] = False,
) -> None:
    """Add a webhook: every change from now on is delivered to it. Prints the secret that signs, this once."""
    with cli.memory() as memory:
        found = memory.add_webhook(target, secret=secret, records=records, allow_private=allow_private)
    if cli.out.as_json:
        cli.out.json(found.to_dict() | {"secret": found.secret or None})
        return
    cli.out.line(found.id)
    if found.secret:
        cli.out.line(found.secret)
    cli.out.note("Run `memwell webhooks deliver --every 5s`, on any machine that reaches the store.")


def list_(cli: Cli) -> None:
    """Show the webhooks, and what is pending, waiting and dead."""
    with cli.memory() as memory:
        _show(cli, memory.webhooks())


def remove(cli: Cli, id: Webhook) -> None:
    """Remove a webhook, with what waits for it."""
    with cli.memory() as memory:
        memory.remove_webhook(id)
    if cli.out.as_json:
        cli.out.json({"removed": id})


def test(cli: Cli, id: Webhook) -> None:
    """Send a message of the type memwell.test, and say whether it arrived."""
    with cli.memory() as memory:
        reason = memory.test_webhook(id)
    if cli.out.as_json:
        cli.out.json({"arrived": reason is None, "reason": reason})
    else:
        cli.out.line("It arrived." if reason is None else f"It did not arrive: {reason}")
    if reason is not None:
        raise typer.Exit(Code.PROBLEMS)


def dead(cli: Cli, id: Webhook) -> None:
    """Show the messages that were given up."""
    with cli.memory() as memory:
        letters = memory.dead_letters(id)
    if cli.out.as_json:
        for letter in letters:
            cli.out.json(letter.to_dict())
        return
    rows = [
        (one.seq, one.kind, short(one.id), one.attempts, when(one.next_at, cli.out.zone), one.reason)
        for one in letters
    ]
    cli.out.table(("change", "kind", "memory", "attempts", "given up", "why"), rows, wide="why")


def replay(cli: Cli, id: Webhook) -> None:
    """Let dead letters be delivered again, and deliver them. Enables a webhook that was disabled."""
    with cli.memory() as memory:
        count = memory.replay_webhook(id)
        found = memory.deliver(id)
    if not cli.out.as_json:
        cli.out.line(f"{count:,} dead letters wait to be delivered again.")
    _show(cli, found)


def deliver(
    cli: Cli,
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Only this webhook.")] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="TIME", help="Go on, once in this time: 5s, 1m.")
    ] = None,
) -> None:
    """Deliver what is due. Several processes may run it; one of them delivers at a time."""
    pause = None if every is None else _seconds(every)
    with cli.memory() as memory:
        while True:
            found = memory.deliver(id)
            if pause is None or any(one.delivered for one in found):
                _show(cli, found)
            if pause is None:
                return
            time.sleep(pause)


def _show(cli: Cli, found: Sequence[WebhookStatus]) -> None:
    if cli.out.as_json:
        for one in found:
            cli.out.json({name: value for name, value in one.to_dict().items() if name != "secret"})
        return
    rows: list[Sequence[Any]] = [
        (one.id, one.url, one.delivered, one.pending, one.waiting, one.dead, one.disabled or one.reason or "")
        for one in found
    ]
    heads = ("id", "url", "delivered", "pending", "waiting", "dead", "why")
    cli.out.table(heads, rows, wide="url")


def _seconds(text: str) -> float:
    try:
        found = durations.seconds(text)
    except ValueError as error:
        raise typer.BadParameter(f"--every {error}") from error
    if found < 1:
        raise typer.BadParameter("--every is at least 1s")
    return found


COMMANDS: Final[Sequence[tuple[str, Callable[..., None]]]] = (
    ("add", add),
    ("list", list_),
    ("remove", remove),
    ("test", test),
    ("deliver", deliver),
    ("dead", dead),
    ("replay", replay),
)
