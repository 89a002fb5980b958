"""Fresh enough, or no: how an answer waits for a position, and is denied where it cannot be shown fresh.

Source: ``architecture.md``, *Fresh enough, or no*.
"""

import asyncio
from typing import Final

from consumers.following import Following
from events.streams import Position
from projections.decision import OutsideDenial

WAIT_MS_MAX: Final = 30_000
"""The longest that a caller may have an answer wait for a position."""


class Freshness:
    """Tells whether the state that is followed is fresh enough. For the event loop's thread alone."""

    def __init__(self, following: Following, age_ms_max: int) -> None:
        """Deny beyond an age of ``age_ms_max``."""
        self._following = following
        self._age_ms_max = age_ms_max

    def outside(self) -> OutsideDenial | None:
        """Why nothing can be answered now; none where the state is fresh enough."""
        return None if self._following.age_ms() <= self._age_ms_max else "stale"

    async def reached(self, after: Position | None, wait_ms: int) -> OutsideDenial | None:
        """The same, once the state covers ``after``, for which it waits at most ``wait_ms``."""
        if after is None:
            return self.outside()
        if after.generation != self._following.position.generation:
            return "wrong_generation"
        if self._following.position.covers(after):
            return self.outside()
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
        return self.outside()
