"""The promises of the ports as tests, for every adapter: `pip install 'memwell[testing]'`.

Subclass the suite of your port and give it one fixture; `run` runs your part's coroutines in that fixture::

    from memwell.testing import run
    from memwell.testing.keyvalue import KeyValueConformance
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"memwell.testing.{name}"
        for name in ("embedders", "indexes", "keyvalue", "logs", "machine", "memory", "stores")
    )
)

from memwell.testing._run import race, run  # noqa: E402  after its assertions are rewritten

__all__ = ["race", "run"]
