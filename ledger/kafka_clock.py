"""Whether this writer's clock agrees with the brokers': one that is more than 2 s off must not write.

``architecture.md``: "a writer more than 2 s off the broker's append time refuses to write". Two sources tell
the brokers' time. Each acknowledgement bears the append time; it speaks after the fact. Before the first
write, and when the clock has jumped, the metadata quorum is asked: its leader reports itself as caught up
*now*. A measurement is an interval, as question and answer take time: only what is off for certain counts.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog

from events.instants import SECOND, Micros
from ledger.kafka_topics import Security, administration
from ledger.log import LogFault

CLOCK_TOLERANCE: Final[Micros] = 2 * SECOND
"""How far a writer's clock may be off the brokers'."""

JUMP_TOLERANCE: Final[Micros] = SECOND // 2
"""How far the clock may part from the monotonic one before the brokers are asked again."""

ASK_AGAIN_S: Final = 1.0
"""Pause between two questions while the clock is off."""

MILLISECOND: Final[Micros] = 1_000

_log: Final = structlog.get_logger(__name__)


class Measurement(msgspec.Struct, frozen=True):
    """How far the writer's clock is ahead of the brokers', at least and at most; negative is behind."""

    ahead_min: Micros
    ahead_max: Micros

    @property
    def is_off(self) -> bool:
        """Whether the clock is off by more than the tolerance for certain."""
        return self.ahead_min > CLOCK_TOLERANCE or self.ahead_max < -CLOCK_TOLERANCE


def measured(before: Micros, broker_ms: int, after: Micros) -> Measurement:
    """The measurement by a broker's time, taken between two readings of the writer's clock.

    The broker tells whole milliseconds, cut off, so its clock may have been up to a millisecond later.
    """
    broker = broker_ms * MILLISECOND
    return Measurement(before - broker - (MILLISECOND - 1), after - broker)


class ClockGuard:
    """Remembers whether the clock agreed, and asks again when it may have changed. Safe from many threads."""

    def __init__(self, clock: Callable[[], Micros], ask_brokers: Callable[[], int]) -> None:
        """``ask_brokers`` tells the brokers' time in milliseconds, or raises LogFault."""
        self._clock = clock
        self._ask_brokers = ask_brokers
        self._lock = threading.Lock()
        self._off: Measurement | None = None
        self._reference: Micros | None = None
        self._asked_at = -ASK_AGAIN_S

    def observe(self, before: Micros, broker_ms: int, after: Micros) -> None:
        """Take note of an append time, from a record handed over and acknowledged between two readings."""
        with self._lock:
            self._note(measured(before, broker_ms, after))

    def refusal(self) -> str | None:
        """Why this writer must not write now, or nothing."""
        with self._lock:
            if self._off is not None or self._has_jumped():
                self._ask()
            return None if self._off is None else _message(self._off)

    def _has_jumped(self) -> bool:
        return self._reference is None or abs(self._lead() - self._reference) > JUMP_TOLERANCE

    def _lead(self) -> Micros:
        """The clock against the monotonic one: it stays the same until somebody sets the clock."""
        return self._clock() - time.monotonic_ns() // 1_000

    def _ask(self) -> None:
        if time.monotonic() - self._asked_at < ASK_AGAIN_S:
            return
        self._asked_at = time.monotonic()
        before = self._clock()
        try:
            broker_ms = self._ask_brokers()
        except LogFault as fault:
            # Nothing was proven: what was known stands, and the next acknowledgement tells.
            _log.warning("kafka_clock_not_compared", error=str(fault))
            return
        self._note(measured(before, broker_ms, self._clock()))

    def _note(self, measurement: Measurement) -> None:
        self._off = measurement if measurement.is_off else None
        self._reference = self._lead()


def quorum_time_ms(brokers: str, security: Security = ()) -> int:
    """The time by the clock of the metadata quorum's leader, in milliseconds. Raises LogFault."""
    with administration(brokers, security) as admin:
        quorum: Any = admin.describe_metadata_quorum()
    partition = quorum["topics"][0]["partitions"][0]
    leader = partition["leader_id"]
    times = [v["last_caught_up_timestamp"] for v in partition["current_voters"] if v["replica_id"] == leader]
    if not times or times[0] <= 0:
        raise LogFault("the metadata quorum does not tell its time; Kafka 3.5 or newer does")
    return int(times[0])


def _message(off: Measurement) -> str:
    seconds = off.ahead_min / SECOND if off.ahead_min > 0 else -off.ahead_max / SECOND
    direction = "ahead of" if off.ahead_min > 0 else "behind"
    return (
        f"this machine's clock is at least {seconds:.1f} s {direction} the brokers'; set it, then try again"
    )
