"""The promises of the `KeyValue` port as tests. A third party joins in ten lines::

    class TestMine(KeyValueConformance):
        @pytest.fixture
        def keyvalue(self):
            part = MyKeyValue(...)
            yield part
            run(part, part.close())

`KeyValueFrontage` tries what the port refuses by itself: it concerns the port, and no adapter.
"""

from __future__ import annotations

from memwell.testing.keyvalue.conditions import Conditions
from memwell.testing.keyvalue.expiry import Expiry
from memwell.testing.keyvalue.frontage import KeyValueFrontage
from memwell.testing.keyvalue.machine import RandomOperations
from memwell.testing.keyvalue.values import Values

__all__ = ["KeyValueConformance", "KeyValueFrontage"]


class KeyValueConformance(Values, Conditions, Expiry, RandomOperations):
    """Subclass it and give the fixture `keyvalue`: an open, empty part. Give `advance` too, to test expiry."""
