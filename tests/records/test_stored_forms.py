"""What was written before is read today: digests, JSON and rows of two records, as version 0.1.0 made them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest

from memwell.backends.redis.store import rows
from memwell.ports import Insert, Update
from memwell.records.codec import digest, dumps, loads, record_from_json, record_to_json
from memwell.records.operations import pack, unpack
from memwell.types import Link, Record, Scope

AT: Final = datetime(2024, 3, 5, 16, 7, 8, 123456, tzinfo=UTC)
FULL: Final = Record(
    id="r1",
    scope=Scope(tenant_id="acme", user_id="ana", agent_id="bot", session_id="s1", namespace="home"),
    content="Ana flies to Oslo – on Friday",
    kind="fact",
    metadata={"b": [1, 2.5, {"deep": None}], "a": "é"},
    tags=("travel", "work"),
    category="trips",
    importance=0.1 + 0.2,
    tier="long",
    source="chat",
    created_at=AT,
    updated_at=AT.replace(year=2025),
    expires_at=AT.replace(year=2030),
    last_accessed_at=AT.replace(year=2026),
    access_count=3,
    reinforced=2,
    version=4,
    links=(Link(target="r2", kind="extends", strength=1 / 3, created_at=AT),),
)
PLAIN: Final = Record(id="r2", scope=Scope(), content="plain", created_at=AT, updated_at=AT)
DIGESTS: Final = {"r1": -5577782625426214565, "r2": 6124542734733794205}
JSON: Final = {
    "r1": '{"id":"r1","content":"Ana flies to Oslo – on Friday","kind":"fact","category":"trips",'
    '"importance":0.30000000000000004,"tier":"long","source":"chat","access_count":3,"reinforced":2,"version":4,'
    '"tenant_id":"acme","user_id":"ana","agent_id":"bot","session_id":"s1","namespace":"home",'
    '"created_at":"2024-03-05T16:07:08.123456+00:00","updated_at":"2025-03-05T16:07:08.123456+00:00",'
    '"expires_at":"2030-03-05T16:07:08.123456+00:00","last_accessed_at":"2026-03-05T16:07:08.123456+00:00",'
    '"metadata":{"b":[1,2.5,{"deep":null}],"a":"é"},"tags":["travel","work"],'
    '"links":[{"target":"r2","kind":"extends","strength":0.3333333333333333,'
    '"created_at":"2024-03-05T16:07:08.123456+00:00"}]}',
    "r2": '{"id":"r2","content":"plain","kind":"memory","importance":0.5,"access_count":0,"reinforced":0,"version":1,'
    '"tenant_id":"default","created_at":"2024-03-05T16:07:08.123456+00:00",'
    '"updated_at":"2024-03-05T16:07:08.123456+00:00","metadata":{},"tags":[],"links":[]}',
}
ROWS: Final = {
    "r1": '[7,-5577782625426214565,1,["m"],"acme","ana","bot","s1","home","r1","fact","trips","long","chat",'
    "0.30000000000000004,4,2,1709654828123456,1741190828123456,1898957228123456,"
    '["travel","work"],{"b":[1,2.5,{"deep":null}],"a":"é"},"Ana flies to Oslo – on Friday"]',
    "r2": '[7,6124542734733794205,1,["m"],"default",null,null,null,null,"r2","memory",null,null,null,0.5,1,0,'
    '1709654828123456,1709654828123456,null,[],{},"plain"]',
}

both = pytest.mark.parametrize("record", [FULL, PLAIN], ids=["full", "plain"])


@both
def test_a_digest_is_what_it_was(record: Record) -> None:
    assert digest(record) == DIGESTS[record.id]


@both
def test_a_record_is_the_json_that_it_was(record: Record) -> None:
    assert dumps(record_to_json(record)) == JSON[record.id]
    assert record_from_json(loads(JSON[record.id])) == record


@both
def test_a_row_of_redis_is_what_it_was(record: Record) -> None:
    name, text = rows.name_of(record.scope.tenant_id, record.id), ROWS[record.id].encode()
    row = rows.Row(name=name, key=7, record=rows.plain(record), digest=digest(record), models=("m",), past=1)
    assert rows.text_of(row) == text.removesuffix(b"]") + b",null,null]"  # the fields added since
    assert rows.row_of(name, text) == row


def test_a_write_packed_before_is_read() -> None:
    changes = {"metadata": {"a": [1]}, "tags": ("x",)}
    operations = [Insert(record=FULL), Update(scope=FULL.scope, id="r1", changes=changes)]
    packed = (
        f'{{"now":"2024-03-05T16:07:08.123456+00:00","operations":[["Insert",{{"record":{JSON["r1"]},'
        '"embedding":null,"named":false,"dated":false,"past":[]}],["Update",{"scope":{"tenant_id":"acme",'
        '"user_id":"ana","agent_id":"bot","session_id":"s1","namespace":"home"},"id":"r1",'
        '"changes":{"map":[["metadata",{"map":[["a",{"list":[1]}]]}],["tags",{"tuple":["x"]}]]},'
        '"embedding":null,"expected_version":null}]]}'
    )
    assert unpack(pack(operations, AT)) == (operations, AT)
    assert unpack(packed.encode()) == (operations, AT)
