"""The read path: validate → embed the question → one search for candidates → rank → supersede → cut → explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, get_args

from memwell import filters
from memwell.engine import passages, succession
from memwell.engine.clock import zone_of
from memwell.engine.context import Engine
from memwell.engine.lookup import check_limit
from memwell.engine.requests import RecallRequest, Superseded
from memwell.engine.validation import check_content, check_flag, moment_of, true_at
from memwell.errors import InvalidInput, InvalidQuery, NotSupported, shown
from memwell.hits import Hits, check_budget
from memwell.ports.store.search import Found, Search, Weights, is_weight
from memwell.retrieval.analysis.dates import intervals, spans
from memwell.retrieval.analysis.days import day_terms, days_within, moments
from memwell.retrieval.analysis.features import question
from memwell.retrieval.analysis.text import Query, read_query
from memwell.retrieval.ranking import strategies
from memwell.retrieval.ranking.rank import Ranked, has_evidence, rank
from memwell.retrieval.ranking.strategies import Strategy
from memwell.retrieval.ranking.table import tabled
from memwell.types import Hit, Mode, Record, Scope, Why
from memwell.values import local

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["recall"]

_MODES = ("hybrid", "semantic", "lexical")
_SPARE = 5
"""Records ranked beyond the limit, to fill the places of superseded ones."""
_UNKNOWN_LANGUAGE = 0.35
"""What meaning keeps of its weight where the model does not know the language of the question."""


async def recall(engine: Engine, request: RecallRequest) -> Hits:
    """The memories of the scope that answer the question, best first."""
    now, scope, zone = engine.clock(), request.scope(), _zone(engine, request)
    hits = await engine.off_loop(_answer(engine, request, now, scope, zone), brief=True)
    engine.emit("recalled", scope, tuple(hit.record.id for hit in hits), query=request.query)
    await engine.housekeeping(now)
    return Hits(hits, engine.count, zone)


async def _answer(
    engine: Engine, request: RecallRequest, now: datetime, scope: Scope, zone: tzinfo
) -> list[Hit]:
    strategy = _checked(engine, request)
    moment = now if request.as_of is None else moment_of("as_of", request.as_of, zone)
    where = true_at(request.where, request.valid_at, zone)
    today = local(moment, zone)
    times = intervals(request.query, today)
    query = read_query(
        request.query,
        actors=await engine.store.actors(scope),
        times=spans(request.query, today),
        days=day_terms(times),
    )
    vectors, notes = await _vectors(engine, request.mode, query)
    by_time = bool(times) and engine.store.capabilities.times
    words, others = request.mode != "semantic", query.related_terms
    search = Search(
        scope=scope,
        now=moment,
        terms=(*query.terms, *others) if words else _certain(query),
        related=len(others) if words else 0,
        phrases=query.phrases,
        text=None if request.mode == "lexical" else query.text,
        where=None if where is None else filters.parse(where),
        times=tuple(moments(each, zone) for each in times) if by_time else (),
        days=tuple(days_within(times)) if by_time else (),
        created_until=None if request.as_of is None else moment,
        vectors=vectors,
        model=None if vectors is None or engine.encoder is None else engine.encoder.model,
        pool=max(48, 3 * engine.reach(request.limit)),
        weights=strategy.signals,
    )
    found = await _search(engine, search)
    table = tabled(found.candidates)
    if vectors is not None and table.unembedded:
        engine.note_unembedded(now)
    if table is not found.candidates:
        found = replace(found, candidates=table)
    hits = await _hits(engine, request, strategy, search, query, found, notes, zone)
    engine.recalled.note([hit.record for hit in hits])
    engine.note_access(scope.tenant_id, [hit.record.id for hit in hits], now)
    return hits


def _zone(engine: Engine, request: RecallRequest) -> tzinfo:
    return engine.zone if request.timezone is None else zone_of(request.timezone, InvalidQuery)


def _checked(engine: Engine, request: RecallRequest) -> Strategy:
    try:
        check_content(request.query)
    except InvalidInput as error:
        raise InvalidQuery(str(error).replace("content", "query").replace("remember", "look for")) from None
    check_limit(request.limit)
    check_flag("explain", request.explain)
    check_budget("token_budget", request.token_budget)
    if not isinstance(request.mode, str) or request.mode not in _MODES:
        raise InvalidQuery(f"unknown mode {shown(request.mode)}; known: {', '.join(_MODES)}")
    if not is_weight(request.min_score) or request.min_score > 1:
        raise InvalidQuery(f"min_score is a number of 0..1, not {shown(request.min_score)}")
    embeds = engine.encoder is not None or engine.store.capabilities.embeds_itself
    if request.mode == "semantic" and not embeds:
        raise NotSupported(
            "semantic recall needs an embedder: give embedder=, or pip install 'memwell[local]' && memwell models pull",
            part="memory",
            operation="recall",
        )
    if not isinstance(request.superseded, str) or request.superseded not in get_args(Superseded):
        known = ", ".join(get_args(Superseded))
        raise InvalidQuery(f"unknown superseded {shown(request.superseded)}; known: {known}")
    return strategies.resolve(request.strategy)


def _certain(query: Query) -> tuple[str, ...]:
    """The terms of identifiers and quoted phrases, which count in every mode."""
    found = [term for one in query.identifiers for term in (*one.exact, *one.loose)]
    return tuple(dict.fromkeys([*found, *(term for phrase in query.phrases for term in phrase)]))


async def _vectors(engine: Engine, mode: Mode, query: Query) -> tuple[Vectors | None, tuple[str, ...]]:
    """The vector of the question, and a note if the embedder failed."""
    if mode == "lexical" or engine.encoder is None:
        return None, ()
    vectors = await engine.encoder.question(query.embed_text, query.text, strictly=mode == "semantic")
    return vectors, () if vectors is not None else ("the embedder failed: found by words only",)


async def _search(engine: Engine, search: Search) -> Found:
    if search.created_until is None:
        return await engine.store.search(search)
    from memwell.engine import past

    return await past.search(engine, search, search.created_until)


async def _hits(
    engine: Engine,
    request: RecallRequest,
    strategy: Strategy,
    search: Search,
    query: Query,
    found: Found,
    notes: tuple[str, ...],
    zone: tzinfo,
) -> list[Hit]:
    weights = _weights(engine, request.mode, strategy, query)
    wanted = request.limit if strategy.relevance_only else max(50, 3 * request.limit)
    wanted = engine.reach(wanted)
    ranked = rank(
        found.candidates,
        question=question(query, terms=search.terms, now=search.now, zone=zone),
        statistics=found.statistics,
        limit=wanted + _SPARE,
        weights=weights,
    )
    if request.mode != "semantic":  # which gives the nearest, however far
        ranked = list(filter(has_evidence, ranked))
    notes = (*notes, *found.notes)
    hits = await _fetched(engine, request, search, found, ranked[:wanted], notes)
    if len(hits) < min(wanted, len(ranked)):
        hits = await _fetched(engine, request, search, found, ranked, notes)
    if engine.parts.reranker is not None:
        from memwell.engine import reranking

        hits = await reranking.reranked(engine, request.query, hits, search)
    if not strategy.relevance_only:
        hits = _reweighed(hits, strategy, search.now)
    hits = [hit for hit in hits if hit.score >= request.min_score]
    hits = await passages.attach(engine, hits[: request.limit], search, explain=request.explain)
    if request.token_budget is None:
        return hits
    from memwell.engine import budget

    return budget.within(hits, request.token_budget, engine.count, query.terms)


def _weights(engine: Engine, mode: Mode, strategy: Strategy, query: Query) -> Weights:
    """The weights of the signals: words count more beside the vectors of a model that does not know the language."""
    if mode == "semantic":
        return replace(strategy.signals, lexical=0.0)
    if query.foreign and engine.encoder is not None and engine.encoder.english:
        return replace(strategy.signals, semantic=strategy.signals.semantic * _UNKNOWN_LANGUAGE)
    return strategy.signals


async def _fetched(
    engine: Engine,
    request: RecallRequest,
    search: Search,
    found: Found,
    ranked: Sequence[Ranked],
    notes: tuple[str, ...],
) -> list[Hit]:
    """The ranked records as hits, with superseded ones replaced, in the versions of `as_of`."""
    ids = [found.ids[item.key] for item in ranked]
    today = max(
        search.now, engine.clock()
    )  # a record that has expired by today is not returned for an earlier time either
    records = {record.id: record for record in await engine.store.get(search.scope, ids, now=today)}
    hits = [_hit(records[id], item, notes) for id, item in zip(ids, ranked, strict=True) if id in records]
    show = request.superseded == "show"
    if search.created_until is not None:
        hits = await _of_then(engine, hits, search, search.created_until)
    return await succession.settled(engine, hits, search, today, found.incoming, show=show)


async def _of_then(engine: Engine, hits: Sequence[Hit], search: Search, moment: datetime) -> list[Hit]:
    """The hits in the versions of `as_of`, as far as the filter matches these."""
    from memwell.engine import past

    then = [
        replace(hit, record=await past.version_at(engine, search.scope, hit.record, moment)) for hit in hits
    ]
    return [hit for hit in then if search.where is None or filters.matches(hit.record, search.where)]


def _hit(record: Record, item: Ranked, notes: tuple[str, ...]) -> Hit:
    components = item.parts
    if "neighbours" in [component.name for component in components]:
        notes = (*notes, "neighbouring turns of the conversation share words with the question")
    why = Why(components=components, notes=notes, cosine=item.cosine)
    return Hit(record=record, score=item.score, why=why)


def _reweighed(hits: Sequence[Hit], strategy: Strategy, now: datetime) -> list[Hit]:
    """The hits reordered by the strategy's weighted mean."""
    found, relevance = [], strategies.share_of_relevance(strategy)
    for hit in hits:
        score, more = strategies.blend(hit.score, hit.record, strategy, now)
        own = (replace(each, weight=each.weight * relevance) for each in hit.why.components)
        why = replace(hit.why, components=(*own, *more))
        found.append(replace(hit, score=score, why=why))
    return sorted(found, key=lambda hit: -hit.score)
