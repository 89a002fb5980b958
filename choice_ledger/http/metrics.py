"""What the service counts, for Prometheus. No label holds a tenant, an individual, or a value of a call."""

from bisect import bisect_left
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

_STEPS_S: Final = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
LATENCY_BOUNDS_S: Final = tuple(step * factor for step in _STEPS_S for factor in (1, 2.5, 5))
"""Upper bounds of the latency histogram's buckets, in seconds."""


class Metrics:
    """The counts of one service. Counting is for the event loop's thread alone; reading is not."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        self.under_way = 0
        self._calls: dict[tuple[str, int], int] = {}
        self._latencies: dict[str, list[float]] = {}

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count one call that ended. Plain numbers in a dictionary: under a microsecond."""
        key = (operation, status)
        self._calls[key] = self._calls.get(key, 0) + 1
        buckets = self._latencies.get(operation)
        if buckets is None:
            buckets = self._latencies[operation] = [0.0] * (len(LATENCY_BOUNDS_S) + 2)
        buckets[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        buckets[-1] += seconds

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
