"""Where to deliver: endpoints, kept as entries of one stream beside the store, so that every process sees them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from memwell import urls
from memwell.errors import Corrupt, InvalidInput, NotFound, shown
from memwell.ports import Log
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
    """The endpoints in a log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def add(self, endpoint: Endpoint) -> None:
        """Keep an endpoint, in place of one with its id."""
        before = [position for position, one in await self._read() if one.id == endpoint.id]
        body = {name: getattr(endpoint, name) for name in Endpoint.__dataclass_fields__}
        body["created_at"] = endpoint.created_at.isoformat()
        await self.log.append(STREAM, [json.dumps(body).encode()])
        await self.log.remove(STREAM, before)

    async def all(self) -> list[Endpoint]:
        """Every endpoint, oldest first."""
        found = {one.id: one for _, one in await self._read()}
        return sorted(found.values(), key=lambda one: one.created_at)

    async def get(self, id: object) -> Endpoint:
        """An endpoint by its id or the beginning of it. Raises `NotFound`, or `InvalidInput` if several begin so."""
        if not isinstance(id, str) or not id:
            raise InvalidInput(f"a webhook is named by its id, not {shown(id)}")
        found = [one for one in await self.all() if one.id.startswith(id)]
        if not found:
            raise NotFound(f"no webhook {shown(id)}; `memwell webhooks list` shows them")
        if len(found) > 1 and all(one.id != id for one in found):
            raise InvalidInput(f"several webhooks begin with {shown(id)}; give more characters")
        return next((one for one in found if one.id == id), found[0])

    async def remove(self, id: str) -> None:
        """Forget an endpoint."""
        await self.log.remove(STREAM, [position for position, one in await self._read() if one.id == id])

    async def _read(self) -> list[tuple[str, Endpoint]]:
        found: list[tuple[str, Endpoint]] = []
        after: str | None = None
        while page := await self.log.read(STREAM, after=after, limit=500):
            for entry in page:
                found.append((entry.position, _endpoint(entry.data)))  # noqa: PERF401
            after = page[-1].position
        return found


def _endpoint(data: bytes) -> Endpoint:
    try:
        body = json.loads(data)
        return Endpoint(**{**body, "created_at": datetime.fromisoformat(body["created_at"])})
    except (ValueError, KeyError, TypeError):
        raise Corrupt("an entry of the list of webhooks is damaged") from None  # the cause may hold a secret
