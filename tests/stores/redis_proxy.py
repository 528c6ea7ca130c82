"""A stretch of network before a real Redis that loses an answer, or keeps a request back, when it is told to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

__all__ = ["Proxy"]


class Proxy:
    """Passes bytes between clients and the server until a request with a certain word comes along."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._trap: tuple[bytes, Literal["answer", "request"]] | None = None
        self._held: tuple[socket.socket, bytes] | None = None
        self.caught = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, what: Literal["answer", "request"], word: bytes) -> None:
        """Cut the connection at the next request with the word: before its answer, or with the request kept back."""
        self._trap = (word, what)

    def deliver(self) -> bytes:
        """Let the server have the request that was kept back; its answer."""
        assert self._held is not None
        server, request = self._held
        server.sendall(request)
        answer = server.recv(1 << 16)
        server.close()
        return answer

    def refuse(self) -> None:
        """Take no new connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for connections
        self._listener.close()

    def close(self) -> None:
        """Take no new connections, and drop what is kept back."""
        self.refuse()
        if self._held is not None:
            self._held[0].close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if self._trap is not None and self._trap[0] in data:
                    what, self._trap = self._trap[1], None
                    self.caught += 1
                    if what == "request":
                        self._held = (server, data)
                    else:
                        server.sendall(data)
                        server.recv(1 << 20)
                        server.close()
                    client.shutdown(socket.SHUT_RDWR)
                    client.close()
                    return
                server.sendall(data)
                answer = server.recv(1 << 20)  # small answers, one request at a time
                client.sendall(answer)
        client.close()
        server.close()
