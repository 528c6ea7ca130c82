"""What people hand in: the shared suite over each form, names, dimensions, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from memwell.embedders.function import as_embedder
from memwell.embedders.hashing import Hashing
from memwell.errors import ConfigError, EmbeddingError, Unavailable
from memwell.ports import Embedder
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance

SIZE = 24


def numbers(text: str) -> list[float]:
    raw = hashlib.blake2b(text.encode(), digest_size=SIZE).digest()
    return [byte - 127.5 for byte in raw]


def plain(texts: Sequence[str]) -> list[list[float]]:
    assert isinstance(texts, list)
    return [numbers(text) for text in texts]


async def waiting(texts: Sequence[str]) -> Any:
    return np.array([numbers(text) for text in texts])


class Chained:
    """As in LangChain."""

    model = "chained-model"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return plain(texts)

    def embed_query(self, text: str) -> list[float]:
        return numbers(text)


class Encoding:
    """As in sentence-transformers."""

    max_seq_length = 128

    def encode(self, texts: list[str]) -> Any:
        return np.array(plain(texts), dtype=np.float64)

    def get_sentence_embedding_dimension(self) -> int:
        return SIZE


class Named:
    """Knows documents from queries."""

    model_name = "told"

    def embed(self, texts: list[str], *, kind: str) -> list[list[float]]:
        assert kind in ("document", "query")
        return plain(texts)


class Called:
    """An object with an asynchronous `__call__`."""

    async def __call__(self, texts: list[str]) -> list[list[float]]:
        return plain(texts)


GIVEN = {
    "function": plain,
    "async": waiting,
    "chain": Chained(),
    "encode": Encoding(),
    "kind": Named(),
    "call": Called(),
}


class TestFunctionEmbedder(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        part = as_embedder(waiting)
        yield part
        run(part, part.close())


@pytest.mark.parametrize("form", GIVEN)
def test_every_form_gives_unit_vectors_in_the_order_of_the_texts(form: str) -> None:
    part, texts = as_embedder(GIVEN[form]), [f"text {number}" for number in range(300)]
    expected = np.array([numbers(text) for text in texts], dtype=np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    for kind in ("document", "query"):
        found = run(part, part.embed(texts, kind=kind))
        assert found.dtype == np.float32
        assert np.allclose(found, expected, atol=1e-6)
    assert run(part, part.embed([])).shape == (0, SIZE)
    run(part, part.close())


def test_an_embedder_comes_back_as_it_is() -> None:
    part = Hashing()
    assert as_embedder(part) is part


def test_only_what_is_asynchronous_is_not_blocking() -> None:
    blocking = {name: as_embedder(given).blocking for name, given in GIVEN.items()}
    assert [name for name, value in blocking.items() if not value] == ["async", "call"]


def test_the_name_comes_from_an_attribute_or_is_the_qualified_name() -> None:
    assert as_embedder(Chained()).model == "chained-model"
    assert as_embedder(Named()).model == "told"
    assert as_embedder(plain).model == f"{__name__}.plain"
    assert as_embedder(Encoding()).model == f"{__name__}.Encoding"
    assert as_embedder(plain, model="mine").model == "mine"


def test_a_shortened_output_is_part_of_the_name() -> None:
    given = Chained()
    given.dimensions = 24  # type: ignore[attr-defined]
    part = as_embedder(given)
    assert (part.model, part.dimension) == ("chained-model@24", 24)


def test_the_dimension_is_found_by_attribute_or_method_without_a_call() -> None:
    assert as_embedder(Encoding()).dimension == SIZE
    assert as_embedder(plain, dimension=7).dimension == 7


@pytest.mark.parametrize("given", [plain, waiting])
def test_a_function_learns_its_dimension_from_a_probe_or_from_the_first_text(given: Any) -> None:
    prepared, used = as_embedder(given), as_embedder(given)
    assert prepared.dimension is None
    run(prepared, prepared.prepare())
    run(used, used.embed(["tea"]))
    assert prepared.dimension == used.dimension == SIZE


def test_the_window_is_taken_over() -> None:
    assert as_embedder(Encoding()).window == 128
    assert as_embedder(plain).window is None
    assert as_embedder(plain, window=99).window == 99


def test_queries_go_to_the_method_for_queries() -> None:
    asked = []

    class Apart(Encoding):
        def encode_query(self, texts: list[str]) -> Any:
            asked.extend(texts)
            return self.encode(texts)

    part = as_embedder(Apart())
    run(part, part.embed(["a document"]))
    run(part, part.embed(["a question"], kind="query"))
    assert asked == ["a question"]


@pytest.mark.parametrize("given", [5, "no", b"x", [1.0], object(), Encoding, {"embed": plain}])
def test_anything_else_is_refused_with_what_is_possible(given: object) -> None:
    with pytest.raises(ConfigError, match="embed_documents"):
        as_embedder(given)


@pytest.mark.parametrize(
    "answer",
    [
        [[1.0, 2.0]],
        [[1.0, 2.0], [1.0]],
        [1.0, 2.0],
        [[1.0, float("nan")], [1.0, 2.0]],
        [[float("inf"), 1.0], [1.0, 2.0]],
        [["a", "b"], ["c", "d"]],
        None,
        [[], []],
    ],
)
def test_vectors_that_do_not_fit_are_an_embedding_error(answer: Any) -> None:
    part = as_embedder(lambda texts: answer, model="odd")
    with pytest.raises(EmbeddingError, match="odd"):
        run(part, part.embed(["one", "two"]))


def test_a_dimension_that_changes_is_an_embedding_error() -> None:
    sizes = iter([3, 4])

    def changing(texts: list[str]) -> Any:
        return np.ones((len(texts), next(sizes)))

    part = as_embedder(changing)
    run(part, part.embed(["one"]))
    with pytest.raises(EmbeddingError, match="shape"):
        run(part, part.embed(["one"]))


def test_a_failure_inside_is_chained() -> None:
    def failing(texts: list[str]) -> Any:
        raise ZeroDivisionError("inside")

    part = as_embedder(failing)
    with pytest.raises(EmbeddingError, match="inside") as caught:
        run(part, part.embed(["one"]))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_our_own_errors_pass_as_they_are() -> None:
    def busy(texts: list[str]) -> Any:
        raise Unavailable("try later")

    part = as_embedder(busy)
    with pytest.raises(Unavailable, match="try later"):
        run(part, part.embed(["one"]))


def test_a_function_that_gives_a_coroutine_is_refused() -> None:
    part = as_embedder(lambda texts: waiting(texts))
    with pytest.raises(ConfigError, match="async def"):
        run(part, part.embed(["one"]))
