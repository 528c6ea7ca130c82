"""`keys`: the keys that encrypt a memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from memwell.cli.failures import Code
from memwell.cli.shared import Cli, Yes, ask
from memwell.security.keyring import VARIABLE, generate_key

__all__ = ["COMMANDS", "HELP", "generate", "rotate", "shred", "status"]

HELP: Final = "Make, rotate, show and destroy the keys that encrypt memories."


def generate(cli: Cli) -> None:
    """Print a new master key. Keep it where the backups of the store are not."""
    key = generate_key()
    if cli.out.as_json:
        cli.out.json({"key": key})
        return
    cli.out.line(key)
    cli.out.note(f"Set {VARIABLE} to it; without it nothing that was encrypted can be read.")


def rotate(cli: Cli) -> None:
    """Wrap the keys of every tenant by the first key in MEMWELL_ENCRYPTION_KEY ("new,old").

    Others can read and write meanwhile. If it is interrupted, the same command continues it.
    """
    with cli.memory() as memory, cli.out.progress("Rotating") as progress:
        done = memory.rotate_keys(progress=progress)
    if cli.out.as_json:
        cli.out.json(done.to_dict())
        return
    cli.out.line(f"{done.rewrapped:,} of {done.tenants:,} tenants are now wrapped by key {done.first}.")
    cli.out.note("The other keys are not needed any more, except for older backups and exports.")


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
    ("rotate", rotate),
    ("status", status),
    ("shred", shred),
)
