"""Messages that wait for another attempt, and dead letters: two streams of a log for each endpoint.

An entry holds the change and not what the memory says, so that what is erased stays nowhere. An entry is appended
before the one that it replaces is removed. So one change may have several entries, of which the one with the most
attempts counts, and none is lost when a process dies.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.followers.delivery.messages import Key
from memwell.ports import Change, Log
from memwell.values import Value

__all__ = ["DeadLetter", "Queue", "Waiting"]

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Value):
    """A message that was given up."""

    seq: int
    """The position of its change."""
    kind: Literal["put", "delete"]
    tenant_id: str
    user_id: str | None
    id: str
    """The memory."""
    attempts: int = 0
    """How often it was sent. One that was never sent stands behind another of the same memory."""
    next_at: datetime
    """When it is due; of a dead letter, when it was given up."""
    reason: str = ""
    """Why the last attempt failed."""

    @property
    def key(self) -> Key:
        """Tenant and id of the memory."""
        return self.tenant_id, self.id

    @property
    def change(self) -> Change:
        """The change."""
        return Change(
            seq=self.seq, kind=self.kind, tenant_id=self.tenant_id, user_id=self.user_id, id=self.id
        )


Waiting = DeadLetter


class Queue:
    """One stream of letters, by the position of their change."""

    def __init__(self, log: Log, stream: str) -> None:
        self.letters: dict[int, DeadLetter] = {}
        """What was there when it was last read, and was put since."""
        self._log, self._stream = log, stream
        self._positions: dict[int, list[str]] = {}

    @property
    def keys(self) -> set[Key]:
        """The memories that letters are about."""
        return {letter.key for letter in self.letters.values()}

    def groups(self) -> list[list[DeadLetter]]:
        """The letters of each memory, in the order of their changes."""
        found: dict[Key, list[DeadLetter]] = {}
        for _, letter in sorted(self.letters.items()):
            found.setdefault(letter.key, []).append(letter)
        return list(found.values())

    async def read(self) -> None:
        """Read the stream."""
        self.letters, self._positions = {}, {}
        after: str | None = None
        while page := await self._log.read(self._stream, after=after, limit=_PAGE):
            for entry in page:
                letter = _letter(entry.data)
                self._positions.setdefault(letter.seq, []).append(entry.position)
                known = self.letters.get(letter.seq)
                if known is None or known.attempts <= letter.attempts:
                    self.letters[letter.seq] = letter
            after = page[-1].position

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Add letters, in place of those of the same changes."""
        if not letters:
            return
        positions = await self._log.append(self._stream, [_bytes(letter) for letter in letters])
        before = [old for letter in letters for old in self._positions.get(letter.seq, ())]
        for letter, position in zip(letters, positions, strict=True):
            self.letters[letter.seq] = letter
            self._positions[letter.seq] = [position]
        await self._log.remove(self._stream, before)

    async def remove(self, seqs: Collection[int]) -> None:
        """Remove the letters of these changes, where there are any."""
        positions = [position for seq in seqs for position in self._positions.pop(seq, ())]
        for seq in seqs:
            self.letters.pop(seq, None)
        await self._log.remove(self._stream, positions)

    async def clear(self) -> None:
        """Remove all."""
        await self._log.trim(self._stream)


def again(letter: DeadLetter, now: datetime) -> DeadLetter:
    """The letter as one that was not sent yet."""
    return replace(letter, attempts=0, next_at=now, reason="")


def _bytes(letter: DeadLetter) -> bytes:
    body: dict[str, Any] = {name: getattr(letter, name) for name in DeadLetter.__dataclass_fields__}
    return json.dumps({**body, "next_at": letter.next_at.isoformat()}).encode()


def _letter(data: bytes) -> DeadLetter:
    try:
        body = json.loads(data)
        return DeadLetter(**{**body, "next_at": datetime.fromisoformat(body["next_at"])})
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"a message that waits for a webhook is damaged: {error}") from error
