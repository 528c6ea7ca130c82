"""A manager from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memwell.compat.memorycore.core.embedding import EmbedderService, EmbeddingService
from memwell.compat.memorycore.errors import EmbeddingDimensionError
from memwell.compat.memorycore.manager import MemoryManager
from memwell.compat.memorycore.observability import MetricsCollector, log, serve_health, serve_metrics
from memwell.compat.memorycore.settings import Settings
from memwell.compat.memorycore.storage import MemwellStorage
from memwell.errors import ConfigError
from memwell.memory import AsyncMemory
from memwell.ports.embedder import Embedder
from memwell.registry import open_embedder

__all__ = ["create_embedding_service", "create_memory_manager", "serve_ports"]

_DEFAULT_MODEL = "all-MiniLM-L6-v2"


async def create_memory_manager(settings: Settings | None = None) -> MemoryManager:
    """A manager as the environment, or the settings given, describe it.

    Raises `ConfigError` for a setting that cannot be used, and `EmbeddingDimensionError` for a model whose vectors
    have another length than `EMBEDDING_DIMENSION`.
    """
    chosen = settings or Settings.load()
    embedder = await _embedder(chosen)
    memory = AsyncMemory(**_places(chosen, embedder), embedder=embedder)
    storage = MemwellStorage(memory, versioning=chosen.enable_versioning)
    metrics = MetricsCollector(enabled=chosen.observability_enable_metrics)
    manager = MemoryManager(storage, settings=chosen, metrics=metrics)
    if embedder is not None:
        manager.on_close.append(embedder.close)
    try:
        await manager.initialize()
    except BaseException:
        await manager.close()
        raise
    return manager


async def create_embedding_service(settings: Settings | None = None) -> EmbeddingService:
    """The model of the settings, for a manager over a storage of your own. Raises `ConfigError`."""
    embedder = await _embedder(settings or Settings.load())
    if embedder is None:
        raise ConfigError("there is no model: set EMBEDDING_PROVIDER, or run: memwell models pull")
    return EmbedderService(embedder)


def _places(settings: Settings, embedder: Embedder | None) -> dict[str, Any]:
    """Where memories and vectors are kept."""
    backend, name = settings.storage_backend, settings.storage_collection_name
    if backend == "memory" or not settings.storage_persist:
        return {"url": "memory://"}
    if ":" in backend:
        return {"url": backend}
    folder = Path(settings.storage_path).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[str, Any] = {"url": f"sqlite:///{folder}/{name}.db"}
    if embedder is not None:
        scheme = "chroma" if backend == "chromadb" else "faiss"
        places["index"] = f"{scheme}:///{folder}/{name}.{scheme}?dimension={embedder.dimension}"
    return places


async def _embedder(settings: Settings) -> Embedder | None:
    """The model. Chroma's own is MiniLM, memwell's local model; where that is missing, words alone are searched."""
    model, provider = settings.embedding_model_name, settings.embedding_provider
    if provider == "none":
        return None
    name = f"{provider}:{model}"
    if provider == "chromadb":
        name = "local" if model == _DEFAULT_MODEL else f"local:{model}"
    try:
        embedder = open_embedder(name)
        await embedder.prepare()
    except ConfigError as error:
        if name != "local":
            raise
        log.warning("memories are found by their words alone: %s", error)
        return None
    wanted = settings.embedding_dimension
    if wanted is not None and embedder.dimension != wanted:
        raise EmbeddingDimensionError(
            f"{model} makes vectors of {embedder.dimension} numbers; EMBEDDING_DIMENSION is {wanted}"
        )
    return embedder


def serve_ports(manager: MemoryManager) -> None:
    """Serve metrics and health, as far as the settings enable them, on their ports of this machine, until the manager
    is closed. To be called on its event loop. Raises `ConfigError` for a port that is in use.
    """
    settings = manager.settings
    if settings.observability_enable_metrics:
        manager.on_close.append(serve_metrics(manager.metrics, settings.observability_metrics_port))
    if settings.observability_enable_health:
        manager.on_close.append(serve_health(manager.health_check, settings.observability_health_port))
