"""Listing memories in mem0: pages of one owner, and all owners of a tenant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from memwell.backends.mem0.dialects import Dialect, items
from memwell.backends.mem0.memories import tenant_prefix
from memwell.backends.remote.documents import Document
from memwell.backends.remote.drafts import TooMany
from memwell.errors import NotSupported, Unavailable
from memwell.network.service import Pairs
from memwell.types import DEFAULT_TENANT

__all__ = ["Listings"]

_PART: Final = "mem0"
_TRIES: Final = 5
"""How often a listing begins again, if memories are written while it is read."""


class Listings:
    """What a dialect can list, up to `most` memories."""

    def __init__(
        self,
        dialect: Dialect,
        call: Callable[..., Awaitable[Any]],
        read: Callable[[Any], Document],
        most: int,
    ) -> None:
        """`call` sends a request, `read` makes a document of a memory in an answer."""
        self._dialect, self._call, self._read, self._most = dialect, call, read, most

    async def of_tenant(self, tenant: str) -> list[Document]:
        """At least the memories of a tenant; for the default one, those of all, whose ids look alike."""
        dialect = self._dialect
        if tenant == DEFAULT_TENANT and dialect.filters and dialect.pages:
            return await self.pages(dict.fromkeys(dialect.known, "*"))  # the hosted API's sign for anybody
        found: dict[str, Document] = {}
        for name, id in await self._owners():
            if tenant == DEFAULT_TENANT or id.startswith(tenant_prefix(tenant)):
                found.update({document.key: document for document in await self.pages({name: id})})
        return list(found.values())

    async def _owners(self) -> list[tuple[str, str]]:
        """Kind and id of every owner of memories."""
        if not self._dialect.entities:
            raise NotSupported(
                f"the {self._dialect.name} dialect of mem0 lists one user at a time: name a user_id",
                part=_PART,
            )
        found: list[tuple[str, str]] = []
        page, more = 1, True
        while more:
            query = [("page", str(page))] if page > 1 else []
            answer = await self._call("GET", self._dialect.entities, params=query, reads=True)
            owners, more = items(answer, _PART)
            found += [(f"{each.get('type')}_id", str(each.get("name") or each.get("id"))) for each in owners]
            page += 1
        if not found and self._dialect.name == "oss":
            await self._check_empty()
        return [(name, id) for name, id in found if name in self._dialect.known]

    async def _check_empty(self) -> None:
        """Raise `NotSupported` unless there is nothing: over Qdrant, mem0's own server does not see its owners."""
        answer = await self._call("GET", self._dialect.list, params=[("top_k", "1")], reads=True)
        if items(answer, _PART)[0]:
            raise NotSupported(
                "this server cannot list its users over its vector store: name a user_id", part=_PART
            )

    async def pages(self, owner: dict[str, str]) -> list[Document]:
        """Every memory of an owner. If there are not as many as each page counts, something was written while they were
        listed, and the listing begins again.
        """
        for _ in range(_TRIES):
            found, counts = await self._listed_once(owner)
            if counts in ({None}, {len(found)}):
                return found
        raise Unavailable("memories were written all the time while they were listed", part=_PART)

    async def _listed_once(self, owner: dict[str, str]) -> tuple[list[Document], set[int | None]]:
        """The memories of all pages, and how many there are as the pages say."""
        found: dict[str, Document] = {}
        counts: set[int | None] = set()
        page, more = 1, True
        while more:
            answer = await self._page(owner, page)
            memories, more = items(answer, _PART)
            found.update({document.key: document for document in map(self._read, memories)})
            page += 1
            if len(found) > self._most or (self._dialect.most and len(memories) >= self._dialect.most):
                limit = min(self._most, self._dialect.most or self._most)
                raise TooMany(f"there are more than the {limit} memories that mem0 can list", part=_PART)
            counts.add(answer.get("count") if isinstance(answer, dict) else None)
        return list(found.values()), counts

    async def _page(self, owner: dict[str, str], page: int) -> Any:
        dialect = self._dialect
        paging: Pairs = [("page", str(page)), ("page_size", str(dialect.pages))]
        user = owner.get("user_id")
        if dialect.listed_by == "POST":
            anybody = [{name: "*"} for name in owner] if "*" in owner.values() else []
            body = {"filters": {"OR": anybody} if anybody else dialect.filter(owner), "show_expired": True}
            return await self._call("POST", dialect.list, json=body, params=paging, reads=True)
        if not dialect.pages:
            paging = [("top_k", str(dialect.most)), ("show_expired", "true")]
        return await self._call("GET", dialect.list, params=[*owner.items(), *paging], user=user, reads=True)
