"""The methods that manage what is stored: plans of policies, and what other rules decide."""

from __future__ import annotations

from memwell.engine.keywords import explain_keywords
from memwell.engine.requests import ApplyRequest, PlanRequest
from memwell.faces.base import AsyncFace, Face, audited
from memwell.policies.loading import Source
from memwell.policies.plans import Applied, Plan
from memwell.policies.summaries import Summariser
from memwell.types import Progress

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

        request = PlanRequest(
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

        return await applying.apply(self._engine, ApplyRequest(plan=plan), progress)


@explain_keywords
class Management(Face):
    """Management of what is stored, without `await`. Its docstrings are those of `AsyncManagement`, copied by
    `make docs`.
    """

    _memory: AsyncManagement

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
        call = self._memory.plan(
            policies, summariser=summariser, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return self._run(call)

    def apply(self, plan: Plan, *, progress: Progress | None = None) -> Applied:
        """Take the steps of a plan, in batches, each in one transaction; return what was done and what was refused.

        - `plan`: from `plan`, or `Plan.load(path)`. A step whose memory has changed since is refused. So is one that
          forgets a memory which was recalled or remembered again since.
        - `progress(done, total)`: called after each batch.

        A call cut short is continued by applying the same plan again. Raises `Unavailable` while another process
        applies a plan to the store.
        """
        return self._run(self._memory.apply(plan, progress=progress))
