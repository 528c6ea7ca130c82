"""Receipts: what is signed cannot be changed, and a receipt never reveals what was erased."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell import ConfigError, Corrupt, Erased, Receipt, Scope, Trace
from memwell.security.receipts import signed, verify
from memwell.security.signing import Key, new_key, open_key

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEYS = {kind: open_key(new_key(kind)) for kind in ("ed25519", "hmac")}
texts = st.text(max_size=20)


def receipt(
    reason: str = "asked by the user", id: str = "m1", detail: str = "", key: Key | None = None
) -> Receipt:
    return Receipt(
        id="r1",
        action="erase",
        scope=Scope(tenant_id="acme", user_id="ana"),
        reason=reason,
        begun_at=NOW,
        finished_at=NOW,
        records=(Erased(id=id, versions=2, digest=None if key is None else key.digest("tea")),),
        traces=(Trace(place="sqlite: rows", state="gone", detail=detail),),
    )


@pytest.mark.parametrize("kind", [*KEYS, None])
@given(reason=texts, id=texts, detail=texts, data=st.data())
def test_a_receipt_comes_back_from_its_text_and_no_byte_of_it_can_be_changed(
    kind: str | None, reason: str, id: str, detail: str, data: st.DataObject
) -> None:
    key = None if kind is None else KEYS[kind]
    made = signed(receipt(reason, id, detail, key), key)
    text = made.to_json().encode()
    assert verify(text, key) == made
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    with pytest.raises(Corrupt):
        verify(text[:at] + bytes([other]) + text[at + 1 :], key)


def test_a_receipt_of_another_key_or_of_none_is_refused_where_a_key_is_asked_for() -> None:
    for key in KEYS.values():
        for other in (None, open_key(new_key()), open_key("hmac:another secret of some length")):
            with pytest.raises(Corrupt, match=r"another key|not signed"):
                verify(signed(receipt(), other).to_json(), key)


def test_ed25519_is_verified_by_everybody_and_hmac_only_with_the_secret() -> None:
    made = signed(receipt(), KEYS["ed25519"]).to_json()
    assert verify(made).is_signed
    assert KEYS["ed25519"] is not None
    assert verify(made, open_key(f"ed25519-public:{KEYS['ed25519'].name}")).complete
    with pytest.raises(ConfigError, match="secret"):
        verify(signed(receipt(), KEYS["hmac"]).to_json())


def test_a_receipt_without_a_key_says_so() -> None:
    made = signed(receipt(), None)
    assert not made.is_signed
    assert not verify(made.to_json()).is_signed


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  ",
        "short",
        "hmac:short",
        "ed25519:12",
        f"ed25519:{'G' * 64}",
        f"ed25519:{'A' * 64}",
        7,
        b"x" * 32,
    ],
)
def test_a_key_that_cannot_be_used_is_refused_without_showing_it(given: object) -> None:
    with pytest.raises(ConfigError) as caught:
        open_key(given)
    assert not isinstance(given, str) or len(given) < 5 or given not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "[" * 100_000, '{"form": "memwell receipt 2"}', b"\xff"]
)
def test_what_is_not_a_receipt_is_refused(text: str | bytes) -> None:
    with pytest.raises(Corrupt, match="not a receipt"):
        verify(text)
