"""A receiver of webhooks, on loopback: an HTTP server that checks signatures and may fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, str]]]


class Receiver:
    """`answer` gives status and headers for a body; what it accepts is in `accepted`, as (id, body)."""

    def __init__(self, answer: Answer = lambda _: (204, {})) -> None:
        self.answer, self.secret = answer, ""
        self.accepted: list[tuple[str, dict[str, Any]]] = []
        self.calls = self.forged = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                if len(raw := self.rfile.read(length)) < length:
                    return  # the sender was killed
                status, headers = receiver.received(dict(self.headers), raw)
                self.send_response(status)
                for name, value in {**headers, "content-length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """A sender that was killed is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def received(self, headers: dict[str, str], raw: bytes) -> tuple[int, dict[str, str]]:
        """Check, answer, and note what was accepted; the signature is computed by the words of the standard."""
        found = {name.lower(): value for name, value in headers.items()}
        signed = f"{found['webhook-id']}.{found['webhook-timestamp']}.".encode() + raw
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        body = json.loads(raw)
        with self._lock:
            self.calls += 1
            self.forged += found["webhook-signature"] != f"v1,{wanted}"
            status, extra = self.answer(body)
            if 200 <= status < 300:
                self.accepted.append((found["webhook-id"], body))
        return status, extra

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def once_each(accepted: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The bodies without repeats, as a receiver that drops repeated ids sees them."""
    first: dict[str, dict[str, Any]] = {}
    for id, body in accepted:
        first.setdefault(id, body)
    return list(first.values())
