"""What the service counts, for Prometheus. No label holds a tenant, an individual or anything from a body."""

from prometheus_client import CollectorRegistry, Counter, generate_latest


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "choice_ledger_http_calls", "Calls answered.", ("operation", "status"), registry=self.registry
        )

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
