"""What the service counts, for Prometheus. No label holds a tenant, an individual, or a value of a call.

Counting is adding to plain numbers; Prometheus' own objects are made only when the metrics are read.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_STEPS_S: Final = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
LATENCY_BOUNDS_S: Final = tuple(step * factor for step in _STEPS_S for factor in (1, 2.5, 5))
"""Upper bounds of the latency histogram's buckets, in seconds."""


class Gauges(NamedTuple):
    """What is so at the moment of reading. ``behind_records`` is none where the log's end was never seen."""

    ready: bool
    state_age_s: float
    behind_records: int | None
    individuals_at_hand: int
    waiting: Mapping[str, int]
    quarantined: int


class Metrics:
    """The counts of one service. Counting is for the event loop's thread alone; reading is not."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.under_way = 0
        self.hits = 0
        self.misses = 0
        self._calls: dict[tuple[str, int], int] = {}
        self._latencies: dict[str, list[float]] = {}
        self._decisions: dict[str, int] = {}
        self._writes: dict[str, int] = {}

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count one call that ended. Plain numbers in a dictionary: under a microsecond."""
        key = (operation, status)
        self._calls[key] = self._calls.get(key, 0) + 1
        buckets = self._latencies.get(operation)
        if buckets is None:
            buckets = self._latencies[operation] = [0.0] * (len(LATENCY_BOUNDS_S) + 2)
        buckets[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        buckets[-1] += seconds

    def decided(self, reason: str, times: int = 1) -> None:
        """Count decisions by their reason, one of the closed set in ``projections.decision``."""
        self._decisions[reason] = self._decisions.get(reason, 0) + times

    def decided_all(self, reasons: Iterable[str]) -> None:
        """Count many decisions by their reasons."""
        for reason, times in Counter(reasons).items():
            self.decided(reason, times)

    def wrote(self, outcome: str) -> None:
        """Count a write by what it came to: ``acknowledged``, ``repeated``, ``void`` or a problem's kind."""
        self._writes[outcome] = self._writes.get(outcome, 0) + 1

    def text(self, gauges: Gauges, permitting: Callable[[str], bool]) -> bytes:
        """All metrics in Prometheus' text format. ``permitting`` tells which reasons permit."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(_Reading([*self._counted(permitting), *_gauged(gauges, self.under_way)]))
        return generate_latest(registry)

    def _counted(self, permitting: Callable[[str], bool]) -> Iterator[Metric]:
        calls = CounterMetricFamily(
            "choice_ledger_http_calls", "Calls that ended.", labels=("operation", "status")
        )
        for (operation, status), number in sorted(self._calls.items()):
            calls.add_metric((operation, str(status)), number)
        yield calls
        yield self._durations()
        decisions = CounterMetricFamily(
            "choice_ledger_decisions", "Decisions told.", labels=("permitted", "reason")
        )
        for reason, number in sorted(self._decisions.items()):
            decisions.add_metric((str(permitting(reason)).lower(), reason), number)
        yield decisions
        writes = CounterMetricFamily("choice_ledger_writes", "Writes told.", labels=("outcome",))
        for outcome, number in sorted(self._writes.items()):
            writes.add_metric((outcome,), number)
        yield writes
        found = CounterMetricFamily(
            "choice_ledger_facts_looked_up", "Checks by whether facts were at hand.", labels=("at_hand",)
        )
        found.add_metric(("true",), self.hits)
        found.add_metric(("false",), self.misses)
        yield found

    def _durations(self) -> Metric:
        durations = HistogramMetricFamily(
            "choice_ledger_http_call_seconds", "How long calls took.", labels=("operation",)
        )
        for operation, numbers in sorted(self._latencies.items()):
            *counts, total = list(numbers)
            buckets, below = [], 0.0
            for bound, number in zip((*map(str, LATENCY_BOUNDS_S), "+Inf"), counts, strict=True):
                below += number
                buckets.append((bound, below))
            durations.add_metric((operation,), buckets, total)
        return durations


class _Reading(Collector):
    """Metrics as they were read at one moment."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _gauged(gauges: Gauges, under_way: int) -> Iterator[Metric]:
    plain = (
        ("choice_ledger_ready", "Whether the service is ready.", float(gauges.ready)),
        ("choice_ledger_http_calls_under_way", "Calls that have not ended.", under_way),
        ("choice_ledger_state_age_seconds", "How old the state is.", gauges.state_age_s),
        ("choice_ledger_individuals_at_hand", "Individuals at hand.", gauges.individuals_at_hand),
        ("choice_ledger_quarantined_records", "Records that cannot be read.", gauges.quarantined),
    )
    for name, about, value in plain:
        yield GaugeMetricFamily(name, about, value=value)
    if gauges.behind_records is not None:
        name, about = "choice_ledger_state_behind_records", "Records that the state is behind the log."
        yield GaugeMetricFamily(name, about, value=gauges.behind_records)
    waiting = GaugeMetricFamily(
        "choice_ledger_waiting_work", "Work under way or waiting for a thread.", labels=("pool",)
    )
    for pool, number in gauges.waiting.items():
        waiting.add_metric((pool,), number)
    yield waiting
