"""What the loopback servers share: HTTP in threads, strict reading of requests, and failures on demand."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Reply", "Request", "Wire", "serving"]

W = TypeVar("W", bound="Wire")


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    raw: bytes
    pairs: tuple[tuple[str, str], ...] = ()
    """What stands behind the question mark, with what is given several times."""

    @property
    def body(self) -> Any:
        """The JSON of the request; anything else is refused."""
        try:
            return json.loads(self.raw)
        except ValueError as error:
            raise Reply(400, message=f"no JSON: {error}") from error

    def only(self, **types: type | tuple[type, ...]) -> dict[str, Any]:
        """The JSON object with these keys at most, each of its type; an underscore behind a name says it must be
        there."""
        body = self.body
        if not isinstance(body, dict):
            raise Reply(400, message="the body is no object")
        known = {name.rstrip("_"): kind for name, kind in types.items()}
        for name in types:
            if name.endswith("_") and name.rstrip("_") not in body:
                raise Reply(400, message=f"missing field {name.rstrip('_')}")
        for name, value in body.items():
            if name not in known:
                raise Reply(400, message=f"unknown field {name}")
            if not isinstance(value, known[name]):
                raise Reply(400, message=f"{name} is no {known[name]}")
        return body


@dataclass
class Reply(Exception):
    """An answer that is not the usual one; raise it, or queue it with `Wire.next`."""

    status: int
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent instead of what the service would say."""
    hang_up: bool = False
    """Close the connection without an answer."""


class Wire:
    """A service. `ROUTES` names a method for each verb and path; it gets the request and the parts of the path."""

    ROUTES: tuple[tuple[str, str, str], ...] = ()
    HEADERS: Mapping[str, str] = {}
    """Of every answer."""
    url = ""
    """Where it listens, while `serving`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        """All that came, oldest first."""
        self.lock = threading.RLock()
        self._queued: deque[Reply] = deque()

    def next(self, *replies: Reply) -> None:
        """Answer the next requests so, and do nothing of what they ask."""
        self._queued.extend(replies)

    def refusal(self, reply: Reply) -> Any:
        """How the service words an error."""
        return {"error": reply.message}

    def answer(self, request: Request) -> Any:
        """The JSON of the answer."""
        with self.lock:
            self.requests.append(request)
            if self._queued:
                raise self._queued.popleft()
            for method, pattern, name in self.ROUTES:
                found = re.fullmatch(pattern, request.path)
                if found and method == request.method:
                    return getattr(self, name)(request, *map(unquote, found.groups()))
            raise Reply(404, message=f"no {request.method} {request.path} here")


@contextmanager
def serving(wire: W) -> Iterator[W]:
    """The service on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.wire = wire
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    wire.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    wire: Wire


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body apart would wait 40 milliseconds for each other
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
        request = Request(self.command, parts.path, dict(pairs), headers, self.rfile.read(size), pairs)
        wire = self.server.wire
        try:
            self._send(200, json.dumps(wire.answer(request)).encode(), {})
        except Reply as reply:
            if reply.hang_up:
                self.close_connection = True
                return
            raw = json.dumps(wire.refusal(reply)).encode() if reply.raw is None else reply.raw
            self._send(reply.status, raw, reply.headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815  the names http.server calls

    def _send(self, status: int, raw: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            **self.server.wire.HEADERS,
            **headers,
        }.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
