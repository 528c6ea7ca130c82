"""Two agents that keep their memory in a driver: what a user said, and what everybody may know.

MEMORY_DRIVER=sqlite python examples/memory_drivers/agents.py
"""

from __future__ import annotations

from typing import Any

from memwell.compat.memory_drivers import BaseMemoryDriver, get_memory_driver


def memory_agent(
    driver: BaseMemoryDriver, user_id: str, conversation_id: str, question: str
) -> dict[str, list[dict[str, Any]]]:
    """What an answer is built on: the last turns, this conversation, and earlier ones."""
    return {
        "recent": driver.recall(user_id, conversation_id, top_k=5, use_vector=False),
        "conversation": driver.recall(user_id, conversation_id, question, top_k=10),
        "past": driver.recall(
            user_id, query=question, top_k=15, exclude_tags=[f"conversation_{conversation_id}"]
        ),
    }


def knowledge_agent(driver: BaseMemoryDriver, question: str, category: str | None = None) -> list[str]:
    """What is known about a question, whoever asks."""
    found = driver.recall_global_knowledge(question, category=category)
    return [one["memory"]["content"] for one in found]


def main() -> None:
    """Talk in two conversations and look back."""
    driver = get_memory_driver()
    for conversation, text in (("1", "I moved to Lisbon in May"), ("2", "What should I see this weekend?")):
        driver.store("ana", text, conversation, tags=["user", f"conversation_{conversation}"])
    driver.store_global_knowledge("Museums in Lisbon are free on Sundays", "travel", doc_id="LIS-1")
    context = memory_agent(driver, "ana", "2", "Where does Ana live?")
    print("past:", [one["memory"]["content"] for one in context["past"]])
    print("known:", knowledge_agent(driver, "museums on Sundays"))


if __name__ == "__main__":
    main()
