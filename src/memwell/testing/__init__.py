"""The promises of memwell as tests, for every adapter and for everything that behaves like a memory.

`pip install 'memwell[testing]'`, subclass the suite of your port and give it one fixture. Ten lines::

    import pytest
    from memwell.testing import run
    from memwell.testing.stores import StoreConformance
    from mine import MyStore

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store(self):
            part = MyStore("mine://localhost")
            yield part
            run(part, part.close())

| suite | fixture | of |
|---|---|---|
| `memwell.testing.stores.StoreConformance` | `store` | a `Store` |
| `memwell.testing.indexes.VectorIndexConformance` | `opening`, or `index` alone | a `VectorIndex` |
| `memwell.testing.embedders.EmbedderConformance` | `embedder` | an `Embedder` |
| `memwell.testing.rerankers.RerankerConformance` | `reranker` | a `Reranker` |
| `memwell.testing.keyvalue.KeyValueConformance` | `keyvalue` | a `KeyValue` |
| `memwell.testing.logs.LogConformance` | `log` | a `Log` |
| `memwell.testing.memory.MemoryConformance` | `opening`, `url` | anything with the methods of `Memory` |
| `memwell.testing.machine.check_memory` | a function | random operations compared with the in-memory model |

Each test begins with what the fixture gives, fresh and empty. `run` runs your part's coroutines: straight through when
the part is `blocking`, else always on the same event loop, as connections need it. What a store does not promise in its
`capabilities` is skipped and says so. To decline a single test, override it with a strict xfail that gives the reason::

    @pytest.mark.xfail(strict=True, reason="the service keeps milliseconds")
    def test_every_time_keeps_its_microseconds(self, harness):
        super().test_every_time_keeps_its_microseconds(harness)

Real servers to test against (PostgreSQL, Redis, Memcached, Chroma) are started by `memwell.testing.services`.
"""

from __future__ import annotations

import pytest

_REWRITTEN = ("embedders", "indexes", "keyvalue", "logs", "machine", "memory", "rerankers", "stores")
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _REWRITTEN))

from memwell.testing._run import race, run  # noqa: E402  the suites' assertions are to be rewritten first

__all__ = ["race", "run"]
