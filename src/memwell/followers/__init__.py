"""Followers of a store's change sequence: one `Follower` with one `Lease`, and the sinks it delivers to."""

from __future__ import annotations

from memwell.followers.follower import Follower
from memwell.followers.lease import Lease
from memwell.followers.sink import Rebuild, Sink

__all__ = ["Follower", "Lease", "Rebuild", "Sink"]
