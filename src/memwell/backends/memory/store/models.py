"""Moving the in-memory store from one model to another, and who follows its changes. Not locked; the store is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from memwell.backends.memory.store.state import State
from memwell.errors import InvalidInput

__all__ = ["Followers", "drop", "serve"]


def serve(state: State, model: str, lacking: int) -> int:
    """See `Store.serve`."""
    without = len(state.rows) - state.embedded.get(model, 0)
    if without <= lacking:
        state.choose(model)
    return without


def drop(state: State, model: str) -> int:
    """See `Store.drop_model`."""
    if model == state.serving:
        raise InvalidInput(f"{model!r} serves searches; reembed with another model first", part="memory")
    rows = [(key, row) for key, row in state.rows.items() if model in row.vectors]
    for key, row in rows:
        left = {name: vectors for name, vectors in row.vectors.items() if name != model}
        state.replace_row(key, replace(row, vectors=left))
    state.dimensions.pop(model, None)
    return len(rows)


class Followers:
    """Who follows the change sequence; see `Store.claim`."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str | None, datetime]] = {}
        """Name → (position, holder, until)."""

    def claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        """See `Store.claim`."""
        position, keeper, until = self._known.get(follower, (0, None, now))
        if keeper not in (None, holder) and until > now:
            return None
        self._known[follower] = (position, holder, now + timedelta(seconds=seconds))
        return position

    def advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        """See `Store.advance`."""
        _, keeper, until = self._known.get(follower, (0, None, None))
        if keeper != holder or until is None:
            return False
        self._known[follower] = (position, None if release else holder, until)
        return True
