"""Policies: which memories go to which tier, move, fade, merge and leave, planned first and applied afterwards.

`model` has the rules, `loading` reads them from TOML, YAML or a dict, `planning` turns records into the steps of a
`Plan`, and `applying` carries a plan out. `conditions`, `judging`, `limits`, `duplicates` and `summaries` are pure.
"""

from __future__ import annotations

from memwell.policies.loading import load
from memwell.policies.model import Policies
from memwell.policies.plans import Applied, Plan, Refused, Step

__all__ = ["Applied", "Plan", "Policies", "Refused", "Step", "load"]
