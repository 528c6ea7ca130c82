"""An agent with OpenAI: embeddings find its memories, a model answers, and calls that fail are tried again.

    export OPENAI_API_KEY=sk-...
    python production_agent.py

`DATABASE_URL` may name a PostgreSQL database; `OPENAI_BASE_URL` another service with OpenAI's API.
"""

import os
from urllib.parse import quote

from memwell.compat.memoric import ContextAssembler, Memoric
from memwell.compat.memoric.providers.llm import OpenAILLMProvider
from memwell.compat.memoric.utils.resilience import create_resilient_caller

BASE = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")

llm = OpenAILLMProvider("gpt-4o-mini", base_url=BASE)
resilient = create_resilient_caller(max_retries=3, circuit_failure_threshold=5, timeout_seconds=30)


@resilient
def ask(context: str, question: str) -> str:
    messages = [
        {"role": "system", "content": f"Answer from what you remember:\n{context}"},
        {"role": "user", "content": question},
    ]
    return llm.chat(messages=messages, max_tokens=200, temperature=0.2).strip()


with Memoric(
    overrides={
        "integrations": {"embedder": f"openai:text-embedding-3-small?base_url={quote(BASE, safe='')}"},
        "metadata": {"base_url": BASE},  # topic, category and importance are found by the model, too
    }
) as m:
    m.save(user_id="alice", thread_id="monday", content="Alice keeps bees in her garden")
    question = "Which animals does Alice have?"
    found = m.retrieve_context(user_id="alice", thread_id="tuesday", query=question)
    reply = ask(ContextAssembler.format_for_llm(found), question)
    m.save(user_id="alice", thread_id="tuesday", content=question, role="user")
    m.save(user_id="alice", thread_id="tuesday", content=reply, role="assistant")
    print("context:", found["related_history"])
    print("reply:", reply)
    print("topics:", sorted(cluster["topic"] for cluster in m.get_topic_clusters("alice")))
