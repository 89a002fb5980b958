"""How much is let in: calls by each token in a second, and work that waits for a thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from choice_ledger.http.problems import Problem

THREADS_MAX: Final = 32
"""Threads of each of the two pools: those that append, and those that read."""

WAITING_MAX: Final = 512
"""Pieces of work that are under way or wait for a thread of one pool; a further one is refused."""

_T = TypeVar("_T")


class Admission:
    """Token buckets and bounded queues of one process. For the event loop's thread alone."""

    def __init__(self, rate_per_s: float, burst: int, clock_s: Callable[[], float]) -> None:
        """Let each token call ``rate_per_s`` times a second, and ``burst`` times at once."""
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock_s = clock_s
        self._buckets: dict[str, tuple[float, float]] = {}
        self._waiting: dict[ThreadPoolExecutor, int] = {}

    def take(self, token_id: str, calls: int = 1) -> float:
        """Seconds after which a call with this token may be tried again; 0: it is let in."""
        now = self._clock_s()
        left, since = self._buckets.get(token_id, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) * self._rate_per_s)
        if left < calls:
            self._buckets[token_id] = (left, now)
            return (calls - left) / self._rate_per_s
        self._buckets[token_id] = (left - calls, now)
        return 0.0

    async def bounded(self, pool: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        """Do blocking work in a thread of the pool. Raises Problem ``overloaded`` where too much waits."""
        waiting = self._waiting.get(pool, 0)
        if waiting >= WAITING_MAX:
            raise Problem("overloaded", limit=WAITING_MAX)
        self._waiting[pool] = waiting + 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._waiting[pool] -= 1
