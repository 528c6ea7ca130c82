"""Memories in mem0, over its HTTP API: `mem0+https://:KEY@api.mem0.ai` or `mem0+http://localhost:8888?dialect=oss`.

Options of the URL: `dialect` (see `memwell.backends.mem0.dialects`; without it, `hosted_v3` for api.mem0.ai and `oss`
for any other host), `key_env` (environment variable with the key, by default `MEM0_API_KEY`), `hmac_env` (with the
secret of a gateway, by default `MEM0_HMAC_SECRET`), `recall` and `housekeeping` (see `memwell.backends.remote.store`),
`most` (memories that one call lists, 10,000), `timeout` (seconds a request, 30) and `attempts` (4).

mem0 keeps no older versions, relationships or vectors of ours, and has no change sequence. Two processes that change
one memory at the same time may lose one of the changes, as mem0 cannot compare versions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from memwell import _bridge
from memwell.backends.mem0.dialects import (
    DIALECTS,
    Credentials,
    Dialect,
    added,
    headers,
    items,
    similarity,
)
from memwell.backends.mem0.listings import Listings
from memwell.backends.mem0.memories import (
    ENTITIES,
    LONGEST,
    document_of,
    entities,
    expiration_date,
    visible,
)
from memwell.backends.remote.documents import KEY, Document, is_uuid, pack, shown
from memwell.backends.remote.drafts import Draft
from memwell.backends.remote.store import Nearest, RemoteStore
from memwell.backends.remote.urls import address, named_key
from memwell.capabilities import Capabilities
from memwell.errors import BackendError, ConfigError, Conflict, TimedOut
from memwell.network.api_keys import resolve_key
from memwell.network.base_url import base_url as base_of
from memwell.network.service import Service
from memwell.types import DEFAULT_TENANT, Record, Scope

if TYPE_CHECKING:
    import httpx2

    from memwell.urls import Url

__all__ = ["Mem0Store"]

_OPTIONS: Final = (
    "attempts",
    "dialect",
    "hmac_env",
    "housekeeping",
    "key_env",
    "most",
    "recall",
    "timeout",
)
_QUERY: Final = 4000
"""Characters of a question."""
_SAME: Final = 20
"""Memories among which an exact duplicate is looked for."""
_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two looks at an event: at first, and at most."""


class Mem0Store(RemoteStore):
    """See the module."""

    part = "mem0"
    proof = "wire"

    def __init__(
        self,
        base_url: str = "https://api.mem0.ai",
        *,
        dialect: str = "hosted_v3",
        key: str | None = None,
        hmac_secret: str | None = None,
        recall: str = "server",
        housekeeping: bool = False,
        most: int = 10_000,
        timeout: float = 30.0,
        attempts: int = 4,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        """With an empty `key` none is sent. `timeout` is that of a request, and of waiting for an event."""
        super().__init__(recall=recall, housekeeping=housekeeping)
        if dialect not in DIALECTS:
            raise ConfigError(f"mem0 has the dialects {', '.join(DIALECTS)}, not {dialect!r}", part=self.part)
        self.dialect: Dialect = DIALECTS[dialect]
        secret = resolve_key(hmac_secret, ["MEM0_HMAC_SECRET"], part=self.part)
        self._credentials = Credentials(
            key=resolve_key(key, ["MEM0_API_KEY"], part=self.part),
            hmac_secret=secret if self.dialect.signs else None,
        )
        self._timeout = timeout
        self._listings = Listings(self.dialect, self._call, self._document, most)
        if self.dialect.name == "oss":
            self.at_once = (
                1  # a vector store in the server's own process, such as FAISS, fails under several writes
            )
        self._service = Service(
            base_of(base_url, self.part),
            part=self.part,
            secrets=(self._credentials.key or "", self._credentials.hmac_secret or ""),
            keys="the key (MEM0_API_KEY, or key=), and whether the dialect is that of the service",
            timeout=timeout,
            attempts=attempts,
            client=client,
        )

    @classmethod
    def from_url(cls, url: Url) -> Mem0Store:
        """From `mem0+https://:KEY@host/path?option=value`; see the module."""
        base, key, host = address(url)
        options = {
            "dialect": url.take("dialect", "hosted_v3" if host == "api.mem0.ai" else "oss"),
            "recall": url.take("recall", "server"),
            "housekeeping": url.flag("housekeeping", default=False),
            "most": url.whole("most", 10_000, least=1),
            "timeout": url.number("timeout", 30.0),
            "attempts": url.whole("attempts", 4, least=1),
        }
        secret = named_key(url.take("hmac_env"), cls.part)
        key = key or named_key(url.take("key_env"), cls.part)
        url.done(*_OPTIONS)
        return cls(base, key=key, hmac_secret=secret, **options)  # type: ignore[arg-type]

    @property
    def capabilities(self) -> Capabilities:
        """What mem0 cannot do is false; see the module."""
        return Capabilities(durable=True, lexical=True, times=True, filters=True, embeds_itself=True)

    # ------------------------------------------------------------------------------------------- listing

    async def _all(self, scope: Scope) -> list[Document]:
        owner = entities(scope, self.dialect.known, owner=False)
        if owner:
            return await self._listings.pages(owner)
        return await self._listings.of_tenant(scope.tenant_id)

    async def _everything(self) -> list[Document]:
        return await self._listings.of_tenant(DEFAULT_TENANT)

    async def _fetched(self, scope: Scope, ids: Sequence[str]) -> list[Document]:
        async def fetch(id: str) -> Any:
            path = self.dialect.one.format(id=id)
            return await self._call("GET", path, user=self._user(scope), reads=True, missing=True)

        known = [id for id in ids if is_uuid(id)]
        found = await self._each([lambda i=id: fetch(i) for id in known])  # type: ignore[misc]
        return [self._document(memory) for memory in found if memory is not None]

    # ----------------------------------------------------------------------------------------- searching

    async def _alike(self, record: Record) -> list[Document]:
        found = await self._searched(record.scope, shown(record.content, LONGEST), _SAME)
        return [document for document, _ in found]

    async def _nearest(self, scope: Scope, text: str, limit: int) -> list[Nearest] | None:
        asked = {ours for name, ours in ENTITIES.items() if name in self.dialect.known}
        given = {ours for ours in ENTITIES.values() if getattr(scope, ours) is not None}
        if not given or not given <= asked:
            return None
        return await self._searched(scope, text, limit)

    async def _searched(self, scope: Scope, text: str, limit: int) -> list[Nearest]:
        owner = entities(scope, self.dialect.known, owner=True)
        body = self.dialect.searched(text[:_QUERY], owner, limit)
        user = owner.get("user_id")
        answer = await self._call("POST", self.dialect.search, json=body, user=user, reads=True)
        found = items(answer, self.part)[0]
        return [(self._document(memory), similarity(memory)) for memory in found]

    # ------------------------------------------------------------------------------------------- writing

    async def _add(self, draft: Draft) -> str:
        record = draft.record
        assert record is not None
        text, dialect = shown(record.content, LONGEST), self.dialect
        owner = entities(record.scope, dialect.known, owner=True)
        body: dict[str, Any] = {"messages": [{"role": "user", "content": text}], **owner}
        body["metadata"] = self._metadata(draft, text)
        if dialect.infers:
            body["infer"] = False
        if dialect.dates == "timestamp":
            body["timestamp"] = int(record.created_at.timestamp())
        elif dialect.dates:
            body["metadata"][dialect.dates] = record.created_at.isoformat()
        if dialect.expires and record.expires_at is not None:
            body["expiration_date"] = expiration_date(record)
        answer = await self._call("POST", dialect.add, json=body, user=owner.get("user_id"))
        id, event = added(answer, self.part)
        if id is None:
            id = await self._done(event or "")
        return id

    async def _done(self, event: str) -> str:
        """The id of the memory that an event has added. Raises `TimedOut` if it does not end."""
        until, pause = time.monotonic() + self._timeout, _PAUSE
        while True:
            answer = await self._call("GET", f"/v1/event/{event}/", reads=True)
            state = answer.get("status") if isinstance(answer, dict) else None
            if state == "SUCCEEDED":
                id, _ = added({"results": answer.get("results") or []}, self.part)
                if id is not None:
                    return id
            if state == "FAILED":
                raise BackendError(
                    f"mem0 could not store it: {answer.get('error') or answer}", part=self.part
                )
            if time.monotonic() + pause > until:
                raise TimedOut(
                    f"mem0 has not stored it within {self._timeout:g} seconds; its event {event} may still do so",
                    part=self.part,
                )
            await _bridge.pause(pause, blocking=False)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _replace(self, before: Document, draft: Draft) -> None:
        record = draft.record
        assert record is not None
        text = shown(record.content, LONGEST)
        metadata = self._metadata(draft, text)
        shown_before = visible(before.record, lists=self._lists)
        body: dict[str, Any] = {
            "text": text,
            "metadata": dict.fromkeys(shown_before.keys() - metadata.keys()) | metadata,
        }
        if self.dialect.expires:
            body["expiration_date"] = expiration_date(record)
        path = self.dialect.one.format(id=before.key)
        answer = await self._call("PUT", path, json=body, user=self._user(record.scope), missing=True)
        if answer is None:
            raise Conflict(f"memory {record.id!r} was removed meanwhile", part=self.part)

    async def _remove(self, draft: Draft) -> None:
        path = self.dialect.one.format(id=draft.key)
        await self._call("DELETE", path, user=self._user(draft.owner), missing=True)

    @property
    def _lists(self) -> bool:
        """Whether lists are taken in metadata: some vector stores of mem0's own server take none."""
        return self.dialect.name != "oss"

    def _metadata(self, draft: Draft, text: str) -> dict[str, Any]:
        assert draft.record is not None
        # What a gateway stores may be in other words, so that it carries the text in any case.
        whole = not self.dialect.infers
        carried = pack(draft.record, shown=text, named=draft.named, linked=draft.linked, whole=whole)
        return {**visible(draft.record, lists=self._lists), KEY: carried}

    # --------------------------------------------------------------------------------------------- calls

    def _document(self, memory: Any) -> Document:
        return document_of(memory, rewritten=not self.dialect.infers, part=self.part)

    def _user(self, scope: Scope) -> str | None:
        """Whom a request is about, as mem0 names it."""
        return entities(scope, self.dialect.known, owner=False).get("user_id")

    async def _call(self, method: str, path: str, *, user: str | None = None, **options: Any) -> Any:
        sent = headers(self.dialect, self._credentials, user)
        return await self._service.call(method, path, headers=sent, **options)

    async def _ping(self) -> None:
        await self._call("GET", self.dialect.ping, params=self.dialect.ping_query, reads=True)

    async def _close(self) -> None:
        await self._service.close()
