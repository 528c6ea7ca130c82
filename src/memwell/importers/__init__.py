"""Reads memories from files of other formats. Text in, `Found` and `Skipped` out; nothing is stored here.

=========== ==================================================================================================
 format      content
=========== ==================================================================================================
 `export`    an export of memwell itself; read by `Memory.import_`, not by this package
 `chat`      transcripts as JSON or JSONL: `{role, content}` messages, `{"messages": […]}`, exports of ChatGPT
             (`mapping`), sessions of speakers (`session_1`, `session_1_date_time`), notes as `{content, …}`
 `markdown`  sections with their headings, undivided code blocks, front matter
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
    """The format of a text, detected from its first few thousand characters and the suffix of its name."""
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
    """The memories in a text, given as lines. What cannot be read is reported as `Skipped`, with its place.

    `name`, such as that of the file, becomes the source. `session` applies to chats that do not name one. Raises
    `InvalidInput` for an unknown format.
    """
    if format == "chat":
        return chats.read(lines, name, session)
    if format == "markdown":
        return markdown.read(lines, name)
    if format == "text":
        return plain.read(lines, name)
    raise InvalidInput(f"unknown format {format!r}; use {', '.join(FORMATS[1:])}")
