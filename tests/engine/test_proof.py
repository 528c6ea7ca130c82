"""The journal of receipts is opened once, whoever asks for it first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from memwell import Memory
from memwell._bridge import drive
from memwell.engine import proof


def test_threads_at_once_open_one_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each opened one of its own, of which the last was closed: the others kept their connections."""
    opened, open_journal = [], proof.open_journal

    def slowly(*args: Any, **options: Any) -> Any:
        opened.append(args)
        time.sleep(0.02)
        return open_journal(*args, **options)

    monkeypatch.setattr(proof, "open_journal", slowly)
    with Memory("memory://", embedder=None) as memory, ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: drive(memory._memory._engine.proof.journal()), range(4))]
    assert len(opened) == 1
    assert len({id(journal) for journal in found}) == 1
