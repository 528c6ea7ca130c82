"""From files of other kinds to memories. Pure: texts in, `Found` and `Skipped` out, nothing is stored here.

=========== ==================================================================================================
 format      what is read
=========== ==================================================================================================
 `export`    an export of memwell itself; `Memory.import_` reads it, not this package
 `chat`      transcripts as JSON or JSONL: `{role, content}` messages, `{"messages": […]}`, exports of ChatGPT
             (`mapping`), sessions of speakers (`session_1`, `session_1_date_time`), notes as `{content, …}`
 `markdown`  sections under their headings, code blocks kept whole, front matter
 `text`      paragraphs
=========== ==================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from memwell.errors import InvalidInput
from memwell.importers import chats, markdown, plain
from memwell.importers.items import Found, Item, Skipped, identified

__all__ = ["FORMATS", "Found", "Item", "Skipped", "detect", "identified", "read"]

FORMATS: Final = ("export", "chat", "markdown", "text")
_EXPORT: Final = re.compile(r'\s*\{\s*"memwell"\s*:\s*"export"')
_JSON: Final = re.compile(r'\s*(\{\s*("|\})|\[\s*(\{|\[|\]))')
_HEADING: Final = re.compile(r"^ {0,3}#{1,6} +\S", re.MULTILINE)
_FRONT: Final = re.compile(r"---[ \t]*\r?\n(?:.*\n)*?(?:---|\.\.\.)[ \t]*\r?\n")


def detect(head: str, name: str = "") -> str:
    """The format of a text by its first few thousand characters; its name decides between Markdown and plain text."""
    if _EXPORT.match(head):
        return "export"
    if _JSON.match(head):
        return "chat"
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("md", "markdown", "mdx"):
        return "markdown"
    if suffix in ("txt", "text", "log"):
        return "text"
    return "markdown" if _FRONT.match(head) or len(_HEADING.findall(head)) > 1 else "text"


def read(lines: Iterable[str], *, format: str, name: str = "", session: str | None = None) -> Iterator[Item]:
    """The memories in a text, given as its lines. What cannot be read is a `Skipped`, with its place.

    `name`, such as the file's, becomes the source; `session` holds for a chat that names none itself. Raises
    `InvalidInput` for another format.
    """
    if format == "chat":
        return chats.read(lines, name, session)
    if format == "markdown":
        return markdown.read(lines, name)
    if format == "text":
        return plain.read(lines, name)
    raise InvalidInput(f"cannot read the format {format!r} here; known: {', '.join(FORMATS[1:])}")
