"""The filter language and its meaning.

A filter is a mapping; all its entries must hold::

    {"topic": "travel"}                                   equality
    {"rating": {"$gte": 3, "$lt": 5}}                     several operators on one key: all must hold
    {"$or": [{"topic": "food"}, {"tags": {"$contains": "work"}}]}

Operators: `$eq $ne $gt $gte $lt $lte $in $nin $contains $exists`, combined by `$and $or $not`.

Names. A record's own field (`category`, `created_at`, …; the list is `FIELDS`) means that field; every other
name means metadata, with dots for nested keys (`address.city`). `metadata.x` always means metadata, also for a
key that is called as a field is or that begins with `$`. `remember` takes no metadata key that holds a dot.

Meaning, the same on every backend (`matches` is the definition):

- Types are never mixed: `1` is not `"1"` and not `true`; `1` equals `1.0`. An ordering across types is false.
- Missing and null are alike for `$eq` (`{"k": None}` matches both); `$exists` tells them apart. Record fields
  that are `None` are missing.
- `$ne` is exactly not `$eq`, `$nin` exactly not `$in`: both match records without the key.
- Lists and mappings are equal as wholes. `$contains` is true for a list that has the element, or a text that
  has the substring (case matters).
- A `datetime` operand compares instants: with record times, and with metadata text in ISO 8601. For record
  times, ISO text is accepted too. Times without a zone are those of the memory's `timezone` beside record
  times, and UTC beside metadata.
- Texts are ordered by code point.

Limits: 20 levels, 500 comparisons and 10,000 values in a filter. The words of other systems (`AND`, `{"gte": 3}`) raise
`InvalidQuery` with the form to write here.
"""

from memwell._lazy import exports

TYPE_CHECKING = False

if TYPE_CHECKING:
    from memwell.filters.meaning import MISSING, fields, holds, instant, matches, matches_fields, value_of
    from memwell.filters.parsing import MAX_CLAUSES, MAX_DEPTH, MAX_OPERANDS, parse
    from memwell.filters.tree import (
        FIELDS,
        NUMBERS,
        OPERATORS,
        TEXTS,
        TIMES,
        And,
        Choices,
        Clause,
        Node,
        Not,
        Or,
        clauses,
    )
    from memwell.filters.zones import in_zone

__all__ = [
    "FIELDS",
    "MAX_CLAUSES",
    "MAX_DEPTH",
    "MAX_OPERANDS",
    "MISSING",
    "NUMBERS",
    "OPERATORS",
    "TEXTS",
    "TIMES",
    "And",
    "Choices",
    "Clause",
    "Node",
    "Not",
    "Or",
    "clauses",
    "fields",
    "holds",
    "in_zone",
    "instant",
    "matches",
    "matches_fields",
    "parse",
    "value_of",
]

_HOME = {
    "And": "tree",
    "Choices": "tree",
    "Clause": "tree",
    "FIELDS": "tree",
    "MAX_CLAUSES": "parsing",
    "MAX_DEPTH": "parsing",
    "MAX_OPERANDS": "parsing",
    "MISSING": "meaning",
    "NUMBERS": "tree",
    "Node": "tree",
    "Not": "tree",
    "OPERATORS": "tree",
    "Or": "tree",
    "TEXTS": "tree",
    "TIMES": "tree",
    "clauses": "tree",
    "fields": "meaning",
    "holds": "meaning",
    "in_zone": "zones",
    "instant": "tree",
    "matches": "meaning",
    "matches_fields": "meaning",
    "parse": "parsing",
    "value_of": "meaning",
}

__getattr__ = exports(__name__, _HOME)
