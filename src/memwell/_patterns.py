"""Regular expressions that are compiled when they are first used: a process meets few of the languages that we know."""

from __future__ import annotations

import re
from typing import Any, Final, cast

__all__ = ["pattern"]

_METHODS: Final = tuple(name for name in dir(re.Pattern) if not name.startswith("_"))


class _Lazy:
    """A pattern in waiting. After its first use it has the methods of the compiled one as attributes."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(self._text, self._flags)
        vars(self).update({each: getattr(compiled, each) for each in _METHODS})
        return vars(self)[name]


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Like `re.compile`. A fault in the text shows at the first use."""
    return cast("re.Pattern[str]", _Lazy(text, flags))
