"""Logs with correlation ids, Prometheus metrics, and the ports that serve metrics and health."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from memwell.compat.memorycore.settings import Settings
from memwell.errors import ConfigError

__all__ = ["MetricsCollector", "configure_logging", "correlation_id", "serve_health", "serve_metrics"]

log = logging.getLogger("memwell.compat.memorycore")

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = 5.0
"""Seconds that a health request waits for the parts."""
_correlation: contextvars.ContextVar[str | None] = contextvars.ContextVar("correlation_id", default=None)


def correlation_id() -> str | None:
    """The id of the operation that runs; its log lines and events have it."""
    return _correlation.get()


class MetricsCollector:
    """Counts and times operations, under MemoryCore's metric names.

    Without `prometheus_client` there is nothing to scrape, and nothing is counted.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.registry: Any = None
        if not enabled:
            return
        try:
            import prometheus_client as prometheus
        except ImportError:
            log.info("no metrics: pip install 'memwell[memorycore]'")
            return
        self.registry = registry = prometheus.CollectorRegistry()
        self._operations = prometheus.Counter(
            "memorycore_memory_operations_total",
            "Operations by outcome.",
            ["operation", "tenant_id", "status"],
            registry=registry,
        )
        self._seconds = prometheus.Histogram(
            "memorycore_operation_duration_seconds", "Seconds taken.", ["operation"], registry=registry
        )
        self._memories = prometheus.Gauge(
            "memorycore_memory_count", "Memories, as last counted.", ["tenant_id"], registry=registry
        )
        self._embeddings = prometheus.Counter(
            "memorycore_embedding_operations_total",
            "Vectors made, by outcome.",
            ["status"],
            registry=registry,
        )
        self._searches = prometheus.Counter(
            "memorycore_search_operations_total", "Searches.", ["tenant_id"], registry=registry
        )

    @contextmanager
    def operation(self, name: str, tenant_id: str) -> Iterator[None]:
        """Count and time the block, log its outcome, and give it a correlation id, unless it is inside another."""
        token = None if _correlation.get() else _correlation.set(str(uuid.uuid4()))
        started, status = time.perf_counter(), "error"
        try:
            yield
            status = "success"
        finally:
            seconds = time.perf_counter() - started
            if self.registry is not None:
                self._operations.labels(name, tenant_id, status).inc()
                self._seconds.labels(name).observe(seconds)
                if name == "search":
                    self._searches.labels(tenant_id).inc()
            log.info("%s %s in %.1f ms (tenant %s)", name, status, 1000 * seconds, tenant_id)
            if token is not None:
                _correlation.reset(token)

    def counted(self, tenant_id: str, count: int) -> None:
        """How many memories a tenant has."""
        if self.registry is not None:
            self._memories.labels(tenant_id).set(count)

    def embedded(self, *, ok: bool) -> None:
        """Whether a vector was made."""
        if self.registry is not None:
            self._embeddings.labels("success" if ok else "error").inc()


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object a line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "correlation_id": correlation_id(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(settings: Settings) -> None:
    """Log to stderr as the settings say. Programs that configure logging themselves need not call it."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(_Json() if settings.observability_log_format == "json" else plain)
    root = logging.getLogger("memwell")
    root.handlers = [handler]
    root.setLevel(settings.observability_log_level)


def serve_metrics(collector: MetricsCollector, port: int) -> Callable[[], None]:
    """Serve `/metrics` on a port of this machine; call the result to stop. Raises `ConfigError`."""
    if collector.registry is None:
        raise ConfigError("metrics need prometheus_client: pip install 'memwell[memorycore]'")
    import prometheus_client as prometheus

    try:
        server, thread = prometheus.start_http_server(port, _HOST, registry=collector.registry)
    except OSError as error:
        raise ConfigError(f"OBSERVABILITY_METRICS_PORT={port} cannot be used: {error}") from error
    return _stop(server, thread)


def serve_health(check: Callable[[], Coroutine[Any, Any, dict[str, Any]]], port: int) -> Callable[[], None]:
    """Serve `/health` on a port of this machine: 200, or 503 if unhealthy. Call the result to stop.

    To be called on the event loop that the check runs on. Raises `ConfigError`.
    """
    loop = asyncio.get_running_loop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/health":
                self.send_error(404)
                return
            try:
                found = asyncio.run_coroutine_threadsafe(check(), loop).result(_PATIENCE)
            except Exception as error:  # noqa: BLE001  # no answer in time, or the loop has ended
                log.warning("the health check gave no answer: %r", error)
                found = {"status": "unhealthy"}
            body = json.dumps(found).encode()
            self.send_response(503 if found["status"] == "unhealthy" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            log.debug(format, *args)

    try:
        server = ThreadingHTTPServer((_HOST, port), Handler)
    except OSError as error:
        raise ConfigError(f"OBSERVABILITY_HEALTH_PORT={port} cannot be used: {error}") from error
    thread = threading.Thread(target=server.serve_forever, name="memorycore-health", daemon=True)
    thread.start()
    return _stop(server, thread)


def _stop(server: Any, thread: threading.Thread) -> Callable[[], None]:
    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
