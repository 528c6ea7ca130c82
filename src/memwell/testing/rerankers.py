"""The promises of the `Reranker` port as tests: subclass the suite and give the fixture `reranker`, an open part."""

from __future__ import annotations

from math import isfinite

import pytest

from memwell.errors import Closed, InvalidInput
from memwell.ports import Reranker
from memwell.testing._run import race, run

__all__ = ["RerankerConformance"]

QUESTION = "where does the cat sleep"
TEXTS = (
    "the cat sleeps on the sofa",
    "rain on Monday",
    "私は紅茶が好きです。\tline\nbreak 🐢",
    " ".join(["A walk along the river"] * 300),
    "the cat eats fish",
)


class RerankerConformance:
    """Subclass it and give the fixture `reranker`: an open part."""

    tolerance: float = 1e-4
    """How far the scores of one text may differ between calls."""

    @pytest.fixture
    def reranker(self) -> Reranker:
        """The part under test."""
        raise NotImplementedError("give the fixture `reranker`")

    def test_each_text_gets_a_number_in_order(self, reranker: Reranker) -> None:
        found = run(reranker, reranker.score(QUESTION, TEXTS))
        assert len(found) == len(TEXTS)
        assert all(type(score) is float and isfinite(score) for score in found)
        turned = run(reranker, reranker.score(QUESTION, TEXTS[::-1]))
        assert turned[::-1] == pytest.approx(found, abs=self.tolerance)

    def test_equal_texts_score_alike(self, reranker: Reranker) -> None:
        first, other, again = run(reranker, reranker.score(QUESTION, [TEXTS[0], TEXTS[1], TEXTS[0]]))
        assert first == pytest.approx(again, abs=self.tolerance)
        assert first != pytest.approx(other, abs=self.tolerance)

    def test_no_texts_get_no_scores(self, reranker: Reranker) -> None:
        assert run(reranker, reranker.score(QUESTION, [])) == []

    def test_a_bare_text_is_refused(self, reranker: Reranker) -> None:
        with pytest.raises(InvalidInput, match="a list of one"):
            run(reranker, reranker.score(QUESTION, TEXTS[0]))

    def test_it_says_how_it_is_to_be_used(self, reranker: Reranker) -> None:
        assert reranker.model
        assert reranker.candidates >= 1
        assert reranker.timeout > 0
        assert 0 <= reranker.weight <= 1

    def test_calls_at_once_do_not_mix(self, reranker: Reranker) -> None:
        pairs = [(QUESTION, TEXTS[at : at + 2]) for at in range(len(TEXTS) - 1)] * 2
        alone = [run(reranker, reranker.score(*pair)) for pair in pairs]
        together = race(reranker, [lambda pair=pair: reranker.score(*pair) for pair in pairs])  # type: ignore[misc]
        for one, other in zip(alone, together, strict=True):
            assert other == pytest.approx(one, abs=self.tolerance)

    def test_a_closed_part_says_so_and_closes_twice(self, reranker: Reranker) -> None:
        run(reranker, reranker.ping())
        run(reranker, reranker.close())
        run(reranker, reranker.close())
        assert reranker.closed
        with pytest.raises(Closed):
            run(reranker, reranker.score(QUESTION, TEXTS))
