"""memwell: a memory layer for AI agents, in one SQLite file by default. Start with `Memory` or `AsyncMemory`."""

from __future__ import annotations

from memwell._lazy import exports
from memwell.errors import (
    BackendError,
    Closed,
    ConfigError,
    Conflict,
    Corrupt,
    EmbeddingError,
    InvalidInput,
    InvalidQuery,
    MemwellError,
    NotFound,
    NotSupported,
    TimedOut,
    Unavailable,
)

TYPE_CHECKING = False  # type checkers take it as true

if TYPE_CHECKING:
    from memwell.coordination.locks import Lock, SyncLock, lock, lock_sync, redlock, redlock_sync
    from memwell.coordination.rate_limit import Rate, rate_limit, rate_limit_sync
    from memwell.events import EVENTS, Event, Subscription
    from memwell.fields import LIMITS
    from memwell.followers.delivery.endpoints import WebhookStatus
    from memwell.followers.delivery.queue import DeadLetter
    from memwell.hits import Hits
    from memwell.memory import AsyncMemory
    from memwell.policies.clusters import Cluster
    from memwell.policies.enrichers import Enricher
    from memwell.policies.model import Policies
    from memwell.policies.plans import Applied, Plan
    from memwell.resilience.decorators import (
        CircuitBreaker,
        create_resilient_caller,
        fallback,
        retry_with_backoff,
        with_timeout,
    )
    from memwell.retrieval.analysis.enrichment import Enrichment, enrich
    from memwell.retrieval.analysis.entities import Entity
    from memwell.retrieval.ranking.rules import Boost
    from memwell.retrieval.ranking.strategies import STRATEGIES, Strategy
    from memwell.runs import AsyncRuns, Context, ContextEvent, FlowRun, Runs, TaskOutput
    from memwell.security.acting import acting
    from memwell.security.chain import AuditHead
    from memwell.security.entries import AuditEntry
    from memwell.security.journal import Receipts
    from memwell.security.keyring import Keyring, KeyService
    from memwell.security.receipts import Erased, Receipt
    from memwell.sync import Memory
    from memwell.types import (
        Component,
        Contradiction,
        Encryption,
        Health,
        Hit,
        Imported,
        KeyStatus,
        Link,
        NewMemory,
        Owner,
        Page,
        Problem,
        Record,
        Reembedded,
        Related,
        Report,
        Rotated,
        Scope,
        Stats,
        Trace,
        Version,
        Why,
    )

__all__ = [
    "EVENTS",
    "LIMITS",
    "STRATEGIES",
    "Applied",
    "AsyncMemory",
    "AsyncRuns",
    "AuditEntry",
    "AuditHead",
    "BackendError",
    "Boost",
    "CircuitBreaker",
    "Closed",
    "Cluster",
    "Component",
    "ConfigError",
    "Conflict",
    "Context",
    "ContextEvent",
    "Contradiction",
    "Corrupt",
    "DeadLetter",
    "EmbeddingError",
    "Encryption",
    "Enricher",
    "Enrichment",
    "Entity",
    "Erased",
    "Event",
    "FlowRun",
    "Health",
    "Hit",
    "Hits",
    "Imported",
    "InvalidInput",
    "InvalidQuery",
    "KeyService",
    "KeyStatus",
    "Keyring",
    "Link",
    "Lock",
    "Memory",
    "MemwellError",
    "NewMemory",
    "NotFound",
    "NotSupported",
    "Owner",
    "Page",
    "Plan",
    "Policies",
    "Problem",
    "Rate",
    "Receipt",
    "Receipts",
    "Record",
    "Reembedded",
    "Related",
    "Report",
    "Rotated",
    "Runs",
    "Scope",
    "Stats",
    "Strategy",
    "Subscription",
    "SyncLock",
    "TaskOutput",
    "TimedOut",
    "Trace",
    "Unavailable",
    "Version",
    "WebhookStatus",
    "Why",
    "acting",
    "create_resilient_caller",
    "enrich",
    "fallback",
    "lock",
    "lock_sync",
    "rate_limit",
    "rate_limit_sync",
    "redlock",
    "redlock_sync",
    "retry_with_backoff",
    "with_timeout",
]

__version__ = "0.1.0"

_HOME = {
    "Applied": "policies.plans",
    "Plan": "policies.plans",
    "Policies": "policies.model",
    "EVENTS": "events",
    "LIMITS": "fields",
    "STRATEGIES": "retrieval.ranking.strategies",
    "AsyncMemory": "memory",
    "Boost": "retrieval.ranking.rules",
    "AuditEntry": "security.entries",
    "AuditHead": "security.chain",
    "Cluster": "policies.clusters",
    "Enricher": "policies.enrichers",
    "Enrichment": "retrieval.analysis.enrichment",
    "Entity": "retrieval.analysis.entities",
    "Erased": "security.receipts",
    "DeadLetter": "followers.delivery.queue",
    "Event": "events",
    "Subscription": "events",
    "WebhookStatus": "followers.delivery.endpoints",
    "Hits": "hits",
    "KeyService": "security.keyring",
    "Keyring": "security.keyring",
    "Lock": "coordination.locks",
    "Memory": "sync",
    "Rate": "coordination.rate_limit",
    "Receipt": "security.receipts",
    "Receipts": "security.journal",
    "AsyncRuns": "runs",
    "Context": "runs",
    "ContextEvent": "runs",
    "FlowRun": "runs",
    "Runs": "runs",
    "TaskOutput": "runs",
    "Strategy": "retrieval.ranking.strategies",
    "SyncLock": "coordination.locks",
    "CircuitBreaker": "resilience.decorators",
    "acting": "security.acting",
    "create_resilient_caller": "resilience.decorators",
    "enrich": "retrieval.analysis.enrichment",
    "fallback": "resilience.decorators",
    "lock": "coordination.locks",
    "lock_sync": "coordination.locks",
    "rate_limit": "coordination.rate_limit",
    "rate_limit_sync": "coordination.rate_limit",
    "redlock": "coordination.locks",
    "redlock_sync": "coordination.locks",
    "retry_with_backoff": "resilience.decorators",
    "with_timeout": "resilience.decorators",
}
"""The module of each public name outside `types`; loaded on first use, so that `import memwell` stays light."""


__getattr__ = exports(__name__, {name: _HOME.get(name, "types") for name in __all__})
