"""Where to deliver: endpoints, kept as entries of one stream beside the store, so that every process sees them."""

from __future__ import annotations

import json
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Final

from memwell import urls
from memwell._dataclasses import dataclass
from memwell.errors import Corrupt, InvalidInput, NotFound, shown
from memwell.ports import Log
from memwell.security.keyring import Keyring
from memwell.security.sealed_entries import is_sealed, open_entry, seal_entry
from memwell.values import Value

__all__ = ["STREAM", "Endpoint", "Endpoints", "WebhookStatus"]

STREAM: Final = "memwell:delivery:endpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Value):
    """Where to deliver, and how."""

    id: str
    url: str = field(repr=False)
    """An `https://` URL, or that of a `Log`; it may hold a password."""
    created_at: datetime
    secret: str = field(default="", repr=False)
    """What signs requests: `whsec_` and base64."""
    records: bool = False
    """Whether messages hold the whole memory, or only say which one it is."""
    private: bool = False
    """Whether the URL may lead into a private network, and may be `http://`."""
    disabled: str | None = None
    """Why nothing is delivered any more."""

    @property
    def shown(self) -> str:
        """The URL without what must not be shown."""
        return urls.shown(self.url)

    def enabled(self) -> Endpoint:
        """The same, no longer disabled."""
        return replace(self, disabled=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatus(Value):
    """A webhook and how far its delivery is."""

    id: str
    url: str
    """Without user, password and options."""
    created_at: datetime
    records: bool
    private: bool
    disabled: str | None
    """Why nothing is delivered any more."""
    secret: str | None = field(default=None, repr=False)
    """The secret, when the webhook is added; never again."""
    pending: int = 0
    """Positions of the change sequence that are not delivered yet."""
    waiting: int = 0
    """Messages that wait for another attempt, and those behind them."""
    dead: int = 0
    """Dead letters."""
    delivered: int = 0
    """Messages that arrived during this call."""
    reason: str | None = None
    """Why an attempt failed, if one waits."""

    @classmethod
    def of(cls, endpoint: Endpoint, **known: Any) -> WebhookStatus:
        """The status of an endpoint."""
        return cls(
            id=endpoint.id,
            url=endpoint.shown,
            created_at=endpoint.created_at,
            records=endpoint.records,
            private=endpoint.private,
            disabled=endpoint.disabled,
            **known,
        )


class Endpoints:
    """The endpoints in a log. With a keyring they are encrypted there, all but their ids: secrets, and URLs that may
    hold passwords.
    """

    def __init__(self, log: Log, keyring: Keyring | None = None) -> None:
        self.log = log
        self._keyring = keyring

    async def add(self, endpoint: Endpoint) -> None:
        """Keep an endpoint, in place of one with its id."""
        before = [position for position, body in await self._read() if body["id"] == endpoint.id]
        body = {name: getattr(endpoint, name) for name in Endpoint.__dataclass_fields__}
        body["created_at"] = endpoint.created_at.isoformat()
        if self._keyring is not None:
            sealed = seal_entry(self._keyring, json.dumps(body).encode(), _context(endpoint.id))
            body = {"id": endpoint.id, **sealed}
        await self.log.append(STREAM, [json.dumps(body).encode()])
        await self.log.remove(STREAM, before)

    async def all(self) -> list[Endpoint]:
        """Every endpoint, oldest first. Raises `ConfigError` without the key of one, `Corrupt` for a changed one."""
        found = {body["id"]: body for _, body in await self._read()}
        return sorted(map(self._opened, found.values()), key=lambda one: one.created_at)

    async def get(self, id: object) -> Endpoint:
        """An endpoint by its id or the beginning of it. Raises `NotFound`, or `InvalidInput` if several begin so."""
        name = await self.name(id)
        return self._opened({body["id"]: body for _, body in await self._read()}[name])

    async def name(self, id: object) -> str:
        """The whole id of an endpoint, of which the beginning is given. Raises as `get`; nothing is decrypted."""
        if not isinstance(id, str) or not id:
            raise InvalidInput(f"a webhook is named by its id, not {shown(id)}")
        found = {body["id"] for _, body in await self._read() if body["id"].startswith(id)}
        if not found:
            raise NotFound(f"no webhook {shown(id)}; `memwell webhooks list` shows them")
        if len(found) > 1 and id not in found:
            raise InvalidInput(f"several webhooks begin with {shown(id)}; give more characters")
        return id if id in found else found.pop()

    async def remove(self, id: str) -> None:
        """Forget an endpoint."""
        gone = [position for position, body in await self._read() if body["id"] == id]
        await self.log.remove(STREAM, gone)

    async def rewrap(self, *, plain: bool = False) -> None:
        """Encrypt those again that are not under the first master key; with `plain` also those in plain text."""
        for body in {body["id"]: body for _, body in await self._read()}.values():
            if is_sealed(body) and self._keyring is not None and body["master"] != self._keyring.first.id:
                await self.add(self._opened(body))
            elif plain and not is_sealed(body):
                await self.add(_endpoint(body))

    async def _read(self) -> list[tuple[str, dict[str, Any]]]:
        """Positions, and entries as they are stored."""
        found: list[tuple[str, dict[str, Any]]] = []
        after: str | None = None
        while page := await self.log.read(STREAM, after=after, limit=500):
            found += [(entry.position, _body(entry.data)) for entry in page]
            after = page[-1].position
        return found

    def _opened(self, body: dict[str, Any]) -> Endpoint:
        if is_sealed(body):
            context = _context(body["id"])
            return _endpoint(_body(open_entry(self._keyring, body, context)))
        endpoint = _endpoint(body)
        if self._keyring is None:
            return endpoint
        return replace(endpoint, disabled="it was added without encryption; remove it and add it again")


def _context(id: str) -> str:
    return f"webhook {id}"


def _body(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
        if isinstance(body, dict) and isinstance(body["id"], str):
            return body
    except (ValueError, KeyError, TypeError):
        pass
    raise Corrupt("an entry of the list of webhooks is damaged")  # without a cause, which may hold a secret


def _endpoint(body: dict[str, Any]) -> Endpoint:
    try:
        return Endpoint(**{**body, "created_at": datetime.fromisoformat(body["created_at"])})
    except (ValueError, KeyError, TypeError):
        raise Corrupt("an entry of the list of webhooks is damaged") from None  # the cause may hold a secret
