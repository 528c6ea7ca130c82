"""The methods that deliver what happens to other systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwell.engine import requests
from memwell.engine.keywords import explain_keywords
from memwell.faces.base import AsyncFace, Face, audited, delegated

if TYPE_CHECKING:
    from memwell.followers.delivery.endpoints import WebhookStatus
    from memwell.followers.delivery.queue import DeadLetter

__all__ = ["AsyncDelivery", "Delivery"]


@audited
@explain_keywords
class AsyncDelivery(AsyncFace):
    """Webhooks, with `await`."""

    async def add_webhook(
        self, url: str, *, secret: str | None = None, records: bool = False, allow_private: bool = False
    ) -> WebhookStatus:  # fmt: skip
        """Deliver every change from now on to a URL, at least once and in order for each memory (docs/events.md).

        - `url`: an `https://` URL, called by Standard Webhooks, or the URL of a `Log` such as `redis://host`, whose
          stream `memwell:events` gets the messages, or a queue of SQS, `sqs://REGION/QUEUE`.
        - `secret`: `whsec_` and 24 to 64 bytes in base64; by default one is made. The answer holds it, this once.
        - `records`: send the whole memory with each message; by default only its id, owner and version.
        - `allow_private`: allow `http://` and addresses of private networks.

        Nothing is sent before `deliver` runs, in this or any other process. Raises `InvalidInput`, and `NotSupported`
        for a store that reports no changes.
        """
        from memwell.engine import delivering

        request = requests.AddWebhookRequest(
            url=url, secret=secret, records=records, allow_private=allow_private
        )
        return await delivering.add_webhook(self._engine, request)

    async def webhooks(self) -> list[WebhookStatus]:
        """The webhooks, oldest first, each with what is pending, waiting and dead."""
        from memwell.engine import delivering

        return await delivering.webhooks(self._engine)

    async def remove_webhook(self, webhook: str) -> None:
        """Remove a webhook, with what waits for it. `webhook` is its id, or the beginning of it. Raises `NotFound`."""
        from memwell.engine import delivering

        await delivering.remove_webhook(self._engine, requests.RemoveWebhookRequest(webhook=webhook))

    async def test_webhook(self, webhook: str) -> str | None:
        """Send a message of the type `memwell.test` to the webhook with the id `webhook`. Returns `None` if it arrived,
        else the reason."""
        from memwell.engine import delivering

        return await delivering.test_webhook(self._engine, requests.TestWebhookRequest(webhook=webhook))

    async def deliver(
        self, webhook: str | None = None, *, seconds: float | None = None
    ) -> list[WebhookStatus]:
        """Deliver what is due to the webhook with the id `webhook` (by default to all), for about `seconds` (by default
        until nothing is due), and return how it stands. Call it again and again, in any process: one of them delivers.
        """
        from memwell.engine import delivering

        return await delivering.deliver(
            self._engine, requests.DeliverRequest(webhook=webhook, seconds=seconds)
        )

    async def dead_letters(self, webhook: str) -> list[DeadLetter]:
        """The messages for the webhook with the id `webhook` that were given up, oldest first."""
        from memwell.engine import delivering

        return await delivering.dead_letters(self._engine, requests.DeadLettersRequest(webhook=webhook))

    async def replay_webhook(self, webhook: str) -> int:
        """Let the dead letters of the webhook with the id `webhook` wait to be delivered again, and enable it if it was
        disabled. Returns how many there were; the next `deliver` sends them."""
        from memwell.engine import delivering

        return await delivering.replay_webhook(self._engine, requests.ReplayWebhookRequest(webhook=webhook))


@explain_keywords
class Delivery(Face):
    """Webhooks, without `await`."""

    _memory: AsyncDelivery

    @delegated
    def add_webhook(
        self, url: str, *, secret: str | None = None, records: bool = False, allow_private: bool = False
    ) -> WebhookStatus:  # fmt: skip
        """Deliver every change from now on to a URL, at least once and in order for each memory (docs/events.md).

        - `url`: an `https://` URL, called by Standard Webhooks, or the URL of a `Log` such as `redis://host`, whose
          stream `memwell:events` gets the messages, or a queue of SQS, `sqs://REGION/QUEUE`.
        - `secret`: `whsec_` and 24 to 64 bytes in base64; by default one is made. The answer holds it, this once.
        - `records`: send the whole memory with each message; by default only its id, owner and version.
        - `allow_private`: allow `http://` and addresses of private networks.

        Nothing is sent before `deliver` runs, in this or any other process. Raises `InvalidInput`, and `NotSupported`
        for a store that reports no changes.
        """

    @delegated
    def webhooks(self) -> list[WebhookStatus]:
        """The webhooks, oldest first, each with what is pending, waiting and dead."""

    @delegated
    def remove_webhook(self, webhook: str) -> None:
        """Remove a webhook, with what waits for it. `webhook` is its id, or the beginning of it. Raises `NotFound`."""

    @delegated
    def test_webhook(self, webhook: str) -> str | None:
        """Send a message of the type `memwell.test` to the webhook with the id `webhook`. Returns `None` if it arrived,
        else the reason."""

    @delegated
    def deliver(self, webhook: str | None = None, *, seconds: float | None = None) -> list[WebhookStatus]:
        """Deliver what is due to the webhook with the id `webhook` (by default to all), for about `seconds` (by default
        until nothing is due), and return how it stands. Call it again and again, in any process: one of them delivers.
        """

    @delegated
    def dead_letters(self, webhook: str) -> list[DeadLetter]:
        """The messages for the webhook with the id `webhook` that were given up, oldest first."""

    @delegated
    def replay_webhook(self, webhook: str) -> int:
        """Let the dead letters of the webhook with the id `webhook` wait to be delivered again, and enable it if it was
        disabled. Returns how many there were; the next `deliver` sends them."""
