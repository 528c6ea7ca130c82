"""Services start, die, come again with their data, stand side by side, and outlive nobody."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest

from memwell.testing import services
from memwell.testing.services import Service, ServiceFailed
from memwell.testing.services.service import answer, free_port


def write_row(service: Service) -> None:
    with psycopg.connect(service.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'row' AS value")


def read_row(service: Service) -> str:
    with psycopg.connect(service.url, autocommit=True) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
    return row[0] if row else ""


def write_key(service: Service) -> None:
    assert answer(service.port, b"SET kept row\r\n") == b"+OK\r\n"


def read_key(service: Service) -> str:
    return answer(service.port, b"GET kept\r\n").split(b"\r\n")[1].decode()


def chroma_collections(service: Service, data: bytes | None = None) -> Any:
    path = "api/v2/tenants/default_tenant/databases/default_database/collections"
    request = Request(f"http://127.0.0.1:{service.port}/{path}", data, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as response:
        return json.load(response)


def write_collection(service: Service) -> None:
    chroma_collections(service, b'{"name": "kept", "metadata": {"value": "row"}}')


def read_collection(service: Service) -> str:
    return chroma_collections(service)[0]["metadata"]["value"]


KINDS: dict[str, tuple[Callable[[], Service], Callable[[Service], None], Callable[[Service], str]]] = {
    "postgres": (lambda: services.postgres(durable=False), write_row, read_row),
    "redis": (services.redis, write_key, read_key),
    "chroma": (services.chroma, write_collection, read_collection),
}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_killed_or_stopped_comes_again_with_its_data(kind: str) -> None:
    start, write, read = KINDS[kind]
    with start() as service:
        url = service.url
        write(service)
        for end in (service.kill, service.kill, service.stop, service.stop):
            end()
            assert not service.running
            assert not listens(service.port)
        service.start()
        service.start()
        assert service.url == url
        assert read(service) == "row"
    assert not listens(service.port)
    assert not service.folder.exists()


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_two_of_a_kind_stand_side_by_side(kind: str) -> None:
    start, write, read = KINDS[kind]
    with start() as one, start() as other:
        assert one.port != other.port
        write(one)
        write(other)
        one.kill()
        assert read(other) == "row"


def test_memcached_starts_again_empty() -> None:
    with services.memcached() as service:
        assert answer(service.port, b"set key 0 0 1\r\nx\r\n") == b"STORED\r\n"
        service.kill()
        assert not listens(service.port)
        service.start()
        assert answer(service.port, b"get key\r\n") == b"END\r\n"


def test_a_redis_with_a_password_asks_for_it() -> None:
    with services.redis(password="open sesame") as service:
        assert b"NOAUTH" in answer(service.port, b"PING\r\n")
        assert ":open%20sesame@" in service.url


@pytest.mark.parametrize("version", [16, 18])
def test_postgres_is_what_was_asked_for(version: int) -> None:
    settings = {"work_mem": "7MB"}
    with (
        services.postgres(durable=False, version=version, settings=settings) as service,
        psycopg.connect(service.url) as connection,
    ):
        assert connection.info.server_version // 10_000 == version
        shown = connection.execute(
            "SELECT current_setting('fsync'), current_setting('work_mem'), 'Ż' ~ '\\w'"
        )
        assert shown.fetchone() == ("off", "7MB", True)


def test_a_service_that_does_not_start_says_what_the_server_said() -> None:
    with pytest.raises(ServiceFailed, match=r"(?s)postgres ended with status 1.*no_such_setting"):
        services.postgres(settings={"no_such_setting": "1"})
    with pytest.raises(ServiceFailed, match=r"(?s)redis ended with status 1.*no_such_setting"):
        services.redis(settings={"no_such_setting": "1"})


def test_a_port_taken_meanwhile_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        monkeypatch.setattr(services.service, "free_port", lambda: taken.getsockname()[1])
        with pytest.raises(ServiceFailed, match="redis ended"):
            services.redis()


OWNER = """
import sys, time
from memwell.testing import services
service = getattr(services, sys.argv[1])()
print(service.port, service.folder, service._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["postgres", "redis", "memcached"])
@pytest.mark.parametrize("victim", ["owner", "watchdog"])
def test_no_service_outlives_its_owner_or_its_watchdog(kind: str, victim: str) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, kind], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        port, folder, watchdog = owner.stdout.readline().split()
        assert listens(int(port))
        os.kill(owner.pid if victim == "owner" else int(watchdog), signal.SIGKILL)
        eventually(lambda: not listens(int(port)))
        if victim == "owner":
            eventually(lambda: not Path(folder).exists())
        owner.kill()


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_shared_services_are_not_to_be_stopped(redis: Service, memcached: Service) -> None:
    assert answer(redis.port, b"PING\r\n") == b"+PONG\r\n"
    for service in (redis, memcached):
        for end in (service.stop, service.kill, service.close):
            with pytest.raises(ServiceFailed, match="start your own"):
                end()
    assert listens(memcached.port)


def test_urls_of_tests_are_apart(
    postgres: Service, postgres_url: str, redis_url: str, memcached_url: str
) -> None:
    base, _, schema = postgres_url.partition("?schema=")
    assert base == postgres.url
    with psycopg.connect(base) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        connection.execute(f"CREATE TABLE {schema}.vectors (v public.vector(3))".encode())
    assert redis_url.partition("?")[2].startswith("prefix=t_")
    assert memcached_url.partition("?")[2] not in redis_url


RUN = """
import pytest
pytest_plugins = ["memwell.testing.services.sharing"]
"""
TESTS = """
import pytest
from pathlib import Path

@pytest.mark.parametrize("number", range(8))
def test_one(redis, postgres_url, number):
    with Path("ports").open("a") as file:
        print(redis.port, redis.folder, file=file)
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_has_one_service_of_a_kind_and_leaves_none(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(RUN)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = (tmp_path / "ports").read_text().splitlines()
    assert len(seen) == 8
    port, folder = set(seen).pop().split()
    assert len(set(seen)) == 1
    assert not listens(int(port))
    assert not Path(folder).exists()
