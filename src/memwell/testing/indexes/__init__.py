"""The promises of the `VectorIndex` port as tests. A third party joins in ten lines::

    class TestMine(VectorIndexConformance):
        @pytest.fixture
        def index(self):
            part = MyIndex(dimension=self.dimension)
            yield part
            run(part, part.close())

Who gives the fixture `opening` instead, a function that opens indexes by name, metric and dimension, is tried for all
that the port promises. `VectorIndexFrontage` tries what the port refuses by itself: it concerns no adapter.
"""

from __future__ import annotations

from memwell.testing.indexes._harness import IndexSuite, Opening, Settle, opened
from memwell.testing.indexes.filtering import Filtering
from memwell.testing.indexes.frontage import VectorIndexFrontage
from memwell.testing.indexes.keeping import Keeping
from memwell.testing.indexes.opening import Reopening
from memwell.testing.indexes.searching import Searching

__all__ = ["IndexSuite", "Opening", "Settle", "VectorIndexConformance", "VectorIndexFrontage", "opened"]


class VectorIndexConformance(Searching, Filtering, Keeping, Reopening):
    """Subclass it and give the fixture `opening`, or `index` alone: an open, empty part."""
