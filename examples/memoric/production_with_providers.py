"""The full stack: memories in `DATABASE_URL`, vectors in Pinecone, answers cached in Redis, embeddings by OpenAI.

export PINECONE_API_KEY=... PINECONE_ENVIRONMENT=aws/us-east-1
export REDIS_HOST=localhost OPENAI_API_KEY=sk-... DATABASE_URL=postgresql://user:pass@host/db
export MEMORIC_ENCRYPTION_KEY=$(memwell keys generate)
python production_with_providers.py
"""

import os

from memwell.compat.memoric import Memoric
from memwell.compat.memoric.providers.cache import RedisCacheProvider
from memwell.compat.memoric.providers.embeddings import OpenAIEmbedding
from memwell.compat.memoric.providers.vector_stores import PineconeVectorStore

PER_MINUTE = 3

embedding = OpenAIEmbedding(base_url=os.environ.get("OPENAI_BASE_URL"))
vector_store = PineconeVectorStore(index_name="prod-vectors")
cache = RedisCacheProvider(port=int(os.environ.get("REDIS_PORT", "6379")), prefix="memoric-example:")
m = Memoric(
    overrides={
        "privacy": {"encrypt_content": True},
        "integrations": {"embedder": None},  # vectors are in Pinecone
        "metadata": {"base_url": os.environ.get("OPENAI_BASE_URL")},
    }
)


def remember(user_id: str, text: str) -> int:
    """Store a text, and its vector under the same id."""
    id = m.save(user_id=user_id, content=text)
    vector_store.upsert(id=str(id), vector=embedding.embed(text), metadata={"user_id": user_id})
    return id


def find(user_id: str, question: str) -> list[str]:
    """The memories that mean the same, from the cache if the question was asked within five minutes."""
    if cache.increment(f"searches:{user_id}", ttl=60) > PER_MINUTE:
        raise RuntimeError("too many searches; try again in a minute")
    key = f"search:{user_id}:{question}"
    found = cache.get(key)
    if found is None:
        near = vector_store.search(vector=embedding.embed(question), top_k=3, filter={"user_id": user_id})
        found = [m.memory.get(one["id"], user_id=user_id).content for one in near]
        cache.set(key, found, ttl=300)
    return found


print("healthy:", vector_store.health_check(), cache.health_check())
for text in ("Alice lives in Lisbon", "Alice plays the violin", "Alice dislikes rain"):
    remember("alice", text)
remember("bob", "Bob lives in Oslo")
for _ in range(PER_MINUTE):
    print("found:", find("alice", "Alice lives in Lisbon")[0])
try:
    find("alice", "anything")
except RuntimeError as error:
    print("refused:", error)
print("others:", find("bob", "Alice lives in Lisbon"))
m.close()
cache.close()
vector_store.close()
embedding.close()
