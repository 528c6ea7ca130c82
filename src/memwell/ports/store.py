"""The `Store` port: whole records, kept durably. What is written to it is in `memwell.ports.operations`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from memwell.capabilities import Capabilities
from memwell.errors import BackendError
from memwell.ports.base import Port, guarded
from memwell.ports.operations import Embedding, Insert, Operation
from memwell.types import Link, Record, Report, Scope, Stats, Version, Where

if TYPE_CHECKING:
    from memwell.retrieval.search import Found, Search

__all__ = ["Change", "Store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the store's change sequence, which feeds indexes, caches and mirrors."""

    seq: int
    kind: Literal["put", "delete"]
    tenant_id: str
    user_id: str | None
    id: str


class Store(Port):
    """The truth: whole records, kept durably, found by id, by listing and by search."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this instance promises."""

    @guarded
    async def write(self, operations: Sequence[Operation], *, now: datetime) -> list[Any]:
        """Apply the operations in order in one transaction; one result each, as their classes say.

        When it returns, all are committed; when it raises, none is. An empty sequence does nothing.
        """
        return await self._write(operations, now) if operations else []

    @guarded
    async def get(self, scope: Scope, ids: Sequence[str], *, now: datetime) -> list[Record]:
        """The records with these ids that the scope sees and that have not expired, in the order asked,
        missing left out.
        """
        return self._inside(scope, await self._get(scope, ids, now)) if ids else []

    @guarded
    async def scan(
        self,
        scope: Scope,
        *,
        now: datetime,
        where: Where | None = None,
        order: str = "created_at",
        descending: bool = False,
        limit: int = 100,
        after: tuple[Any, str] | None = None,
    ) -> list[Record]:
        """Up to `limit` records ordered by (`order`, id), those after the position (value, id) if one is
        given.

        A record that exists throughout a walk over the pages and keeps its place in the order is met exactly
        once, whatever is written meanwhile. `order` is `created_at`, `updated_at`, `importance` or `id`.
        """
        return self._inside(scope, await self._scan(scope, now, where, order, descending, limit, after))

    @guarded
    async def count(self, scope: Scope, *, now: datetime, where: Where | None = None) -> int:
        """How many unexpired records the scope sees under the filter."""
        return await self._count(scope, now, where)

    @guarded
    async def duplicates(self, inserts: Sequence[Insert], *, now: datetime) -> list[bool]:
        """For each insert, whether it would only reinforce a stored record (so that no vectors are needed)."""
        return await self._duplicates(inserts, now)

    @guarded
    async def actors(self, scope: Scope) -> frozenset[str]:
        """Who recurs as the speaker of the scope's records (`memwell.retrieval.text.trusted_actors`); empty where that
        is unknown.
        """
        return await self._actors(scope)

    @guarded
    async def search(self, search: Search) -> Found:
        """Candidates for a recall with what the ranking needs to know of them; see `memwell.retrieval.search`.

        Raises `EmbeddingError` when the store serves vectors of another model than the one asked with (see
        `memwell.retrieval.search.check_model`).
        """
        return await self._search(search)

    @guarded
    async def history(self, scope: Scope, id: str, *, now: datetime) -> list[Version]:
        """Every version kept, oldest first, the current one last. Raises `NotFound` outside the scope."""
        return await self._history(scope, id, now)

    @guarded
    async def links(self, scope: Scope, ids: Sequence[str], *, incoming: bool) -> list[tuple[str, Link]]:
        """(source id, link) of the relationships that leave these records, or that point to them."""
        return await self._links(scope, ids, incoming)

    @guarded
    async def embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        """The stored vectors of these records under the model; those without are left out."""
        return await self._embeddings(scope, ids, model)

    @guarded
    async def unembedded(self, model: str, *, limit: int) -> list[Record]:
        """Records of any tenant that lack vectors of this model, oldest first."""
        return await self._unembedded(model, limit)

    @guarded
    async def embedded(
        self, model: str, *, after: tuple[str, str] | None = None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        """Records of any tenant with their vectors of this model, ordered by (tenant, id), after such a pair."""
        return await self._embedded(model, after, limit)

    @guarded
    async def position(self) -> int:
        """The end of the change sequence."""
        return await self._position()

    @guarded
    async def changes(self, after: int, *, limit: int) -> list[Change]:
        """The change sequence after a position. Raises `NotSupported` when that part was already trimmed, or when the
        store has lost writes: a position that was given once never means another change.
        """
        return await self._changes(after, limit)

    @guarded
    async def claim(self, follower: str, holder: str, *, seconds: float, now: datetime) -> int | None:
        """Take, or extend, for so long the sole right to feed a follower of the change sequence, such as a vector
        index; the position it has reached (0 for a new one), or `None` while somebody else has the right.

        The same holder may claim again. As of an earlier `now` rights have not ended yet that have by today: so it
        can be asked whether one was given back. Changes after the position of a known follower are not trimmed, within
        reason: whoever follows must be able to begin anew.
        """
        return await self._claim(follower, holder, seconds, now)

    @guarded
    async def advance(self, follower: str, holder: str, position: int, *, release: bool = False) -> bool:
        """Note that a follower has reached a position; with `release`, give the right back. Whether the holder still
        had it: otherwise nothing changes.
        """
        return await self._advance(follower, holder, position, release)

    @guarded
    async def embedding_models(self) -> list[str]:
        """The models that vectors are stored of, of whatever tenant, in the order of their names."""
        return sorted(await self._embedding_models())

    @guarded
    async def serving(self) -> str | None:
        """The model whose vectors searches use: that of the first vectors stored, until `serve`; when none of them are
        left, that of the next vectors stored. `None` where there are none of it.
        """
        return await self._serving()

    @guarded
    async def serve(self, model: str, *, lacking: int = 0) -> int:
        """Let searches use another model from now on, in one transaction, if at most `lacking` records (expired ones
        among them) have no vectors of it; how many have none (more than `lacking`: nothing has changed).

        Writes that come later may leave records without; `unembedded` tells them.
        """
        return await self._serve(model, lacking)

    @guarded
    async def drop_model(self, model: str) -> int:
        """Remove all vectors of a model; of how many records. Raises `InvalidInput` for the one that serves."""
        return await self._drop_model(model)

    @guarded
    async def sweep(self, now: datetime) -> int:
        """Remove expired records of every tenant; how many went."""
        return await self._sweep(now)

    @guarded
    async def stats(self, scope: Scope, *, now: datetime) -> Stats:
        """Counts inside the scope."""
        return await self._stats(scope, now)

    @guarded
    async def check(self, *, repair: bool = False) -> Report:
        """Compare every projection (words, vectors, links) with the rows; with `repair`, rebuild what
        differs.
        """
        return await self._check(repair)

    def _inside(self, scope: Scope, records: list[Record]) -> list[Record]:
        for record in records:
            if not scope.sees(record.scope):
                raise BackendError("the adapter returned a record outside the scope", part=self.part)
        return records

    @abstractmethod
    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]: ...
    @abstractmethod
    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]: ...
    @abstractmethod
    async def _scan(
        self,
        scope: Scope,
        now: datetime,
        where: Where | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]: ...
    @abstractmethod
    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int: ...
    @abstractmethod
    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]: ...
    async def _actors(self, scope: Scope) -> frozenset[str]:  # noqa: ARG002  a store that knows overrides it
        return frozenset()

    @abstractmethod
    async def _search(self, search: Search) -> Found: ...
    @abstractmethod
    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]: ...
    @abstractmethod
    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]: ...
    @abstractmethod
    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]: ...
    @abstractmethod
    async def _unembedded(self, model: str, limit: int) -> list[Record]: ...
    @abstractmethod
    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]: ...
    @abstractmethod
    async def _position(self) -> int: ...
    @abstractmethod
    async def _changes(self, after: int, limit: int) -> list[Change]: ...
    @abstractmethod
    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None: ...
    @abstractmethod
    async def _advance(self, follower: str, holder: str, position: int, release: bool) -> bool: ...
    @abstractmethod
    async def _embedding_models(self) -> list[str]: ...
    @abstractmethod
    async def _serving(self) -> str | None: ...
    @abstractmethod
    async def _serve(self, model: str, lacking: int) -> int: ...
    @abstractmethod
    async def _drop_model(self, model: str) -> int: ...
    @abstractmethod
    async def _sweep(self, now: datetime) -> int: ...
    @abstractmethod
    async def _stats(self, scope: Scope, now: datetime) -> Stats: ...
    @abstractmethod
    async def _check(self, repair: bool) -> Report: ...
