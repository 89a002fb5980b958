"""What an operator asks of the service: is it alive, is it ready, what does it count."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from choice_ledger.http import readiness
from choice_ledger.http.app import BROKEN_OFF, CLIENT_GONE
from choice_ledger.http.metrics import LATENCY_BOUNDS_S, Gauges, Metrics
from choice_ledger.http.operating import METRICS_MEDIA_TYPE
from choice_ledger.http.readiness import FREE_BYTES_MIN
from choice_ledger.http.table import ENDPOINTS
from ledger.log import LogFault
from tests.http.planting import PLANTED
from tests.http.serving import Served, serving

CHECKS = ["running", "following", "fresh", "tokens", "services", "log", "disk"]
DESCRIBED = {"individual": "ida", "jurisdiction": "US", "populations": ["visitor"], "locale": "en"}
QUESTION = {"individual": "ida", "purpose": "hr.payroll"}
NOTHING = Gauges(True, 0.0, 0, 0, {}, 0)


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Served]:
    """A service of a test's own, with planted endpoints beside its own."""
    with serving(tmp_path / "home", endpoints=(*ENDPOINTS, *PLANTED)) as running:
        yield running


def counted(served: Served) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels."""
    with served.client("admin") as client:
        answer = client.get("/metrics")
    assert answer.headers["Content-Type"] == f"{METRICS_MEDIA_TYPE}; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: dict[Any, float], name: str, **labels: str) -> float:
    return samples.get((f"choice_ledger_{name}", tuple(sorted(labels.items()))), 0.0)


def failing(served: Served) -> list[dict[str, Any]]:
    """The checks that fail, as an administrator sees them; the plain answer has to agree."""
    with served.client("admin") as client:
        verbose = client.get("/readyz?verbose")
    plain = httpx.get(f"{served.url}/readyz")
    assert plain.status_code == verbose.status_code
    checks = verbose.json()["checks"]
    assert [check["check"] for check in checks] == CHECKS
    return [check for check in checks if not check["ok"]]


# ---------------------------------------------------------------------------------------- alive and ready


def test_a_running_service_is_alive(served: Served) -> None:
    """`/livez` answers 200 without a token: a probe has none."""
    assert httpx.get(f"{served.url}/livez").status_code == 200


def test_a_service_that_works_is_ready(served: Served) -> None:
    """`/readyz` answers 200 without a token, and every check is as it must be."""
    assert httpx.get(f"{served.url}/readyz").text == "ready\n"
    assert failing(served) == []


@pytest.mark.parametrize("verbose", ["", "=", "=true", "=1"])
def test_details_are_for_administrators(served: Served, verbose: str) -> None:
    """Without a token, with a bad one and with another scope nothing of the checks is told."""
    address = f"{served.url}/readyz?verbose{verbose}"
    assert httpx.get(address).status_code == 401
    assert httpx.get(address, headers={"Authorization": "Bearer nothing"}).status_code == 401
    with served.client("check", "audit", "officer", "publish", "record") as client:
        assert client.get("/readyz?verbose").status_code == 403
    with served.client("admin") as client:
        assert client.get(f"/readyz?verbose{verbose}").json()["ready"] is True


def test_verbose_has_few_values(served: Served) -> None:
    """Anything else than empty, `true` and `1` is refused."""
    assert httpx.get(f"{served.url}/readyz?verbose=no").status_code == 400


def test_a_service_that_stops_is_not_ready(tmp_path: Path) -> None:
    """As soon as it was told to stop it says so, and tells those that may know which check it is."""
    with serving(tmp_path, altered=lambda service: replace(service, stopping=lambda: True)) as stopping:
        answer = httpx.get(f"{stopping.url}/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not_ready")
        assert "Retry-After" in answer.headers
        assert "message" not in answer.json()["checks"][0]
        assert [(check["check"], check["message"]) for check in failing(stopping)] == [
            ("running", "the service stops")
        ]


def test_a_log_that_cannot_be_reached_is_told(apart: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log does not answer the service is not ready, and its state grows old."""

    def away(*_: object) -> None:
        raise LogFault("the brokers are away; see to the network")

    monkeypatch.setattr(apart.service.ledger.source, "end", away)
    assert "log" in [check["check"] for check in failing(apart)]
    time.sleep(apart.settings.freshness_ms_max / 1_000 + 0.6)
    found = {check["check"]: check["message"] for check in failing(apart)}
    assert {"log", "fresh"} <= set(found)
    assert "the brokers are away" in found["log"]


def test_a_log_that_hangs_is_told(apart: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that takes longer than it may has failed; it does not hang the answer."""
    monkeypatch.setattr(readiness, "CHECK_WAIT_S", 0.2)
    monkeypatch.setattr(apart.service.ledger.source, "end", lambda: time.sleep(1.0))
    assert "did not answer within 0.2 s" in {check["message"] for check in failing(apart)}


@pytest.mark.parametrize(("free", "is_ready"), [(FREE_BYTES_MIN, True), (FREE_BYTES_MIN - 1, False)])
def test_a_full_disk_is_told(
    apart: Served, monkeypatch: pytest.MonkeyPatch, free: int, is_ready: bool
) -> None:
    """With `FREE_BYTES_MIN` free the service is ready; with a byte less it says that it soon cannot write."""

    class State:
        f_flag, f_bavail, f_frsize = 0, free, 1

    monkeypatch.setattr(os, "statvfs", lambda _: State)
    assert [check["check"] for check in failing(apart)] == ([] if is_ready else ["disk"])


def test_a_home_that_is_gone_is_told(apart: Served, tmp_path: Path) -> None:
    """A home directory that was moved away is no place to write to."""
    (tmp_path / "home").rename(tmp_path / "moved")
    checks = httpx.get(f"{apart.url}/readyz").json()["checks"]
    (tmp_path / "moved").rename(tmp_path / "home")
    assert {"check": "disk", "ok": False} in checks


# ---------------------------------------------------------------------------------------------- metrics


def test_metrics_are_for_administrators(served: Served) -> None:
    """They tell how much a controller does, which is nobody else's concern."""
    assert httpx.get(f"{served.url}/metrics").status_code == 401
    with served.client("check", "audit", "officer", "publish", "record") as client:
        assert client.get("/metrics").status_code == 403


def test_calls_are_counted_by_operation_and_status(apart: Served) -> None:
    """Each call is one in its counter and in its histogram, on the hot path too."""
    with apart.client("check") as client:
        for _ in range(3):
            client.post("/v1/check", json=QUESTION)
        client.post("/v1/check", json={})
        client.get("/v1/individuals/ida/history")
    samples = counted(apart)
    assert value(samples, "http_calls_total", operation="check", status="200") == 3
    assert value(samples, "http_calls_total", operation="check", status="422") == 1
    assert value(samples, "http_calls_total", operation="history", status="403") == 1
    assert value(samples, "http_call_seconds_count", operation="check") == 4
    assert value(samples, "http_call_seconds_bucket", operation="check", le="+Inf") == 4
    assert value(samples, "http_call_seconds_sum", operation="check") > 0
    assert value(samples, "http_calls_under_way") == 1  # The one that asks.


def test_unknown_addresses_are_one_label(apart: Served) -> None:
    """However many addresses are tried, and with whatever in them, the metrics grow by nothing."""
    for number in range(20):
        httpx.get(f"{apart.url}/nowhere/canary-{number}")
        httpx.request("DELETE", f"{apart.url}/v1/policies")
    samples = counted(apart)
    assert value(samples, "http_calls_total", operation="unknown", status="404") == 20
    assert value(samples, "http_calls_total", operation="unknown", status="405") == 20
    assert "canary" not in str(samples)


def test_no_label_has_anything_from_a_call(apart: Served) -> None:
    """Every label is one of a closed set: operations, statuses, reasons, outcomes, pools, bounds."""
    with apart.client() as client:
        client.post("/v1/descriptions", json=DESCRIBED)
        client.post("/v1/check", json=QUESTION)
    labels = {
        (label, text)
        for (name, pairs) in counted(apart)
        if name.startswith("choice_ledger")
        for label, text in pairs
    }
    assert {label for label, _ in labels} <= {
        "operation", "status", "permitted", "reason", "outcome", "at_hand", "pool", "le",
    }  # fmt: skip
    operations = {endpoint.operation for endpoint in (*ENDPOINTS, *PLANTED)} | {"unknown", "options"}
    assert {text for label, text in labels if label == "operation"} <= operations
    assert all(re.fullmatch(r"[a-z0-9_+.eInf-]+", text) for _, text in labels)


def test_decisions_are_counted_by_reason(apart: Served) -> None:
    """Alone, together and in lines, each decision is one, and facts that were at hand are told apart."""
    before = counted(apart)
    line = b'{"individual":"ida","purpose":"hr.payroll"}\n'
    with apart.client("check") as client:
        client.post("/v1/check", json=QUESTION)
        client.post("/v1/check", json=QUESTION)
        client.post("/v1/checks", json={"questions": [QUESTION] * 5})
        client.post("/v1/checks", content=line * 7, headers={"Content-Type": "application/x-ndjson"})
    samples = counted(apart)
    told = {pairs: n for (name, pairs), n in samples.items() if name == "choice_ledger_decisions_total"}
    assert sum(told.values()) == 14
    assert {dict(pairs)["permitted"] for pairs in told} == {"false"}
    looked_up = [value(samples, "facts_looked_up_total", at_hand=found) for found in ("true", "false")]
    assert sum(looked_up) == 14
    assert looked_up[0] > 0
    assert value(samples, "individuals_at_hand") > value(before, "individuals_at_hand")


def test_writes_are_counted_by_what_they_came_to(apart: Served) -> None:
    """A first record, its repetition and a refusal are three outcomes."""
    with apart.client("record") as client:
        for body in (DESCRIBED, DESCRIBED, {**DESCRIBED, "individual": ""}):
            client.post("/v1/descriptions", json=body, headers={"Idempotency-Key": "counted"})
    samples = counted(apart)
    for outcome in ("acknowledged", "repeated", "refused"):
        assert value(samples, "writes_total", outcome=outcome) == 1


def test_the_state_is_told(apart: Served) -> None:
    """Age, distance from the log, waiting work, quarantine, readiness and the process itself are there."""
    samples = counted(apart)
    assert value(samples, "ready") == 1
    assert 0 <= value(samples, "state_age_seconds") < 2
    assert value(samples, "state_behind_records") == 0
    assert value(samples, "quarantined_records") == 0
    assert ("choice_ledger_waiting_work", (("pool", "writing"),)) in samples
    assert samples["process_resident_memory_bytes", ()] > 0
    assert any(name == "python_info" for name, _ in samples)


def test_a_client_that_goes_away_is_counted_as_that(apart: Served) -> None:
    """A body that ends before it is whole, and an answer that is broken off, have numbers of their own."""
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{apart.url}/v1/lines?lines=2&fails=x")
    samples = counted(apart)
    assert value(samples, "http_calls_total", operation="v1_lines", status=str(BROKEN_OFF)) == 1
    assert CLIENT_GONE not in {BROKEN_OFF, *range(100, 499)}


@pytest.mark.parametrize("index", range(len(LATENCY_BOUNDS_S)))
def test_a_duration_is_counted_up_to_its_bound(index: int) -> None:
    """A call that took exactly as long as a bound is at most that bound; one that took longer is above it."""
    bound = LATENCY_BOUNDS_S[index]
    metrics = Metrics()
    metrics.count("check", 200, bound)
    metrics.count("check", 200, bound * 1.01)
    text = metrics.text(NOTHING, bool).decode()
    assert f'choice_ledger_http_call_seconds_bucket{{le="{bound}",operation="check"}} 1.0' in text


def test_counting_is_cheap() -> None:
    """A count is a few additions: a hundred thousand take well under a second."""
    metrics, began = Metrics(), time.process_time()
    for _ in range(100_000):
        metrics.count("check", 200, 0.0002)
        metrics.decided("opted_in")
    assert time.process_time() - began < 1.0
