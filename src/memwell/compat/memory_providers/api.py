"""The FastAPI router: `/memory/remember`, `/memory/recall`, `/memory/memories`, `/memory/health`.

Include `router`, and say who the user is::

    app.include_router(router)
    app.dependency_overrides[get_current_user_id] = user_of_the_session

A mistake of the client is answered with 4xx and a `detail` that says what is wrong; a failure of the server with 5xx,
a `detail` that says no more than that, and a `request_id` that stands in the log beside the error.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from memwell.compat.memory_providers.base import MemoryProvider
from memwell.compat.memory_providers.config import MemoryConfig
from memwell.compat.memory_providers.factory import get_provider
from memwell.errors import InvalidInput, NotFound, NotSupported, Unavailable

__all__ = ["MemoryRequest", "RecallRequest", "get_current_user_id", "get_memory_provider", "router"]

log = logging.getLogger("memwell.compat.memory_providers")

_MOST: Final = 1000


class _Route(APIRoute):
    """Says what is wrong with a request without repeating it: not all that JSON can name can be answered as JSON."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                wrong = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
                raise HTTPException(422, wrong) from error

        return handled


router = APIRouter(prefix="/memory", tags=["memory"], route_class=_Route)


class MemoryRequest(BaseModel):
    """What is to be stored."""

    content: str = Field(min_length=1)
    metadata: dict[str, Any] | None = None


class RecallRequest(BaseModel):
    """What is asked; without a limit, `MEMORY_RECALL_LIMIT` holds."""

    query: str = Field(min_length=1)
    limit: int | None = Field(default=None, ge=1, le=_MOST)


def get_memory_provider() -> MemoryProvider:
    """The provider that `MEMORY_PROVIDER` names, one for the process."""
    return get_provider()


def get_current_user_id() -> str:
    """Who asks. The application overrides this dependency; until then every call is answered with 401."""
    raise HTTPException(401, "no user is signed in: override the dependency get_current_user_id")


User = Annotated[str, Depends(get_current_user_id)]
Provider = Annotated[MemoryProvider, Depends(get_memory_provider)]


@router.post("/remember")
async def remember_memory(request: MemoryRequest, user_id: User, provider: Provider) -> dict[str, Any]:
    """Store a memory of the user who asks."""
    async with _answered("remember"):
        memory_id = await provider.remember(
            user_id=user_id, content=request.content, metadata=request.metadata
        )
    return {"memory_id": memory_id, "status": "stored"}


@router.post("/recall")
async def recall_memories(request: RecallRequest, user_id: User, provider: Provider) -> dict[str, Any]:
    """The user's memories that answer a question best."""
    async with _answered("recall"):
        limit = request.limit or MemoryConfig.DEFAULT_RECALL_LIMIT
        memories = await provider.recall(user_id=user_id, query=request.query, limit=limit)
    return {"memories": memories, "count": len(memories)}


@router.get("/memories")
async def list_memories(
    user_id: User,
    provider: Provider,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """The user's memories, the newest first."""
    async with _answered("list_memories"):
        memories = await provider.list_memories(user_id=user_id, limit=limit, offset=offset)
    return {"memories": memories, "count": len(memories)}


@router.delete("/memories/{memory_id}")
async def delete_memory(memory_id: str, user_id: User, provider: Provider) -> dict[str, Any]:
    """Delete a memory of the user; 404 if the user has none with this id."""
    async with _answered("delete"):
        deleted = await provider.delete(user_id=user_id, memory_id=memory_id)
    if not deleted:
        raise HTTPException(404, "there is no such memory")
    return {"memory_id": memory_id, "status": "deleted"}


@router.get("/health")
async def memory_health(provider: Provider) -> dict[str, Any]:
    """Whether the provider works. What is wrong stands in the log."""
    async with _answered("health"):
        found = await provider.health_check()
    if not found.get("healthy"):
        log.warning("the memory provider is not healthy: %s", found)
    shown: dict[str, Any] = _without_errors(found)
    return shown


def _without_errors(found: Any) -> Any:
    """The health of a provider, or of those of a chain, without the server's words."""
    if not isinstance(found, dict):
        return found
    return {name: _without_errors(value) for name, value in found.items() if name != "error"}


@asynccontextmanager
async def _answered(operation: str) -> AsyncIterator[None]:
    """Turn an error into an answer that tells the client's mistakes from the server's faults."""
    try:
        yield
    except InvalidInput as error:
        raise HTTPException(422, error.message) from error
    except NotFound as error:
        raise HTTPException(404, "there is no such memory") from error
    except NotSupported as error:
        raise HTTPException(501, "the memory provider does not offer this") from error
    except Exception as error:
        request_id = str(uuid.uuid4())
        log.exception("%s failed (request %s)", operation, request_id)
        status, what = (503, "cannot be reached") if isinstance(error, Unavailable) else (500, "failed")
        detail = {"message": f"the memory provider {what}", "request_id": request_id}
        raise HTTPException(status, detail) from error
