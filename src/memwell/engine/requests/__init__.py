"""One dataclass for each operation: its arguments, with their types and defaults.

`AsyncMemory` and `Memory` build them from their arguments; a test keeps names, types and defaults equal. Any other face
can build them from JSON: `RecallRequest(**body)`. The engine checks the values when it serves a request. `progress`
callbacks are not part of a request: the engine's functions take them as a second argument. The modules of this package
are imported when one of their names is first asked for.
"""

from __future__ import annotations

from memwell._lazy import exports

TYPE_CHECKING = False

if TYPE_CHECKING:
    from memwell.engine.requests.base import OnDuplicate, OnEcho, OwnedRequest, Supersede, Superseded
    from memwell.engine.requests.delivery import (
        AddWebhookRequest,
        DeadLettersRequest,
        DeliverRequest,
        RemoveWebhookRequest,
        ReplayWebhookRequest,
        TestWebhookRequest,
    )
    from memwell.engine.requests.everyday import (
        CountRequest,
        ForgetRequest,
        GetRequest,
        HistoryRequest,
        ListRequest,
        RelatedRequest,
        RelateRequest,
        RememberRequest,
        RestoreRequest,
        UnrelateRequest,
        UpdateRequest,
    )
    from memwell.engine.requests.management import (
        ApplyRequest,
        ClustersRequest,
        ConflictsRequest,
        PlanRequest,
        RebuildClustersRequest,
        SummariseRequest,
    )
    from memwell.engine.requests.proof import (
        AuditLogRequest,
        CompleteReceiptsRequest,
        EraseRequest,
        ReceiptsRequest,
        VerifyAuditRequest,
    )
    from memwell.engine.requests.recall import RecallRequest
    from memwell.engine.requests.upkeep import (
        ExportRequest,
        ImportRequest,
        ReembedRequest,
        RotateKeysRequest,
        ShredRequest,
        StatsRequest,
    )

__all__ = [
    "AddWebhookRequest",
    "ApplyRequest",
    "AuditLogRequest",
    "ClustersRequest",
    "CompleteReceiptsRequest",
    "ConflictsRequest",
    "CountRequest",
    "DeadLettersRequest",
    "DeliverRequest",
    "EraseRequest",
    "ExportRequest",
    "ForgetRequest",
    "GetRequest",
    "HistoryRequest",
    "ImportRequest",
    "ListRequest",
    "OnDuplicate",
    "OnEcho",
    "OwnedRequest",
    "PlanRequest",
    "RebuildClustersRequest",
    "RecallRequest",
    "ReceiptsRequest",
    "ReembedRequest",
    "RelateRequest",
    "RelatedRequest",
    "RememberRequest",
    "RemoveWebhookRequest",
    "ReplayWebhookRequest",
    "RestoreRequest",
    "RotateKeysRequest",
    "ShredRequest",
    "StatsRequest",
    "SummariseRequest",
    "Supersede",
    "Superseded",
    "TestWebhookRequest",
    "UnrelateRequest",
    "UpdateRequest",
    "VerifyAuditRequest",
]

_HOME = {
    "AddWebhookRequest": "delivery",
    "ApplyRequest": "management",
    "AuditLogRequest": "proof",
    "ClustersRequest": "management",
    "CompleteReceiptsRequest": "proof",
    "ConflictsRequest": "management",
    "CountRequest": "everyday",
    "DeadLettersRequest": "delivery",
    "DeliverRequest": "delivery",
    "EraseRequest": "proof",
    "ExportRequest": "upkeep",
    "ForgetRequest": "everyday",
    "GetRequest": "everyday",
    "HistoryRequest": "everyday",
    "ImportRequest": "upkeep",
    "ListRequest": "everyday",
    "OnDuplicate": "base",
    "OnEcho": "base",
    "OwnedRequest": "base",
    "PlanRequest": "management",
    "RebuildClustersRequest": "management",
    "RecallRequest": "recall",
    "ReceiptsRequest": "proof",
    "ReembedRequest": "upkeep",
    "RelateRequest": "everyday",
    "RelatedRequest": "everyday",
    "RememberRequest": "everyday",
    "RemoveWebhookRequest": "delivery",
    "ReplayWebhookRequest": "delivery",
    "RestoreRequest": "everyday",
    "RotateKeysRequest": "upkeep",
    "ShredRequest": "upkeep",
    "StatsRequest": "upkeep",
    "SummariseRequest": "management",
    "Supersede": "base",
    "Superseded": "base",
    "TestWebhookRequest": "delivery",
    "UnrelateRequest": "everyday",
    "UpdateRequest": "everyday",
    "VerifyAuditRequest": "proof",
}


__getattr__ = exports(__name__, _HOME)
