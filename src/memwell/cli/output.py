"""Writing results: tables and colour in a terminal, tab-separated lines in a pipe, JSON with `--json`.

Only results go to stdout; notes, questions, progress and errors go to stderr.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from memwell.cli.failures import complain
from memwell.values import local

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from memwell.types import Progress

__all__ = ["Output", "flat", "printable", "short", "when"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, and characters that change the direction of text."""


def flat(text: str) -> str:
    """A text on one line, without tabs and control characters."""
    return " ".join(_CONTROL.sub(" ", text).split())


def printable(text: str) -> str:
    """A text without control characters except newlines and tabs, so that contents cannot control the terminal."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in "\n\t" else "\N{REPLACEMENT CHARACTER}", text)


def short(id: str) -> str:
    """The last characters of a long id, enough to use it on the command line."""
    return id if len(id) <= 12 else id[-8:]


def when(moment: datetime | None, zone: tzinfo = UTC) -> str:
    """A moment to the minute, in a time zone."""
    return "" if moment is None else f"{local(moment, zone):%Y-%m-%d %H:%M}"


class Output:
    """Stdout in one of three formats."""

    def __init__(self, *, as_json: bool, zone: tzinfo = UTC) -> None:
        self.as_json = as_json
        self.zone = zone
        """The time zone of what people read; JSON has UTC."""
        terminal = sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))
        self.fancy = terminal and not as_json
        self._console: Console | None = None
        self._advised = False

    @property
    def console(self) -> Console:
        """Rich's console on stdout."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(highlight=False, emoji=False)
        return self._console

    def json(self, value: Any) -> None:
        """One JSON document on one line."""
        import json

        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self.line(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))

    def line(self, text: str) -> None:
        """One line, unchanged."""
        sys.stdout.write(text + "\n")

    def cells(self, values: Iterable[object]) -> None:
        """One line of tab-separated values."""
        self.line("\t".join(flat(str(value)) if value is not None else "" for value in values))

    def show(self, *renderables: RenderableType, soft_wrap: bool = False) -> None:
        """Anything that rich can render."""
        for one in renderables:
            self.console.print(one, soft_wrap=soft_wrap)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]], *, wide: str = "") -> None:
        """Rows under headings; in a pipe without the headings. The column `wide` takes the remaining width."""
        if not self.fancy:
            for row in rows:
                self.cells(row)
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for head in heads:
            table.add_column(head, overflow="fold", ratio=1 if head == wide else None, no_wrap=head != wide)
        for row in rows:
            table.add_row(*[Text("" if value is None else printable(str(value))) for value in row])
        self.show(table)

    def pairs(self, values: Mapping[str, object]) -> None:
        """Names and values, one pair a line."""
        if not self.fancy:
            for name, value in values.items():
                self.cells((name, value))
            return
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in values.items():
            grid.add_row(name, Text("" if value is None else printable(str(value))))
        self.show(grid)

    def note(self, text: str) -> None:
        """A remark on stderr, only in a terminal, unless there was one: a call gives one line of advice."""
        if sys.stderr.isatty() and not self.as_json and not self._advised:
            self._advised = True
            sys.stderr.write(text + "\n")

    def hint(self, text: str) -> None:
        """A note on stderr that matters in a pipe, too."""
        self._advised = True
        complain(f"note: {text}")

    @contextmanager
    def progress(self, what: str, *, in_bytes: bool = False) -> Iterator[Progress]:
        """A progress bar on stderr; nothing if stderr is not a terminal."""
        if not sys.stderr.isatty():
            yield lambda _done, _total: None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        counted = DownloadColumn() if in_bytes else MofNCompleteColumn()
        columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total or None)
