"""`AsyncMemory`, the asynchronous face of the engine. `memwell.sync.Memory` has the same methods without `await`.

Every method takes the scope as keywords (`tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`; see
`memwell.Scope`). On `remember` they say whose memory it is; elsewhere they limit the call to the memories of that
scope, and a memory outside it looks like a missing one. Expired memories are never returned. A call that returns has
been committed; a call that raises has stored nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast, overload

from memwell import engine
from memwell._workers import Workers
from memwell.engine import assembly, lookup, options, recall, requests
from memwell.engine import clock as clocks
from memwell.engine.context import Engine
from memwell.engine.keywords import explain_keywords
from memwell.engine.proof import Proof
from memwell.engine.requests.base import OnDuplicate, OnEcho, Supersede, Superseded
from memwell.events import Handler, Subscription
from memwell.faces.base import audited
from memwell.faces.clusters import AsyncClusters
from memwell.faces.delivery import AsyncDelivery
from memwell.faces.management import AsyncManagement
from memwell.faces.proof import AsyncProof
from memwell.faces.upkeep import AsyncUpkeep
from memwell.hits import Hits, Tokenizer, counter
from memwell.retrieval.ranking.strategies import Strategy
from memwell.types import (
    Link,
    Message,
    Mode,
    NewMemory,
    Owner,
    Page,
    Progress,
    Record,
    Related,
    Version,
    Where,
)

if TYPE_CHECKING:
    import memwell.engine.links
    import memwell.engine.remember  # noqa: F401  for `engine.remember`
    from memwell.policies.enrichers import Enricher
    from memwell.policies.loading import Source
    from memwell.ports import Embedder, KeyValue, Log, Reranker, Store, VectorIndex
    from memwell.security.audit import AuditMode
    from memwell.security.journal import Receipts
    from memwell.security.keyring import Keyring

__all__ = ["AsyncMemory"]

Records: TypeAlias = list[Record]
Versions: TypeAlias = list[Version]
RelatedRecords: TypeAlias = list[Related]
Ids: TypeAlias = list[str]


@audited
@explain_keywords
class AsyncMemory(AsyncUpkeep, AsyncManagement, AsyncClusters, AsyncProof, AsyncDelivery):
    """Memory for AI agents, with `await`: stores what they learn and finds it again, ranked and explained.

    - `url`: the store: the path of a SQLite file such as `"notes.db"`, a URL (`sqlite:///notes.db?durability=full`,
      `postgresql://host/database`, `redis://host`, `memory://`), or a `Store`. By default one SQLite file in the user's
      data directory.
    - `embedder`: `"auto"` (the local model if `memwell[local]` and its weights are installed, otherwise recall by
      words), a name such as `"local"` or `"hashing"`, an `Embedder`, any function or object that turns texts into
      vectors, or `None` for recall by words.
    - `index`: a `VectorIndex` or its URL; it searches the vectors instead of the store.
    - `cache`: a `KeyValue` or its URL; it keeps embeddings across processes.
    - `reranker`: a name such as `"cohere:rerank-v3.5"`, a `Reranker`, or a function or object that turns a question and
      texts into scores; it reorders the best candidates of each recall.
    - `encryption`: a `Keyring`; everything that memories say is encrypted before it is stored. What is not, and what it
      costs, is in docs/encryption.md.
    - `clock`: a function that gives the current time as an aware datetime; for tests.
    - `tokenizer`: a function that gives the number of a text's tokens, or the tokens (`encoding.encode` of tiktoken);
      `token_budget` and `Hits.as_text` count with it. By default four bytes count as one token.
    - `timezone`: the time zone of the user, as an IANA name (`"America/Los_Angeles"`), `"local"` or a tzinfo; UTC by
      default. It says what "today" is and on which day a memory was learnt, and is that of times given without one.
    - `audit`: a `Log` or its URL, such as `"sqlite:///audit.db"`: every call gets an entry in a chain of hashes there.
    - `audit_mode`: `"durable"` returns when the entry of a call is in the log; `"batched"` at once, and writes it
      within about a second.
    - `receipts`: the key that signs receipts of `erase` (`memwell receipt key` makes one), or a
      `memwell.security.journal.Receipts`, which also says where they are kept.
    - `policies`: a file, a dict or `Policies` (see `memwell.policies`): new memories go to the tiers that their write
      rules name, with the time to live of those; `plan` and `memwell tidy` enforce the rest.
    - `enrich`: `True` finds topic, category, entities, dates and importance of new memories by rules
      (`memwell.enrich`); or a function, or a coroutine function, from a text to an `Enrichment` or a mapping of its
      fields. What you give wins. They stand in `category`, `importance` and the metadata `topic`, `entities` and
      `dates`. If it fails, the memory is stored without them.

    Safe to share between tasks. Several processes may use one store, unless it lives in memory. Parts that you pass as
    objects stay open at `close`. Raises `ConfigError` for an argument that it cannot use.
    """

    def __init__(
        self,
        url: str | PathLike[str] | Store | None = None,
        *,
        embedder: str | Embedder | Callable[..., Any] | object | None = "auto",
        index: str | VectorIndex | None = None,
        cache: str | KeyValue | None = None,
        reranker: str | Reranker | Callable[..., Any] | object | None = None,
        encryption: Keyring | None = None,
        clock: Callable[[], datetime] | None = None,
        tokenizer: Tokenizer | None = None,
        timezone: str | tzinfo | None = None,
        audit: str | Log | None = None,
        audit_mode: AuditMode = "durable",
        receipts: str | Receipts | None = None,
        policies: Source | None = None,
        enrich: bool | Enricher = False,
    ) -> None:
        _ = engine.links, engine.remember  # imported here, not at a call while other tasks wait

        now, zone = clocks.checked(clock), clocks.zone_of(timezone)
        count = counter(tokenizer)
        rules, enricher = options.rules_of(policies), options.enricher_of(enrich)
        parts = assembly.open_parts(url, embedder, index, cache, reranker, encryption, audit).threaded()
        self._engine = Engine(
            parts,
            now,
            count,
            zone,
            Proof(parts, now, receipts, audit_mode),
            rules,
            enricher,
            Workers("memwell-work"),
        )

    @classmethod
    def _of(cls, engine: Engine) -> Self:
        """An instance over an engine whose parts are already chosen."""
        self = cls.__new__(cls)
        self._engine = engine
        return self

    @overload
    async def remember(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, content: str | NewMemory | Message, *, metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None, category: str | None = None, importance: float | None = None,
        kind: str | None = None, tier: str | None = None, source: str | None = None,
        ttl: float | timedelta | None = None, expires_at: datetime | str | None = None, id: str | None = None,
        created_at: datetime | str | None = None, valid_from: datetime | str | None = None,
        valid_to: datetime | str | None = None, on_duplicate: OnDuplicate = "reinforce",
        on_echo: OnEcho = "reinforce", supersedes: str | None = None, supersede: Supersede = "off",
        progress: Progress | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Record: ...  # fmt: skip
    @overload
    async def remember(
        self, content: Sequence[str | NewMemory | Message], *, metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None, category: str | None = None, importance: float | None = None,
        kind: str | None = None, tier: str | None = None, source: str | None = None,
        ttl: float | timedelta | None = None, expires_at: datetime | str | None = None, id: str | None = None,
        created_at: datetime | str | None = None, valid_from: datetime | str | None = None,
        valid_to: datetime | str | None = None, on_duplicate: OnDuplicate = "reinforce",
        on_echo: OnEcho = "reinforce", supersedes: str | None = None, supersede: Supersede = "off",
        progress: Progress | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Records: ...  # fmt: skip
    @overload
    async def remember(
        self, content: str | NewMemory | Message | Sequence[str | NewMemory | Message], *,
        metadata: Mapping[str, Any] | None = None, tags: Sequence[str] | None = None,
        category: str | None = None, importance: float | None = None, kind: str | None = None,
        tier: str | None = None, source: str | None = None, ttl: float | timedelta | None = None,
        expires_at: datetime | str | None = None, id: str | None = None,
        created_at: datetime | str | None = None, valid_from: datetime | str | None = None,
        valid_to: datetime | str | None = None, on_duplicate: OnDuplicate = "reinforce",
        on_echo: OnEcho = "reinforce", supersedes: str | None = None, supersede: Supersede = "off",
        progress: Progress | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Record | Records: ...  # fmt: skip
    async def remember(
        self, content: str | NewMemory | Message | Sequence[str | NewMemory | Message], *,
        metadata: Mapping[str, Any] | None = None, tags: Sequence[str] | None = None,
        category: str | None = None, importance: float | None = None, kind: str | None = None,
        tier: str | None = None, source: str | None = None, ttl: float | timedelta | None = None,
        expires_at: datetime | str | None = None, id: str | None = None,
        created_at: datetime | str | None = None, valid_from: datetime | str | None = None,
        valid_to: datetime | str | None = None, on_duplicate: OnDuplicate = "reinforce",
        on_echo: OnEcho = "reinforce", supersedes: str | None = None, supersede: Supersede = "off",
        progress: Progress | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Record | Records:  # fmt: skip
        """Store one memory, or a list of them in one transaction, and return what is stored.

        - `content`: a text, a `NewMemory`, a chat message such as `{"role": "user", "content": "Hello"}`, or a list of
          them. In a list, the options below hold for every item that does not say otherwise. A text longer than the
          embedder's window is cut into passages, each found by itself. The `content` of a message may be a list of
          parts, whose texts are taken; its `role`, its `name` (as `speaker`) and other keys stand in the metadata, its
          `created_at` is that of the memory. In a list, messages without text (tool calls, images) are left out.
        - `metadata`: a mapping of JSON values and datetimes; `tags`: a list of texts; `category`, `tier`, `source`:
          texts of your own; `kind`: a text, `"memory"` by default; `importance`: 0..1, 0.5 by default.
        - `ttl`: seconds or a timedelta from now; or `expires_at`: a datetime or ISO 8601 text.
        - `id`: an id of your own, for one memory; `created_at`: when it was learnt, if not now.
        - `valid_from`, `valid_to`: from when on it is true, and from when on no longer; not the time of its storing.
        - `on_duplicate`: what happens to a memory that is stored already, with the same owner, content, kind,
          category, tags and metadata (and `id` and `created_at`, if given). `"reinforce"` adds one to `reinforced`,
          lets the later expiry win, and keeps the stored `importance`, `tier` and `source`. `"update"` also takes over
          what is given of `importance`, `tier`, `source` and the expiry, as a new version if any of it differs.
        - `on_echo`: what happens to a text that `recall` gave before, said again in nearly the same words, with or
          without its date, quotation marks or an "As I recall": `"reinforce"` counts it as a duplicate of that memory,
          `"refuse"` raises `Conflict`, `"store"` stores it like any other text.
        - `supersedes`: the id of a memory of the same user that this one replaces: both are kept, linked in the same
          transaction, and `recall` shows the new one. With a `valid_from`, the `valid_to` of the old one is set to it.
          For one memory, not for a list.
        - `supersede`: what happens to stored memories that say the same with another value (see `conflicts`):
          `"propose"` publishes the event `conflict`, `"auto"` lets the newer one supersede the other, too, `"off"` does
          not look. It happens after the memory is stored.
        - `progress(done, total)`: called while a list is embedded, and when it is stored.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: whose memory it is.

        If the embedder fails, the memory is stored without vectors and embedded later. Raises `InvalidInput` beyond a
        limit (`memwell.LIMITS`), `Conflict` for an `id` that another memory has, and `NotFound` for a superseded memory
        that is not there.
        """
        request = requests.RememberRequest(
            content=content, metadata=metadata, tags=tags, category=category, importance=importance, kind=kind,
            tier=tier, source=source, ttl=ttl, expires_at=expires_at, id=id, created_at=created_at,
            valid_from=valid_from, valid_to=valid_to, on_duplicate=on_duplicate, on_echo=on_echo,
            supersedes=supersedes, supersede=supersede, tenant_id=tenant_id, user_id=user_id,
            agent_id=agent_id, session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.remember.remember(self._engine, request, progress)

    async def recall(
        self, query: str, *, where: Where | None = None, limit: int = 10, token_budget: int | None = None,
        strategy: str | Strategy = "relevant", as_of: datetime | str | None = None,
        valid_at: datetime | str | None = None, mode: Mode = "hybrid", explain: bool = False,
        superseded: Superseded = "hide", min_score: float = 0.0,
        timezone: str | tzinfo | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Hits:  # fmt: skip
        """Find the memories that answer a question, best first. Each `Hit` has a score in 0..1 and its reasons;
        `hits.as_text(budget)` is the block for a prompt.

        - `query`: the question, or any text.
        - `where`: a filter (see `memwell.filters`), applied before the best are chosen.
        - `limit`: how many at most; `token_budget`: how many tokens their texts may have together. One that is too long
          for what is left is given by its best passage (`hit.excerpt`; `hit.text` is what to hand on), or left out.
        - `strategy`: how relevance is weighed against recency, importance and frequency: a name of
          `memwell.STRATEGIES` or a `Strategy`.
        - `as_of`: answer with what was stored at that time, in the words and fields of that time. What was forgotten
          or has expired since is gone.
        - `valid_at`: only what is true at that time, by `valid_from` and `valid_to`. With `as_of`: what was believed
          then to be true at that time.
        - `mode`: `"hybrid"` (words and vectors, as far as there are any), `"semantic"` or `"lexical"`.
        - `explain`: also fill in `Hit.why.terms`, and the matching passage of every hit.
        - `min_score`: leave out hits with a lower score (0..1).
        - `superseded`: in place of a memory that another visible one supersedes `"hide"` gives that one; `"show"` gives
          them as they are found, with a note on the older.
        - `timezone`: the time zone of the user who asks, if it is not that of the memory.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: search only the memories of this scope.

        Raises `InvalidQuery` for an empty query and an unknown mode, strategy or filter, and `NotSupported` for
        `"semantic"` without an embedder.
        """
        request = requests.RecallRequest(
            query=query, where=where, limit=limit, token_budget=token_budget, strategy=strategy, as_of=as_of,
            valid_at=valid_at, mode=mode, explain=explain, superseded=superseded, min_score=min_score,
            timezone=timezone, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await recall.recall(self._engine, request)

    async def get(
        self, id: str, *, as_of: datetime | str | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Record:  # fmt: skip
        """The memory with this `id`; with `as_of`, as it was at that time.

        Raises `NotFound` if there is none in the scope (`tenant_id`, `user_id`, `agent_id`, `session_id`,
        `namespace`), if it has expired, or if it was not there at the time of `as_of`.
        """
        request = requests.GetRequest(
            id=id, as_of=as_of, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await lookup.get(self._engine, request)

    async def list(
        self, *, where: Where | None = None, order: str = "created_at", descending: bool = True,
        limit: int = 100, cursor: str | None = None, valid_at: datetime | str | None = None,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Page:  # fmt: skip
        """A page of memories, newest first. Pass `page.cursor` as `cursor` to get the next page.

        - `where`: a filter (see `memwell.filters`); `limit`: how many at most.
        - `valid_at`: only what is true at that time, by `valid_from` and `valid_to`.
        - `order`: `created_at`, `updated_at`, `importance` or `id`; `descending`: largest first.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: list only the memories of this scope.

        Over all pages, a memory that exists throughout and keeps its place in the order is listed exactly once,
        whatever is written meanwhile. One that an update moves may be listed twice or not at all. A cursor belongs to
        its order, filter and scope; with others it raises `InvalidQuery`.
        """
        request = requests.ListRequest(
            where=where, order=order, descending=descending, limit=limit, cursor=cursor, valid_at=valid_at,
            tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await lookup.page(self._engine, request)

    async def update(
        self, id: str, *, content: str | None = None, metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None, category: str | None = None, importance: float | None = None,
        kind: str | None = None, tier: str | None = None, source: str | None = None,
        ttl: float | timedelta | None = None, expires_at: datetime | str | None = None,
        valid_from: datetime | str | None = None, valid_to: datetime | str | None = None,
        clear: Sequence[str] = (), expected_version: int | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Record:  # fmt: skip
        """Change fields of the memory with this `id`, keep the version before, and return the new one.

        - `content`, `category`, `importance`, `kind`, `tier`, `source`, `ttl`, `expires_at`, `valid_from`, `valid_to`:
          as in `remember`; what is not given stays as it is. `metadata` and `tags` replace the stored ones as a whole.
        - `clear`: names of fields to empty: `category`, `tier`, `source`, `expires_at`, `metadata`, `tags`,
          `valid_from`, `valid_to`.
        - `expected_version`: change only this version, so that a concurrent change is not overwritten.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: the scope that holds the memory.

        If nothing differs, nothing is written. Raises `NotFound`; `Conflict` if `expected_version` is not the stored
        version; `InvalidInput` if nothing is given.
        """
        request = requests.UpdateRequest(
            id=id, content=content, metadata=metadata, tags=tags, category=category, importance=importance,
            kind=kind, tier=tier, source=source, ttl=ttl, expires_at=expires_at,
            valid_from=valid_from, valid_to=valid_to, clear=clear,
            expected_version=expected_version, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.remember.update(self._engine, request)

    async def forget(
        self, ids: str | Iterable[str] | None = None, *, where: Where | None = None,
        everything: bool = False, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> Ids:  # fmt: skip
        """Remove memories for good, with their history, vectors and links, and return their ids.

        - `ids`: one id, or several. One id that is not there raises `NotFound`; of several, those missing are left out
          of the answer. Without ids, the scope and the filter choose.
        - `where`: a filter (see `memwell.filters`).
        - `everything`: must be true if neither ids nor an owner are given, also with a filter, since that removes
          memories of every user of the tenant.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: remove only memories of this scope.
        """
        request = requests.ForgetRequest(
            ids=ids, where=where, everything=everything, tenant_id=tenant_id, user_id=user_id,
            agent_id=agent_id, session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.remember.forget(self._engine, request)

    async def history(
        self, id: str, *, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> Versions:  # fmt: skip
        """Every version of the memory with this `id`, oldest first, the current one last.

        Raises `NotFound` if there is none in the scope (`tenant_id`, `user_id`, `agent_id`, `session_id`,
        `namespace`).
        """
        request = requests.HistoryRequest(
            id=id, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await lookup.history(self._engine, request)

    async def restore(
        self, id: str, version: int, *, expected_version: int | None = None, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> Record:  # fmt: skip
        """Make an older `version` of the memory with this `id` current again, as a new version.

        Raises `NotFound` for a memory or version that is not in the scope (`tenant_id`, `user_id`, `agent_id`,
        `session_id`, `namespace`), and `Conflict` if `expected_version` is not the stored version.
        """
        request = requests.RestoreRequest(
            id=id, version=version, expected_version=expected_version, tenant_id=tenant_id, user_id=user_id,
            agent_id=agent_id, session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.remember.restore(self._engine, request)

    async def relate(
        self, source: str, target: str, kind: str = "related", *, strength: float = 1.0,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Link:  # fmt: skip
        """Link the memory with the id `source` to the one with the id `target`.

        `kind` is `supersedes`, `contradicts`, `extends`, `related`, or a word of your own; `strength` is in 0..1. The
        same link again changes its strength. With `supersedes`, recall gives `source` in place of `target`, and if
        `source` has a `valid_from`, the `valid_to` of `target` is set to it. Raises `NotFound` if either memory is not
        in the scope (`tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`), and `InvalidInput` for a memory
        and itself, or if `target` supersedes `source` already.
        """
        request = requests.RelateRequest(
            source=source, target=target, kind=kind, strength=strength, tenant_id=tenant_id, user_id=user_id,
            agent_id=agent_id, session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.links.relate(self._engine, request)

    async def unrelate(
        self, source: str, target: str, kind: str | None = None, *, tenant_id: str | None = None,
        user_id: str | None = None, agent_id: str | None = None, session_id: str | None = None,
        namespace: str | None = None,
    ) -> int:  # fmt: skip
        """Remove the links from the memory `source` to the memory `target`, and return how many there were.

        `kind` removes only links of this kind. Raises `NotFound` if either memory is not in the scope (`tenant_id`,
        `user_id`, `agent_id`, `session_id`, `namespace`).
        """
        request = requests.UnrelateRequest(
            source=source, target=target, kind=kind, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.links.unrelate(self._engine, request)

    async def related(
        self, id: str, *, kind: str | None = None, depth: int = 1, min_strength: float = 0.0,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> RelatedRecords:  # fmt: skip
        """The memories that links connect with the memory `id`, in either direction, each once by its shortest path.

        - `kind`: follow only links of this kind; `depth`: maximum number of links, 1..10.
        - `min_strength`: the least product of the strengths along the path, 0..1.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only memories of this scope.

        Ordered by depth, then strength, then id. Raises `NotFound` if the memory is not in the scope.
        """
        request = requests.RelatedRequest(
            id=id, kind=kind, depth=depth, min_strength=min_strength, tenant_id=tenant_id, user_id=user_id,
            agent_id=agent_id, session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await engine.links.related(self._engine, request)

    async def count(
        self, *, where: Where | None = None, valid_at: datetime | str | None = None,
        tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> int:  # fmt: skip
        """How many memories there are in the scope (`tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`) that
        the filter `where` matches; with `valid_at`, of those true at that time.
        """
        request = requests.CountRequest(
            where=where, valid_at=valid_at, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id,
            session_id=session_id, namespace=namespace,
        )  # fmt: skip
        return await lookup.count(self._engine, request)

    def scoped(
        self, *, tenant_id: str | None = None, user_id: str | None = None, agent_id: str | None = None,
        session_id: str | None = None, namespace: str | None = None,
    ) -> Self:  # fmt: skip
        """The same memory for one owner: its methods take the parts given here (`tenant_id`, `user_id`, `agent_id`,
        `session_id`, `namespace`) as bound, and see and write nothing outside.

        A call on it that names another owner raises `InvalidInput`, also in a `NewMemory`; one may name further parts.
        What works on the whole store (`doctor`, `repair`, `sweep`, `import_`, `reembed`, `verify_audit`, `audit_head`)
        raises `NotSupported`.
        `on` brings the events of calls that lie in this scope. `close` does nothing: the memory closes the parts.
        """
        from memwell import scoped

        owner = Owner(
            tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return scoped.view(self, cast("Mapping[str, str | None]", owner))

    def on(self, event: str, handler: Handler, *, inline: bool = False) -> Subscription:
        """Call `handler(event)` after each event with this name.

        - `event`: one of `memwell.EVENTS`, or a pattern such as `"re*"`, or `"*"` for all.
        - `handler`: a plain function runs in a thread of its own, a coroutine function on the event loop of the memory
          (in that thread, if the memory uses none). It gets its events one by one, in order. One that fails is logged;
          none delays a call. When 1,000 events wait for it, the oldest is dropped, counted and logged.
        - `inline`: run a plain function in the calling thread instead, before the call returns.

        Returns the subscription: call it to end it; `dropped` counts what was dropped. `close` waits up to five seconds
        for handlers. Events live in this process: what must arrive is delivered by webhooks (docs/events.md).
        """
        return self._engine.events.on(event, handler, inline=inline)

    async def close(self) -> None:
        """Write what is pending and close the parts that were opened here. Closing twice is fine; any other call then
        raises `Closed`.
        """
        await self._engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._engine.ended_by(error)
        await self.close()
