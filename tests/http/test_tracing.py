"""Traces: a span for each call, append and wait, under the caller's own trace, without a value of it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from choice_ledger.http.table import ENDPOINTS
from choice_ledger.http.tracing import Tracing, tracing_asked_for
from tests.http.planting import PLANTED
from tests.http.serving import Served, serving
from tests.tidy.source import ROOT

DESCRIBED = {"individual": "ida-canary", "jurisdiction": "US", "populations": ["visitor"], "locale": "en"}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, exporter: InMemorySpanExporter) -> Iterator[Served]:
    """A service that hands each span to a list."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    home, endpoints = tmp_path_factory.mktemp("home"), (*ENDPOINTS, *PLANTED)
    with serving(home, endpoints=endpoints, tracing=Tracing(provider)) as running:
        yield running


@pytest.fixture
def client(served: Served, exporter: InMemorySpanExporter) -> Iterator[httpx.Client]:
    exporter.clear()
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {served.token()}"}) as client:
        yield client


def finished(exporter: InMemorySpanExporter, number: int) -> list[ReadableSpan]:
    """So many spans, and no more; the last one ends a moment after the client has its answer."""
    until = time.monotonic() + 5
    while len(exporter.get_finished_spans()) < number and time.monotonic() < until:
        time.sleep(0.01)
    found = list(exporter.get_finished_spans())
    assert len(found) == number
    return found


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/livez", "livez"),
        ("GET", "/v1/policies/privacy-canary/versions", "policy_versions"),
        ("GET", "/canary", "unknown"),
        ("POST", "/v1/check", "check"),
        ("POST", "/v1/checks", "checks"),
    ],
)
def test_a_span_is_named_by_its_operation(
    client: httpx.Client, exporter: InMemorySpanExporter, method: str, path: str, operation: str
) -> None:
    """Every call has one, on the hot path too; its name and attributes hold nothing of the address."""
    answer = client.request(method, path, json={"individual": "canary"} if method == "POST" else None)
    (span,) = finished(exporter, 1)
    assert (span.name, span.kind) == (operation, SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": method,
        "http.response.status_code": answer.status_code,
        "choice_ledger.request_id": answer.headers["X-Request-Id"],
    }
    assert "canary" not in span.to_json()


def test_lines_are_traced_too(client: httpx.Client, exporter: InMemorySpanExporter) -> None:
    """A batch of lines on the hot path has its span like any call."""
    line = b'{"individual":"ida","purpose":"hr"}\n'
    headers = {"Content-Type": "application/x-ndjson"}
    assert client.post("/v1/checks", content=line, headers=headers).status_code == 200
    assert [span.name for span in finished(exporter, 1)] == ["checks"]


@pytest.mark.parametrize("path", ["/livez", "/v1/check"])
def test_a_span_belongs_to_the_callers_trace(
    client: httpx.Client, exporter: InMemorySpanExporter, path: str
) -> None:
    """`traceparent` names the trace and the span above ours."""
    client.get(path, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    client.post(path, json={}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=canary"})
    for span in finished(exporter, 2):
        assert span.context is not None
        assert span.parent is not None
        assert f"{span.context.trace_id:032x}" == TRACE
        assert f"{span.parent.span_id:016x}" == PARENT
        assert "canary" not in span.to_json()


def test_a_malformed_traceparent_begins_a_trace(client: httpx.Client, exporter: InMemorySpanExporter) -> None:
    """What names no trace is passed over, and no part of it is kept."""
    client.get("/livez", headers={"traceparent": "00-canary-canary-01", "baggage": "who=canary"})
    (span,) = finished(exporter, 1)
    assert span.parent is None
    assert "canary" not in span.to_json()


def test_what_a_write_waits_for_is_seen(client: httpx.Client, exporter: InMemorySpanExporter) -> None:
    """The append and the wait for the fold are spans below the call's, and say nothing of the event."""
    assert client.post("/v1/descriptions", json=DESCRIBED).status_code == 201
    found = {span.name: span for span in finished(exporter, 3)}
    call = found["describe_individual"].context
    assert call is not None
    for name in ("append", "wait for the fold"):
        parent = found[name].parent
        assert parent is not None
        assert parent.span_id == call.span_id
        assert not found[name].attributes
    assert not [span for span in found.values() if "canary" in span.to_json()]


def test_a_defect_is_an_error_without_a_value(client: httpx.Client, exporter: InMemorySpanExporter) -> None:
    """A span of a call that failed says so, and bears neither the exception nor its message."""
    assert client.post("/v1/faults/canary", json={"who": "canary"}).status_code == 500
    (span,) = finished(exporter, 1)
    assert span.status.status_code is StatusCode.ERROR
    assert not span.events
    assert "canary" not in span.to_json()


def test_a_strange_method_is_not_told(client: httpx.Client, exporter: InMemorySpanExporter) -> None:
    """A method that the table has nowhere is one name among them."""
    client.request("PROPFIND", "/livez")
    (span,) = finished(exporter, 1)
    assert (span.attributes or {})["http.request.method"] == "_OTHER"


@pytest.mark.parametrize(
    ("environment", "is_asked"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_traces_are_made_where_the_environment_asks(environment: dict[str, str], is_asked: bool) -> None:
    """OpenTelemetry's own variables decide, and without them there are none."""
    tracing = tracing_asked_for(environment)
    assert (tracing is not None) is is_asked
    if tracing is not None:
        tracing.close()


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where traces are asked for and the extra is not installed, the service runs without them."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert tracing_asked_for({"OTEL_TRACES_EXPORTER": "otlp"}) is None


def test_without_traces_nothing_of_them_is_imported(tmp_path: Path) -> None:
    """A service whose environment does not ask for traces never imports OpenTelemetry."""
    script = (
        "import sys; from choice_ledger.http import server; from choice_ledger.http.tracing import *; "
        "assert tracing_asked_for({}) is None; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
