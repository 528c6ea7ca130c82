"""Which memories leave a tier of which its owner has too much. Pure, in 16 to 32 bytes a memory.

Memories are noted one after another. `settle` then finds for each owner and tier how many have to leave, and `leaves`,
asked about each memory again in the same order, says which.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.policies.model import Evict, Policies, Tier

__all__ = ["Keys", "Limits", "keys_of"]

Keys: TypeAlias = tuple[int, ...]
"""Of one memory, the place in each order of eviction in use: the lowest leave first."""
_KINDS: Final[Mapping[Evict, int]] = {"least_recently_used": 0, "lowest_score": 1, "oldest": 2}
_TIE: Final = 20
"""Bits by which memories of the same moment or score are kept apart."""


def keys_of(id: str, last_used: float, score: Callable[[], float] | None, created: float) -> Keys:
    """The keys of a memory: times in seconds since 1970, a score of 0..1 where one is asked for."""
    tie = zlib.crc32(id.encode()) & (1 << _TIE) - 1
    points = int(score() * 2**40) if score is not None else 0
    return tuple(amount << _TIE | tie for amount in (int(last_used * 1000), points, int(created * 1000)))


@dataclass(slots=True)
class _Group:
    """What one owner has in one tier: the keys of its memories and their sizes."""

    keys: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("I"))


@dataclass(slots=True)
class _Cut:
    """The key up to which memories leave, and how many of those that have exactly this key."""

    key: int
    equal: int


class Limits:
    """The limited tiers of a set of policies."""

    def __init__(self, policies: Policies) -> None:
        self._tiers = {tier.name: tier for tier in policies.tiers if tier.limited}
        self._order = [tier for tier in policies.tiers if tier.limited]
        self._after = {tier.name: policies.after(tier.name) for tier in policies.tiers}
        self._groups: dict[tuple[str | None, str], _Group] = {}
        self._cuts: dict[tuple[str | None, str], _Cut] = {}

    @property
    def any(self) -> bool:
        """Whether a tier is limited."""
        return bool(self._tiers)

    @property
    def needs_score(self) -> bool:
        """Whether memories leave by their score."""
        return any(tier.evict == "lowest_score" for tier in self._order)

    def note(self, user_id: str | None, tier: str | None, keys: Keys, size: int) -> None:
        """Count a memory: its keys, and its text in bytes."""
        if tier not in self._tiers:
            return
        group = self._groups.setdefault((user_id, tier), _Group())
        group.keys.extend(keys)
        group.sizes.append(size)

    def settle(self) -> None:
        """Find out how many have to leave, tier by tier: what leaves one may fill the next."""
        users = list(dict.fromkeys(user for user, _ in self._groups))
        for user in users:
            for tier in self._order:
                group = self._groups.pop((user, tier.name), None)
                if group is not None:
                    self._cut(user, tier, group)
        self._groups.clear()

    def leaves(self, user_id: str | None, tier: str | None, keys: Keys) -> Tier | None:
        """The tier that a memory has to leave, if it is one of those."""
        limited = self._tiers.get(tier or "")
        cut = self._cuts.get((user_id, tier or ""))
        if limited is None or cut is None:
            return None
        key = keys[_KINDS[limited.evict]]
        if key == cut.key and cut.equal > 0:
            cut.equal -= 1
            return limited
        return limited if key < cut.key else None

    def next(self, tier: Tier) -> str | None:
        """Where those go that leave a tier; `None`: they are forgotten."""
        after = self._after[tier.name]
        return after.name if tier.overflow == "next" and after is not None else None

    def _cut(self, user: str | None, tier: Tier, group: _Group) -> None:
        gone = _too_many(tier, group)
        if not gone:
            return
        keys = group.keys[_KINDS[tier.evict] :: len(_KINDS)]
        last = keys[gone[-1]]
        self._cuts[user, tier.name] = _Cut(last, sum(keys[place] == last for place in gone))
        target = self.next(tier)
        if target in self._tiers:
            wide = len(_KINDS)
            for place in gone:
                self.note(
                    user, target, tuple(group.keys[place * wide : (place + 1) * wide]), group.sizes[place]
                )


def _too_many(tier: Tier, group: _Group) -> Sequence[int]:
    """The places of those that have to leave, in the order in which they leave."""
    count, size, tokens = len(group.sizes), sum(group.sizes), sum(map(_tokens, group.sizes))
    if not _over(tier, count, size, tokens):
        return ()
    keys = group.keys[_KINDS[tier.evict] :: len(_KINDS)]
    gone = []
    for place in sorted(range(count), key=keys.__getitem__):
        if not _over(tier, count, size, tokens):
            break
        gone.append(place)
        count, size = count - 1, size - group.sizes[place]
        tokens -= _tokens(group.sizes[place])
    return gone


def _over(tier: Tier, count: int, size: int, tokens: int) -> bool:
    return (
        (tier.capacity is not None and count > tier.capacity)
        or (tier.bytes is not None and size > tier.bytes)
        or (tier.tokens is not None and tokens > tier.tokens)
    )


def _tokens(size: int) -> int:
    """Tokens of a text with this number of bytes, four each."""
    return -(-size // 4)
