"""Settings of all tests: real services, and how hard Hypothesis tries, the same every time in CI."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

pytest_plugins = ["memwell.testing.services.sharing", "tests.model_files"]

settings.register_profile("dev", deadline=None, max_examples=50, stateful_step_count=25)
settings.register_profile(
    "ci", deadline=None, max_examples=100, stateful_step_count=30, derandomize=True, print_blob=True
)
settings.register_profile("thorough", deadline=None, max_examples=2000, stateful_step_count=60)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

signal.signal(signal.SIGINT, signal.default_int_handler)
"""A run in the background of a shell ignores Ctrl-C, and so would the processes that the tests interrupt."""


def pytest_xdist_auto_num_workers() -> int:
    """Three workers for two processors, because tests of servers and processes often wait."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)
