"""Keeping passwords, tokens and keys out of what is shown: texts, errors, and the errors these were caused by."""

from __future__ import annotations

import re
from typing import Any, Final

from memwell._patterns import pattern

__all__ = ["hide", "masked", "secrets_of"]

DOTS: Final = "•••"
_NAMES: Final = "key|token|secret|password|passwd|pwd"
_OPTION: Final = pattern(rf"(?i)([?&;](?:[^=&;]*(?:{_NAMES})[^=&;]*)=)[^&;\s'\"]+")
_LOGIN: Final = pattern(r"(?<=://)([^/@:\s]*):\S*@")
_SLOTS: Final = ("strerror", "filename", "filename2", "msg", "name", "object", "reason")
"""Attributes that built-in errors keep beside their arguments."""
_SHORTEST: Final = 3
"""Characters of a password from which on it is looked for on its own: a shorter one would be found in any text."""


def masked(text: str) -> str:
    """A text with the password of every URL in it, and every option that looks like a secret, replaced by dots."""
    text = _LOGIN.sub(rf"\1:{DOTS}@", text)
    return _OPTION.sub(rf"\1{DOTS}", text)


def secrets_of(url: str) -> tuple[str, ...]:
    """What of a URL must not be shown, raw and decoded, longest first: login, password, a user without a password, and
    the values of options that look like secrets.
    """
    scheme, _, rest = url.partition(":")
    rest = rest.removeprefix("//")
    if "@" not in rest and "?" not in rest:
        return ()
    from urllib.parse import parse_qsl, unquote

    login, at, tail = ("", "", "") if rest.startswith("/") else rest.rpartition("@")
    found = set()
    if at:
        user, colon, password = login.partition(":")
        found.add(login + at)
        alone = password if colon else user
        plain = f"memwell {scheme} {user if colon else ''} {tail.partition('?')[0]}"
        if alone not in re.split(
            r"[^\w.-]+", plain
        ):  # what stands elsewhere in the URL is found in any message
            found.add(alone)
    _, _, query = rest.partition("?")
    pairs = parse_qsl(query.replace(";", "&"), keep_blank_values=True)
    for name, value in pairs:
        named = re.search(_NAMES, name, re.IGNORECASE) and not name.lower().endswith("_env")
        if named or re.search(rf"(?:{_NAMES})\s*=", value, re.IGNORECASE):
            found.add(value)
        elif "://" in value:
            found.update(secrets_of(value))
    raw = {match[0].rpartition("=")[2] for match in _OPTION.finditer(url) if "_env=" not in match[0].lower()}
    every = found | raw | {unquote(secret) for secret in found}
    every |= {repr(secret)[1:-1] for secret in every}
    return tuple(sorted((secret for secret in every if len(secret) >= _SHORTEST), key=len, reverse=True))


def hide(error: BaseException, secrets: tuple[str, ...]) -> None:
    """Replace secrets by dots in an error, and in all that it was caused by or raised beside: arguments and
    attributes. Some drivers keep the whole connection string in theirs.
    """
    waiting: list[BaseException | None] = [error] if secrets else []
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        waiting += getattr(one, "exceptions", ())
        one.args = tuple(_without(value, secrets) for value in one.args)
        slots = {name: getattr(one, name) for name in _SLOTS if isinstance(getattr(one, name, None), str)}
        for name, value in (slots | getattr(one, "__dict__", {})).items():
            clean = _without(value, secrets)
            if clean is not value:
                setattr(one, name, clean)


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    """The value itself if it shows no secret; else its text with dots, or `None` for what is no text."""
    if isinstance(value, BaseException):  # looked at on its own
        return value
    try:
        shown = value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001  whatever a foreign object does when it is looked at
        return value
    if not any(secret in shown for secret in secrets):
        return value
    if not isinstance(value, str):
        return None
    for secret in secrets:
        value = value.replace(secret, DOTS)
    return value
