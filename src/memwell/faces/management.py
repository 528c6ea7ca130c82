"""The methods that manage what is stored: plans of policies, and what other rules decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memwell.engine import requests
from memwell.engine.keywords import explain_keywords
from memwell.faces.base import AsyncFace, Face, audited, delegated

if TYPE_CHECKING:
    from memwell.policies.loading import Source
    from memwell.policies.plans import Applied, Plan
    from memwell.policies.summaries import Summariser
    from memwell.types import Contradiction, Progress, Where

__all__ = ["AsyncManagement", "Management"]


@audited
@explain_keywords
class AsyncManagement(AsyncFace):
    """Management of what is stored, with `await`."""

    async def plan(
        self, policies: Source | None = None, *, summariser: Summariser | None = None,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Plan:  # fmt: skip
        """What policies would do to the memories of a scope, step by step and with reasons. Reads only.

        - `policies`: a file, a dict or `Policies` (see `memwell.policies`); by default those of this memory.
        - `summariser`: a function of texts and the most characters that gives a summary, or a coroutine function, such
          as those of `memwell.policies.llm`. By default the most telling sentences are taken.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: plan only for the memories of this scope.

        A plan can be stored (`plan.save`), reviewed, and applied later. Raises `ConfigError` for policies that are
        wrong, with each fault and its line.
        """
        from memwell.engine import planning

        request = requests.PlanRequest(
            policies=policies, summariser=summariser, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await planning.plan(self._engine, request)

    async def apply(self, plan: Plan, *, progress: Progress | None = None) -> Applied:
        """Take the steps of a plan, in batches, each in one transaction; return what was done and what was refused.

        - `plan`: from `plan`, or `Plan.load(path)`. A step whose memory has changed since is refused. So is one that
          forgets a memory which was recalled or remembered again since.
        - `progress(done, total)`: called after each batch.

        A call cut short is continued by applying the same plan again. Raises `Unavailable` while another process
        applies a plan to the store.
        """
        from memwell.engine import applying

        return await applying.apply(self._engine, requests.ApplyRequest(plan=plan), progress)

    async def conflicts(
        self, *, where: Where | None = None, limit: int = 100, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> list[Contradiction]:  # fmt: skip
        """Pairs of memories of one owner that say the same of the same thing with another value, the latest first:
        *Ana lives in Porto* and *Ana lives in Lisbon*. Reads only.

        - `where`: a filter (see `memwell.filters`); `limit`: how many pairs at most.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        They are found by rules, without a model: both begin alike, up to words after which one value is expected, and
        differ in one place behind them, or one negates the other. Each `Contradiction` says what has changed. Left out
        are pairs that `supersedes` or `contradicts` links, those of which one is superseded, and those that are not
        true at the same time. Long texts are not read.
        """
        from memwell.engine import conflicts

        request = requests.ConflictsRequest(
            where=where, limit=limit, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await conflicts.conflicts(self._engine, request)


@explain_keywords
class Management(Face):
    """Management of what is stored, without `await`. Its docstrings are those of `AsyncManagement`, copied by
    `make docs`.
    """

    _memory: AsyncManagement

    @delegated
    def plan(
        self, policies: Source | None = None, *, summariser: Summariser | None = None,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Plan:  # fmt: skip
        """What policies would do to the memories of a scope, step by step and with reasons. Reads only.

        - `policies`: a file, a dict or `Policies` (see `memwell.policies`); by default those of this memory.
        - `summariser`: a function of texts and the most characters that gives a summary, or a coroutine function, such
          as those of `memwell.policies.llm`. By default the most telling sentences are taken.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: plan only for the memories of this scope.

        A plan can be stored (`plan.save`), reviewed, and applied later. Raises `ConfigError` for policies that are
        wrong, with each fault and its line.
        """

    @delegated
    def apply(self, plan: Plan, *, progress: Progress | None = None) -> Applied:
        """Take the steps of a plan, in batches, each in one transaction; return what was done and what was refused.

        - `plan`: from `plan`, or `Plan.load(path)`. A step whose memory has changed since is refused. So is one that
          forgets a memory which was recalled or remembered again since.
        - `progress(done, total)`: called after each batch.

        A call cut short is continued by applying the same plan again. Raises `Unavailable` while another process
        applies a plan to the store.
        """

    @delegated
    def conflicts(
        self, *, where: Where | None = None, limit: int = 100, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> list[Contradiction]:  # fmt: skip
        """Pairs of memories of one owner that say the same of the same thing with another value, the latest first:
        *Ana lives in Porto* and *Ana lives in Lisbon*. Reads only.

        - `where`: a filter (see `memwell.filters`); `limit`: how many pairs at most.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        They are found by rules, without a model: both begin alike, up to words after which one value is expected, and
        differ in one place behind them, or one negates the other. Each `Contradiction` says what has changed. Left out
        are pairs that `supersedes` or `contradicts` links, those of which one is superseded, and those that are not
        true at the same time. Long texts are not read.
        """
