"""The shipped suite over loopback servers that speak mem0's APIs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.backends.mem0.wire import KEY, HostedWire, OssWire
from tests.indexes.wire.base import serving

from memwell.backends.mem0.store import Mem0Store
from memwell.ports import Store
from memwell.testing import run
from memwell.testing.stores.batches import Batches
from memwell.testing.stores.changing import Changing
from memwell.testing.stores.exactness import Exactness
from memwell.testing.stores.inserting import Inserting
from memwell.testing.stores.overlooked import Overlooked
from memwell.testing.stores.scopes import Scopes
from memwell.testing.stores.searching import Searching
from memwell.testing.stores.statistics import Statistics


class TestHosted(Inserting, Exactness, Overlooked, Searching, Statistics):
    """One dialect runs the parts about values and words, the other those about changes."""

    many = 100
    test_many_writes_between_two_searches_are_all_seen = None  # there is nothing that could fall behind

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with serving(HostedWire()) as wire:
            part = Mem0Store(wire.url, key=KEY, recall="listing", housekeeping=True)
            yield part
            run(part, part.close())


class TestOss(Batches, Changing, Scopes):
    """See `TestHosted`."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with serving(OssWire()) as wire:
            part = Mem0Store(wire.url, key=KEY, dialect="oss", recall="listing", housekeeping=True)
            yield part
            run(part, part.close())
