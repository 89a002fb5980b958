"""Traces, as an extra (``choice-ledger[otel]``): a span for each call, each append and each wait for a fold.

OpenTelemetry is imported only where the environment asks for traces; otherwise nothing of this is called.
A span's name is its operation. Its attributes are the method, the status and the request id: nothing that is
in an address, a header or a body. Of the caller's own trace its ``traceparent`` is taken up, and no baggage.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import structlog

from choice_ledger.ledger_at_hand import Folding
from events.catalogue import Catalogue
from events.streams import Position
from ledger.log import EventLog, Outcome, Proposal

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

    from choice_ledger.http.gate import Visit

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})

_log = structlog.get_logger("choice_ledger.http")


class Tracing:
    """Makes spans with one provider."""

    def __init__(self, provider: "TracerProvider") -> None:
        """Hand every span that ends to ``provider``."""
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("choice_ledger")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def call(self, scope: MutableMapping[str, Any], visit: "Callable[[], Visit | None]") -> Iterator[None]:
        """A span for a call, named by its operation once that is known."""
        parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        context = self._propagator.extract({"traceparent": parent}) if parent else None
        with self._tracer.start_as_current_span(
            "call",
            context,
            kind=self._trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            finally:
                self._tell(span, scope["method"], visit())

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A span for a part of a call."""
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
            yield

    def log(self, log: EventLog) -> EventLog:
        """The same log, with a span for each append."""
        return _TracedLog(log, self)

    def folding(self, folding: Folding) -> Folding:
        """The same folding, with a span for each wait."""
        return _TracedFolding(folding, self)

    def close(self) -> None:
        """Send what is not sent yet, and no more after it."""
        shutdown = getattr(self._provider, "shutdown", None)
        if shutdown is not None:
            shutdown()

    def _tell(self, span: "Span", method: str, visit: "Visit | None") -> None:
        if visit is None:
            return
        span.update_name(visit.operation)
        span.set_attribute("http.request.method", method if method in _METHODS else "_OTHER")
        span.set_attribute("http.response.status_code", visit.status)
        span.set_attribute("choice_ledger.request_id", visit.request_id)
        if visit.status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)


class _TracedLog:
    def __init__(self, log: EventLog, tracing: Tracing) -> None:
        self._log = log
        self._tracing = tracing

    @property
    def deduplicates(self) -> bool:
        return self._log.deduplicates

    @property
    def generation(self) -> str:
        return self._log.generation

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        with self._tracing.step("append"):
            return self._log.append(proposals)

    def close(self) -> None:
        self._log.close()


class _TracedFolding:
    def __init__(self, folding: Folding, tracing: Tracing) -> None:
        self._folding = folding
        self._tracing = tracing

    @property
    def catalogue(self) -> Catalogue:
        return self._folding.catalogue

    @property
    def position(self) -> Position:
        return self._folding.position

    def catch_up(
        self, to: Position | None = None, *, on_progress: Callable[[Position], None] | None = None
    ) -> Position:
        if to is None:
            return self._folding.catch_up(on_progress=on_progress)
        with self._tracing.step("wait for the fold"):
            return self._folding.catch_up(to, on_progress=on_progress)


def tracing_asked_for(environment: Mapping[str, str]) -> Tracing | None:
    """Traces, where OpenTelemetry's own variables ask for them and the extra is installed."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    is_asked = exporter == "otlp" or (not exporter and any(environment.get(name) for name in endpoints))
    if not is_asked:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning("no_traces", remedy="install choice-ledger[otel], or unset the OTEL_… variables")
        return None
    named = environment.get("OTEL_SERVICE_NAME", "choice-ledger")
    provider = TracerProvider(resource=Resource.create({"service.name": named}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
