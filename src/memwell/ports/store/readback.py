"""Reading back what should be gone: rows, versions, links and vectors of deleted records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from memwell.errors import MemwellError, NotFound
from memwell.ports.store.visibility import EVER
from memwell.types import Scope, Trace

if TYPE_CHECKING:
    from memwell.ports.store import Store

__all__ = ["traces"]

_BATCH: Final = 500


async def traces(store: Store, scope: Scope, ids: Sequence[str]) -> list[Trace]:
    """What the store still has of these ids, place by place. A record that is there was stored again since: the
    deletion was committed before.
    """
    try:
        here = {record.id for part in _parts(ids) for record in await store._get(scope, part, EVER)}
        gone = [id for id in ids if id not in here]
        found = {"rows": sorted(here)}
        if store.capabilities.history:
            found["history"] = sorted({id for id in gone if await _has_versions(store, scope, id)})
        if store.capabilities.links:
            found["links"] = sorted(
                {end for part in _parts(gone) for end in await _linked(store, scope, part)}
            )
        if store.capabilities.vectors:
            found["vectors"] = sorted(
                {id for part in _parts(gone) for id in await _embedded(store, scope, part)}
            )
    except MemwellError as error:
        return [Trace(place="store", state="pending", detail=f"could not be read back: {error}")]
    return [_trace(place, left) for place, left in found.items()]


def _trace(place: str, left: Sequence[str]) -> Trace:
    if not left:
        return Trace(place=place, state="gone")
    named = ", ".join(left[:5]) + (" …" if len(left) > 5 else "")
    if place == "rows":
        return Trace(place=place, state="returned", detail=f"stored again, or changed meanwhile: {named}")
    return Trace(place=place, state="pending", detail=f"still there: {named}")


async def _has_versions(store: Store, scope: Scope, id: str) -> bool:
    try:
        return bool(await store._history(scope, id, EVER))
    except NotFound:
        return False


async def _linked(store: Store, scope: Scope, ids: Sequence[str]) -> set[str]:
    pairs = [pair for incoming in (False, True) for pair in await store._links(scope, ids, incoming)]
    return {end for source, link in pairs for end in (source, link.target)} & set(ids)


async def _embedded(store: Store, scope: Scope, ids: Sequence[str]) -> set[str]:
    models = await store._embedding_models()
    return {id for model in models for id in await store._embeddings(scope, ids, model)}


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))
