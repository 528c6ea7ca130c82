"""`erase`, `receipt` and `audit`: removal with a receipt, and the log of every call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from memwell.cli.failures import Code
from memwell.cli.output import when
from memwell.cli.shared import Cli, Where, Yes, ask
from memwell.errors import InvalidInput
from memwell.security.receipts import Receipt
from memwell.security.receipts import verify as verified
from memwell.security.signing import new_key, open_key

__all__ = ["AUDIT", "AUDIT_HELP", "RECEIPT", "RECEIPT_HELP", "erase"]

RECEIPT_HELP: Final = "Verify, list and complete receipts of what was erased, and make keys to sign them."
AUDIT_HELP: Final = "Show and verify the audit log (MEMWELL_AUDIT)."

_Key = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="The key to verify by, instead of MEMWELL_RECEIPT_KEY."),
]
_File = Annotated[str, typer.Argument(metavar="FILE", help="The file, or - for stdin.")]


def erase(
    cli: Cli,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the receipt.")],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or parts that only they have.")
    ] = None,
    where: Where = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All memories of the owner given; without an owner, of the whole tenant."),
    ] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Also remove details from the audit log that name the memories.")
    ] = False,
    receipt: Annotated[
        str | None, typer.Option("--receipt", metavar="FILE", help="Write the receipt to a new file.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Remove memories from every place, read each place back, and give a signed receipt. Asks first.

    The key of MEMWELL_RECEIPT_KEY signs it. With --json the receipt itself is written to stdout.
    """
    if bool(ids) + (where is not None or everything) != 1:
        raise typer.BadParameter("name ids, or --where or --all")
    if receipt is not None and Path(receipt).exists():
        raise InvalidInput(f"{receipt} exists already; name a new file for the receipt")
    chosen = cli.filter(where)
    with cli.memory(embeds=True) as memory:
        found = [cli.find(memory, id) for id in ids] if ids else None
        count = len(found) if found else memory.count(where=chosen, **cli.owner)
        if not yes:
            ask(f"Erase {count:,} memories from every place? They cannot be brought back.")
        with cli.out.progress("Erasing") as progress:
            done = memory.erase(
                found,
                reason=reason,
                where=chosen,
                everything=everything,
                audit=audit,
                progress=progress,
                **cli.owner,
            )
    if receipt is not None:
        Path(receipt).write_text(done.to_json(), "utf-8")
    _print(cli, done)
    if not done.complete:
        cli.out.note("Run `memwell receipt complete` when these places can be reached.")
        raise typer.Exit(Code.PROBLEMS)


def verify_receipt(cli: Cli, file: _File, key: _Key = None) -> None:
    """Check that a receipt was not changed since it was signed, and show it."""
    receipt = verified(_read(file), open_key(key or cli.settings.receipt_key))
    _print(cli, receipt)
    signature = receipt.signature
    if cli.out.as_json or signature is None:
        return
    if not receipt.is_signed:
        cli.out.note(
            "It was not changed by accident; but it is not signed, so that anybody can have made it."
        )
    elif key or cli.settings.receipt_key:
        cli.out.note(f"It is genuine: signed by the given key ({signature.algorithm} {signature.key[:16]}…).")
    else:
        cli.out.note(f"It is signed by the ed25519 key {signature.key}; compare it, or pass it by --key.")


def list_receipts(
    cli: Cli,
    pending: Annotated[bool, typer.Option("--pending", help="Only those that are not complete.")] = False,
) -> None:
    """List the receipts that were given."""
    with cli.memory() as memory:
        found = memory.receipts(pending=pending, **cli.owner)
    if cli.out.as_json:
        cli.out.json([receipt.to_dict() for receipt in found])
        return
    rows = [
        (one.id, when(one.begun_at, cli.out.zone), one.action, len(one.records), _state(one), one.reason)
        for one in found
    ]
    cli.out.table(("receipt", "begun", "action", "memories", "state", "reason"), rows, wide="reason")


def complete_receipts(cli: Cli) -> None:
    """Try again what could not be erased at first, also for a process that died in the middle."""
    with cli.memory(embeds=True) as memory:
        done = memory.complete_receipts(**cli.owner)
    for receipt in done:
        _print(cli, receipt)
    if not done:
        cli.out.note("No receipt is pending.")
    if not all(receipt.complete for receipt in done):
        raise typer.Exit(Code.PROBLEMS)


def make_key(
    cli: Cli,
    hmac: Annotated[bool, typer.Option("--hmac", help="A shared secret, which needs no package.")] = False,
) -> None:
    """Print a new key for MEMWELL_RECEIPT_KEY, and the public key that verifies."""
    made = new_key("hmac" if hmac else "ed25519")
    opened = open_key(made)
    public = None if hmac or opened is None else f"ed25519-public:{opened.name}"
    if cli.out.as_json:
        cli.out.json({"key": made, "public": public})
        return
    cli.out.line(made)
    if public is not None:
        cli.out.note(f"Give {public} to those who verify.")


def list_audit(
    cli: Cli,
    actor: Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who did it.")] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="A memory that is named.")] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="NAME", help="Such as remember or forget.")
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="ID", help="The correlation id of a request.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="WHEN", help="From then on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Until then.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 100,
) -> None:
    """Show the newest entries of the audit log that match."""
    with cli.memory() as memory:
        found = memory.audit_log(
            actor=actor, id=id, operation=operation, correlation_id=request, since=since, until=until, limit=limit,
            **cli.owner,
        )  # fmt: skip
    if cli.out.as_json:
        cli.out.json([entry.to_dict() for entry in found])
        return
    heads = ("number", "at", "operation", "outcome", "actor", "request", "memories")
    rows = [
        (
            e.number,
            when(e.at, cli.out.zone),
            e.operation,
            e.outcome,
            e.actor,
            e.correlation_id,
            ", ".join(e.ids),
        )
        for e in found
    ]
    cli.out.table(heads, rows, wide="memories")


def verify_audit(
    cli: Cli,
    head: Annotated[
        str | None, typer.Option("--head", metavar="FILE", help="A head that was kept apart from the log.")
    ] = None,
) -> None:
    """Check every entry of the audit log and the chain of hashes; with a head, also that nothing was cut off."""
    text = None if head is None else _read(head).decode("utf-8", "replace")
    with cli.memory() as memory:
        report = memory.verify_audit(head=text)
    if cli.out.as_json:
        cli.out.json(report.to_dict())
    else:
        if report.problems:
            cli.out.table(("problem", "detail"), [(p.kind, p.detail) for p in report.problems], wide="detail")
        state = "No problems" if report.ok else f"{len(report.problems):,} problems"
        cli.out.line(f"{state}: {report.checked:,} entries checked.")
        if head is None:
            cli.out.note("Pass --head FILE to notice too that the newest entries were cut off.")
    if not report.ok:
        raise typer.Exit(Code.PROBLEMS)


def audit_head(cli: Cli) -> None:
    """Print the signed head of the audit log. Keep it apart from the log, for `memwell audit verify --head`."""
    with cli.memory() as memory:
        head = memory.audit_head()
    typer.echo(head.to_json(), nl=False)


def _print(cli: Cli, receipt: Receipt) -> None:
    if cli.out.as_json:
        typer.echo(receipt.to_json(), nl=False)
        return
    cli.out.table(
        ("place", "state", "detail"), [(t.place, t.state, t.detail) for t in receipt.traces], wide="detail"
    )
    signed = "signed" if receipt.is_signed else "not signed"
    cli.out.line(f"Receipt {receipt.id}: {len(receipt.records):,} memories, {_state(receipt)}, {signed}.")


def _state(receipt: Receipt) -> str:
    return "complete" if receipt.complete else f"{len(receipt.pending)} places pending"


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}") from error


RECEIPT: Final[tuple[tuple[str, Callable[..., None]], ...]] = (
    ("verify", verify_receipt),
    ("list", list_receipts),
    ("complete", complete_receipts),
    ("key", make_key),
)
AUDIT: Final[tuple[tuple[str, Callable[..., None]], ...]] = (
    ("list", list_audit),
    ("verify", verify_audit),
    ("head", audit_head),
)
