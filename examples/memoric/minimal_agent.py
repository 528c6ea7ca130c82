"""An agent with memory and no service: everything is in the SQLite file `memoric.db`.

python minimal_agent.py
"""

from memwell.compat.memoric import ContextAssembler, Memoric


def answer(m: Memoric, user_id: str, thread_id: str, text: str) -> str:
    """What the agent knows about a question. A real one would hand it to a language model."""
    known = m.retrieve(user_id=user_id, scope="user", query=text, top_k=2)
    m.save(user_id=user_id, thread_id=thread_id, content=text, role="user")
    reply = known[0]["content"] if known else "I do not know yet."
    m.save(
        user_id=user_id, thread_id=thread_id, content=reply, role="assistant", metadata={"importance": "low"}
    )
    return reply


with Memoric() as m:
    for fact, importance in (("Alice is allergic to peanuts", "critical"), ("Alice lives in Lisbon", "high")):
        m.save(user_id="alice", thread_id="monday", content=fact, metadata={"importance": importance})
    print("answer:", answer(m, "alice", "tuesday", "What is Alice allergic to?"))
    print("answer:", answer(m, "bob", "tuesday", "What is Alice allergic to?"))
    context = m.retrieve_context(user_id="alice", thread_id="tuesday", top_k=2)
    print(ContextAssembler.format_for_llm(context))
    print("tiers:", m.run_policies()["by_tier"])
