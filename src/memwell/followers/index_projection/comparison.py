"""What a store and its index disagree about."""

from __future__ import annotations

from typing import Final

from memwell.followers.follower import BATCH, Follower
from memwell.followers.index_projection.points import alike, key_of, name_of
from memwell.followers.index_projection.projection import Projection
from memwell.types import Problem

__all__ = ["differences"]

_MISSING: Final = "missing from the index"
_EXTRA: Final = "only in the index"
_OTHER: Final = "the index holds another vector"


async def differences(projection: Projection, follower: Follower) -> list[Problem]:
    """Every point that is missing, superfluous, or different from its record. The index should be up to date.

    What differs is compared once more at the end: it may have been written meanwhile.
    """
    store, index, model = projection.store, projection.index, projection.model
    suspects: list[str] = []
    after: tuple[str, str] | None = None
    while rows := await store.embedded(model, after=after, limit=BATCH):
        keys = [(record.scope.tenant_id, record.id) for record, _ in rows]
        suspects += await _differing(projection, [name_of(*key) for key in keys])
        after = keys[-1]
    seen: str | None = None
    while names := await index.ids(after=seen, limit=BATCH):
        expected = await projection.expected(names)
        suspects += [name for name in names if name not in expected]
        seen = names[-1]
    if suspects:
        await follower.catch_up()
    found: dict[str, str] = {}
    for at in range(0, len(suspects), BATCH):
        found |= await _differing(projection, suspects[at : at + BATCH])
    return [Problem(kind="index", detail=found[name], id=key_of(name)[1]) for name in sorted(found)]


async def _differing(projection: Projection, names: list[str]) -> dict[str, str]:
    """Name → what is wrong with its point."""
    expected, stored = await projection.expected(names), await projection.index.vectors(names)
    wrong = dict.fromkeys(stored.keys() - expected.keys(), _EXTRA)
    for name, vector in expected.items():
        if name not in stored:
            wrong[name] = _MISSING
        elif not alike(stored[name], vector):
            wrong[name] = _OTHER
    return wrong
