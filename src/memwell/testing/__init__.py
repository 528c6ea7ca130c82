"""The promises of the ports as tests, for every adapter: `pip install 'memwell[testing]'`.

Subclass the suite of your port and give it one fixture; `run` runs your part's coroutines in that fixture::

    from memwell.testing import run
    from memwell.testing.keyvalue import KeyValueConformance
"""

from __future__ import annotations

from memwell.testing._run import race, run

__all__ = ["race", "run"]
