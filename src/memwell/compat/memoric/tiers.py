"""Memoric's tiers and policies as memwell's, which `run_policies` plans and applies."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from memwell.errors import ConfigError, shown

__all__ = ["rules_of", "tier_for"]

_WHEN: Final = re.compile(r"score\s*(>=|>|<=|<)\s*(\d+(?:\.\d+)?)")
_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def tier_for(config: Mapping[str, Any], score: int) -> str:
    """The tier of a new memory: that of the first rule of `policies.write` which holds, or the first tier.

    `when` is `always` or such as `score >= 80`; a number below 1 is a share of 100. Raises `ConfigError`.
    """
    names = [tier["name"] for tier in config["storage"]["tiers"]]
    rules = [_write_rule(rule, names) for rule in config["policies"]["write"] or ()]
    return next((tier for holds, tier in rules if holds(score)), str(names[0]))


def _write_rule(rule: object, names: list[str]) -> tuple[Callable[[int], bool], str]:
    """The condition of a rule, and the tier it leads to."""
    if not isinstance(rule, Mapping) or "to" not in rule:
        raise ConfigError(f"a rule of policies.write has `when` and `to`, not {shown(rule)}")
    place = rule["to"] if isinstance(rule["to"], str) else next(iter(rule["to"]), None)
    if place not in names:
        raise ConfigError(f"policies.write leads to the tier {place!r}; there are {', '.join(names)}")
    text = str(rule.get("when", "always")).strip().lower()
    if text == "always":
        return (lambda _: True), place
    found = _WHEN.fullmatch(text)
    if found is None:
        raise ConfigError(f"`when` is always, or such as 'score >= 80', not {shown(rule['when'])}")
    compare, bound = _HOLDS[found[1]], float(found[2])
    return (lambda score: compare(score, 100 * bound if bound < 1 else bound)), place


def rules_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The policies that memwell enforces: the limits of tiers, trimming, and summaries of threads."""
    tiers = config["storage"]["tiers"]
    rules: dict[str, Any] = {"tier": [_tier(tier, last=tier is tiers[-1]) for tier in tiers]}
    if config["text_processing"]["trimmer"] != "noop":
        rules["trim"] = [
            {"tier": tier["name"], "characters": tier["trim"]["max_chars"]}
            for tier in tiers
            if (tier.get("trim") or {}).get("max_chars")
        ]
    threads = config["summarization"]["thread_summarization"]
    if config["summarization"]["enabled"] and threads["enabled"]:
        last = tiers[-1]["name"]
        rules["summarise"] = [
            {
                "tier": last,
                "by": "session",
                "at_least": threads["min_records"],
                "characters": threads["max_chars"],
                "originals": "hide" if config["summarization"]["mark_summarized"] else "keep",
                "to": last,
            }
        ]
    return rules


def _tier(tier: Mapping[str, Any], *, last: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"name": tier["name"]}
    if tier.get("expiry_days"):
        found["expiry"] = f"{tier['expiry_days'] * 86_400:g}s"
    if tier.get("ttl_seconds"):
        found["ttl"] = f"{tier['ttl_seconds']:g}s"
    if tier.get("capacity"):
        found |= {"capacity": tier["capacity"], "overflow": "forget" if last else "next"}
    return found
