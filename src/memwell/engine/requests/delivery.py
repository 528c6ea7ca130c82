"""Requests of webhooks."""

from __future__ import annotations

from memwell._dataclasses import dataclass

__all__ = [
    "AddWebhookRequest",
    "DeadLettersRequest",
    "DeliverRequest",
    "RemoveWebhookRequest",
    "ReplayWebhookRequest",
    "TestWebhookRequest",
]


@dataclass(slots=True, kw_only=True)
class AddWebhookRequest:
    """`add_webhook`: where to deliver changes."""

    url: str
    secret: str | None = None
    """`None`: one is made."""
    records: bool = False
    allow_private: bool = False


@dataclass(slots=True, kw_only=True)
class _OfWebhook:
    webhook: str
    """Id of the webhook."""


@dataclass(slots=True, kw_only=True)
class RemoveWebhookRequest(_OfWebhook):
    """`remove_webhook`: end the delivery to a webhook."""


@dataclass(slots=True, kw_only=True)
class TestWebhookRequest(_OfWebhook):
    """`test_webhook`: send a message that says nothing."""


@dataclass(slots=True, kw_only=True)
class DeadLettersRequest(_OfWebhook):
    """`dead_letters`: the messages for a webhook that were given up."""


@dataclass(slots=True, kw_only=True)
class ReplayWebhookRequest(_OfWebhook):
    """`replay_webhook`: send dead letters again."""


@dataclass(slots=True, kw_only=True)
class DeliverRequest:
    """`deliver`: send what is due."""

    webhook: str | None = None
    """`None` means all."""
    seconds: float | None = None
