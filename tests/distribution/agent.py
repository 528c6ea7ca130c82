"""One API process: a memory over PostgreSQL, Redis and Chroma, told over its standard input what to do.

Each line is JSON, `[method, arguments]`; each answer is a line of JSON. What reaches the index is noted in a log on
Redis, so that the test can count deliveries.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from memwell import Memory, lock_sync
from memwell.coordination.locks import SyncLock
from memwell.coordination.rate_limit import rate_limit_sync
from memwell.ports import Log, Point, VectorIndex
from memwell.registry import open_embedder, open_index, open_keyvalue, open_log, open_store
from memwell.wrappers.base import VectorIndexWrapper
from memwell.wrappers.cached_store import CachedStore
from memwell.wrappers.indexed import Indexed


class Noted(VectorIndexWrapper):
    """An index whose deliveries are noted."""

    part = "noted"

    def __init__(self, inner: VectorIndex, log: Log, name: str) -> None:
        self.inner, self.log, self.name = inner, log, name

    async def _upsert(self, points: Sequence[Point]) -> None:
        await self.inner.upsert(points)
        await self.log.append("delivered", [json.dumps([self.name, point.id]).encode() for point in points])


class Agent:
    """What the process can be told."""

    def __init__(self, name: str, postgres: str, redis: str, chroma: str) -> None:
        embedder = open_embedder("hashing")
        index = Noted(open_index(chroma), open_log(redis), name)
        self.cached = CachedStore(Indexed(open_store(postgres), index, model=embedder.model))
        self.memory = Memory(self.cached, embedder=embedder, cache=redis)
        self.redis = redis
        self.name = name

    def remember(self, contents: list[str], user: str) -> list[str]:
        return [record.id for record in self.memory.remember(contents, user_id=user)]

    def one_by_one(self, count: int, user: str) -> int:
        for number in range(count):
            self.memory.remember(f"{self.name} notes number {number}", user_id=user)
        return count

    def recall(self, query: str, user: str) -> list[str]:
        return [hit.record.content for hit in self.memory.recall(query, user_id=user)]

    def notes(self, query: str, user: str) -> list[str]:
        return [note for hit in self.memory.recall(query, user_id=user) for note in hit.why.notes]

    def update(self, id: str, content: str, user: str) -> int:
        return self.memory.update(id, content=content, user_id=user).version

    def forget(self, id: str, user: str) -> list[str]:
        return self.memory.forget(id, user_id=user)

    def hits(self) -> int:
        return self.cached.hits

    def doctor(self) -> list[str]:
        return [f"{problem.kind}: {problem.detail} {problem.id}" for problem in self.memory.doctor().problems]

    def count_under_a_lock(self, rounds: int) -> list[int]:
        """Add one to a number that only the lock protects; the tokens of the lock."""
        keyvalue, tokens = open_keyvalue(self.redis), []
        with Memory(self.cached, embedder=None) as memory:
            for _ in range(rounds):
                with lock_sync(keyvalue, "counter", ttl=10, wait=30) as held:
                    tokens.append(_token(held))
                    record = memory.get("counter", user_id="lock")
                    value = int(record.metadata["value"]) + 1
                    memory.update("counter", metadata={"value": value}, user_id="lock")
        return tokens

    def allowed(self, tries: int) -> int:
        keyvalue = open_keyvalue(self.redis)
        return sum(rate_limit_sync(keyvalue, "calls", limit=10, per=3600).allowed for _ in range(tries))

    def begin_counting(self) -> str:
        return self.memory.remember("a counter", id="counter", metadata={"value": 0}, user_id="lock").id


def _token(held: SyncLock) -> int:
    return held.token


def main() -> None:
    """Answer until the input ends."""
    agent = Agent(*sys.argv[1:])
    for line in sys.stdin:
        method, arguments = json.loads(line)
        print(json.dumps(getattr(agent, method)(*arguments)), flush=True)
    agent.memory.close()


if __name__ == "__main__":
    main()
