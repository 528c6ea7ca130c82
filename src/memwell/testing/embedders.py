"""The promises of the `Embedder` port as tests. A third party joins in ten lines::

class TestMine(EmbedderConformance):
    @pytest.fixture
    def embedder(self):
        part = MyEmbedder(...)
        yield part
        run(part, part.close())
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from memwell.errors import Closed, MemwellError
from memwell.ports import Embedder
from memwell.testing._run import race, run

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["EmbedderConformance"]

THREADS = 8
MIXED = (
    "The invoice of March was paid twice by mistake.",
    "tea",
    " ".join(["A walk along the river"] * 30),
    "Ms. Okafor prefers window seats",
    "the lighthouse keeper wrote letters to his sister every winter until the ships stopped coming",
    "42",
)
"""Lengths in no order, so that an embedder that sorts has to sort back."""
UNICODE = (
    "Zażółć gęślą jaźń",
    "私は紅茶が好きです。",
    "한국어 문장",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦 family 🐢",
    "e\u0301 combining, é composed",
    "ﬁne ligature",
    "line\nbreak\ttab\r\n",
    "zero\u200bwidth \ufeff",
)


class EmbedderConformance:
    """Subclass it and give the fixture `embedder`: an open part."""

    tolerance: float = 1e-5
    """How far numbers of one text's vectors may differ between calls of different batches."""
    large: int = 10_050
    """Texts of one large call; fewer for a slow model."""
    _vectors: ClassVar[dict[tuple[Any, ...], Vectors]] = {}
    """By class, model and dimension, what the first embedder of that name gave."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        """An open part. Closing it is up to the fixture; the suite may have done so before."""
        raise NotImplementedError("give the fixture `embedder`")

    # ------------------------------------------------------------------------------------- what it says

    def test_it_names_its_model_its_dimension_and_its_window(self, embedder: Embedder) -> None:
        run(embedder, embedder.embed(["hello"]))
        assert isinstance(embedder.model, str)
        assert embedder.model
        assert type(embedder.dimension) is int
        assert embedder.dimension > 0
        assert embedder.window is None or embedder.window > 2
        assert isinstance(embedder.part, str)

    def test_once_prepared_it_knows_its_dimension(self, embedder: Embedder) -> None:
        run(embedder, embedder.prepare())
        run(embedder, embedder.prepare())
        known = embedder.dimension
        assert type(known) is int
        assert run(embedder, embedder.embed(["hello"])).shape == (1, known)

    # ------------------------------------------------------------------------------------------- vectors

    def test_there_is_one_float32_row_of_the_dimension_for_each_text(self, embedder: Embedder) -> None:
        vectors = run(embedder, embedder.embed(MIXED))
        assert vectors.shape == (len(MIXED), embedder.dimension)
        assert vectors.dtype.name == "float32"

    def test_every_vector_has_unit_length(self, embedder: Embedder) -> None:
        assert norms(run(embedder, embedder.embed(MIXED))) == pytest.approx([1.0] * len(MIXED), abs=1e-5)

    def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        vectors = run(embedder, embedder.embed([]))
        assert vectors.shape == (0, embedder.dimension)
        assert vectors.dtype.name == "float32"

    def test_vectors_come_in_the_order_of_the_texts(self, embedder: Embedder) -> None:
        vectors = run(embedder, embedder.embed(MIXED))
        turned = run(embedder, embedder.embed(MIXED[::-1]))
        self.assert_close(vectors, turned[::-1])

    def test_a_batch_gives_what_single_calls_give(self, embedder: Embedder) -> None:
        batch = run(embedder, embedder.embed(MIXED))
        for row, text in enumerate(MIXED):
            self.assert_close(batch[row : row + 1], run(embedder, embedder.embed([text])))

    def test_a_large_batch_keeps_every_text_in_its_place(self, embedder: Embedder) -> None:
        texts = [f"{MIXED[number % len(MIXED)]} {number}" for number in range(self.large)]
        vectors = run(embedder, embedder.embed(texts))
        assert vectors.shape == (self.large, embedder.dimension)
        sizes = (64, 100, 128, 256, 300, 500, 512, 1_000, 1_024, 2_048, 5_000, 10_000, self.large)
        places = {0, 1, 74, *range(0, self.large, 997)} | {at for size in sizes for at in (size - 1, size)}
        some = sorted(at for at in places if at < self.large)
        self.assert_close(vectors[some], run(embedder, embedder.embed([texts[place] for place in some])))

    @pytest.mark.parametrize("which", ["one", "another"])
    def test_two_of_one_name_give_the_same(self, embedder: Embedder, which: str) -> None:  # noqa: ARG002  it asks for a fresh one
        vectors = run(embedder, embedder.embed(MIXED))
        name = (type(self), embedder.model, embedder.dimension)
        self.assert_close(self._vectors.setdefault(name, vectors), vectors)

    def test_the_same_text_gives_the_same_vector_again(self, embedder: Embedder) -> None:
        first = run(embedder, embedder.embed(["hello there", "other", "hello there"]))
        self.assert_close(first[0], first[2])
        self.assert_close(first, run(embedder, embedder.embed(["hello there", "other", "hello there"])))

    def test_a_text_is_nearest_to_itself(self, embedder: Embedder) -> None:
        vectors = run(embedder, embedder.embed(MIXED))
        assert (vectors @ vectors.T).argmax(axis=1).tolist() == list(range(len(MIXED)))

    def test_a_question_is_nearest_to_the_document_of_its_words(self, embedder: Embedder) -> None:
        documents = run(embedder, embedder.embed(MIXED, kind="document"))
        for row, text in enumerate(MIXED):
            query = run(embedder, embedder.embed([text], kind="query"))
            assert int((documents @ query[0]).argmax()) == row, text

    def test_the_end_of_a_long_text_counts_where_there_is_no_window(self, embedder: Embedder) -> None:
        if embedder.window is not None:
            pytest.skip("the model reads no more than its window; longer texts are chunked before")
        start = "many words of no interest " * 400
        texts = [start + "lighthouse", start + "invoice", "lighthouse", "invoice"]
        kinds: tuple[Literal["document", "query"], ...] = ("document", "query")
        for kind in kinds:
            ends = run(embedder, embedder.embed(texts, kind=kind))
            assert float(abs(ends[0] - ends[1]).max()) > 0, kind
            assert float(ends[0] @ ends[2]) > float(ends[1] @ ends[2]), kind
            assert float(ends[1] @ ends[3]) > float(ends[0] @ ends[3]), kind

    def test_queries_and_documents_live_in_one_space(self, embedder: Embedder) -> None:
        documents = run(embedder, embedder.embed(MIXED, kind="document"))
        queries = run(embedder, embedder.embed(MIXED, kind="query"))
        assert queries.shape == documents.shape
        assert norms(queries) == pytest.approx([1.0] * len(MIXED), abs=1e-5)
        self.assert_close(documents, run(embedder, embedder.embed(MIXED)))
        if embedder.symmetric:
            self.assert_close(documents, queries)

    # --------------------------------------------------------------------------------------------- texts

    def test_a_text_without_words_has_a_vector_of_unit_length_or_none(self, embedder: Embedder) -> None:
        texts = ["", " ", "\n\t", "\u200b", "\0"]
        for batch in (texts, *([text, "hello"] for text in texts)):
            vectors = run(embedder, embedder.embed(batch))
            assert vectors.shape == (len(batch), embedder.dimension)
            for text, length in zip(batch, norms(vectors), strict=True):
                assert length == pytest.approx(1, abs=1e-5) or (length == 0 and text != "hello")

    def test_any_script_is_embedded(self, embedder: Embedder) -> None:
        vectors = run(embedder, embedder.embed([*UNICODE, "plain", *UNICODE]))
        assert norms(vectors) == pytest.approx([1.0] * len(vectors), abs=1e-5)
        self.assert_close(vectors[: len(UNICODE)], vectors[len(UNICODE) + 1 :])

    def test_half_a_surrogate_pair_is_embedded_or_refused_as_ours(self, embedder: Embedder) -> None:
        try:
            vectors = run(embedder, embedder.embed(["half \ud83d of a pair"]))
        except MemwellError:
            return
        assert vectors.shape == (1, embedder.dimension)

    def test_a_very_long_text_is_embedded(self, embedder: Embedder) -> None:
        texts = ["a long story " * 20_000, "x" * 100_000, "short"]
        assert norms(run(embedder, embedder.embed(texts))) == pytest.approx([1.0] * 3, abs=1e-5)

    def test_texts_may_come_in_a_tuple_or_a_list_and_are_left_alone(self, embedder: Embedder) -> None:
        texts = list(MIXED)
        before = copy.copy(texts)
        vectors = run(embedder, embedder.embed(texts))
        assert texts == before
        self.assert_close(vectors, run(embedder, embedder.embed(tuple(texts))))

    def test_what_the_caller_does_to_a_result_changes_no_later_one(self, embedder: Embedder) -> None:
        first = run(embedder, embedder.embed(MIXED))
        kept = first.copy()
        first[:] = 7
        self.assert_close(kept, run(embedder, embedder.embed(MIXED)))

    # --------------------------------------------------------------------------------------------- spans

    def test_spans_cover_the_text_in_order(self, embedder: Embedder) -> None:
        for text in (*MIXED, *UNICODE, "x" * 500, "many words " * 700):
            spans = embedder.spans(text)
            assert all(0 <= start < end <= len(text) for start, end in spans)
            assert spans == sorted(spans)
            covered = {at for start, end in spans for at in range(start, end)}
            missed = [at for at, character in enumerate(text) if character.isalnum() and at not in covered]
            assert not missed, text

    def test_an_empty_text_has_no_spans(self, embedder: Embedder) -> None:
        assert list(embedder.spans("")) == []

    def test_a_long_text_has_a_span_for_each_of_its_tokens(self, embedder: Embedder) -> None:
        assert len(embedder.spans("word " * 5000)) >= 5000

    # ------------------------------------------------------------------------------------------- threads

    def test_many_threads_get_the_vectors_of_their_own_texts(self, embedder: Embedder) -> None:
        batches = [[f"{text} {number}" for text in MIXED] for number in range(THREADS)]
        expected = [run(embedder, embedder.embed(batch)) for batch in batches]
        calls = [lambda batch=batch: embedder.embed(batch) for batch in batches]
        for found, wanted in zip(race(embedder, calls), expected, strict=True):
            self.assert_close(found, wanted)

    # ----------------------------------------------------------------------------------------- life cycle

    def test_an_open_part_answers_a_ping(self, embedder: Embedder) -> None:
        run(embedder, embedder.ping())

    def test_a_closed_part_says_so(self, embedder: Embedder) -> None:
        run(embedder, embedder.close())
        for call in (
            lambda: embedder.embed(["late"]),
            lambda: embedder.embed(["late"], kind="query"),
            lambda: embedder.embed([]),
            embedder.ping,
        ):
            with pytest.raises(Closed):
                run(embedder, call())

    def test_closing_twice_is_fine(self, embedder: Embedder) -> None:
        run(embedder, embedder.embed(["hello"]))
        run(embedder, embedder.close())
        run(embedder, embedder.close())
        assert embedder.closed

    def test_it_is_a_context_manager(self, embedder: Embedder) -> None:
        async def use() -> Any:
            async with embedder as entered:
                return await entered.embed(["hello"])

        assert run(embedder, use()).shape == (1, embedder.dimension)
        assert embedder.closed

    def assert_close(self, one: Vectors, other: Vectors) -> None:
        """Two arrays of vectors are equal within `tolerance`."""
        assert one.shape == other.shape
        assert float(abs(one - other).max(initial=0.0)) <= self.tolerance


def norms(vectors: Vectors) -> list[float]:
    """Length of each row."""
    lengths: list[float] = (vectors.astype("float64") ** 2).sum(axis=1).__pow__(0.5).tolist()
    return lengths
