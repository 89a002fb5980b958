"""Fresh enough, or no: how an answer waits for a position, and is denied where it cannot be shown fresh.

Source: ``architecture.md``, *Fresh enough, or no*.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from choice_ledger.exits import Failure
from choice_ledger.fault_codes import failure_of
from choice_ledger.ledger_at_hand import records_between
from consumers.following import WAITERS_MAX, Following, TooManyWaiting
from events.streams import Position
from projections.decision import OutsideDenial

WAIT_MS_MAX: Final = 30_000
"""The longest that a caller may have an answer wait for a position."""

TENANT_WAITERS_MAX: Final = WAITERS_MAX * 3 // 4
"""Calls of one tenant that wait for a position at one time, so that another's may wait too."""


class FollowedState(NamedTuple):
    """How the state that is followed is, for an operator.

    ``lag_records`` is how far it was behind the log's end when that was last asked for (none: never yet).
    ``trouble`` is the fault that is being tried again, ``fault`` the one that ended the following for good.
    """

    position: Position
    age_ms: float
    is_fresh: bool
    lag_records: int | None
    trouble: Failure | None
    fault: Failure | None


class Freshness:
    """Tells whether the state that is followed is fresh enough. ``reached`` is for the event loop alone."""

    def __init__(self, following: Following, age_ms_max: int, tenant: Callable[[], str] = lambda: "") -> None:
        """Deny beyond an age of ``age_ms_max``. ``tenant`` tells whose call is being answered."""
        self._following = following
        self._age_ms_max = age_ms_max
        self._tenant = tenant
        self._waiting: Counter[str] = Counter()

    def outside(self) -> OutsideDenial | None:
        """Why nothing can be answered now; none where the state is fresh enough. Safe from every thread.

        An answer that waited or read is held against it again when it is there: a state may have grown too
        old meanwhile.
        """
        return None if self._following.age_ms() <= self._age_ms_max else "stale"

    def state(self) -> FollowedState:
        """How the state is now. Safe from every thread; reads neither log nor store."""
        standing = self._following.standing()
        end = standing.end
        return FollowedState(
            position=standing.position,
            age_ms=standing.age_ms,
            is_fresh=standing.age_ms <= self._age_ms_max,
            lag_records=None if end is None else records_between(standing.position, end),
            trouble=None if standing.trouble is None else failure_of(standing.trouble),
            fault=None if standing.fault is None else failure_of(standing.fault),
        )

    async def reached(self, after: Position | None, wait_ms: int) -> OutsideDenial | None:
        """The same, once the state covers ``after``, for which it waits at most ``wait_ms``.

        Raises TooManyWaiting.
        """
        if after is None:
            return self.outside()
        if after.generation != self._following.position.generation:
            return "wrong_generation"
        here, there = self._following.position.as_dict(), after.as_dict()
        if not there.keys() <= here.keys():
            return "stale"  # The log has no such slice, and never will.
        after = Position.of(after.generation, there.items())  # Held while it waits, so not as long as sent.
        if self._following.position.covers(after):
            return self.outside()
        tenant = self._tenant()
        if self._waiting[tenant] >= TENANT_WAITERS_MAX:
            raise TooManyWaiting(TENANT_WAITERS_MAX)
        self._waiting[tenant] += 1
        try:
            return await self._waited(after, wait_ms)
        finally:
            self._waiting[tenant] -= 1
            if not self._waiting[tenant]:
                del self._waiting[tenant]

    async def _waited(self, after: Position, wait_ms: int) -> OutsideDenial | None:
        loop, reached = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(reached.set)

        cancel = self._following.when(after, tell)
        try:
            await asyncio.wait_for(reached.wait(), min(wait_ms, WAIT_MS_MAX) / 1_000)
        except TimeoutError:
            return "stale"
        finally:
            cancel()
        # Whoever waits is told of the end of the following too.
        return self.outside() if self._following.position.covers(after) else "stale"
