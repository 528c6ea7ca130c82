"""`keys`: the keys that encrypt a memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from memwell.cli.failures import Code
from memwell.cli.shared import Cli, Yes, ask
from memwell.security.keyring import VARIABLE, generate_key

__all__ = ["COMMANDS", "HELP", "encrypt", "generate", "rotate", "shred", "status"]

HELP: Final = "Make, use, rotate, show and destroy the keys that encrypt memories."


def generate(cli: Cli) -> None:
    """Print a new master key. Keep it where the backups of the store are not."""
    key = generate_key()
    if cli.out.as_json:
        cli.out.json({"key": key})
        return
    cli.out.line(key)
    cli.out.note(f"Set {VARIABLE} to it; without it nothing that was encrypted can be read.")


def rotate(
    cli: Cli,
    data: Annotated[
        bool, typer.Option("--data", help="Make new data keys, too, and encrypt all memories again by them.")
    ] = False,
) -> None:
    """Wrap the keys of every tenant by the first key in MEMWELL_ENCRYPTION_KEY ("new,old").

    Others can read and write meanwhile. If it is interrupted, the same command continues it.
    """
    with cli.memory() as memory, cli.out.progress("Rotating") as progress:
        done = memory.rotate_keys(data=data, progress=progress)
    if cli.out.as_json:
        cli.out.json(done.to_dict())
        return
    cli.out.line(f"{done.rewrapped:,} of {done.tenants:,} tenants are now wrapped by key {done.first}.")
    if data:
        cli.out.line(f"{done.rewritten:,} memories were encrypted again.")
    if done.kept:
        cli.out.note(
            f"{done.kept:,} tenants keep older data keys until no process uses them: repeat this in a minute."
        )
    cli.out.note("The other keys are not needed any more, except for older backups and exports.")


def encrypt(cli: Cli) -> None:
    """Encrypt memories that were stored without encryption, by the first key in MEMWELL_ENCRYPTION_KEY.

    Those who have the key can read and write meanwhile. If it is interrupted, the same command continues it.
    """
    with cli.memory() as memory, cli.out.progress("Encrypting") as progress:
        done = memory.encrypt(progress=progress)
    if cli.out.as_json:
        cli.out.json(done.to_dict())
        return
    cli.out.line(f"{done.memories:,} memories of {done.tenants:,} tenants were encrypted.")
    for trace in done.traces:
        cli.out.line(f"{trace.place}: {trace.state} {trace.detail}".rstrip())
    if done.unreadable:
        cli.out.note(f"{done.unreadable:,} memories cannot be decrypted; run `memwell doctor`.")
        raise typer.Exit(Code.PROBLEMS)


def status(cli: Cli) -> None:
    """Show the master keys in use, and how many tenants each serves."""
    with cli.memory() as memory:
        found = memory.key_status()
    if cli.out.as_json:
        cli.out.json({**found.to_dict(), "rotated": found.rotated})
    else:
        rows = [(id, "first" if id == found.first else "", count) for id, count in found.masters.items()]
        cli.out.table(("master key", "", "tenants"), rows, wide="master key")
        gone = f", {found.destroyed:,} destroyed" if found.destroyed else ""
        cli.out.line(f"{found.tenants:,} tenants have keys{gone}.")
    if not found.rotated:
        cli.out.note("Run `memwell keys rotate`.")
        raise typer.Exit(Code.PROBLEMS)


def shred(
    cli: Cli,
    shredded: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant whose keys are destroyed.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the receipt.")],
    yes: Yes = False,
) -> None:
    """Destroy the keys of a tenant for good, remove its memories, and print a receipt."""
    if not yes:
        ask(f"Destroy the keys and all memories of tenant {shredded!r}? Nobody can read them again.")
    with cli.memory() as memory:
        receipt = memory.shred(shredded, reason=reason)
    typer.echo(receipt.to_json(), nl=False)


COMMANDS: Final[tuple[tuple[str, Callable[..., None]], ...]] = (
    ("generate", generate),
    ("encrypt", encrypt),
    ("rotate", rotate),
    ("status", status),
    ("shred", shred),
)
