"""Wrappers: each is the port that it wraps, so they stack. They are imported when first asked for.

| wrapper | of | does |
|---|---|---|
| `Retrying` | any part | tries again what may succeed |
| `Breaker` | any part | stops calling what fails |
| `Timed` | any part | ends waiting |
| `Fallback` | any part | lets the next part answer |
| `Threaded` | any part | keeps a blocking part off the event loop |
| `CachedStore` | a store | answers the same search from memory |
| `CachedEmbedder` | an embedder | embeds a text once |
| `MirroredStore`, `MirroredKeyValue`, `MirroredLog` | these | keep copies |
| `NamespacedStore`, `NamespacedIndex`, `NamespacedKeyValue`, `NamespacedLog` | these | share one part |
| `Indexed` | a store | searches its vectors in a `VectorIndex` |
| `Encrypted` | a store | encrypts what memories say |
"""

from __future__ import annotations

from memwell._lazy import exports

TYPE_CHECKING = False

if TYPE_CHECKING:
    from memwell.wrappers.breaker import Breaker
    from memwell.wrappers.cached import CachedEmbedder
    from memwell.wrappers.cached_store import CachedStore
    from memwell.wrappers.encrypted import Encrypted
    from memwell.wrappers.fallback import Fallback
    from memwell.wrappers.indexed import Indexed
    from memwell.wrappers.mirrored import MirroredKeyValue, MirroredLog
    from memwell.wrappers.mirrored_store import MirroredStore
    from memwell.wrappers.namespaced import NamespacedIndex, NamespacedKeyValue, NamespacedLog
    from memwell.wrappers.namespaced_store import NamespacedStore
    from memwell.wrappers.retrying import Retrying
    from memwell.wrappers.threaded import Threaded
    from memwell.wrappers.timed import Timed

__all__ = [
    "Breaker",
    "CachedEmbedder",
    "CachedStore",
    "Encrypted",
    "Fallback",
    "Indexed",
    "MirroredKeyValue",
    "MirroredLog",
    "MirroredStore",
    "NamespacedIndex",
    "NamespacedKeyValue",
    "NamespacedLog",
    "NamespacedStore",
    "Retrying",
    "Threaded",
    "Timed",
]

_HOME = {
    "Breaker": "breaker",
    "CachedEmbedder": "cached",
    "CachedStore": "cached_store",
    "Encrypted": "encrypted",
    "Fallback": "fallback",
    "Indexed": "indexed",
    "MirroredKeyValue": "mirrored",
    "MirroredLog": "mirrored",
    "MirroredStore": "mirrored_store",
    "NamespacedIndex": "namespaced",
    "NamespacedKeyValue": "namespaced",
    "NamespacedLog": "namespaced",
    "NamespacedStore": "namespaced_store",
    "Retrying": "retrying",
    "Threaded": "threaded",
    "Timed": "timed",
}


__getattr__ = exports(__name__, _HOME)
