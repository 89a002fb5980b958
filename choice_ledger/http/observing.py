"""What is noted of each call that is not of the hot path: counts, and one line in the log.

The line names the operation, the outcome, how long it took, the request and the token: never the address, a
header or a body, because any of them may tell whom the call is about.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from choice_ledger.http.gate import Visit
from choice_ledger.http.metrics import Metrics

_log = structlog.get_logger("choice_ledger.http")


class Observer:
    """Notes every call that it watches."""

    def __init__(self, metrics: Metrics) -> None:
        """Count in ``metrics``."""
        self._metrics = metrics

    @contextmanager
    def watching(self, visit: Visit) -> Iterator[None]:
        """Watch a call until it ends. Whatever is logged meanwhile bears its request id."""
        structlog.contextvars.bind_contextvars(request_id=visit.request_id)
        self._metrics.under_way += 1
        try:
            yield
        finally:
            self._metrics.under_way -= 1
            seconds = visit.seconds
            self._metrics.count(visit.operation, visit.status, seconds)
            _log.info(
                "call",
                operation=visit.operation,
                status=visit.status,
                duration_ms=round(seconds * 1_000, 3),
                token_id=None if visit.caller is None else visit.caller.token_id,
            )
