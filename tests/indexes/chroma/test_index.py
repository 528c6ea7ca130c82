"""Chroma: the shared suite on a folder and on a real server, and what is its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from tests.indexes.wire.base import Reply, Wire, serving

from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.indexes.chroma.index import Chroma
from memwell.ports import Metric, Point, VectorIndex
from memwell.registry import open_index
from memwell.testing import race, run
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.services import Service


class TestFolder(VectorIndexConformance):
    exact = False
    many = 5000
    filtered = 20

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: Chroma(
                dimension or self.dimension, path=tmp_path, collection=name, metric=metric
            )
        ) as opening:
            yield opening


class TestServer(VectorIndexConformance):
    exact = False
    many = 5000
    filtered = 20

    @pytest.fixture
    def opening(self, chroma: Service) -> Iterator[Opening]:
        test = uuid4().hex

        def make(name: str, metric: Metric, dimension: int | None) -> VectorIndex:
            size = dimension or self.dimension
            return open_index(f"{chroma.url}?dimension={size}&metric={metric}&collection={test}-{name}")

        with opened(make) as opening:
            yield opening


def points(count: int) -> list[Point]:
    vectors = np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)
    return [
        Point(id=f"p{row}", vector=vectors[row], fields={"metadata": {"ten": row % 10}})
        for row in range(count)
    ]


def test_a_folder_belongs_to_one_process_and_its_collections_to_all_parts_of_it(tmp_path: Path) -> None:
    one, other = (
        open_index(f"chroma:///{tmp_path}?dimension=8&collection={name}") for name in ("one", "two")
    )
    run(one, one.upsert(points(3)))
    run(other, other.upsert(points(2)))
    code = (
        "from memwell.indexes.chroma.index import Chroma\nfrom memwell.testing import run\n"
        f"index = Chroma(8, path={str(tmp_path)!r})\nrun(index, index.count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError" in done.stderr
    assert "open in another process" in done.stderr
    run(one, one.close())
    assert run(other, other.count()) == 2
    run(other, other.close())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_collection_that_memwell_did_not_make_is_refused(tmp_path: Path) -> None:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    with chromadb.PersistentClient(str(tmp_path), settings) as client:
        client.get_or_create_collection("memwell", embedding_function=None)
        index = Chroma(8, path=tmp_path)
        with pytest.raises(ConfigError, match="dimension None"):
            run(index, index.count())
        run(index, index.close())


def test_a_collection_that_was_dropped_is_said_and_created_again(tmp_path: Path) -> None:
    import chromadb
    from chromadb.config import Settings

    index = Chroma(8, path=tmp_path)
    run(index, index.upsert(points(3)))
    settings = Settings(anonymized_telemetry=False)
    with chromadb.PersistentClient(str(tmp_path), settings) as client:
        client.delete_collection("memwell")
    with pytest.raises(BackendError, match="memwell repair"):
        run(index, index.upsert(points(1)))
    assert run(index, index.count()) == 0
    run(index, index.close())


def test_many_may_make_the_collection_at_once(chroma: Service) -> None:
    name = uuid4().hex
    parts = [open_index(f"{chroma.url}?dimension=8&collection={name}") for _ in range(8)]
    assert race(parts[0], [part.count for part in parts]) == [0] * 8
    for part in parts:
        run(part, part.close())


@pytest.mark.parametrize("option", ["database", "tenant"])
def test_a_place_that_the_server_does_not_know_is_a_wrong_url(chroma: Service, option: str) -> None:
    index = open_index(f"{chroma.url}?dimension=8&{option}=nobody")
    with pytest.raises(ConfigError, match="options tenant and database"):
        run(index, index.count())
    run(index, index.close())


def test_a_server_that_is_not_there_is_unavailable() -> None:
    index = open_index("chroma://127.0.0.1:9?dimension=8")
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        run(index, index.upsert(points(1)))
    assert caught.value.unsent
    run(index, index.close())


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (Reply(429, headers={"retry-after": "3"}, message="slow down"), Unavailable, "429"),
        (Reply(503, raw=b"<html>"), Unavailable, "503"),
        (Reply(0, hang_up=True), Unavailable, "cannot be reached"),
        (Reply(401, message="Unauthorized"), ConfigError, "CHROMA_API_KEY"),
        (Reply(500, message="disk full"), BackendError, "disk full"),
        (Reply(200, raw=b"no json"), BackendError, "JSONDecodeError"),
    ],
)
def test_each_failure_of_a_server_is_translated(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, error: type[MemwellError], says: str
) -> None:
    monkeypatch.setenv("CHROMA_API_KEY", "s3cret")
    with serving(Refusing()) as wire:
        index = open_index(f"chroma://{wire.url.removeprefix('http://')}?dimension=8")
        wire.next(reply)
        with pytest.raises(error, match=says) as caught:
            run(index, index.count())
        assert wire.requests[0].headers["x-chroma-token"] == "s3cret"
        assert "s3cret" not in f"{caught.value!s}{caught.value!r}{index!r}{index.identity}"
        assert caught.value.transient is issubclass(error, Unavailable)
        if reply.status == 429:
            assert isinstance(caught.value, Unavailable)
            assert caught.value.retry_after == 3
        run(index, index.close())


class Refusing(Wire):
    """Words errors as Chroma does, and does nothing else; what works is tried on a real server."""

    def refusal(self, reply: Reply) -> Any:
        return {"error": "Error", "message": reply.message}


@pytest.mark.parametrize(
    ("url", "identity"),
    [
        ("chroma://db?dimension=2", "chroma:http://db:8000/default_tenant/default_database/memwell"),
        (
            "chroma://db:1?dimension=2&tenant=t&database=d&collection=abc&api_key=k",
            "chroma:https://db:1/t/d/abc",
        ),
        ("chroma:////srv/index?dimension=2", "chroma:/srv/index/memwell"),
    ],
)
def test_a_url_names_the_points_and_no_key(url: str, identity: str) -> None:
    index = open_index(url)
    assert index.identity == identity
    assert index.blocking is (url.count("/") > 3)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("chroma://?dimension=8", "a folder or a server"),
        ("chroma://host", "dimension"),
        ("chroma://host?dimension=8&collection=ab", "3 to 512"),
        ("chroma://host?dimension=8&metric=hamming", "cosine, l2, dot"),
        ("chroma://host?dimension=8&namespace=x", "no option namespace"),
    ],
)
def test_a_url_that_is_wrong_says_what_to_do(url: str, what: str) -> None:
    with pytest.raises(MemwellError, match=what):
        open_index(url)


@pytest.mark.parametrize("scheme", ["chroma", "qdrant"])
def test_a_user_in_the_address_is_refused_and_the_secret_not_shown(scheme: str) -> None:
    with pytest.raises(ConfigError, match="takes no user") as caught:
        open_index(f"{scheme}://somebody:geheim@host?dimension=2")
    assert "geheim" not in str(caught.value)
