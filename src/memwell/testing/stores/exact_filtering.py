"""Filters compare texts, numbers and times exactly, up to the largest filter allowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from memwell.filters import MAX_CLAUSES, MAX_DEPTH, matches
from memwell.testing.samples import LOOKALIKES, START
from memwell.testing.stores._harness import Harness, StoreSuite

__all__ = ["ExactFiltering", "found_by", "put_values"]


class ExactFiltering(StoreSuite):
    """Part of `StoreConformance`."""

    def test_equality_of_texts_is_exact(self, harness: Harness) -> None:
        ids = {f"r{number:02}": text for number, text in enumerate(LOOKALIKES)}
        harness.write(
            *(
                harness.insertion("word", id, metadata={"k": text, "l": [text]}, category=text, source=text)
                for id, text in ids.items()
            )
        )
        for id, text in ids.items():
            for name in ("k", "category", "source"):
                assert harness.ids({name: text}) == harness.ids({name: {"$in": [text, "none"]}}) == [id], (
                    name,
                    text,
                )
                rest = sorted(ids.keys() - {id})
                assert harness.ids({name: {"$ne": text}}) == harness.ids({name: {"$nin": [text]}}) == rest
            assert harness.ids({"l": {"$contains": text}}) == harness.ids({"l": [text]}) == [id]
            parts = [other for other, whole in ids.items() if text in whole]
            assert harness.ids({"k": {"$contains": text}}) == parts
            assert harness.ids({"category": {"$contains": text}}) == parts

    def test_filters_order_texts_by_code_point(self, harness: Harness) -> None:
        texts = [
            "A",
            "Z",
            "a",
            "aa",
            "z",
            "é",
            "e\u0301",
            "ﬁ",
            "\uffff",
            "\U0001f600",
            "10",
            "9",
            " ",
            "_",
            "-a",
        ]
        for text in texts:
            harness.insert("word", text, metadata={"k": text}, category=text)
        assert harness.ids() == sorted(texts)
        for text in texts:
            for name in ("k", "category", "id"):
                assert harness.ids({name: {"$gt": text}}) == sorted(t for t in texts if t > text), (
                    name,
                    text,
                )
                assert harness.ids({name: {"$lte": text}}) == sorted(t for t in texts if t <= text), (
                    name,
                    text,
                )

    def test_a_tag_is_a_whole_and_tags_are_in_order(self, harness: Harness) -> None:
        harness.insert("word a", "a", tags=("work", "new york"))
        harness.insert("word b", "b", tags=("new york", "work"))
        harness.insert("word c", "c", tags=("work,new york", "Work"))
        harness.insert("word d", "d")
        assert found_by(harness, {"tags": {"$contains": "work"}}) == {"a", "b"}
        for part in ("wor", "new", "york", "", "work,", "WORK"):
            assert found_by(harness, {"tags": {"$contains": part}}) == set(), part
        assert found_by(harness, {"tags": ["work", "new york"]}) == {"a"}
        assert found_by(harness, {"tags": {"$ne": ["new york", "work"]}}) == {"a", "c", "d"}
        assert found_by(harness, {"tags": []}) == {"d"}

    def test_a_list_has_no_numbered_keys(self, harness: Harness) -> None:
        put_values(harness, list=["x", ["y"]], mapping={"0": "x", "1": ["y"]}, text="xy")
        assert found_by(harness, {"k.0": "x"}) == {"mapping"}
        assert found_by(harness, {"k.1": {"$exists": True}}) == {"mapping"}
        assert found_by(harness, {"k.-1": {"$exists": True}}) == set()
        assert found_by(harness, {"k.1.0": {"$exists": True}}) == set()
        assert found_by(harness, {"tags.0": {"$exists": True}}) == set()

    def test_in_takes_many_values(self, harness: Harness) -> None:
        put_values(harness, first=1, last=2_500, text="x", outside=-1, missing=...)
        many = list(range(1, 2_501))
        assert found_by(harness, {"k": {"$in": many}}) == {"first", "last"}
        assert found_by(harness, {"k": {"$nin": many}}) == {"text", "outside", "missing"}
        assert found_by(harness, {"id": {"$in": [*map(str, many), "last"]}}) == {"last"}
        assert found_by(harness, {"k": {"$in": [*map(str, many), "x"]}}) == {"text"}

    def test_filters_have_as_many_clauses_and_levels_as_they_may(self, harness: Harness) -> None:
        put_values(harness, first=0, last=MAX_CLAUSES - 1, outside=MAX_CLAUSES, missing=...)
        assert found_by(harness, {"$or": [{"k": n} for n in range(MAX_CLAUSES)]}) == {"first", "last"}
        assert found_by(harness, {"$and": [{"k": {"$ne": n}} for n in range(MAX_CLAUSES)]}) == {
            "outside",
            "missing",
        }
        where: dict[str, Any] = {"k": {"$lt": 1}}
        expected = {"first"}
        for level in range(MAX_DEPTH):
            if level % 3 == 0:
                where, expected = {"$not": where}, {"first", "last", "outside", "missing"} - expected
            else:
                where = {"$and": [where]} if level % 3 == 1 else {"$or": [where, {"k": "none"}]}
            assert found_by(harness, where) == expected, f"{level + 1} levels"

    def test_a_not_inside_a_not_is_undone(self, harness: Harness) -> None:
        put_values(harness, one=1, two=2, text="x", null=None, missing=...)
        inners: list[dict[str, Any]] = [
            {"k": 1},
            {"k": {"$gt": 1}},
            {"k": None},
            {"k": {"$ne": 1}},
            {"k": {"$exists": True}},
        ]
        for inner in inners:
            plain = found_by(harness, inner)
            assert found_by(harness, {"$not": {"$not": inner}}) == plain
            assert found_by(harness, {"$not": {"$and": [{"$not": inner}]}}) == plain
            assert found_by(harness, {"$not": inner}) == {"one", "two", "text", "null", "missing"} - plain
        assert found_by(harness, {"k": {"$not": {"$not": {"$gt": 1}}}}) == {"two"}

    def test_null_among_the_values_means_the_missing_too(self, harness: Harness) -> None:
        put_values(harness, null=None, missing=..., zero=0, text="x")
        harness.insert("word c", "c", category="c", metadata={"k": 0})
        assert found_by(harness, {"k": {"$nin": [None]}}) == {"zero", "text", "c"}
        assert found_by(harness, {"k": {"$nin": [None, 0]}}) == {"text"}
        assert found_by(harness, {"k": {"$in": [None]}}) == {"null", "missing"}
        assert found_by(harness, {"category": {"$nin": [None, "d"]}}) == {"c"}
        assert found_by(harness, {"category": {"$in": [None]}}) == {"null", "missing", "zero", "text"}
        assert found_by(harness, {"category": {"$ne": None}}) == {"c"}

    def test_numbers_are_compared_with_all_their_bits(self, harness: Harness) -> None:
        numbers = [0.3, 0.1 + 0.2, 1 / 3, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1, 1e300, 1 + 2**-52, 1]
        for number, value in enumerate(numbers):
            harness.insert("word", f"r{number}", metadata={"k": value}, importance=min(1.0, number / 30))
        for number, value in enumerate(numbers):
            assert found_by(harness, {"k": value}) == {f"r{number}"}, value
            larger = {f"r{n}" for n, other in enumerate(numbers) if other > value}
            assert found_by(harness, {"k": {"$gt": value}}) == larger, value
            assert found_by(harness, {"importance": number / 30}) == {f"r{number}"}

    def test_record_times_are_compared_by_microseconds(self, harness: Harness) -> None:
        moments = [START + timedelta(microseconds=n) for n in range(4)]
        for number, at in enumerate(moments):
            harness.insert("word", f"r{number}", at=at, expires_at=at + timedelta(days=1))
            harness.now = at
            harness.touch(f"r{number}")
        for name, shift in (("created_at", 0), ("updated_at", 0), ("last_accessed_at", 0), ("expires_at", 1)):
            for number, at in enumerate(moments):
                moment = at + timedelta(days=shift)
                for operand in (moment, moment.isoformat()):
                    assert found_by(harness, {name: operand}) == {f"r{number}"}, name
                    assert found_by(harness, {name: {"$lt": operand}}) == {f"r{n}" for n in range(number)}, (
                        name
                    )
                    assert found_by(harness, {name: {"$gte": operand}}) == {
                        f"r{n}" for n in range(number, 4)
                    }, name


def found_by(harness: Harness, where: dict[str, Any]) -> set[str]:
    """What a listing finds; a count, a search and the definition must agree."""
    ids = set(harness.ids(where, limit=1000))
    assert ids == {record.id for record in harness.scan(limit=1000) if matches(record, where)}
    assert harness.count(where) == len(ids)
    if harness.store.capabilities.lexical:
        assert harness.found("word", where=where) == ids
    return ids


def put_values(harness: Harness, **metadata: Any) -> None:
    """One record a keyword, named by it, with that metadata under the key `k`."""
    for id, value in metadata.items():
        harness.insert(f"word {id}", id, metadata={} if value is ... else {"k": value})
