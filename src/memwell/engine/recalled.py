"""What an instance has recalled lately: what is remembered again may be an echo of it (see `echoes`)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, TypeAlias

from memwell.fields import SCOPE
from memwell.retrieval.analysis.text import fold
from memwell.types import Record, Scope

__all__ = ["Recalled", "owner_of"]

_OWNERS: Final = 256
_EACH: Final = 40
"""Memories of one owner that count as recalled lately."""
_LONG: Final = 20_000
"""Characters up to which recalled texts are noted."""
_Owner: TypeAlias = tuple[str | None, ...]
owner_of: Final[Callable[[Scope], _Owner]] = attrgetter(*(name for name in SCOPE if name != "session_id"))
"""A scope without its session."""


class Recalled:
    """What was recalled lately, by owner."""

    def __init__(self) -> None:
        self._by_owner: OrderedDict[_Owner, _Seen] = OrderedDict()

    def note(self, records: Iterable[Record]) -> None:
        """These were given to the caller."""
        scope, seen = None, _Seen()
        for record in records:
            if len(record.content) > _LONG:
                continue
            if record.scope is not scope:  # records of one owner mostly share it
                scope = record.scope
                seen = self._of(owner_of(scope))
            seen.add(record)

    def _of(self, owner: _Owner) -> _Seen:
        seen = self._by_owner.get(owner)
        if seen is None:
            seen = self._by_owner[owner] = _Seen()
            while len(self._by_owner) > _OWNERS:
                _drop_oldest(self._by_owner)
        return seen

    def drop(self, ids: Iterable[str]) -> None:
        """Keep nothing of these records, which were forgotten."""
        gone = set(ids)
        for seen in [*self._by_owner.values()]:
            seen.drop(gone)

    def knows(self, scope: Scope) -> bool:
        """Whether anything of the same owner was recalled."""
        return bool(self._by_owner) and owner_of(scope) in self._by_owner

    def like(self, scope: Scope, text: str) -> list[str]:
        """The ids of those of the same owner that contain its longest words, or other forms of them."""
        seen = self._by_owner.get(owner_of(scope))
        return [] if seen is None or len(text) > 2 * _LONG else seen.like(text)


class _Seen:
    """What was recalled of one owner lately, oldest first."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: OrderedDict[str, _Text] = OrderedDict()

    def add(self, record: Record) -> None:
        texts, id, content = self._texts, record.id, record.content
        known = texts.pop(id, None)
        texts[id] = _Text(content) if known is None or known.content != content else known
        while len(texts) > _EACH:
            _drop_oldest(texts)

    def drop(self, ids: Iterable[str]) -> None:
        for id in ids:
            self._texts.pop(id, None)

    def like(self, text: str) -> list[str]:
        from memwell.retrieval.analysis.rewording import roots

        found = [*self._texts.items()]
        for root in roots(text):
            found = [entry for entry in found if root in entry[1].folded()]
            if not found:
                break
        return [id for id, _ in found]


class _Text:
    """A content, folded when it is first compared."""

    __slots__ = ("_folded", "content")

    def __init__(self, content: str) -> None:
        self.content = content
        self._folded: str | None = None

    def folded(self) -> str:
        if self._folded is None:
            self._folded = fold(self.content)
        return self._folded


def _drop_oldest(entries: OrderedDict[Any, Any]) -> None:
    """Remove the oldest entry in one step, since another thread may do the same."""
    try:  # noqa: SIM105  each recall removes as many as it finds, and `suppress` takes a microsecond
        entries.popitem(last=False)
    except KeyError:
        pass
