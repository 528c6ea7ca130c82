"""A network before a real server that can be cut, or swallow everything, while tests run."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

__all__ = ["Network"]


class Network:
    """Passes bytes between clients and `port` of this machine."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._lines: list[tuple[socket.socket, socket.socket]] = []
        self.connected = 0
        """How many connections were opened so far."""
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        """Take connections and bytes, and pass on nothing."""
        self._open.clear()

    def flow(self) -> None:
        """Pass on everything, what was held back too."""
        self._open.set()

    def cut(self) -> None:
        """Hang up all connections."""
        lines, self._lines = self._lines, []
        for client, server in lines:
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything."""
        self.flow()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, which closes it
        self.cut()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError), self._listener:
            while True:
                client = self._listener.accept()[0]
                self.connected += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            self._lines.append((client, server))
            answers = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            answers.start()
            self._pass(client, server)
            answers.join()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._open.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
