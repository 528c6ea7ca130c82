"""`import`, `export`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import field
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from memwell import importers
from memwell._dataclasses import dataclass
from memwell.cli.failures import Code, complain
from memwell.cli.shared import Cli
from memwell.errors import InvalidInput
from memwell.fields import NARROWING
from memwell.importers import Found, Item, Skipped
from memwell.sync import Memory
from memwell.types import Progress

__all__ = ["Result", "export", "import_", "store"]

_HEAD: Final = 8192
_BATCH: Final = 300


@dataclass(kw_only=True)
class Result:
    """What became of one file."""

    file: str
    format: str = ""
    added: int = 0
    present: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def failed(self) -> list[Skipped]:
        """Items that should have been stored and could not."""
        return [one for one in self.skipped if not one.harmless]


def import_(
    cli: Cli,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, or - to read stdin.")],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="export, chat, markdown or text. Default: detected from the content.",
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", "-t", metavar="TEXT", help="A tag for all memories. May be repeated."),
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", metavar="TEXT", help="Category for all memories.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count, but store nothing.")] = False,
) -> None:
    """Import exports, chat transcripts, Markdown and plain text. Importing the same again adds nothing."""
    if format is not None and format not in importers.FORMATS:
        raise typer.BadParameter(f"--format is one of {', '.join(importers.FORMATS)}")
    options: dict[str, Any] = {**cli.owner, "tags": tag, "category": category}
    found = []
    with cli.memory(embeds=not dry_run) as memory, cli.out.progress("Importing") as progress:
        for name in files:
            with _opened(name) as lines:
                result = _one(memory, lines, name, format, options, progress, dry_run=dry_run)
            found.append(result)
            _print(cli, result, dry_run=dry_run)
    if any(result.failed for result in found):
        raise typer.Exit(Code.ERROR)


@contextmanager
def _opened(name: str) -> Iterator[TextIOWrapper]:
    if name == "-":
        stream = TextIOWrapper(sys.stdin.buffer, "utf-8-sig")
    else:
        try:
            stream = Path(name).open(encoding="utf-8-sig")  # noqa: SIM115  closed below
        except OSError as error:
            raise InvalidInput(f"{name}: {error.strerror}; give files to read, or - for stdin") from error
    try:
        yield stream
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name} is not UTF-8 text ({error.reason}); convert it first, for example with iconv"
        ) from error
    finally:
        stream.close()


def _one(
    memory: Memory,
    lines: TextIOWrapper,
    name: str,
    format: str | None,
    options: dict[str, Any],
    progress: Progress,
    *,
    dry_run: bool,
) -> Result:
    head: list[str] = []
    for line in lines:
        head.append(line)
        if sum(map(len, head)) >= _HEAD:
            break
    own = "" if name == "-" else Path(name).name
    format = format or importers.detect("".join(head), own)
    if format == "export":
        return _export_in(memory, chain(head, lines), name, progress, dry_run=dry_run)
    session = options.get("session_id") or Path(own).stem[:256] or "stdin"
    items = importers.read(chain(head, lines), format=format, name=own[:256], session=session)
    result = Result(file=name, format=format)
    if dry_run:
        for item in items:
            _count(result, item)
    else:
        store(memory, items, options, result, progress)
    return result


def store(
    memory: Memory, items: Iterable[Item], options: dict[str, Any], result: Result, progress: Progress
) -> None:
    """Store the items that are not there yet, some hundreds in a transaction."""
    owner = [options.get(name) for name in NARROWING]
    done, rest = 0, importers.identified(items, owner=owner, now=datetime.now(UTC))
    while batch := list(islice(rest, _BATCH)):
        result.skipped += [item for item in batch if isinstance(item, Skipped)]
        _store_batch(memory, [item for item in batch if isinstance(item, Found)], options, result)
        done += len(batch)
        progress(done, 0)


def _store_batch(memory: Memory, batch: list[Found], options: dict[str, Any], result: Result) -> None:
    if not batch:
        return
    ids = [item.memory.id for item in batch]
    page = memory.list(where={"id": {"$in": ids}}, limit=len(ids), tenant_id=options.get("tenant_id"))
    known = {record.id for record in page.records}
    fresh = [item for item in batch if item.memory.id not in known]
    result.present += len(batch) - len(fresh)
    try:
        result.added += len(memory.remember([item.memory for item in fresh], **options)) if fresh else 0
    except InvalidInput:
        for item in fresh:
            _store_one(memory, item, options, result)


def _store_one(memory: Memory, item: Found, options: dict[str, Any], result: Result) -> None:
    """Store one item of a batch that holds something beyond a limit."""
    try:
        memory.remember([item.memory], **options)
        result.added += 1
    except InvalidInput as error:
        result.skipped.append(Skipped(place=item.place, reason=error.message))


def _count(result: Result, item: Item) -> None:
    if isinstance(item, Skipped):
        result.skipped.append(item)
    else:
        result.added += 1


def _export_in(
    memory: Memory, lines: Iterable[str], name: str, progress: Progress, *, dry_run: bool
) -> Result:
    if dry_run:
        records = sum(line.startswith('{"record"') for line in lines)
        return Result(file=name, format="export", added=records)
    if name != "-":
        done = memory.import_(name, progress=progress)
    else:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", suffix=".jsonl") as file:
            file.writelines(lines)
            file.flush()
            done = memory.import_(file.name, progress=progress)
    return Result(file=name, format="export", added=done.added, present=done.present)


def _print(cli: Cli, result: Result, *, dry_run: bool) -> None:
    for one in result.failed:
        complain(f"{result.file}, {one.place}: {one.reason}")
    if cli.out.as_json:
        skipped = [{"place": s.place, "reason": s.reason, "harmless": s.harmless} for s in result.skipped]
        counts = {"added": result.added, "present": result.present, "skipped": skipped, "dry_run": dry_run}
        cli.out.json({"file": result.file, "format": result.format, **counts})
        return
    harmless = len(result.skipped) - len(result.failed)
    parts = [
        f"{result.added:,} {'found' if dry_run else 'added'}",
        f"{result.present:,} already stored" if result.present else "",
        f"{harmless:,} without text" if harmless else "",
        f"{len(result.failed):,} FAILED" if result.failed else "",
    ]
    cli.out.line(f"{result.file} ({result.format}): {', '.join(part for part in parts if part)}")


def export(
    cli: Cli,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write, or - for stdout.")],
    no_vectors: Annotated[
        bool,
        typer.Option("--no-vectors", help="Omit the vectors: smaller, but the import embeds again."),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write an encrypted memory as plain text, for everyone to read.")
    ] = False,
) -> None:
    """Write a backup: memories with history, relationships and vectors as checksummed JSON lines."""
    with cli.memory() as memory, cli.out.progress("Exporting") as progress:
        if file == "-":
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "export.jsonl")
                memory.export(path, vectors=not no_vectors, plain=plain, progress=progress, **cli.owner)
                with path.open(encoding="utf-8") as source:
                    shutil.copyfileobj(source, sys.stdout)
            return
        count = memory.export(file, vectors=not no_vectors, plain=plain, progress=progress, **cli.owner)
    if cli.out.as_json:
        cli.out.json({"file": file, "exported": count})
    else:
        cli.out.line(f"{file}: {count:,} {'memory' if count == 1 else 'memories'} exported")
