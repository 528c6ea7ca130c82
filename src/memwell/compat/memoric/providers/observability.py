"""Traces, errors and metrics: OpenTelemetry, Sentry, and Datadog by its agent's OpenTelemetry receiver.

None of them sends what memories say, unless you put it into attributes, contexts or tags.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from memwell.compat.memoric.providers.interfaces import ObservabilityProvider
from memwell.errors import ConfigError

__all__ = ["DatadogProvider", "OpenTelemetryProvider", "SentryProvider"]

_SCOPE: Final = "memoric"


class OpenTelemetryProvider(ObservabilityProvider):
    """The providers given, or those that the program has set up. Needs `opentelemetry-api`.

    A metric is a histogram; an error is recorded on the current span.
    """

    def __init__(self, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise ConfigError(
                "OpenTelemetry needs its API; run: pip install 'memwell[opentelemetry]'"
            ) from error
        self._trace = trace
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._histograms: dict[str, Any] = {}

    @contextmanager
    def trace_span(self, *, name: str, attributes: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """See `ObservabilityProvider.trace_span`. Gives the span."""
        with self._tracer.start_as_current_span(name, attributes=dict(attributes or {})) as span:
            yield span

    def record_error(self, *, error: BaseException, context: Mapping[str, Any] | None = None) -> None:
        """See `ObservabilityProvider.record_error`."""
        span = self._trace.get_current_span()
        if span.is_recording():
            self._note(span, error, context)
            return
        with self._tracer.start_as_current_span("error") as own:
            self._note(own, error, context)

    def record_metric(self, *, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """See `ObservabilityProvider.record_metric`."""
        if name not in self._histograms:
            self._histograms[name] = self._meter.create_histogram(name)
        self._histograms[name].record(value, attributes=dict(tags or {}))

    def _note(self, span: Any, error: BaseException, context: Mapping[str, Any] | None) -> None:
        span.record_exception(error, attributes={key: str(value) for key, value in (context or {}).items()})
        span.set_status(self._trace.StatusCode.ERROR, type(error).__name__)


class DatadogProvider(OpenTelemetryProvider):
    """Datadog without its libraries: the agent takes OpenTelemetry over HTTP once its OTLP receiver is switched on.

    `DD_AGENT_HOST` (localhost) says where the agent is, `DD_SERVICE` and `DD_ENV` what is sent; `endpoint` is the base
    URL of another receiver. Spans and metrics are sent in the background; `flush` sends them at once.
    """

    def __init__(
        self,
        *,
        service: str | None = None,
        env: str | None = None,
        endpoint: str | None = None,
        interval: float = 60.0,
    ) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigError("Datadog needs OpenTelemetry; run: pip install 'memwell[datadog]'") from error
        base = endpoint or f"http://{os.environ.get('DD_AGENT_HOST') or 'localhost'}:4318"
        names = {
            "service.name": service or os.environ.get("DD_SERVICE") or _SCOPE,
            "deployment.environment.name": env or os.environ.get("DD_ENV") or "",
        }
        resource = Resource({name: value for name, value in names.items() if value})
        self._spans = TracerProvider(resource=resource)
        self._spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces")))
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(f"{base}/v1/metrics"), export_interval_millis=1000 * interval
        )
        self._metrics = MeterProvider([reader], resource=resource)
        super().__init__(self._spans, self._metrics)

    def flush(self) -> bool:
        """Send what is waiting; whether all of it was sent."""
        return bool(self._spans.force_flush()) and bool(self._metrics.force_flush())

    def close(self) -> None:
        """Send what is waiting, and end."""
        self._spans.shutdown()
        self._metrics.shutdown()


class SentryProvider(ObservabilityProvider):
    """Sentry, by a client of its own that changes nothing else in the program. Needs `sentry-sdk`.

    - `dsn`: by default `SENTRY_DSN`; `options` are those of `sentry_sdk.init`, such as `environment` or `release`.
    """

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        try:
            import sentry_sdk
        except ImportError as error:
            raise ConfigError("Sentry needs its package; run: pip install 'memwell[sentry]'") from error
        address = dsn or os.environ.get("SENTRY_DSN")
        if not address:
            raise ConfigError("Sentry needs a DSN: set SENTRY_DSN, or pass dsn=")
        quiet = {"default_integrations": False, "auto_enabling_integrations": False}
        self._sdk = sentry_sdk
        self._client = sentry_sdk.Client(dsn=address, **{**quiet, "traces_sample_rate": 1.0, **options})

    @contextmanager
    def trace_span(self, *, name: str, attributes: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """See `ObservabilityProvider.trace_span`. Gives the span; the outermost one is a transaction."""
        with self._scope() as scope:
            inner = scope.span
            span = inner.start_child(name=name) if inner else scope.start_transaction(name=name)
            for key, value in (attributes or {}).items():
                span.set_data(key, value)
            with span:
                yield span

    def record_error(self, *, error: BaseException, context: Mapping[str, Any] | None = None) -> None:
        """See `ObservabilityProvider.record_error`."""
        with self._scope() as scope:
            if context:
                scope.set_context("memoric", dict(context))
            scope.capture_exception(error)

    def record_metric(self, *, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """See `ObservabilityProvider.record_metric`. It is a distribution."""
        with self._scope():
            self._sdk.metrics.distribution(name, value, attributes=dict(tags or {}))

    def flush(self) -> None:
        """Send what is waiting."""
        self._client.flush()

    def close(self) -> None:
        """Send what is waiting, and end."""
        self._client.close()

    @contextmanager
    def _scope(self) -> Iterator[Any]:
        """A scope whose client is this one."""
        with self._sdk.new_scope() as scope:
            scope.set_client(self._client)
            yield scope
