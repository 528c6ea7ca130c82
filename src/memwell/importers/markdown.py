"""Markdown: one memory per section, with the path of its headings.

markdown-it-py parses the blocks (CommonMark). Their text is taken from the source lines, so nothing is reformatted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from memwell._dataclasses import dataclass
from memwell.importers.items import BOUND, Found
from memwell.importers.moments import moment
from memwell.importers.plain import pieces
from memwell.types import NewMemory

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["read"]

_CODE: Final = frozenset({"fence", "code_block"})
_PAIR: Final = re.compile(r"([\w-]+):(?:[ \t]+(.*))?$")
_LIST: Final = re.compile(r"[ \t]*-[ \t]+(.*)$")
_DATES: Final = ("date", "created", "created_at")


def read(lines: Iterable[str], name: str) -> Iterator[Found]:
    """One memory per section: the path of its headings, an empty line, its text.

    Long sections are divided between paragraphs, never inside a code block. Front matter sets the time (`date`),
    `tags`, `category` and further metadata.
    """
    front, rest = _front_matter(iter(lines))
    last: _Section | None = None
    for section in _sections(rest, front.first):
        if last is not None and (last.blocks or section.level <= last.level):
            yield from _memories(last, front, name)
        last = section
    if last is not None:
        yield from _memories(last, front, name)


@dataclass
class _Front:
    first: int = 1
    """Number of the first line after it."""
    created_at: datetime | None = None
    tags: list[str] = field(default_factory=list)
    category: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, a list, a code block, …"""

    line: int
    """Number of its first line."""
    text: str
    code: bool = False
    """Whether it contains code and must not be divided."""
    tight: bool = False
    """Whether no empty line precedes it."""
    level: int = 0
    """1 to 6 for a heading, whose title is `text`; else 0."""


@dataclass
class _Section:
    path: tuple[str, ...]
    level: int
    line: int
    blocks: list[_Block] = field(default_factory=list)


def _memories(section: _Section, front: _Front, name: str) -> Iterator[Found]:
    heading = " > ".join(section.path)
    room = max(BOUND // 2, BOUND - len(heading))
    parts = list(_joined(section.blocks, room)) or ([(section.line, "")] if heading else [])
    for line, text in parts:
        metadata = {**front.metadata, **({"heading": heading} if heading else {})}
        memory = NewMemory(
            content="\n\n".join(x for x in (heading, text) if x),
            metadata=metadata or None,
            tags=front.tags or None,
            category=front.category,
            created_at=front.created_at,
            source=name or None,
        )
        yield Found(memory=memory, place=f"line {line}")


def _joined(blocks: Iterable[_Block], room: int) -> Iterator[tuple[int, str]]:
    """Consecutive blocks, joined while they fit into `room` characters. Long blocks without code are divided."""
    first, text = 0, ""
    for block in blocks:
        separator = "\n" if block.tight else "\n\n"
        for part in [block.text] if block.code else pieces(block.text, room):
            if text and len(text) + len(separator) + len(part) > room:
                yield first, text
                text = ""
            first = first if text else block.line
            text = f"{text}{separator}{part}" if text else part
            separator = "\n\n"
    if text:
        yield first, text


def _sections(lines: Iterator[str], first: int) -> Iterator[_Section]:
    section = _Section((), 0, first)
    path: list[tuple[int, str]] = []
    for block in _blocks(lines, first):
        if not block.level:
            section.blocks.append(block)
            continue
        if section.blocks or section.path:
            yield section
        path = [(depth, text) for depth, text in path if depth < block.level] + [(block.level, block.text)]
        section = _Section(tuple(text for _, text in path if text), block.level, block.line)
    yield section


def _blocks(lines: Iterator[str], first: int) -> Iterator[_Block]:
    """The blocks of a document; long lists as one block per item. `first` is the number of its first line."""
    from markdown_it import MarkdownIt

    source = [line.rstrip() for line in lines]
    # The parser also ends a line at a lone carriage return; the line numbers must stay ours.
    text = "\n".join(line.replace("\r", " ") for line in source)
    tokens = MarkdownIt("commonmark").disable("inline").parse(text)
    code = sorted(token.map[0] for token in tokens if token.type in _CODE and token.map)
    end = 0
    for at, start, stop in _ranges(tokens, source):
        yield from _plain(source, first, end, start)  # link definitions have no token
        end = max(end, stop)
        if tokens[at].type == "heading_open":
            title = " ".join(tokens[at + 1].content.split())
            yield _Block(first + start, title, level=int(tokens[at].tag[1:]))
            continue
        has_code = bisect_left(code, start) < bisect_left(code, stop)
        yield from _plain(source, first, start, stop, code=has_code)
    yield from _plain(source, first, end, len(source))


def _ranges(tokens: list[Token], source: list[str]) -> Iterator[tuple[int, int, int]]:
    """Index of the token, first line and end of each block at the top level, and of each item of a long list."""
    long = False
    for at, token in enumerate(tokens):
        if token.map is None or token.nesting < 0:
            continue
        start, stop = token.map
        if token.level == 0:
            size = sum(len(line) + 1 for line in source[start:stop])
            long = token.type in ("bullet_list_open", "ordered_list_open") and size > BOUND // 2
        if (token.level == 0 and not long) or (token.level == 1 and long and token.type == "list_item_open"):
            yield at, start, stop


def _plain(source: list[str], first: int, start: int, stop: int, *, code: bool = False) -> Iterator[_Block]:
    """The lines from `start` to before `stop` as a block, unless they are empty."""
    while start < stop and not source[start]:
        start += 1
    while start < stop and not source[stop - 1]:
        stop -= 1
    if start < stop:
        tight = start > 0 and bool(source[start - 1])
        yield _Block(first + start, "\n".join(source[start:stop]), code=code, tight=tight)


def _front_matter(lines: Iterator[str]) -> tuple[_Front, Iterator[str]]:
    """The front matter between `---` lines at the start, and the lines after it. Only plain `key: value` is read."""
    opening = next(lines, None)
    if opening is None or opening.lstrip("\ufeff").rstrip() != "---":
        return _Front(), iter(()) if opening is None else chain([opening.lstrip("\ufeff")], lines)
    head = [opening]
    for line in lines:
        head.append(line)
        if line.rstrip() in ("---", "..."):
            return _front(head[1:-1], len(head) + 1), lines
        if len(head) > 200:
            break
    return _Front(), chain(head, lines)


def _front(lines: list[str], first: int) -> _Front:
    values: dict[str, Any] = {}
    key = ""
    for line in lines:
        pair, item = _PAIR.match(line), _LIST.match(line)
        if pair:
            key = pair[1]
            values[key] = _value(pair[2] or "")
        elif item and key and not isinstance(values[key], str):
            values[key] = [*(values[key] or []), _unquoted(item[1])]
    front = _Front(first=first)
    for name, value in values.items():
        if name.lower() in _DATES and (when := moment(value)):
            front.created_at = when
        elif name.lower() in ("tags", "keywords"):
            front.tags = [str(tag) for tag in ([value] if isinstance(value, str) else value or []) if tag]
        elif name.lower() == "category" and isinstance(value, str):
            front.category = value
        elif value not in (None, [], ""):
            front.metadata[name] = value
    return front


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(part) for part in text[1:-1].split(",") if part.strip()]
    return _unquoted(text) or None


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
