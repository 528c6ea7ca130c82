"""A stretch of network before a real Redis that loses an answer, or keeps a request back, when it is told to."""

from __future__ import annotations

import queue
import socket
import threading
from contextlib import suppress
from typing import Literal

__all__ = ["Proxy"]


class _Line:
    """One client's connection, and that to the server behind it."""

    def __init__(self, client: socket.socket, port: int) -> None:
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", port))
        self.silent = False
        """Whether answers are kept from the client."""
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        """Those that were kept."""

    def hang_up(self) -> None:
        """Cut the client off."""
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)

    def down(self) -> None:
        """Pass answers on until the server, or the line to it, ends."""
        with suppress(OSError):
            while data := self.server.recv(1 << 20):
                if self.silent:
                    self.answers.put(data)
                else:
                    self.client.sendall(data)
        self.hang_up()


class Proxy:
    """Passes bytes between clients and the server until a request with a certain word comes along."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._trap: tuple[bytes, Literal["answer", "request"]] | None = None
        self._held: tuple[_Line, bytes] | None = None
        self.caught = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, what: Literal["answer", "request"], word: bytes) -> None:
        """Cut the connection at the next request with the word: before its answer, or with the request kept back."""
        self._trap = (word, what)

    def deliver(self) -> bytes:
        """Let the server have the request that was kept back; its answer."""
        assert self._held is not None
        line, request = self._held
        line.server.sendall(request)
        return line.answers.get(timeout=10)

    def refuse(self) -> None:
        """Take no new connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for connections
        self._listener.close()

    def close(self) -> None:
        """Take no new connections, and drop what is kept back."""
        self.refuse()
        if self._held is not None:
            with suppress(OSError):
                self._held[0].server.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line = _Line(self._listener.accept()[0], self._target)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: _Line) -> None:
        with line.client, line.server:
            down = threading.Thread(target=line.down, daemon=True)
            down.start()
            with suppress(OSError):
                while (data := line.client.recv(1 << 20)) and not self._trapped(line, data):
                    line.server.sendall(data)
            if self._held is None or self._held[0] is not line:
                with suppress(OSError):
                    line.server.shutdown(socket.SHUT_RDWR)
            down.join()

    def _trapped(self, line: _Line, data: bytes) -> bool:
        """Whether this was the request to be lost; it has been."""
        if self._trap is None or self._trap[0] not in data:
            return False
        (_, what), self._trap = self._trap, None
        self.caught += 1
        line.silent = True
        if what == "request":
            self._held = (line, data)
        else:
            line.server.sendall(data)
            line.answers.get(timeout=10)  # so that it was done
        line.hang_up()
        return True
