"""Token buckets: how often each of many may do something, in the long run and at once, in bounded memory."""

from collections.abc import Callable
from typing import Final

BUCKETS_MAX: Final = 16_384
"""Buckets of one kind that are kept; beyond them the one that was used longest ago is begun anew."""

_LOOKED_AT: Final = 4
"""Buckets that are looked at for being full again, whenever one is added: so memory shrinks as it grew."""


class Buckets:
    """A bucket for each key, which holds ``burst`` and fills at ``rate_per_s``. For one thread alone."""

    def __init__(self, rate_per_s: float, burst: int, clock_s: Callable[[], float]) -> None:
        """Begin with every bucket full, by a clock that never goes back."""
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._clock_s = clock_s
        self._left: dict[str, tuple[float, float]] = {}
        """What was left in a bucket, and when; the one that was used longest ago is first."""

    def __len__(self) -> int:
        """Buckets that are kept: those that were not full when they were last looked at."""
        return len(self._left)

    def take(self, key: str, amount: int = 1) -> float:
        """Take from a bucket, and answer 0; or take nothing, and answer after how many seconds it would do.

        More than a full bucket holds is taken as a full one, so that nothing has to wait for ever.
        """
        now = self._clock_s()
        kept = self._left.pop(key, None)
        if kept is None:
            self._make_room(now)
            left = self._burst
        else:
            left = min(self._burst, kept[0] + (now - kept[1]) * self._rate_per_s)
        wanted = min(float(amount), self._burst)
        if left >= wanted:
            self._left[key] = (left - wanted, now)
            return 0.0
        self._left[key] = (left, now)
        return (wanted - left) / self._rate_per_s

    def _make_room(self, now: float) -> None:
        """Forget buckets that are full again, a few at a time; and the oldest where there are too many."""
        for key in list(self._first(_LOOKED_AT)):
            left, since = self._left[key]
            if left + (now - since) * self._rate_per_s >= self._burst or len(self._left) >= BUCKETS_MAX:
                del self._left[key]

    def _first(self, count: int) -> list[str]:
        keys = iter(self._left)
        return [key for key, _ in zip(keys, range(count), strict=False)]
