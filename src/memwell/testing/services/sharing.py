"""A pytest plugin: one server of each kind for a whole run, started when a test first asks for it.

Load it with `pytest_plugins = ["memwell.testing.services.sharing"]` in your top conftest.py.

| fixture | is |
|---|---|
| `postgres`, `redis`, `memcached`, `chroma` | the shared `Service`; start your own to stop or kill it |
| `postgres_url` | a URL with a schema of its own, dropped afterwards |
| `redis_url`, `memcached_url` | a URL with a key prefix of its own; what is left behind ends with the run |

The process that runs pytest owns the servers; with pytest-xdist that is the controller, which workers ask over a local
socket. So the number of servers does not depend on the number of workers, and they end with the run however it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, Protocol

import pytest

from memwell.testing.services import Service, ServiceFailed, chroma, memcached, postgres, redis

__all__ = ["SharedService"]

_START: Final[dict[str, Callable[[], Service]]] = {
    "postgres": lambda: postgres(durable=False),
    "redis": lambda: redis(durable=False),
    "memcached": memcached,
    "chroma": chroma,
}


class SharedService(Service):
    """The server of the run as one test sees it. It has `url` and `port`, and refuses to be stopped or killed."""

    name = "shared"

    def __init__(self, name: str, url: str, port: int, folder: Path) -> None:
        # What the base class does is done already, in the process that owns the server.
        self._name, self._url, self.port, self.folder = name, url, port, folder

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._url

    @property
    def running(self) -> bool:
        """True: it runs as long as the tests do."""
        return True

    def start(self) -> SharedService:
        """The service itself: it runs."""
        return self

    def __repr__(self) -> str:
        return f"<{self._name} on port {self.port}, shared>"

    def _order(self, order: bytes) -> None:  # noqa: ARG002
        raise ServiceFailed(
            f"this {self._name} is shared by all tests of the run; to stop or kill one, start your own: "
            f"`with memwell.testing.services.{self._name}() as server:`"
        )

    def _command(self) -> list[str]:
        return []

    def _answers(self) -> bool:
        return True


class _Given(Protocol):
    """What can be asked for a service: the owner itself, or the way to it."""

    def get(self, name: str) -> SharedService: ...


class _Owner:
    """Starts each service once and ends them all. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[str, SharedService | ServiceFailed] = {}
        self._stack = ExitStack()

    def get(self, name: str) -> SharedService:
        with self._lock:
            if name not in self._started:
                self._started[name] = self._start(name)
            found = self._started[name]
        if isinstance(found, ServiceFailed):
            raise found
        return found

    def close(self) -> None:
        with self._lock:
            self._stack.close()

    def _start(self, name: str) -> SharedService | ServiceFailed:
        try:
            service = self._stack.enter_context(_START[name]())
            if name == "postgres":
                _make_extension(service.url)
        except ServiceFailed as error:
            return error
        return SharedService(name, service.url, service.port, service.folder)


class _Doorman:
    """Answers the workers of pytest-xdist in the controller, each in a thread of its own."""

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner
        self.key = token_hex(16)
        self._listener = Listener(authkey=self.key.encode())
        self.address = self._listener.address
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with Client(self.address, authkey=self.key.encode()) as line:
            line.send("")
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            line = self._listener.accept()
            name = line.recv()
            if not name:
                line.close()
                return
            threading.Thread(target=self._answer, args=(line, name), daemon=True).start()

    def _answer(self, line: Connection, name: str) -> None:
        with line:
            try:
                found = self._owner.get(name)
                line.send((found.url, found.port, str(found.folder)))
            except ServiceFailed as error:
                line.send(str(error))


class _Asking:
    """Asks the controller from a worker."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key

    def get(self, name: str) -> SharedService:
        with Client(self._address, authkey=self._key.encode()) as line:
            line.send(name)
            answer = line.recv()
        if isinstance(answer, str):
            raise ServiceFailed(answer)
        url, port, folder = answer
        return SharedService(name, url, port, Path(folder))


_GIVEN: Final = pytest.StashKey[_Given]()
_DOORMAN: Final = pytest.StashKey[_Doorman]()


def pytest_configure(config: pytest.Config) -> None:
    """Know where services come from in this process; nothing is started yet."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        config.stash[_GIVEN] = owner = _Owner()
        config.add_cleanup(owner.close)
    else:
        config.stash[_GIVEN] = _Asking(*worker["memwell_services"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where to ask."""
    stash = node.config.stash
    if _DOORMAN not in stash:
        stash[_DOORMAN] = doorman = _Doorman(stash[_GIVEN])
        node.config.add_cleanup(doorman.close)
    node.workerinput["memwell_services"] = (stash[_DOORMAN].address, stash[_DOORMAN].key)


def _fixture(kind: str) -> Any:
    @pytest.fixture(scope="session", name=kind)
    def service(pytestconfig: pytest.Config) -> Service:
        return pytestconfig.stash[_GIVEN].get(kind)

    return service


postgres_service = _fixture("postgres")
redis_service = _fixture("redis")
memcached_service = _fixture("memcached")
chroma_service = _fixture("chroma")


@pytest.fixture(name="postgres_url")
def fresh_postgres_url(postgres: Service) -> Iterator[str]:
    """The shared server's URL with a schema that is dropped after the test. It is made by who opens the URL."""
    import psycopg

    schema = f"t_{token_hex(6)}"
    yield f"{postgres.url}?schema={schema}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '20s'")
        connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())


@pytest.fixture(name="redis_url")
def fresh_redis_url(redis: Service) -> str:
    """The shared server's URL with a key prefix that no other test has."""
    return f"{redis.url}?prefix=t_{token_hex(6)}:"


@pytest.fixture(name="memcached_url")
def fresh_memcached_url(memcached: Service) -> str:
    """The shared server's URL with a key prefix that no other test has."""
    return f"{memcached.url}?prefix=t_{token_hex(6)}:"


def _make_extension(url: str) -> None:
    """Create pgvector outside the schemas of tests, which would take it with them."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
