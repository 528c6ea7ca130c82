"""Which model the in-memory store serves, and who follows its changes. Not locked; the store does that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from memwell.errors import InvalidInput
from memwell.stores.memory_state import State

__all__ = ["Models"]


class Models:
    """The model that serves, and the followers; see `Store.serving` and `Store.claim`."""

    def __init__(self) -> None:
        self._serving: str | None = None
        self._followers: dict[str, tuple[int, str | None, datetime]] = {}
        """Name → (position, holder, until)."""

    def serving(self, state: State) -> str | None:
        """The model of the first vectors there are, until another is chosen and as long as it has any."""
        if not any(self._serving in row.vectors for row in state.rows.values()):
            self._serving = next((model for row in state.rows.values() for model in row.vectors), None)
        return self._serving

    def serve(self, state: State, model: str) -> int:
        """Cut over if every record has vectors of the model; how many lack them."""
        self.serving(state)
        lacking = sum(model not in row.vectors for row in state.rows.values())
        if not lacking and state.rows:
            self._serving = model
        return lacking

    def drop(self, state: State, model: str) -> int:
        """Remove the vectors of a model that does not serve; of how many records."""
        if model == self.serving(state):
            raise InvalidInput(f"{model!r} serves searches; move to another model first", part="memory")
        rows = [(key, row) for key, row in state.rows.items() if model in row.vectors]
        for key, row in rows:
            left = {name: vectors for name, vectors in row.vectors.items() if name != model}
            record = replace(row.record, embedded=bool(left))
            state.replace_row(key, replace(row, vectors=left, record=record))
        state.dimensions.pop(model, None)
        return len(rows)

    def claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        """See `Store.claim`."""
        position, keeper, until = self._followers.get(follower, (0, None, now))
        if keeper not in (None, holder) and until > now:
            return None
        self._followers[follower] = (position, holder, now + timedelta(seconds=seconds))
        return position

    def advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        """See `Store.advance`."""
        _, keeper, until = self._followers.get(follower, (0, None, None))
        if keeper != holder or until is None:
            return False
        self._followers[follower] = (position, None if release else holder, until)
        return True
