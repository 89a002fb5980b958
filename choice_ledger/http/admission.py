"""How much is let in: calls by each token, failed authentications, and work that waits for a thread."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Final, TypeVar

from choice_ledger.http.buckets import Buckets
from choice_ledger.http.problems import Problem

THREADS_MAX: Final = 32
"""Threads of each of the two pools: those that append, and those that read."""

TENANT_THREADS_MAX: Final = 24
"""Threads of one pool that one tenant's work may hold, so that another's finds some free."""

WAITING_MAX: Final = 512
"""Pieces of work that are under way or wait for a thread of one pool; a further one is refused."""

TENANT_WAITING_MAX: Final = 384
"""Those of them that may be one tenant's."""

FAILURES_PER_S_MAX: Final = 10
"""Failed authentications from one address in a second, in the long run."""

FAILURES_AT_ONCE_MAX: Final = 100
"""Failed authentications from one address at once."""

TENANT: Final[ContextVar[str]] = ContextVar("tenant", default="")
"""Whose call is being answered: set where a call is admitted, read where its work waits for a thread."""

_IPV6_SITE_BITS: Final = 64
"""Whoever has an IPv6 address has its whole network of this prefix."""

_T = TypeVar("_T")


class Admission:
    """Token buckets and bounded queues of one process. For the event loop's thread alone."""

    def __init__(self, rate_per_s: float, burst: int, clock_s: Callable[[], float]) -> None:
        """Let each token call ``rate_per_s`` times a second, and ``burst`` times at once."""
        self._calls = Buckets(rate_per_s, burst, clock_s)
        self._failures = Buckets(FAILURES_PER_S_MAX, FAILURES_AT_ONCE_MAX, clock_s)
        self._queues: dict[ThreadPoolExecutor, _Queue] = {}

    def take(self, token_id: str, calls: int = 1) -> float:
        """Seconds after which a call with this token may be tried again; 0: it is let in.

        A batch costs as many calls as it has questions, and never more than the bucket holds.
        """
        return self._calls.take(token_id, calls)

    def failed(self, peer: str) -> float:
        """Count a failed authentication from an address; seconds until it may fail again, 0: at once.

        Only failures are limited: a good token is let in from an address from which others guess, because
        many callers may share one.
        """
        return self._failures.take(_site_of(peer))

    def waiting(self, pool: ThreadPoolExecutor) -> int:
        """Pieces of work that are under way or wait for a thread of the pool."""
        queue = self._queues.get(pool)
        return 0 if queue is None else queue.waiting

    async def bounded(self, pool: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        """Do blocking work in a thread of the pool. Raises Problem ``overloaded`` where too much waits."""
        queue = self._queues.get(pool)
        if queue is None:
            queue = self._queues[pool] = _Queue()
        return await queue.run(pool, TENANT.get(), work)


class _Queue:
    """The work that is under way or waits for one pool's threads, and how much of it is each tenant's."""

    def __init__(self) -> None:
        self.waiting = 0
        self._by_tenant: Counter[str] = Counter()
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def run(self, pool: ThreadPoolExecutor, tenant: str, work: Callable[[], _T]) -> _T:
        if self.waiting >= WAITING_MAX:
            raise Problem("overloaded", limit=WAITING_MAX)
        if self._by_tenant[tenant] >= TENANT_WAITING_MAX:
            raise Problem("overloaded", limit=TENANT_WAITING_MAX)
        turns = self._turns.setdefault(tenant, asyncio.Semaphore(TENANT_THREADS_MAX))
        self.waiting += 1
        self._by_tenant[tenant] += 1
        try:
            async with turns:
                # What is logged or traced in the thread belongs to this call.
                context = copy_context()
                return await asyncio.get_running_loop().run_in_executor(pool, context.run, work)
        finally:
            self.waiting -= 1
            self._by_tenant[tenant] -= 1
            if not self._by_tenant[tenant]:
                del self._by_tenant[tenant], self._turns[tenant]


def _site_of(peer: str) -> str:
    """An address, or the network that whoever has it has too."""
    if ":" not in peer:
        return peer
    try:
        return str(ipaddress.ip_network((peer.partition("%")[0], _IPV6_SITE_BITS), strict=False))
    except ValueError:
        return peer
