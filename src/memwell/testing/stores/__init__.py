"""The promises of the `Store` port as tests. A third party joins in ten lines::

    import pytest
    from memwell.testing import run
    from memwell.testing.stores import StoreConformance

    class TestMine(StoreConformance):
        @pytest.fixture
        def store(self):
            part = MyStore(...)
            yield part
            run(part, part.close())

Each test begins with the fresh, empty store of the fixture. What the store does not promise
(`Store.capabilities`) is skipped and says so; to decline a single test, override it with a strict xfail that
gives the reason.
"""

from __future__ import annotations

from memwell.testing.stores._harness import Harness
from memwell.testing.stores.batches import Batches
from memwell.testing.stores.candidates import Candidates
from memwell.testing.stores.capacity import Capacity
from memwell.testing.stores.change_feed import ChangeFeed
from memwell.testing.stores.changing import Changing
from memwell.testing.stores.exact_filtering import ExactFiltering
from memwell.testing.stores.exactness import Exactness
from memwell.testing.stores.feeding import Feeding
from memwell.testing.stores.filtering import Filtering
from memwell.testing.stores.inserting import Inserting
from memwell.testing.stores.keeping import Keeping
from memwell.testing.stores.overlooked import Overlooked
from memwell.testing.stores.reading import Reading
from memwell.testing.stores.scopes import Scopes
from memwell.testing.stores.searching import Searching
from memwell.testing.stores.statistics import Statistics
from memwell.testing.stores.timing import Timing

__all__ = ["Harness", "StoreConformance"]


class StoreConformance(
    Batches,
    Inserting,
    Changing,
    Reading,
    Statistics,
    Exactness,
    Capacity,
    Scopes,
    Filtering,
    ExactFiltering,
    Searching,
    Candidates,
    Timing,
    Keeping,
    ChangeFeed,
    Feeding,
    Overlooked,
):
    """Subclass it and give the fixture `store`: an open, empty store."""
