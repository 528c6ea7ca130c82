"""Memories as context for a language model: `ContextAssembler`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from memwell.errors import InvalidInput, shown

__all__ = ["ContextAssembler", "Format", "Style"]

Rows: TypeAlias = Sequence[Mapping[str, Any]]
Format: TypeAlias = Literal["structured", "simple", "chat"]
Style: TypeAlias = Literal["conversational", "bullet", "compact"]
_COMMON: Final = ("topic", "category", "importance")


class ContextAssembler:
    """Puts the memories of a thread, oldest first, and related ones, best first, into one of three shapes."""

    def assemble(
        self,
        thread: Rows,
        related: Rows,
        *,
        thread_id: str | None = None,
        user_id: str | None = None,
        format_type: Format = "structured",
        include_scores: bool = False,
    ) -> dict[str, Any]:
        """`structured`: `thread_context`, `related_history`, `metadata`, and `scores` on request. `simple`: `memories`
        and `count`. `chat`: `messages`, `thread_id` and `count`. Raises `InvalidInput` for another format.
        """
        thread = sorted(thread, key=lambda row: row["created_at"])
        every = [*related, *thread]
        if format_type == "simple":
            return {"memories": [_line(row) for row in every], "count": len(every)}
        if format_type == "chat":
            messages = [{"role": _role(row) or "user", "content": row["content"]} for row in every]
            return {"messages": messages, "thread_id": thread_id, "count": len(messages)}
        if format_type != "structured":
            raise InvalidInput(f"format_type is structured, simple or chat, not {shown(format_type)}")
        found: dict[str, Any] = {
            "thread_context": [_line(row) for row in thread],
            "related_history": [_line(row) for row in related],
            "metadata": {"thread_id": thread_id, "user_id": user_id, **_common(every)},
        }
        if include_scores:
            found["scores"] = {"thread_avg": _average(thread), "related_avg": _average(related)}
        return found

    @staticmethod
    def format_for_llm(context: Mapping[str, Any], style: Style = "conversational") -> str:
        """A context as text for a prompt. Raises `InvalidInput` for another style."""
        current, earlier = _lines(context)
        if style == "compact":
            return " | ".join([*earlier, *current])
        if style == "bullet":
            return "\n".join(f"- {line}" for line in [*earlier, *current])
        if style != "conversational":
            raise InvalidInput(f"style is conversational, bullet or compact, not {shown(style)}")
        parts = [("Related history:", earlier), ("Current conversation:", current)]
        return "\n\n".join("\n".join([title, *lines]) for title, lines in parts if lines)


def _lines(context: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The lines of the conversation, and those of other conversations."""
    if "messages" in context:
        return [f"{one['role'].capitalize()}: {one['content']}" for one in context["messages"]], []
    if "memories" in context:
        return list(context["memories"]), []
    return list(context["thread_context"]), list(context["related_history"])


def _role(row: Mapping[str, Any]) -> str | None:
    role = row["metadata"].get("role")
    return role if isinstance(role, str) and role else None


def _line(row: Mapping[str, Any]) -> str:
    role = _role(row)
    return f"{role.capitalize()}: {row['content']}" if role else str(row["content"])


def _common(rows: Rows) -> dict[str, Any]:
    """What most of the memories have."""
    counts = {name: Counter(str(v) for row in rows if (v := row["metadata"].get(name))) for name in _COMMON}
    return {name: count.most_common(1)[0][0] for name, count in counts.items() if count}


def _average(rows: Rows) -> float:
    return sum(row["_score"] for row in rows) / len(rows) if rows else 0.0
