"""The shipped suite over a loopback server that speaks AutoMem's API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.backends.automem.wire import TOKEN, AutoMemWire
from tests.indexes.wire.base import serving

from memwell.backends.automem.store import AutoMemStore
from memwell.ports import Store
from memwell.testing import run
from memwell.testing.stores.batches import Batches
from memwell.testing.stores.changing import Changing
from memwell.testing.stores.inserting import Inserting
from memwell.testing.stores.keeping import Keeping
from memwell.testing.stores.reading import Reading
from memwell.testing.stores.scopes import Scopes


class TestAutoMem(Batches, Inserting, Changing, Reading, Scopes, Keeping):
    """The parts about what is stored; filters and words are memwell's own code, over what is listed."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with serving(AutoMemWire()) as wire:
            part = AutoMemStore(wire.url, key=TOKEN, recall="listing", housekeeping=True)
            yield part
            run(part, part.close())
