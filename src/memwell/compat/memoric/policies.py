"""What `run_policies` does: summaries of long texts, memwell's plan for the tiers, clusters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from memwell import Memory
from memwell.compat.memoric.text import TextSummarizer, summarizer_of
from memwell.compat.memoric.tiers import rules_of
from memwell.policies.plans import Plan

__all__ = ["PolicyExecutor"]

_PAGE: Final = 1000


class PolicyExecutor:
    """Applies the policies of a configuration to a `Memory`."""

    def __init__(self, memory: Memory, config: Mapping[str, Any]) -> None:
        self._memory, self._config = memory, config

    def run(self) -> dict[str, Any]:
        """Counts of what was done: `migrated`, `summarized`, `trimmed`, `thread_summaries`, `evicted`, `clusters`; and
        `by_tier`, `ran_at`. Raises `Unavailable` while another process does the same.
        """
        summarizer = summarizer_of(self._config)
        summarized = self._summarize_long(summarizer) if summarizer else 0
        plan = self._memory.plan(rules_of(self._config), summariser=summarizer)
        refused = {one.id for one in self._memory.apply(plan).refused}
        return {
            "summarized": summarized,
            **_counts(plan, refused),
            "clusters": self._memory.rebuild_clusters(by="topic+category"),
            "by_tier": self.by_tier(),
            "ran_at": datetime.now(UTC).isoformat(),
        }

    def by_tier(self) -> dict[str, int]:
        """How many memories each tier has."""
        names = [tier["name"] for tier in self._config["storage"]["tiers"]]
        return {name: self._memory.count(where={"tier": name}) for name in names}

    def _summarize_long(self, summarizer: TextSummarizer) -> int:
        """Give each long text a summary that stands in its place; the text stays behind it."""
        rules = self._config["summarization"]
        if not rules["enabled"]:
            return 0
        originals: Any = "hide" if rules["mark_summarized"] else "keep"
        done = 0
        for id in self._long_texts(rules["min_chars"]):
            done += len(
                self._memory.summarise(
                    [id], characters=rules["target_chars"], originals=originals, summariser=summarizer
                )
            )
        return done

    def _long_texts(self, least: int) -> list[str]:
        """The texts of that length which have no summary yet."""
        found, summarised = [], set[str]()
        cursor = None
        while True:
            page = self._memory.list(limit=_PAGE, cursor=cursor)
            for record in page.records:
                if record.kind == "summary":
                    summarised.update(link.target for link in record.links if link.kind == "derived_from")
                elif len(record.content) >= least:
                    found.append(record.id)
            cursor = page.cursor
            if cursor is None:
                return [id for id in found if id not in summarised]


def _counts(plan: Plan, refused: set[str]) -> dict[str, int]:
    steps = [step for step in plan.steps if step.id not in refused]
    return {
        "migrated": sum("tier" in step.after for step in steps if step.action == "update"),
        "trimmed": sum("content" in step.after for step in steps if step.action == "update"),
        "thread_summaries": sum(step.action == "summarise" for step in steps),
        "evicted": sum(step.action == "forget" for step in steps),
    }
