"""The APIs that mem0 is spoken to in: what each wants, and how it answers.

| dialect | service | key | adds | lists | hides the expired |
|---|---|---|---|---|---|
| `hosted_v3` | the hosted API | `Authorization: Token` | by an event, or at once | in pages | unless asked |
| `hosted_v1` | the hosted API, deprecated paths | `Authorization: Token` | by an event | in pages | always |
| `oss` | the server of the open-source package | `X-API-Key` | at once | at most 1,000 | unless asked |
| `seed` | a gateway that signs users (HMAC) | `Authorization: Bearer` | at once | as `hosted_v1`, if it does | – |

Sources: mem0's published OpenAPI document, and answers of its own server. The gateway is documented for adding and
searching only; reading, listing, changing and removing use the paths of `hosted_v1`, and a gateway that has none makes
these calls fail with `NotSupported`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import BackendError, ConfigError, Unavailable

__all__ = ["DIALECTS", "Credentials", "Dialect", "added", "headers", "items", "similarity"]

_ID: Final = "/v1/memories/{id}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The paths of one API, and what they take."""

    name: str
    scheme: str
    """The kind of `Authorization`; empty: the key goes into `X-API-Key`."""
    add: str
    search: str
    list: str
    one: str
    ping: str
    ping_query: tuple[tuple[str, str], ...] = ()
    entities: str = ""
    """Where owners are listed; empty: nowhere."""
    known: tuple[str, ...] = ("user_id", "agent_id", "run_id", "app_id")
    """The owners that it knows."""
    infers: bool = True
    """Takes `infer`: without it, a model may put other words in the place of a text."""
    filters: bool = False
    """Owners go into `filters` instead of the top level of a search."""
    listed_by: str = "GET"
    pages: int = 0
    """Memories of a page; 0: one answer of `most`."""
    most: int = 0
    """Memories that one answer may hold."""
    expires: bool = False
    """Takes an expiration date, and shows what has expired if asked."""
    dates: str = ""
    """What a time of creation is called when a memory is added: `timestamp`, or a name in the metadata."""
    signs: bool = False
    """Signs users with a secret."""

    def searched(self, text: str, owner: Mapping[str, str], limit: int) -> dict[str, Any]:
        """The body of a search."""
        if self.signs:
            return {"query": text, "user_id": owner["user_id"], "limit": limit}
        body: dict[str, Any] = {"query": text, "top_k": limit}
        if not self.filters:
            return {**body, **owner}
        body |= {"filters": self.filter(owner), "threshold": 0.0}
        if self.expires:
            body["show_expired"] = True
        if self.name == "oss":
            body["explain"] = True
        return body

    def filter(self, owner: Mapping[str, str]) -> dict[str, Any]:
        """Owners as a filter; those of the hosted API are joined by `AND`."""
        if self.name == "oss" or len(owner) == 1:
            return dict(owner)
        return {"AND": [{name: value} for name, value in owner.items()]}


_HOSTED: Final[dict[str, Any]] = {
    "scheme": "Token",
    "one": _ID,
    "ping": "/v1/ping/",
    "entities": "/v1/entities/",
}

DIALECTS: Final[Mapping[str, Dialect]] = {
    each.name: each
    for each in (
        Dialect(
            name="hosted_v3",
            add="/v3/memories/add/",
            search="/v3/memories/search/",
            list="/v3/memories/",
            listed_by="POST",
            pages=200,
            filters=True,
            expires=True,
            dates="timestamp",
            **_HOSTED,
        ),
        Dialect(
            name="hosted_v1",
            add="/v1/memories/",
            search="/v1/memories/search/",
            list="/v1/memories/",
            pages=100,
            dates="timestamp",
            **_HOSTED,
        ),
        Dialect(
            name="oss",
            scheme="",
            add="/memories",
            search="/search",
            list="/memories",
            one="/memories/{id}",
            ping="/memories",
            ping_query=(("user_id", "memwell"), ("top_k", "1")),
            entities="/entities",
            known=("user_id", "agent_id", "run_id"),
            filters=True,
            most=1000,
            expires=True,
            dates="created_at",
        ),
        Dialect(
            name="seed",
            scheme="Bearer",
            add="/v1/memories/",
            search="/v1/memories/search/",
            list="/v1/memories/",
            one=_ID,
            ping="/health",
            known=("user_id",),
            infers=False,
            pages=100,
            signs=True,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """What proves who asks."""

    key: str | None = None
    hmac_secret: str | None = None


def headers(dialect: Dialect, credentials: Credentials, user: str | None) -> dict[str, str]:
    """The headers of a request about a user, as mem0 names it; `None`: about none in particular.

    A gateway's signature is HMAC-SHA256 of `user:` and the user's id, in hexadecimal digits.
    """
    found: dict[str, str] = {}
    if credentials.key is not None:
        if dialect.scheme:
            found["Authorization"] = f"{dialect.scheme} {credentials.key}"
        else:
            found["X-API-Key"] = credentials.key
    if dialect.signs and credentials.hmac_secret is not None and user is not None:
        if not (user.isascii() and user.isprintable()):
            raise ConfigError(
                f"the gateway's header cannot hold the user {user!r}; use ids of ASCII characters",
                part="mem0",
            )
        message = f"user:{user}".encode()
        signature = hmac.new(credentials.hmac_secret.encode(), message, hashlib.sha256).hexdigest()
        found |= {"X-User-Context": user, "X-Signature": signature}
    return found


def items(answer: Any, part: str) -> tuple[list[Any], bool]:
    """The memories of a listing or a search, and whether there is another page."""
    if isinstance(answer, list):
        return answer, False
    if isinstance(answer, Mapping):
        for name in ("results", "memories"):
            if isinstance(answer.get(name), list):
                return answer[name], bool(answer.get("next"))
    raise Unavailable("the answer does not list memories; check the dialect and the address", part=part)


def added(answer: Any, part: str) -> tuple[str | None, str | None]:
    """The id of an added memory, or that of the event that tells it. Raises `BackendError` if nothing was stored."""
    first = answer
    if isinstance(answer, Mapping):
        if isinstance(answer.get("memory_id"), str) and answer["memory_id"]:
            return answer["memory_id"], None
        if isinstance(answer.get("results"), list) and (answer["results"] or not answer.get("event_id")):
            first = answer["results"]
    if isinstance(first, list):
        if not first:
            raise BackendError(
                "nothing was stored: the service found no fact worth keeping in the text", part=part
            )
        first = first[0]
    if isinstance(first, Mapping):
        id = first.get("id") or first.get("memory_id")
        if isinstance(id, str) and ("event_id" not in first or "memory" in first or "data" in first):
            return id, None
        if first.get("status") == "FAILED":
            raise BackendError(f"the service could not store it: {first.get('message') or first}", part=part)
        if isinstance(first.get("event_id"), str):
            return None, first["event_id"]
    raise Unavailable(
        "the answer has no id of the new memory; check the dialect, and whether it was stored", part=part
    )


def similarity(found: Mapping[str, Any]) -> float | None:
    """How near in meaning a memory is, 0..1: the semantic part of its score if the service gives it, else the score."""
    for name, part in (("score_details", "semantic_score"), ("score_breakdown", "semantic")):
        parts = found.get(name)
        if isinstance(parts, Mapping) and isinstance(parts.get(part), int | float):
            return _share(parts[part])
    for name in ("score", "similarity_score", "similarity"):
        if isinstance(found.get(name), int | float):
            return _share(found[name])
    return None


def _share(number: float) -> float:
    return min(1.0, max(0.0, float(number)))
