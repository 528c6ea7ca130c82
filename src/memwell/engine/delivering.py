"""Webhooks: endpoints beside the store, and the delivery of changes to them."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from memwell import _bridge
from memwell.engine.assembly import keyring_of, open_journal
from memwell.engine.context import Engine
from memwell.engine.requests import (
    AddWebhookRequest,
    DeadLettersRequest,
    DeliverRequest,
    RemoveWebhookRequest,
    ReplayWebhookRequest,
    TestWebhookRequest,
)
from memwell.engine.validation import check_flag
from memwell.errors import InvalidInput, MemwellError, NotSupported, Unavailable, shown
from memwell.followers import Follower
from memwell.followers.delivery.endpoints import Endpoint, Endpoints, WebhookStatus
from memwell.followers.delivery.messages import test_message
from memwell.followers.delivery.queue import DeadLetter
from memwell.followers.delivery.sink import Delivery, Retries, Target
from memwell.followers.delivery.sqs import Sqs
from memwell.followers.delivery.stream import LogStream
from memwell.followers.delivery.webhook import Webhook, check_url, key_of, new_secret
from memwell.followers.lease import Lease
from memwell.records.ids import new_id
from memwell.urls import Url

__all__ = [
    "add_webhook",
    "dead_letters",
    "deliver",
    "remove_webhook",
    "replay_webhook",
    "rewrap",
    "test_webhook",
    "webhooks",
]

RETRIES = Retries()
LEASE = 15.0
"""Seconds. After a batch that takes longer another process may deliver, too: messages are then repeated."""
_SLICE: Final = 5.0
_PAUSE: Final = 0.1
_UNTRACKED: Final = 2**63 - 1
"""A checkpoint beyond all changes: none is kept for its sake."""


async def add_webhook(engine: Engine, request: AddWebhookRequest) -> WebhookStatus:
    """See `AsyncMemory.add_webhook`."""
    check_flag("records", request.records)
    check_flag("allow_private", request.allow_private)
    if not engine.store.capabilities.changes:
        raise NotSupported("this store reports no changes, so there is nothing to deliver", part="memory")
    if not isinstance(request.url, str):
        raise InvalidInput(f"url is a text, not {shown(request.url)}")
    scheme = Url.parse(request.url).scheme
    if scheme in ("", "memory"):
        raise InvalidInput(
            "url is an https:// URL, or that of a log other processes can read, such as redis://host"
        )
    if scheme in ("http", "https"):
        check_url(request.url, private=request.allow_private)
        key_of(secret := new_secret() if request.secret is None else request.secret)
    else:
        if request.secret is not None:
            raise InvalidInput("only webhooks are signed; omit secret= for a log")
        secret = ""
    endpoint = Endpoint(
        id=secrets.token_hex(6),
        url=request.url,
        created_at=engine.clock(),
        secret=secret,
        records=request.records,
        private=request.allow_private,
    )
    async with _delivery(engine, endpoint) as delivery:
        _ = delivery.target  # raises for a URL that nothing can open
        await _moved(engine, endpoint, await engine.store.position())
    await (await _endpoints(engine)).add(endpoint)
    return WebhookStatus.of(endpoint, secret=secret)


async def remove_webhook(engine: Engine, request: RemoveWebhookRequest) -> None:
    """See `AsyncMemory.remove_webhook`."""
    endpoints = await _endpoints(engine)
    id = await endpoints.name(request.webhook)
    endpoint = Endpoint(
        id=id, url="", created_at=engine.clock()
    )  # one that cannot be decrypted is removed, too
    await _moved(engine, endpoint, _UNTRACKED)
    await endpoints.remove(id)
    async with _delivery(engine, endpoint) as delivery:
        await delivery.waiting.clear()
        await delivery.dead.clear()


async def webhooks(engine: Engine) -> list[WebhookStatus]:
    """See `AsyncMemory.webhooks`."""
    found = []
    for endpoint in await (await _endpoints(engine)).all():
        async with _delivery(engine, endpoint) as delivery:
            found.append(await _status(engine, endpoint, delivery))
    return found


async def test_webhook(engine: Engine, request: TestWebhookRequest) -> str | None:
    """See `AsyncMemory.test_webhook`."""
    endpoint = await (await _endpoints(engine)).get(request.webhook)
    async with _delivery(engine, endpoint) as delivery:
        failure = await delivery.test(test_message(new_id(), engine.clock()))
    return None if failure is None else failure.reason


async def dead_letters(engine: Engine, request: DeadLettersRequest) -> list[DeadLetter]:
    """See `AsyncMemory.dead_letters`."""
    endpoint = await (await _endpoints(engine)).get(request.webhook)
    async with _delivery(engine, endpoint) as delivery:
        await delivery.dead.read()
        return [letter for _, letter in sorted(delivery.dead.letters.items())]


async def replay_webhook(engine: Engine, request: ReplayWebhookRequest) -> int:
    """See `AsyncMemory.replay_webhook`."""
    endpoints = await _endpoints(engine)
    endpoint = await endpoints.get(request.webhook)
    async with _delivery(engine, endpoint) as delivery:
        if endpoint.disabled is not None:
            await endpoints.add(endpoint.enabled())
        return await delivery.replay()


async def deliver(engine: Engine, request: DeliverRequest) -> list[WebhookStatus]:
    """See `AsyncMemory.deliver`."""
    seconds = request.seconds
    if seconds is not None and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 1e9
    ):
        raise InvalidInput(f"seconds is a number over 0 and up to 1e9, not {shown(seconds)}")
    endpoints, webhook = await _endpoints(engine), request.webhook
    chosen = await endpoints.all() if webhook is None else [await endpoints.get(webhook)]
    until = float("inf") if seconds is None else time.monotonic() + seconds
    found, failures = list[WebhookStatus](), list[MemwellError]()
    for endpoint in chosen:
        async with _delivery(engine, endpoint) as delivery:
            try:
                if endpoint.disabled is None:
                    await _delivered(engine, endpoint, delivery, until)
            except MemwellError as error:  # the others are delivered first
                failures.append(error)
                continue
            now = {one.id: one for one in await endpoints.all()}.get(endpoint.id, endpoint)  # disabled?
            found.append(await _status(engine, now, delivery))
    if failures:
        raise failures[0]
    return found


async def _delivered(engine: Engine, endpoint: Endpoint, delivery: Delivery, until: float) -> None:
    follower = Follower(
        engine.store,
        delivery,
        name=_name(endpoint),
        clock=engine.clock,
        lease=LEASE,
        replayed=False,
    )
    while True:
        before = delivery.delivered
        try:
            done = await follower.catch_up(min(_SLICE, max(0.0, until - time.monotonic())))
        except Unavailable as error:
            if error.part != "delivery":
                raise
            return  # the receiver is down or gone; what waits is shown
        held = follower.position is None  # another process delivers
        if held or time.monotonic() >= until or (done and not delivery.due):
            return
        if not done and delivery.delivered == before:  # the lease was lost; another process may deliver
            await _bridge.pause(_PAUSE, blocking=engine.parts.blocking)
        follower.distrust()


async def _status(engine: Engine, endpoint: Endpoint, delivery: Delivery) -> WebhookStatus:
    await delivery.read()
    follower = Follower(
        engine.store, delivery, name=_name(endpoint), clock=engine.clock, lease=LEASE, replayed=False
    )
    letters = delivery.waiting.letters.values()
    return WebhookStatus.of(
        endpoint,
        pending=await follower.lag(),
        waiting=len(letters),
        dead=len(delivery.dead.letters),
        delivered=delivery.delivered,
        reason=next((one.reason for one in letters if one.reason), None),
    )


@asynccontextmanager
async def _delivery(engine: Engine, endpoint: Endpoint) -> AsyncIterator[Delivery]:
    delivery = Delivery(
        engine.store,
        (await _endpoints(engine)).log,
        endpoint,
        lambda: _target(endpoint),
        clock=engine.clock,
        blocking=engine.parts.blocking,
        retries=RETRIES,
    )
    try:
        yield delivery
    finally:
        await delivery.close()


def _target(endpoint: Endpoint) -> Target:
    if Url.parse(endpoint.url).scheme in ("http", "https"):
        return Webhook(endpoint)
    if Url.parse(endpoint.url).scheme == "sqs":
        return Sqs(endpoint.url)
    return LogStream(open_journal(endpoint.url, None, blocking=False)[0])


async def _moved(engine: Engine, endpoint: Endpoint, position: int) -> None:
    lease = Lease(engine.store, _name(endpoint), engine.clock, replayed=False)
    if not await lease.claim():
        raise Unavailable(
            "a process delivers to this webhook just now; try again", part="memory", retry_after=LEASE
        )
    await lease.advance(position, release=True)


async def rewrap(engine: Engine, *, plain: bool = False) -> None:
    """Encrypt the list of webhooks under the first master key; with `plain` also what of it is not encrypted."""
    await (await _endpoints(engine)).rewrap(plain=plain)


async def _endpoints(engine: Engine) -> Endpoints:
    return Endpoints((await engine.proof.journal()).log, keyring_of(engine.store))


def _name(endpoint: Endpoint) -> str:
    return f"webhook {endpoint.id}"
