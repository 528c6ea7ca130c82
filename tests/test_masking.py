"""No error shows a secret: not its message, not what it was caused by, whatever the scheme."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from memwell import MemwellError, _bridge, registry
from memwell.masking import hide, masked, secrets_of
from memwell.testing import run

SECRET = "s3cr3t-X9"
OPENERS = {
    "stores": registry.open_store,
    "indexes": registry.open_index,
    "embedders": registry.open_embedder,
    "keyvalue": registry.open_keyvalue,
    "logs": registry.open_log,
}
FORMS = [
    "{}://app:@@@@h",
    "{}://app:@@@@127.0.0.1:1/db",
    "{}://:@@@@127.0.0.1:1",
    "{}://@@@@127.0.0.1:1",
    "{}://app:@@@@h:port",
    "{}://app:@@@@127.0.0.1:1/db?bogus=1",
    "{}://app:p%40@@@@h/x",
    "{}:app:@@@@h",
    "{}://app:@@@/y@h",
    "{}://app:@@@@[::1",
    "{}://app:@@@%00@h",
    "{}://h?password=@@@",
    "{}://h?api_key=@@@&api_key=@@@",
    "{}:///x?key=@@@&@@@",
    "{}://app:@@@@h?timeout=@@@",
    "{}://127.0.0.1:1/db?options=-c%20password=@@@",
]


def chain(error: BaseException | None, seen: tuple[int, ...] = ()) -> Iterator[BaseException]:
    """An error, and all that it was caused by or raised beside."""
    if error is not None and id(error) not in seen:
        yield error
        seen = (*seen, id(error))
        yield from chain(error.__cause__, seen)
        yield from chain(error.__context__, seen)


def shown(error: BaseException) -> str:
    """All that an error shows of itself."""
    parts = [f"{one} {one!r} {one.args!r} {vars(one)!r}" for one in chain(error)]
    return " ".join([*parts, *traceback.format_exception_only(error)])


async def at_once(seconds: float, *, blocking: bool) -> None:
    """What waits between two attempts, without waiting."""


@pytest.mark.parametrize(
    ("kind", "scheme"), [(kind, scheme) for kind in OPENERS for scheme in registry.TABLE[kind]]
)
def test_no_scheme_shows_a_secret_in_an_error_or_what_caused_it(
    kind: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bridge, "pause", at_once)
    failures: list[str] = []
    for form in FORMS:
        url = form.format(scheme).replace("@@@", SECRET)
        part: Any = None
        try:
            part = OPENERS[kind](url)
            run(part, part.ping())
        except MemwellError as error:
            failures.append(shown(error))
        if part is not None:
            assert SECRET not in repr(part)
            run(part, part.close())
    assert failures
    assert not [failure for failure in failures if SECRET in failure]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sqlite:///notes.db", "sqlite:///notes.db"),
        ("postgresql://me:hush@host/db", "postgresql://me:•••@host/db"),
        ("postgresql://me:hu@sh@host/db", "postgresql://me:•••@host/db"),
        ("qdrant://host?api_key=hush&size=3", "qdrant://host?api_key=•••&size=3"),
        ("x://host?a=1&Access_Token=hush", "x://host?a=1&Access_Token=•••"),
    ],
)
def test_secrets_in_a_text_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:///notes.db", set()),
        ("sqlite:////home/me@corp/notes.db", set()),
        ("openai:text-embedding-3-small?key_env=OPENAI_KEY", set()),
        ("redis://host/0", set()),
        ("redis://app:a%20bc@host", {"a%20bc", "a bc", "app:a%20bc@", "app:a bc@"}),
        ("redis://token@host", {"token", "token@"}),
        ("redis://app:pw@host", {"app:pw@"}),
        ("postgresql://memwell:memwell@host/db", {"memwell:memwell@"}),
        ("qdrant://host?api_key=a%20bc", {"a bc", "a%20bc"}),
        ("postgresql://h/db?replica=postgresql://a:bcd@h", {"bcd", "a:bcd@"}),
    ],
)
def test_the_secrets_of_a_url_are_found_raw_and_decoded(url: str, found: set[str]) -> None:
    assert found <= set(secrets_of(url))
    assert bool(found) is bool(secrets_of(url))


def test_what_a_driver_keeps_of_its_connection_is_dropped_from_its_error() -> None:
    inner = OSError(5, f"cannot reach redis://app:{SECRET}@h")
    inner.connection = {"password": SECRET}  # type: ignore[attr-defined]
    outer = ExceptionGroup("several", [inner])
    error = ValueError("outside")
    error.__context__ = outer
    hide(error, (SECRET,))
    assert "•••" in str(inner)
    assert SECRET not in f"{inner} {inner.args} {vars(inner)}"
    assert str(error) == "outside"
