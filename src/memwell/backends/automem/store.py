"""Memories in AutoMem, over its HTTP API: `automem+http://:TOKEN@localhost:8001`.

Options of the URL: `key_env` (environment variable with the token, by default `AUTOMEM_API_TOKEN`), `recall` and
`housekeeping` (see `memwell.backends.remote.store`), `longest` (characters of a text, 2,000 as the service has it),
`most` (memories that one call lists, 10,000), `timeout` (seconds a request, 10) and `attempts` (4).

A memory can be read as soon as it is stored; AutoMem embeds it a few seconds later, and finds it by its words until
then. Owners are tags: a search names all of them (`tag_mode=all`), so that no user sees what another one's conversation
of the same name holds. What no user owns, and what memwell has not written, is found only by naming its tags; a call
that names no owner sees what memwell has written, and general knowledge.

Relationships are kept with the memory, and stored in AutoMem's graph, too, by the names that it knows. It cannot remove
one: a removed relationship stays there with a strength of 0. AutoMem keeps no older versions and no vectors of ours. It
counts every memory as accessed that a listing brings, which its own forgetting goes by.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from memwell import _bridge
from memwell.backends.automem.memories import (
    KNOWLEDGE,
    LONGEST,
    OURS,
    body_of,
    document_of,
    id_tag,
    owner_tags,
    same_tag,
)
from memwell.backends.automem.relations import relation
from memwell.backends.remote.documents import KEY, Document, is_uuid
from memwell.backends.remote.drafts import Draft, TooMany
from memwell.backends.remote.store import Nearest, RemoteStore
from memwell.backends.remote.urls import address, named_key
from memwell.capabilities import Capabilities
from memwell.errors import ConfigError, Conflict, Unavailable
from memwell.network.api_keys import resolve_key
from memwell.network.base_url import base_url as base_of
from memwell.network.service import Pairs, Service
from memwell.types import DEFAULT_TENANT, Record, Scope

if TYPE_CHECKING:
    import httpx2

    from memwell.urls import Url

__all__ = ["AutoMemStore"]

_OPTIONS: Final = ("attempts", "housekeeping", "key_env", "longest", "most", "recall", "timeout")
_PAGE: Final = 200
_FOUND: Final = 100
"""The most that a search gives."""
_QUERY: Final = 1000
"""Characters of a question, which stands in the address."""
_QUEUED: Final = 60.0
"""Seconds for which a new memory may be waiting to be enriched."""
_ENRICHED, _LOOK = 5.0, 0.05
"""Seconds that a change waits for it at most, and between two looks."""
_TRIES: Final = 5
"""How often a listing begins again, if memories are written while it is read."""


class AutoMemStore(RemoteStore):
    """See the module."""

    part = "automem"
    proof = "wire"
    relates: ClassVar[bool] = True
    searches_rows: ClassVar[bool] = False

    def __init__(
        self,
        base_url: str = "http://localhost:8001",
        *,
        key: str | None = None,
        recall: str = "server",
        housekeeping: bool = False,
        longest: int = LONGEST,
        most: int = 10_000,
        timeout: float = 10.0,
        attempts: int = 4,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        """With an empty `key` none is sent."""
        super().__init__(recall=recall, housekeeping=housekeeping)
        if longest < 1:
            raise ConfigError("longest is a number of characters, at least 1", part=self.part)
        token = resolve_key(key, ["AUTOMEM_API_TOKEN"], part=self.part)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._longest, self._most = longest, most
        self._queued: dict[str, float] = {}
        self._service = Service(
            base_of(base_url, self.part),
            part=self.part,
            secrets=(token or "",),
            keys="the token (AUTOMEM_API_TOKEN, or key=)",
            timeout=timeout,
            attempts=attempts,
            client=client,
        )

    @classmethod
    def from_url(cls, url: Url) -> AutoMemStore:
        """From `automem+http://:TOKEN@host:port?option=value`; see the module."""
        base, key, _ = address(url)
        options = {
            "recall": url.take("recall", "server"),
            "housekeeping": url.flag("housekeeping", default=False),
            "longest": url.whole("longest", LONGEST, least=1),
            "most": url.whole("most", 10_000, least=1),
            "timeout": url.number("timeout", 10.0),
            "attempts": url.whole("attempts", 4, least=1),
        }
        key = key or named_key(url.take("key_env"), cls.part)
        url.done(*_OPTIONS)
        return cls(base, key=key, **options)  # type: ignore[arg-type]

    @property
    def capabilities(self) -> Capabilities:
        """What AutoMem cannot do is false; see the module."""
        return Capabilities(
            durable=True, lexical=True, times=True, filters=True, links=True, embeds_itself=True
        )

    # ------------------------------------------------------------------------------------------- reading

    async def _all(self, scope: Scope) -> list[Document]:
        narrowest = owner_tags(scope)[:1]
        if scope.tenant_id == DEFAULT_TENANT and not narrowest:
            return await self._everything()
        return await self._tagged(*narrowest)

    async def _everything(self) -> list[Document]:
        return await self._tagged(OURS, KNOWLEDGE)

    async def _tagged(self, *tags: str) -> list[Document]:
        """Every memory with one of the tags. Pages overlap by one memory: if that is another one than before, something
        was written meanwhile, and the listing begins again.
        """
        for _ in range(_TRIES):
            found: list[Any] = []
            more = True
            while more:
                page, more = await self._page(tags, max(0, len(found) - 1))
                if found and (not page or page[0].get("id") != found[-1].get("id")):
                    break
                found += page[1:] if found else page
                if len(found) > self._most:
                    raise TooMany(
                        f"there are more than the {self._most} memories that most= allows", part=self.part
                    )
            else:
                return [document_of(memory, None, part=self.part) for memory in found]
        raise Unavailable("memories were written all the time while they were listed", part=self.part)

    async def _page(self, tags: Sequence[str], offset: int) -> tuple[list[Any], bool]:
        query = [*(("tags", tag) for tag in tags), ("limit", str(_PAGE)), ("offset", str(offset))]
        answer = await self._call("GET", "/memory/by-tag", params=query, reads=True)
        memories = answer.get("memories") if isinstance(answer, dict) else None
        if not isinstance(memories, list) or not all(isinstance(each, dict) for each in memories):
            raise Unavailable("the answer does not list memories; check the address", part=self.part)
        return memories, bool(answer.get("has_more"))

    async def _fetched(self, scope: Scope, ids: Sequence[str]) -> list[Document]:
        del scope

        async def fetch(id: str) -> Any:
            return await self._call("GET", f"/memory/{id}", reads=True, missing=True)

        known = [id for id in ids if is_uuid(id)]
        found = await self._each([lambda i=id: fetch(i) for id in known])  # type: ignore[misc]
        answers = [answer for answer in found if answer is not None]
        memories = [answer.get("memory") if isinstance(answer, dict) else None for answer in answers]
        return [document_of(memory, None, part=self.part) for memory in memories]

    async def _named(self, scope: Scope, id: str) -> list[Document]:
        return await self._tagged(id_tag(scope.tenant_id, id))

    async def _alike(self, record: Record) -> list[Document]:
        return await self._tagged(same_tag(record))

    async def _nearest(self, scope: Scope, text: str, limit: int) -> list[Nearest] | None:
        tags = owner_tags(scope)
        if not tags:
            return None
        # AutoMem's vectors are found by tags in lower case, unless tags are compared by their beginnings.
        exact = all(tag == tag.lower() for tag in tags)
        query: Pairs = [
            ("query", text[:_QUERY]),
            ("limit", str(min(limit, _FOUND))),
            *(("tags", tag) for tag in tags),
            ("tag_mode", "all"),
            ("tag_match", "exact" if exact else "prefix"),
            ("state_mode", "history"),
        ]
        answer = await self._call("GET", "/recall", params=query, reads=True)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
            raise Unavailable("the answer does not list memories; check the address", part=self.part)
        return [
            (document_of(each.get("memory"), each.get("id"), part=self.part), _similarity(each))
            for each in results
        ]

    # ------------------------------------------------------------------------------------------- writing

    async def _add(self, draft: Draft) -> str:
        body = body_of(draft, {}, self._longest)
        answer = await self._call("POST", "/memory", json=body)
        id = answer.get("memory_id") if isinstance(answer, dict) else None
        if not isinstance(id, str):
            raise Unavailable("the answer has no memory_id; check whether it was stored", part=self.part)
        if answer.get("enrichment") == "queued":
            now = time.monotonic()
            self._queued = {key: at for key, at in self._queued.items() if now - at < _QUEUED} | {id: now}
        return id

    async def _replace(self, before: Document, draft: Draft) -> None:
        body = body_of(draft, before.raw, self._longest)
        answer = await self._call("PATCH", f"/memory/{before.key}", json=body, missing=True)
        if answer is None:
            raise Conflict(f"memory {before.record.id!r} was removed meanwhile", part=self.part)
        if before.key in self._queued:
            await self._outlast(before.key, body)

    async def _outlast(self, key: str, body: dict[str, Any]) -> None:
        """Change a memory again if AutoMem's enrichment has put back the metadata that it read before the change: it
        does so once, soon after the memory was stored.
        """
        until = time.monotonic() + _ENRICHED
        while True:
            answer = await self._call("GET", f"/memory/{key}", reads=True, missing=True)
            memory = answer.get("memory") if isinstance(answer, dict) else None
            if not isinstance(memory, dict):
                break
            if document_of(memory, key, part=self.part).carried != body["metadata"][KEY]:
                await self._call("PATCH", f"/memory/{key}", json=body, missing=True)
            elif memory.get("processed") or time.monotonic() > until:
                break
            else:
                await _bridge.pause(_LOOK, blocking=False)
        self._queued.pop(key, None)

    async def _remove(self, draft: Draft) -> None:
        await self._call("DELETE", f"/memory/{draft.key}", missing=True)

    async def _relate(self, drafts: Iterable[Draft]) -> None:
        for draft in drafts:
            for target, kind, strength in draft.relations:
                name, back = relation(kind)
                ends = (target.key, draft.key) if back else (draft.key, target.key)
                if ends[0] == ends[1] or draft.record is None or target.record is None:
                    continue  # the graph relates no memory to itself
                body = {"memory1_id": ends[0], "memory2_id": ends[1], "type": name, "strength": strength}
                await self._call("POST", "/associate", json=body)

    # --------------------------------------------------------------------------------------------- calls

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        return await self._service.call(method, path, headers=self._headers, **options)

    async def _ping(self) -> None:
        """The health of the service, which is open to anybody, and a question that needs the token."""
        health = await self._call("GET", "/health", reads=True)
        if not isinstance(health, dict) or health.get("falkordb") == "disconnected":
            raise Unavailable("AutoMem has no connection to its graph, FalkorDB", part=self.part)
        await self._page([OURS], 0)

    async def _close(self) -> None:
        await self._service.close()


def _similarity(found: Any) -> float | None:
    """How near in meaning a result is, 0..1; `None` if it was found otherwise."""
    parts = found.get("score_components")
    number = parts.get("vector") if isinstance(parts, dict) else None
    return float(number) if isinstance(number, int | float) and number > 0 else None
