"""A manager from the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

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
from memwell.urls import of_file

__all__ = ["create_embedding_service", "create_memory_manager", "serve_ports"]

_DEFAULT_MODEL = "all-MiniLM-L6-v2"
_OPENAI_MODEL = "text-embedding-3-small"
"""What `openai` uses if no model is named."""


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"STORAGE_PATH={settings.storage_path!r} cannot be used: {error}") from error
    places: dict[str, Any] = {"url": of_file(folder / f"{name}.db")}
    if embedder is not None:
        scheme = "chroma" if backend == "chromadb" else "faiss"
        file = quote(str(folder / f"{name}.{scheme}"))
        places["index"] = f"{scheme}:///{file}?dimension={embedder.dimension}"
    return places


async def _embedder(settings: Settings) -> Embedder | None:
    """The model. Chroma's own is MiniLM, memwell's local model; where that is missing, words alone are searched."""
    model, provider = settings.embedding_model_name, settings.embedding_provider
    if provider == "none":
        return None
    if provider == "openai" and model == _DEFAULT_MODEL:
        model = _OPENAI_MODEL
    name = f"{provider}:{model}"
    if provider == "chromadb":
        name = "local" if model == _DEFAULT_MODEL else f"local:{model}"
    try:
        embedder = _openai(model, settings) if provider == "openai" else open_embedder(name)
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


def _openai(model: str, settings: Settings) -> Embedder:
    """OpenAI's model, with the key of the settings, or else that of `OPENAI_API_KEY`."""
    from memwell.embedders.openai import OpenAI

    return OpenAI(model, key=settings.embedding_api_key)


def serve_ports(manager: MemoryManager) -> None:
    """Serve metrics and health, as far as the settings enable them, on their ports of this machine, until the manager
    is closed. To be called on its event loop. Raises `ConfigError` for a port that is in use, after the other one is
    served.
    """
    settings, failed = manager.settings, []
    metrics, health = settings.observability_metrics_port, settings.observability_health_port
    ports: tuple[tuple[bool, Callable[[], Callable[[], None]]], ...] = (
        (settings.observability_enable_metrics, lambda: serve_metrics(manager.metrics, metrics)),
        (settings.observability_enable_health, lambda: serve_health(manager.health_check, health)),
    )
    for enabled, serve in ports:
        try:
            if enabled:
                manager.on_close.append(serve())
        except ConfigError as error:
            failed.append(error.message)
    if failed:
        raise ConfigError("; ".join(failed))
