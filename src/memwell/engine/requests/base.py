"""What the requests of an owner share, and the choices that they name."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal, TypeAlias

from memwell._dataclasses import dataclass
from memwell.engine.validation import scope_of
from memwell.fields import NARROWING, SCOPE
from memwell.types import Scope

__all__ = ["OnDuplicate", "OnEcho", "OwnedRequest", "Supersede", "Superseded"]

OnDuplicate: TypeAlias = Literal["reinforce", "update"]
OnEcho: TypeAlias = Literal["reinforce", "refuse", "store"]
Supersede: TypeAlias = Literal["off", "propose", "auto"]
Superseded: TypeAlias = Literal["hide", "show"]

_scope_parts = attrgetter(*SCOPE)


@dataclass(slots=True, kw_only=True)
class OwnedRequest:
    """The scope of a call: whose memory `remember` stores, and which memories any other call may see."""

    tenant_id: str | None = None
    """`None` means the default tenant."""
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    namespace: str | None = None

    def scope(self) -> Scope:
        """The checked scope. Raises `InvalidInput`."""
        return scope_of(*_scope_parts(self))

    def narrowed(self) -> bool:
        """Whether the scope names more than a tenant."""
        return any(getattr(self, name) is not None for name in NARROWING)
