"""The six contracts under the engine: Store, VectorIndex, Embedder, Reranker, KeyValue, Log.

Each port is a template: the public coroutine checks that the part is open, validates, enforces the scope and
translates native errors; an adapter writes the underscore hook of the same name. An adapter that never waits
on an event loop (SQLite, in-memory, local models) sets `blocking = True`: its coroutines then never suspend,
and the synchronous `Memory` drives them without any loop. Parts are safe to use from many threads. Closing
twice is fine; any other call after `close` raises `Closed`.
"""

from __future__ import annotations

from memwell._lazy import exports

TYPE_CHECKING = False

if TYPE_CHECKING:
    from memwell.ports.arrays import Vectors, numpy
    from memwell.ports.base import Port, unsupported
    from memwell.ports.declaration import Declaration, Effect, call, declared, operation, required
    from memwell.ports.embedder import Embedder
    from memwell.ports.index import Match, Metric, Point, VectorIndex
    from memwell.ports.keyvalue import KeyValue
    from memwell.ports.log import Entry, Log
    from memwell.ports.reranker import Reranker
    from memwell.ports.store import Store
    from memwell.ports.store.changes import Change
    from memwell.ports.store.operations import (
        Append,
        Delete,
        Embed,
        Embedding,
        Insert,
        Operation,
        Recode,
        SetLink,
        Touch,
        Unlink,
        Update,
    )
    from memwell.ports.store.search import Found, Search

__all__ = [
    "Append",
    "Change",
    "Declaration",
    "Delete",
    "Effect",
    "Embed",
    "Embedder",
    "Embedding",
    "Entry",
    "Found",
    "Insert",
    "KeyValue",
    "Log",
    "Match",
    "Metric",
    "Operation",
    "Point",
    "Port",
    "Recode",
    "Reranker",
    "Search",
    "SetLink",
    "Store",
    "Touch",
    "Unlink",
    "Update",
    "VectorIndex",
    "Vectors",
    "call",
    "declared",
    "numpy",
    "operation",
    "required",
    "unsupported",
]

_HOME = {
    "Append": "store.operations",
    "Change": "store.changes",
    "Declaration": "declaration",
    "Delete": "store.operations",
    "Effect": "declaration",
    "Embed": "store.operations",
    "Embedder": "embedder",
    "Embedding": "store.operations",
    "Entry": "log",
    "Found": "store.search",
    "Insert": "store.operations",
    "KeyValue": "keyvalue",
    "Log": "log",
    "Match": "index",
    "Metric": "index",
    "Operation": "store.operations",
    "Point": "index",
    "Port": "base",
    "Recode": "store.operations",
    "Reranker": "reranker",
    "Search": "store.search",
    "SetLink": "store.operations",
    "Store": "store",
    "Touch": "store.operations",
    "Unlink": "store.operations",
    "Update": "store.operations",
    "VectorIndex": "index",
    "Vectors": "arrays",
    "call": "declaration",
    "declared": "declaration",
    "numpy": "arrays",
    "operation": "declaration",
    "required": "declaration",
    "unsupported": "base",
}

__getattr__ = exports(__name__, _HOME)
