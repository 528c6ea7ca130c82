"""What the old files hold. `fill` wrote it with the old code, `describe` reads it with today's.

Only names that 0.1.0 had already are used here, so that the script `make.py` runs on either code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from memwell.ports import Delete, Embedding, Insert, KeyValue, Log, SetLink, Store, Touch, Update
from memwell.testing import run
from memwell.types import Link, Record, Scope

__all__ = ["ANA", "FIRST", "NOBODY", "NOW", "SECOND", "describe", "describe_parts", "fill", "fill_parts"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST, SECOND = "model-a", "model-b"
"""The embedding models; the second serves."""
ANA = Scope(tenant_id="acme", user_id="ana")
"""The owner of most records."""
NOBODY = Scope(tenant_id="other")
"""A tenant whose records name no user."""
_TEA = "Ana drinks green tea; Ana's doctor said: no coffee after 16:00 – 「緑茶」 🍵"
_LONG = "The first passage tells of boats.\n\nThe second passage tells of bikes."


def fill(store: Store) -> None:
    """Store records with every field, older versions, links, vectors, accesses, expiry and followers."""
    everything = _record(
        "every-field",
        _TEA,
        kind="fact",
        metadata={
            "when": "2025-12-24T18:00:00+01:00",
            "n": 0.1,
            "nested": {"a": [1, None, "x"]},
            "ключ": True,
        },
        tags=("tea", "health"),
        category="food",
        importance=0.9,
        tier="core",
        source="chat",
        expires_at=datetime(2999, 1, 1, tzinfo=UTC),
        scope=Scope(tenant_id="acme", user_id="ana", agent_id="helper", session_id="s1", namespace="home"),
    )
    write = [
        Insert(record=everything, embedding=_vectors(FIRST, 1), named=True, dated=True),
        Insert(record=everything, named=True, dated=True),  # the same again: reinforced
        Insert(record=_record("changed", "Ana lives in Rome"), embedding=_vectors(FIRST, 2)),
        Insert(record=_record("passages", _LONG), embedding=_passages(FIRST)),
        Insert(record=_record("second-only", "Ana has two cats"), embedding=_vectors(SECOND, 3)),
        Insert(record=_record("bare", "Ana's bike is blue")),
        Insert(record=_record("expired", "Ana is on the train", expires_at=NOW - timedelta(days=1))),
        Insert(record=_record("gone", "Ana was in Oslo"), embedding=_vectors(FIRST, 4)),
        Insert(
            record=_record("stranger", "No user is named here", scope=NOBODY), embedding=_vectors(FIRST, 5)
        ),
    ]
    run(store, store.write(write, now=NOW))
    changes = (
        {"content": "Ana lives in Paris", "tags": ("city",)},
        {"importance": 0.25, "metadata": {"street": "rue ☕"}},
    )
    for day, change in enumerate(changes, 1):
        update = Update(scope=ANA, id="changed", changes=change, embedding=_vectors(FIRST, 6))
        run(store, store.write([update], now=NOW + timedelta(days=day)))
    links = [("every-field", "bare", "about", 0.25), ("changed", "every-field", "next", 0.75)]
    later = [
        *(
            SetLink(scope=ANA, source=source, link=Link(target=target, kind=kind, strength=strength))
            for source, target, kind, strength in links
        ),
        Touch(tenant_id="acme", accesses={"every-field": (7, NOW + timedelta(hours=1, microseconds=1))}),
        Delete(scope=ANA, ids=("gone",)),
    ]
    run(store, store.write(later, now=NOW + timedelta(days=3)))
    run(store, store.serve(SECOND, lacking=100))
    run(store, store.claim("index", "old", seconds=60, now=NOW))
    run(store, store.advance("index", "old", run(store, store.position()), release=True))
    run(store, store.claim("mirror", "old", seconds=60, now=NOW))


def fill_parts(values: KeyValue, log: Log) -> None:
    """Store keys with values, and streams: one with entries, one that was emptied."""
    run(values, values.set_many({"plain": b"\0\xff bytes", "clé": "é".encode()}))
    run(values, values.set("long lived", b"1", ttl=3e9))
    run(values, values.increment("counter", 41))
    run(log, log.append("events", [b"one", b"two", b"\0three"]))
    run(log, log.trim("events", keep=2))
    run(log, log.append("emptied", [b"gone"]))
    run(log, log.trim("emptied"))


def describe(store: Store) -> dict[str, Any]:
    """All that a store tells of its records, as JSON has it."""
    described: dict[str, Any] = {}
    for scope in (Scope(tenant_id="acme"), NOBODY):
        for record in run(store, store.scan(scope, now=NOW, limit=100)):
            id = record.id
            history = run(store, store.history(scope, id, now=NOW))
            described[f"{scope.tenant_id}/{id}"] = {
                "record": _json(asdict(record)),
                "history": [_json(asdict(version)) for version in history],
                "links": _json(run(store, store.links(scope, [id], incoming=False))),
                "incoming": _json(run(store, store.links(scope, [id], incoming=True))),
                "vectors": {
                    model: [found[id].vectors.tolist(), _json(found[id].spans)]
                    for model in (FIRST, SECOND)
                    if (found := run(store, store.embeddings(scope, [id], model)))
                },
            }
    return {
        "records": described,
        "models": sorted(run(store, store.embedding_models())),
        "serving": run(store, store.serving()),
        "count": run(store, store.count(ANA, now=NOW)),
        "filtered": run(store, store.count(ANA, now=NOW, where={"when": {"$lt": "2025-12-24T17:30:00Z"}})),
    }


def describe_parts(values: KeyValue, log: Log) -> dict[str, Any]:
    """All that the key-value part and the log hold, as JSON has it."""
    found = run(values, values.get_many(["plain", "clé", "long lived", "counter"]))
    entries = [*run(log, log.read("events")), *run(log, log.read("emptied"))]
    return {
        "values": {key: value.hex() for key, value in sorted(found.items())},
        "entries": [[entry.position, entry.at.isoformat(), entry.data.hex()] for entry in entries],
    }


def _record(id: str, content: str, *, scope: Scope = ANA, **fields: Any) -> Record:
    return Record(id=id, scope=scope, content=content, created_at=NOW, updated_at=NOW, **fields)


def _vectors(model: str, seed: int, count: int = 1) -> Embedding:
    rows = np.random.default_rng(seed).normal(size=(count, 8))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Embedding(model=model, vectors=vectors)


def _passages(model: str) -> Embedding:
    middle = _LONG.index("The second")
    return Embedding(
        model=model, vectors=_vectors(model, 7, 2).vectors, spans=((0, middle - 2), (middle, len(_LONG)))
    )


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_json(item) for item in value]
    if isinstance(value, Link):
        return _json(asdict(value))
    return value.isoformat() if isinstance(value, datetime) else value
