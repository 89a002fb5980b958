"""What the endpoints of a running service stand on: the ledger, its state, tokens, limits and counts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from choice_ledger.access import Credentials, ServiceRegistry
from choice_ledger.checking import Checks
from choice_ledger.freshness import Freshness
from choice_ledger.http.admission import Admission
from choice_ledger.http.idempotency import IdempotencyKeys
from choice_ledger.http.metrics import Metrics
from choice_ledger.http.tracing import Tracing
from choice_ledger.ledger_at_hand import LedgerAtHand

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service. ``ledger`` and all that stands beside it are safe to use from many threads."""

    ledger: LedgerAtHand
    checks: Checks
    freshness: Freshness
    credentials: Credentials
    services: ServiceRegistry
    admission: Admission
    idempotency: IdempotencyKeys
    metrics: Metrics
    writers: ThreadPoolExecutor
    readers: ThreadPoolExecutor
    stopping: Callable[[], bool]
    tracing: Tracing | None = None

    async def write(self, work: Callable[[], _T]) -> _T:
        """Do blocking work that appends to the log, in a thread of its own. Raises Problem ``overloaded``."""
        return await self.admission.bounded(self.writers, work)

    async def read(self, work: Callable[[], _T]) -> _T:
        """Do blocking work that reads the state or the log, in a thread. Raises Problem ``overloaded``."""
        return await self.admission.bounded(self.readers, work)
