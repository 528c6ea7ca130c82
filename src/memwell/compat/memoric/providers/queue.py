"""Message queues: in memory, and Amazon SQS.

A task is delivered as a pair with the attribute `id`, `task, payload = delivered`. `complete` and `fail` say how it
ended; the next `dequeue` of the same worker completes what was not said to have failed.
"""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from memwell.compat.memoric.providers.interfaces import MessageQueueProvider, Status
from memwell.errors import BackendError, ConfigError, InvalidInput, MemwellError, Unavailable, shown

__all__ = ["Delivered", "InMemoryMessageQueueProvider", "SQSMessageQueueProvider"]

_REMEMBERED: Final = 10_000
"""Tasks whose status is known."""


class Delivered(tuple[str, Any]):
    """The name of a task and its payload."""

    id: str

    def __new__(cls, task: str, payload: Any, id: str) -> Delivered:
        """Make one."""
        made = super().__new__(cls, (task, payload))
        made.id = id
        return made


class _Queue(MessageQueueProvider):
    """Keeps the status of the latest tasks of this process."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._status: OrderedDict[str, Status] = OrderedDict()
        self._current = threading.local()

    def get_status(self, id: str) -> Status | None:
        """See `MessageQueueProvider.get_status`. Known are the latest 10,000 tasks of this process."""
        with self._lock:
            return self._status.get(id)

    def complete(self, id: str) -> None:
        """A task is done."""
        self._set(id, "completed")

    def fail(self, id: str) -> None:
        """A task has failed."""
        self._set(id, "failed")

    def _begin(self, delivered: Delivered | None) -> Delivered | None:
        if delivered is not None:
            self._set(delivered.id, "processing")
        self._current.id = None if delivered is None else delivered.id
        return delivered

    def _end_last(self) -> None:
        """The worker asks for the next task: its last one is done."""
        last = getattr(self._current, "id", None)
        if last is not None and self.get_status(last) == "processing":
            self.complete(last)

    def _set(self, id: str, status: Status) -> None:
        with self._lock:
            self._status[id] = status
            self._status.move_to_end(id)
            while len(self._status) > _REMEMBERED:
                self._status.popitem(last=False)


class InMemoryMessageQueueProvider(_Queue):
    """In the memory of this process, for development and tests."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[tuple[float, int, Delivered]] = []
        self._numbers = itertools.count()

    def enqueue(self, *, task: str, payload: Mapping[str, Any], delay: float | None = None) -> str:
        """See `MessageQueueProvider.enqueue`."""
        id = uuid.uuid4().hex
        due = time.monotonic() + _delay(delay)
        self._set(id, "pending")
        with self._lock:
            delivered = Delivered(task, json.loads(_body(payload)), id)
            heapq.heappush(self._waiting, (due, next(self._numbers), delivered))
            self._lock.notify()
        return id

    def dequeue(self, timeout: float | None = None) -> Delivered | None:
        """See `MessageQueueProvider.dequeue`."""
        self._end_last()
        end = time.monotonic() + (timeout or 0.0)
        with self._lock:
            while not (self._waiting and self._waiting[0][0] <= time.monotonic()):
                due = min(self._waiting[0][0], end) if self._waiting else end
                if end <= time.monotonic():
                    return self._begin(None)
                self._lock.wait(due - time.monotonic())
            return self._begin(heapq.heappop(self._waiting)[2])


class SQSMessageQueueProvider(_Queue):
    """A queue of Amazon SQS, by its URL, with the credentials of the environment. Needs `memwell[sqs]`.

    A message is deleted when its task is completed. One that was not, because the worker died or said that it failed,
    is delivered again after the visibility timeout of the queue: a task may come more than once.
    """

    def __init__(self, queue_url: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        super().__init__()
        try:
            import boto3
        except ImportError as error:
            raise ConfigError("SQS needs boto3; run: pip install 'memwell[sqs]'") from error
        self._url = queue_url
        self._client: Any = boto3.client("sqs", region_name=region, endpoint_url=endpoint_url)
        self._receipts: dict[str, str] = {}

    def enqueue(self, *, task: str, payload: Mapping[str, Any], delay: float | None = None) -> str:
        """See `MessageQueueProvider.enqueue`. SQS delays by whole seconds, up to 900; in a FIFO queue by none."""
        if _delay(delay) > 900:
            raise InvalidInput("SQS delays a message by at most 900 seconds")
        body = json.dumps({"task": task, "payload": json.loads(_body(payload))})
        options: dict[str, Any] = {"DelaySeconds": round(delay)} if delay else {}
        if self._url.endswith(".fifo"):
            options |= {"MessageGroupId": task, "MessageDeduplicationId": uuid.uuid4().hex}
        id = str(self._ask("send_message", MessageBody=body, **options)["MessageId"])
        self._set(id, "pending")
        return id

    def dequeue(self, timeout: float | None = None) -> Delivered | None:
        """See `MessageQueueProvider.dequeue`. SQS waits for whole seconds, up to 20."""
        self._end_last()
        wait = min(round(timeout or 0), 20)
        found = self._ask("receive_message", MaxNumberOfMessages=1, WaitTimeSeconds=wait).get("Messages")
        if not found:
            return self._begin(None)
        (message,) = found
        with self._lock:
            self._receipts[message["MessageId"]] = message["ReceiptHandle"]
        try:
            body = json.loads(message["Body"])
            return self._begin(Delivered(body["task"], body["payload"], message["MessageId"]))
        except (ValueError, KeyError, TypeError) as error:
            id = message["MessageId"]
            raise BackendError(
                f"message {id} of the queue is no task: {error}; remove it by complete({id!r})", part="sqs"
            ) from error

    def complete(self, id: str) -> None:
        """See `complete`; the message is deleted."""
        with self._lock:
            receipt = self._receipts.pop(id, None)
        if receipt is not None:
            self._ask("delete_message", ReceiptHandle=receipt)
        super().complete(id)

    def fail(self, id: str) -> None:
        """See `fail`; the message will be delivered again."""
        with self._lock:
            self._receipts.pop(id, None)
        super().fail(id)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found: dict[str, Any] = getattr(self._client, name)(QueueUrl=self._url, **arguments)
            return found
        except (BotoCoreError, ClientError) as error:
            raise _translated(error) from error


def _translated(error: Any) -> MemwellError:
    """memwell's error for one of SQS."""
    answer = getattr(error, "response", None) or {}
    code = answer.get("Error", {}).get("Code", type(error).__name__)
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
        return Unavailable(f"SQS: {code}", part="sqs")
    return BackendError(f"SQS: {code}: {error}", part="sqs")


def _delay(delay: float | None) -> float:
    if delay is not None and (isinstance(delay, bool) or not isinstance(delay, int | float) or delay < 0):
        raise InvalidInput(f"delay is a number of seconds, not {shown(delay)}")
    return float(delay or 0.0)


def _body(payload: Mapping[str, Any]) -> str:
    try:
        return json.dumps(payload)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the payload of a task is JSON: {error}") from error
