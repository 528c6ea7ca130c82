"""Options of a memory as the engine uses them. What an option needs is imported if it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memwell.policies.enrichers import Enricher
    from memwell.policies.loading import Source
    from memwell.policies.model import Policies

__all__ = ["enricher_of", "rules_of"]


def rules_of(policies: Source | None) -> Policies | None:
    """The policies of a file, a dict or `Policies`. Raises `ConfigError` for those that cannot be read."""
    if policies is None:
        return None
    from memwell.policies.loading import load

    return load(policies)


def enricher_of(enrich: bool | Enricher) -> Enricher | None:
    """The function that finds topic, category and the like of new memories. Raises `ConfigError` for what is none."""
    if enrich is False:
        return None
    from memwell.policies.enrichers import enricher_of

    return enricher_of(enrich)
