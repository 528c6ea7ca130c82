"""The form in which a store holds an encrypted record. Pure, and without keys: see `memwell.wrappers.encrypted`.

An encrypted content is an *envelope*, a text of five lines: the mark `memwell-sealed:1`; a keyed hash of the plain
content (its fingerprint); the ciphertext; the signals; the index terms as keyed hashes, joined by spaces. So a store
that analyses an envelope finds what the wrapper has put there (`analysed`), and whatever it stores again is the same.

Encrypted metadata has its keys and, in place of each value, a keyed hash, so that equality can be tested; the entry
`~sealed` holds the speaker that it names, a keyed hash of all of it, and the ciphertext.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.frozen import FrozenDict

__all__ = [
    "ENTRY",
    "KEYS_TENANT",
    "MARK",
    "Envelope",
    "analysed",
    "fingerprint_of",
    "identity",
    "is_sealed",
    "mark_of",
    "same_content",
    "visible",
]

MARK: Final = "memwell-sealed:1\n"
ENTRY: Final = "~sealed"
"""Key of the metadata that holds the ciphertext: `SPEAKER:FINGERPRINT:CIPHERTEXT`."""
KEYS_TENANT: Final = "memwell.keys"
"""The tenant of the records that hold wrapped keys; callers may not use it."""
_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of an encrypted content."""

    fingerprint: str
    ciphertext: str
    signals: str = ""
    lexemes: str = ""

    def text(self) -> str:
        """The envelope as it is stored."""
        return f"{MARK}{self.fingerprint}\n{self.ciphertext}\n{self.signals}\n{self.lexemes}"

    @classmethod
    def read(cls, content: str) -> Envelope | None:
        """The parts of an envelope; `None` for any other text."""
        if not is_sealed(content):
            return None
        parts = content.split("\n")
        return cls(*parts[1:]) if len(parts) == _LINES else None


def is_sealed(content: object) -> bool:
    """Whether a content looks like an envelope."""
    return isinstance(content, str) and content.startswith(MARK)


def identity(content: str) -> str:
    """What two contents have in common if they are the same: the fingerprint of an envelope, or the text itself."""
    if not content.startswith(MARK):
        return content
    parts = content.split("\n", 2)
    return f"{parts[0]}\n{parts[1]}" if len(parts) > 2 else content


def fingerprint_of(content: str) -> str:
    """The keyed hash in an envelope; empty for any other text."""
    return content.split("\n", 2)[1] if is_sealed(content) else ""


def same_content(one: str, other: str) -> bool:
    """Whether two contents are the same text, encrypted or not."""
    return one == other or (one.startswith(MARK) and identity(one) == identity(other))


def mark_of(metadata: Mapping[str, Any]) -> str | None:
    """The fingerprint of encrypted metadata, in which exact duplicates agree; `None` for any other metadata."""
    entry = metadata.get(ENTRY)
    return entry.rpartition(":")[0] if isinstance(entry, str) else None


def visible(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Metadata without the ciphertext: what indexes hold."""
    if ENTRY not in metadata:
        return metadata
    return FrozenDict({key: value for key, value in metadata.items() if key != ENTRY})


def analysed(content: str, metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    """Index terms and signals of an envelope; `None` for any other text. The speaker of the metadata comes first."""
    if not content.startswith(MARK):
        return None
    parts = content.split("\n")
    if len(parts) != _LINES:
        return None
    signals, lexemes = parts[3], parts[4]
    if metadata and (speaker := str(metadata.get(ENTRY, "")).partition(":")[0]):
        signals = "\t".join((speaker, signals.partition("\t")[2] or "\t"))
    return lexemes, signals
