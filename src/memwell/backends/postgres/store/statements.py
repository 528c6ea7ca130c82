"""The SQL statement of a search: candidates by words and by vectors, with the numbers that ranking needs.

Its common table expressions, in order:

| name | contents |
|---|---|
| `question` | the vector of the query |
| `owned` | the records that a search may find, if they are few enough to compare each |
| `matches` | each term in each record of the owner that contains it, with its number of occurrences |
| `terms` | the number of records with each term, and its weight (BM25, see `memwell.retrieval.index.postings`) |
| `lexical` | the best by words |
| `cosines` | the cosines of `owned` |
| `nearest` | the nearest by vector, of `owned` or by the index |
| `timed` | the newest of each time in the question, and of those that mention a day of one |
| `nominated` | `lexical`, `nearest` and `timed` |
| `neighbours` | for each nominee the records before and after it in its conversation, as far as windows reach |

Then follow the rows of nominees and neighbours, and one row without a key whose last column is JSON with the counts.

Subqueries with `OFFSET 0` and materialized expressions fix this order for the planner, so that one plan serves every
value: the GIN index gives the records of a term, the vector index the nearest, the primary key the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.backends.postgres.store import filter_sql, tsvector
from memwell.backends.postgres.store.models import HAS_VECTORS
from memwell.backends.postgres.store.rows import sent
from memwell.fields import NARROWING
from memwell.ports import Metric
from memwell.ports.store.search import DEFAULT, Search
from memwell.retrieval.ranking.windows import REACH
from memwell.types import Scope

__all__ = ["Model", "Sizes", "Statement", "actors", "measure", "models", "owner", "visible"]

Part = tuple[str, list[Any]]

SPOKEN: Final = "{}.signals ~ E'^[^\\t]'"
"""Whether a record has a speaker; the same text as in the partial indexes."""
OPERATORS: Final[Mapping[Metric, str]] = {"cosine": "<=>", "l2": "<->", "dot": "<#>"}
"""Vectors have unit length, so all three give the same order; an index supports one of them."""
_PAUSES: Final = f"{(REACH + 1) * 30} minutes"
"""Records without a session that are further apart than this belong to different conversations."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with vectors in the store."""

    name: str
    number: int
    dimension: int

    @property
    def column(self) -> str:
        """The vectors in the type of the index: half precision where the dimension is too large for an index of full
        precision."""
        return f"v.vec::{self.type}"

    @property
    def type(self) -> str:
        """The type of an indexed vector."""
        return f"{'vector' if self.dimension <= 2000 else 'halfvec'}({self.dimension})"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Known numbers of an owner with many records."""

    documents: int
    length: float
    """Mean number of index terms."""


def owner(scope: Scope) -> Part:
    """The records of a tenant and, where the scope names one, of a user."""
    if scope.user_id is None:
        return "r.tenant_id = %s", [scope.tenant_id]
    return "r.tenant_id = %s AND r.user_id = %s", [scope.tenant_id, scope.user_id]


def visible(search: Search) -> Part:
    """The condition for the owner's records that the search may find: rest of the scope, expiry, time, filter."""
    terms, values = ["(r.expires_at IS NULL OR r.expires_at > %s)"], [search.now]
    for name in NARROWING[1:]:
        value = getattr(search.scope, name)
        if value is not None:
            terms.append(f"r.{name} = %s")
            values.append(value)
    if search.created_until is not None:
        terms.append("r.created_at <= %s")
        values.append(search.created_until)
    if search.where is not None:
        text, more = filter_sql.compile(search.where)
        terms.append(f"({text})")
        values.extend(more)
    return " AND ".join(terms), values


class Statement:
    """Builds the statement. With a `model` it compares vectors, unless `similar` nominates candidates instead.

    Pass `sizes` for owners with many records: then the vector index finds the nearest. With `few`, all records that the
    search may find are compared instead, `gate` at most (`None`: no limit). The index stops after `reach` vectors.
    """

    def __init__(
        self,
        search: Search,
        *,
        model: Model | None,
        metric: Metric = "cosine",
        sizes: Sizes | None = None,
        few: bool = False,
        gate: int | None = None,
        reach: int = 1000,
    ) -> None:
        self._search, self._model, self._metric = search, model, metric
        self._sizes, self._gate, self._reach = sizes, gate, reach
        self._listed = sizes is None or few
        self._owner, self._seen = owner(search.scope), visible(search)
        self._values: list[Any] = []

    def build(self) -> tuple[str, list[Any]]:
        """The text and the values of its placeholders."""
        self._values = []
        parts = [
            self._question(),
            self._owned(),
            self._matches(),
            self._terms(),
            self._lexical(),
            *self._nearest(),
            self._timed(),
            self._nominated(),
        ]
        named = ",\n".join(part for part in parts if part)
        return f"WITH {named},\n{self._wrap()}\n{self._rows()}\nUNION ALL\n{self._counted()}", self._values

    def _put(self, *parts: Part | Any) -> None:
        for part in parts:
            if isinstance(part, tuple):
                self._values.extend(part[1])
            else:
                self._values.append(part)

    def _question(self) -> str:
        if self._model is None or self._search.vectors is None:
            return ""
        self._put(sent(self._search.vectors.mean(axis=0)))
        return "question AS MATERIALIZED (SELECT %s::vector AS vec)"

    def _owned(self) -> str:
        if not self._listed:
            return ""
        limit = "" if self._gate is None else f" LIMIT {self._gate + 1}"
        self._put(self._seen, self._owner)
        if self._sizes is None:
            return (
                f"owned AS MATERIALIZED (SELECT r.key, r.length, ({self._seen[0]}) IS TRUE AS seen FROM records r"
                f" WHERE {self._owner[0]}{limit})"
            )
        return (
            "owned AS MATERIALIZED (SELECT r.key, r.length, true AS seen FROM records r"
            f" WHERE ({self._seen[0]}) AND {self._owner[0]}{limit})"
        )

    def _matches(self) -> str:
        terms = list(self._search.terms)
        seen = "true" if self._listed else f"({self._seen[0]}) IS TRUE"
        if not self._listed:
            self._put(self._seen)
        self._put(tsvector.queries(self._search.scope, terms), terms, self._owner)
        return (
            f"matches AS MATERIALIZED (SELECT t.n, r.key, r.length, {seen} AS seen,"
            " CASE WHEN r.repeats IS NULL THEN 1 ELSE coalesce((r.repeats ->> t.term)::int, 1) END AS times"
            " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY t(lexeme, term, n) CROSS JOIN LATERAL"
            " (SELECT * FROM records r WHERE r.words @@ t.lexeme::tsquery OFFSET 0) r"
            f" WHERE {self._owner[0]})"
        )

    def _terms(self) -> str:
        if self._sizes is None:
            counted = (
                "SELECT count(*)::float8 AS documents, coalesce(nullif(avg(length), 0), 1)::float8 AS length"
            )
            counted += " FROM owned"
        else:
            counted = "SELECT %s::float8 AS documents, %s::float8 AS length"
            self._put(float(self._sizes.documents), self._sizes.length)
        return (
            f"counted AS MATERIALIZED ({counted}),\n"
            "terms AS MATERIALIZED (SELECT f.n, f.df, ln(1 + (greatest(c.documents, f.df) - f.df + 0.5::float8)"
            f" / (f.df + 0.5::float8)) AS weight, {DEFAULT.k1 * DEFAULT.b}::float8 / c.length AS slope"
            " FROM (SELECT n, count(*)::float8 AS df FROM matches GROUP BY n) f CROSS JOIN counted c)"
        )

    def _lexical(self) -> str:
        joined, seen = ("JOIN owned m USING (key)", "m.seen") if self._listed else ("", "f.seen")
        return (
            f"lexical AS (SELECT f.key FROM matches f JOIN terms t USING (n) {joined} WHERE {seen} GROUP BY f.key"
            f" ORDER BY sum(t.weight * f.times"
            f" / (f.times + {DEFAULT.k1 * (1 - DEFAULT.b)}::float8 + t.slope * f.length))"
            " DESC, f.key"
            f" LIMIT {self._search.pool})"
        )

    def _nearest(self) -> list[str]:
        cosines = "" if self._model is None else self._cosines(self._model)
        if self._search.similar is not None:
            self._put(list(self._search.similar), self._owner, self._seen)
            nearest = (
                f"SELECT r.key FROM records r WHERE r.id = ANY (%s) AND {self._owner[0]} AND {self._seen[0]}"
            )
        elif self._model is None:
            nearest = "SELECT NULL::bigint AS key WHERE false"
        elif self._listed:
            nearest = (
                "SELECT key FROM cosines JOIN owned USING (key) WHERE seen"
                f" ORDER BY cosine DESC, key LIMIT {self._search.pool}"
            )
        else:
            nearest = self._indexed(self._model)
        return [
            cosines,
            f"nearest AS MATERIALIZED ({nearest})",
        ]

    def _timed(self) -> str:
        """Two indexes give them: that of an owner's records by time, and that of the terms."""
        found = []
        for first, until in self._search.times:
            self._put(self._owner, first, until, self._seen)
            found.append(f"records r WHERE {self._owner[0]} AND r.created_at >= %s AND r.created_at < %s")
        if self._search.days:
            self._put(
                " | ".join(tsvector.queries(self._search.scope, self._search.days)), self._owner, self._seen
            )
            found.append(
                f"(SELECT * FROM records r WHERE r.words @@ %s::tsquery OFFSET 0) r WHERE {self._owner[0]}"
            )
        if not found:
            return ""
        newest = f" AND {self._seen[0]} ORDER BY r.created_at DESC, r.key DESC LIMIT {self._search.pool}"
        return f"timed AS ({' UNION '.join(f'(SELECT r.key FROM {each}{newest})' for each in found)})"

    def _nominated(self) -> str:
        sources = ["lexical", "nearest"]
        if self._search.times or self._search.days:
            sources.append("timed")
        union = " UNION ".join(f"SELECT key FROM {each}" for each in sources)
        return f"nominated AS MATERIALIZED ({union})"

    def _cosines(self, model: Model) -> str:
        if not self._listed:
            return ""
        few = ""
        if self._sizes is not None and self._gate is not None:
            few = f" WHERE (SELECT count(*) FROM owned) <= {self._gate}"
        return (
            f"cosines AS MATERIALIZED (SELECT v.key, {_COSINE} AS cosine FROM vectors v WHERE v.model = {model.number}"
            f" AND v.key = ANY (ARRAY(SELECT key FROM owned{few})))"
        )

    def _indexed(self, model: Model) -> str:
        """The nearest vectors by the index, which reads on until enough of them pass the conditions."""
        self._put(self._owner, self._seen)
        distance = f"{model.column} {OPERATORS[self._metric]} (SELECT vec FROM question)::{model.type}"
        return (
            f"SELECT v.key FROM (SELECT v.key FROM vectors v WHERE v.model = {model.number} ORDER BY {distance}"
            f" LIMIT {self._reach}) v CROSS JOIN LATERAL (SELECT FROM records r WHERE r.key = v.key"
            f" AND {self._owner[0]} AND {self._seen[0]} OFFSET 0) r LIMIT {self._search.pool}"
        )

    def _wrap(self) -> str:
        sides = " UNION ALL ".join(
            "(SELECT o.key FROM records o WHERE o.tenant_id = r.tenant_id"
            " AND coalesce(o.user_id, '') = coalesce(r.user_id, '')"
            " AND coalesce(o.session_id, '') = coalesce(r.session_id, '')"
            f" AND (o.created_at, o.key) {sign} (r.created_at, r.key)"
            f" AND (r.session_id IS NOT NULL OR o.created_at {edge} interval '{_PAUSES}')"
            f" AND (o.session_id IS NOT NULL OR {SPOKEN.format('o')})"
            f" ORDER BY o.created_at {order}, o.key {order} LIMIT {REACH + 1})"
            for sign, edge, order in (("<", ">= r.created_at -", "DESC"), (">", "<= r.created_at +", "ASC"))
        )
        return (
            "neighbours AS (SELECT o.key FROM nominated n JOIN records r USING (key) CROSS JOIN LATERAL"
            f" ({sides}) o WHERE r.session_id IS NOT NULL OR {SPOKEN.format('r')})"
        )

    def _rows(self) -> str:
        cosine, vectors = "NULL::float8", ""
        if self._model is not None:
            cosine = _COSINE
            vectors = f" LEFT JOIN vectors v ON v.model = {self._model.number} AND v.key = r.key"
        self._put(self._seen)
        return (
            "SELECT r.key, r.id, r.user_id, r.session_id, (extract(epoch FROM r.created_at) * 1000000)::int8,"
            " (extract(epoch FROM r.expires_at) * 1000000)::int8, r.signals, r.lexemes,"
            f" ({self._seen[0]}) IS TRUE, n.key IS NOT NULL, {cosine}"
            " FROM (SELECT key FROM nominated UNION SELECT key FROM neighbours) c JOIN records r USING (key)"
            f" LEFT JOIN nominated n USING (key){vectors}"
        )

    def _counted(self) -> str:
        mean_cosine = empty = serving = size = "NULL"
        if self._model is not None:
            serving = "(SELECT jsonb_build_array(name, number) FROM models WHERE serving)"
            size = _SIZE.format(f"vectors_{self._model.number}")
            if self._listed:
                mean_cosine = "(SELECT avg(cosine) FROM cosines JOIN owned USING (key) WHERE seen)"
                empty = "NOT EXISTS (SELECT FROM cosines)"
        looked_at = "(SELECT count(*) FROM owned)" if self._listed else "NULL"
        return (
            "SELECT NULL, '', NULL, NULL, NULL, NULL, '',"
            " jsonb_build_object('documents', (SELECT documents FROM counted),"
            f" 'looked_at', {looked_at}, 'nearest', (SELECT count(*) FROM nearest), 'mean_cosine', {mean_cosine},"
            f" 'empty', {empty}, 'serving', {serving}, 'size', {size},"
            f" 'frequencies', (SELECT jsonb_object_agg(n, df) FROM terms), 'links', ({_LINKS}))::text,"
            " true, true, NULL::float8"
        )


_SIZE: Final = (
    "(SELECT jsonb_build_array(t.reltuples, c.opcname) FROM pg_class t"
    " LEFT JOIN pg_index x ON x.indexrelid = to_regclass('{0}_near') LEFT JOIN pg_opclass c ON c.oid = x.indclass[0]"
    " WHERE t.oid = to_regclass('{0}'))"
)
"""The estimated number of vectors, and the operator class of the index."""
_LINKS: Final = (
    "SELECT jsonb_agg(jsonb_build_array(s.id, t.id, l.kind, l.strength,"
    " (extract(epoch FROM l.created_at) * 1000000)::int8) ORDER BY l.source, l.target, l.kind)"
    " FROM (SELECT key FROM nominated UNION SELECT key FROM neighbours) c"
    " CROSS JOIN LATERAL (SELECT * FROM links l WHERE l.target = c.key OFFSET 0) l"
    " JOIN records s ON s.key = l.source JOIN records t ON t.key = c.key"
)
"""The relationships that point to the rows."""
_COSINE: Final = "-(v.vec <#> (SELECT vec FROM question))"
"""Both have unit length, or the query is a mean of such vectors; other stores use the dot product as well."""


def models() -> str:
    """Name, number and dimension of each model, and whether it serves."""
    return f"SELECT m.name, m.number, m.dimension, m.serving AND {HAS_VECTORS} FROM models m"


def measure(scope: Scope, model: Model | None, documents: int) -> tuple[str, list[Any]]:
    """Mean length and mean vector of an owner's records, from an even sample."""
    text, values = owner(scope)
    mean, joined = "NULL", ""
    if model is not None:
        mean = "avg(v.vec)::float4[]"
        joined = f" LEFT JOIN vectors v ON v.model = {model.number} AND v.key = r.key"
    return (
        f"SELECT avg(r.length)::float8, {mean} FROM (SELECT r.key, r.length FROM records r WHERE {text}"
        f" AND r.key %% %s = 0 OFFSET 0) r{joined}",
        [*values, max(1, documents // _SAMPLE)],
    )


_SAMPLE: Final = 2000


def actors(scope: Scope, least: int, most: int) -> tuple[str, list[Any]]:
    """The speakers of at least `least` records of an owner. Steps through the index from one speaker to the next."""
    user = "" if scope.user_id is None else " AND coalesce(r.user_id, '') = %s"
    values: list[Any] = [scope.tenant_id] + ([] if scope.user_id is None else [scope.user_id])
    speaker = "split_part(r.signals, E'\\t', 1)"
    step = f"SELECT coalesce(r.user_id, '') AS user_id, {speaker} AS speaker FROM records r"
    step += f" WHERE r.tenant_id = %s{user} AND {SPOKEN.format('r')}"
    last = f" ORDER BY coalesce(r.user_id, ''), {speaker} LIMIT 1"
    return (
        f"WITH RECURSIVE speakers AS ((SELECT *, 1 AS step FROM ({step}{last}) first) UNION ALL"
        f" SELECT next.*, s.step + 1 FROM speakers s CROSS JOIN LATERAL ({step}"
        f" AND (coalesce(r.user_id, ''), {speaker}) > (s.user_id, s.speaker){last}) next"
        f" WHERE s.step < {most})"
        " SELECT s.speaker FROM speakers s CROSS JOIN LATERAL (SELECT count(*) AS total FROM (SELECT FROM records r"
        f" WHERE r.tenant_id = %s AND coalesce(r.user_id, '') = s.user_id AND {speaker} = s.speaker"
        f" AND {SPOKEN.format('r')} LIMIT {least}) found) h GROUP BY s.speaker HAVING sum(h.total) >= {least}",
        [*values, *values, scope.tenant_id],
    )
