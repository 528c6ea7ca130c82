"""MemoryCore's basic usage, over memwell: save, search, update with versions, links, events.

python examples/memorycore/basic_usage.py
"""

from __future__ import annotations

import asyncio

from memwell.compat.memorycore import MemoryMetadata, Settings, create_memory_manager
from memwell.compat.memorycore.events.memory_events import MemoryCreatedEvent


async def main() -> None:
    """Run through the interface, in memory and by words alone."""
    manager = await create_memory_manager(Settings(storage_backend="memory", embedding_provider="none"))

    def announce(event: MemoryCreatedEvent) -> None:
        print(f"created: {event.memory.content}")

    manager.event_bus.subscribe("memory.created", announce)
    metadata = MemoryMetadata(category="infrastructure", tags=["database"], importance="high")
    memory = await manager.save("The production database is at 10.0.0.5:5432", metadata, ttl_days=90)
    for result in await manager.search("production database", limit=5):
        print(f"{result.score:.3f}: {result.memory.content}")

    updated = await manager.update(memory.id, content="The production database is at 10.0.0.6:5432")
    print(f"version {updated.version}; before: {updated.versions[0].content}")

    replica = await manager.save("The replica of the database is at 10.0.0.7:5432", metadata)
    replica.add_relationship(memory.id, "extends")
    print("related:", [one.content for one in await manager.get_related(memory.id)])
    await manager.close()


if __name__ == "__main__":
    asyncio.run(main())
