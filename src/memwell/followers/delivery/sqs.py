"""A queue of Amazon SQS as an endpoint: `sqs://REGION/QUEUE`, with the credentials of the environment.

In a FIFO queue (its name ends in `.fifo`) the messages of one memory are a group, in order; SQS drops repeats within
five minutes. A standard queue keeps no order. `?account=ID` names the queue of another account, `?endpoint=URL` another
server.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from memwell import _bridge
from memwell.errors import ConfigError
from memwell.followers.delivery.messages import Failure, Message
from memwell.urls import Url

__all__ = ["Sqs"]

_CONCURRENCY: Final = 16
_TIMEOUT: Final = 15
"""Seconds."""


class Sqs:
    """Sends messages to one queue. Raises `ConfigError` for a URL that names none, or without boto3."""

    def __init__(self, text: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise ConfigError("a queue of SQS needs boto3; run: pip install 'memwell[sqs]'") from error
        url = Url.parse(text)
        account, server = url.take("account"), url.take("endpoint")
        url.done("account", "endpoint")
        region, _, self._queue = url.rest.partition("/")
        if not region or not self._queue or "/" in self._queue:
            raise ConfigError(
                "a queue of SQS is named by sqs://REGION/QUEUE, such as sqs://eu-west-1/memwell.fifo"
            )
        self._account = {} if account is None else {"QueueOwnerAWSAccountId": account}
        limits = Config(
            connect_timeout=_TIMEOUT,
            read_timeout=_TIMEOUT,
            max_pool_connections=_CONCURRENCY,
            retries={"total_max_attempts": 1},
        )
        self._client: Any = boto3.client("sqs", region_name=region, endpoint_url=server, config=limits)
        self._url: str | None = None
        self._threads = ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="memwell-sqs")

    async def send(self, message: Message) -> Failure | None:
        """Send one message; `None` if the queue holds it. Its id is the attribute `webhook-id`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            await _bridge.hop(self._threads, lambda: self._sent(message))
        except ClientError as error:
            return Failure(reason=f"SQS: {error.response.get('Error', {}).get('Code', 'refused')}")
        except BotoCoreError as error:
            return Failure(reason=f"SQS: {type(error).__name__}: {error}"[:200])
        return None

    async def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False)
        self._client.close()

    def _sent(self, message: Message) -> None:
        if self._url is None:
            self._url = self._client.get_queue_url(QueueName=self._queue, **self._account)["QueueUrl"]
        order: dict[str, str] = {}
        if self._queue.endswith(".fifo"):
            group = hashlib.blake2b("\0".join(message.key).encode(), digest_size=16).hexdigest()
            order = {"MessageGroupId": group, "MessageDeduplicationId": message.id}
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=message.body.decode(),
            MessageAttributes={"webhook-id": {"DataType": "String", "StringValue": message.id}},
            **order,
        )
