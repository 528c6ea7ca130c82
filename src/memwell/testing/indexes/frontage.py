"""What the port refuses before any adapter sees it. Run it over one part of your own, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from memwell.errors import EmbeddingError, InvalidInput
from memwell.ports import VectorIndex
from memwell.testing._run import run
from memwell.testing.indexes._harness import IndexSuite

__all__ = ["VectorIndexFrontage"]


class VectorIndexFrontage(IndexSuite):
    """Subclass it and give the fixture `opening`, or `index` alone."""

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_is_at_least_one(self, index: VectorIndex, limit: int) -> None:
        with pytest.raises(InvalidInput):
            run(index, index.search(self.axis(0), limit=limit))

    @pytest.mark.parametrize("shape", [0, 1, 15, 17, 32, (1, 16), (16, 1)])
    def test_what_is_no_vector_of_the_dimension_is_refused(
        self, index: VectorIndex, shape: int | tuple[int, ...]
    ) -> None:
        wrong = np.ones(shape, dtype=np.float32)
        with pytest.raises(EmbeddingError):
            run(index, index.upsert([self.point("good", self.at(0)), self.point("bad", wrong)]))
        with pytest.raises(EmbeddingError):
            run(index, index.search(wrong, limit=1))
        assert run(index, index.count()) == 0
