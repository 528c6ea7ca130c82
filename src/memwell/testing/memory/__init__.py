"""The promises of `Memory` and `AsyncMemory` as tests, for everything that offers the same methods::

    import pytest
    from memwell.testing.memory import MemoryConformance, OnALoop

    class TestMine(MemoryConformance):
        @pytest.fixture
        def opening(self):
            return MyMemory                       # called as Memory is: opening(url, embedder=…, clock=…)

        @pytest.fixture
        def url(self, tmp_path):                  # only if it is not a SQLite file
            return f"mine://{tmp_path}"

`MemoryFrontage` tries the bad arguments that the engine refuses before any store sees them: it concerns no store.

What is asynchronous runs in `OnALoop`: `return lambda *a, **o: OnALoop(AsyncMemory(*a, **o))`.
"""

from __future__ import annotations

from memwell.testing.memory._harness import OnALoop, Words
from memwell.testing.memory.changing import Changing
from memwell.testing.memory.contradicting import Contradicting
from memwell.testing.memory.echoing import Echoing
from memwell.testing.memory.frontage import MemoryFrontage
from memwell.testing.memory.lifecycle import Lifecycle
from memwell.testing.memory.reading import Reading
from memwell.testing.memory.recalling import Recalling
from memwell.testing.memory.reembedding import Reembedding
from memwell.testing.memory.relating import Relating
from memwell.testing.memory.remembering import Remembering
from memwell.testing.memory.scoping import Scoping
from memwell.testing.memory.talking import Talking
from memwell.testing.memory.transferring import Transferring
from memwell.testing.memory.validity import Validity

__all__ = ["MemoryConformance", "MemoryFrontage", "OnALoop", "Words"]


class MemoryConformance(
    Remembering,
    Reading,
    Changing,
    Recalling,
    Relating,
    Echoing,
    Contradicting,
    Scoping,
    Talking,
    Validity,
    Transferring,
    Lifecycle,
    Reembedding,
):
    """Subclass it and give the fixtures `opening`, `url`, or both."""
