"""A stream of a `Log` as an endpoint; in Redis it is a Redis stream."""

from __future__ import annotations

import json
from typing import Final

from memwell.errors import MemwellError
from memwell.followers.delivery.messages import Failure, Message
from memwell.ports import Log

__all__ = ["STREAM", "LogStream"]

STREAM: Final = "memwell:events"


class LogStream:
    """Appends each message as `{"id": …, "event": {"type": …, "timestamp": …, "data": …}}`."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def send(self, message: Message) -> Failure | None:
        """Append one message; `None` if it is stored."""
        body = {"id": message.id, "event": json.loads(message.body)}
        entry = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        try:
            await self._log.append(STREAM, [entry.encode("utf-8", "backslashreplace")])
        except MemwellError as error:
            return Failure(reason=error.message, retry_after=getattr(error, "retry_after", None))
        return None

    async def close(self) -> None:
        """Close the log, which was opened for this endpoint."""
        await self._log.close()
