"""The rule of the Kafka adapter that needs no broker: when a clock is off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.instants import SECOND, Micros
from ledger.kafka_clock import CLOCK_TOLERANCE, JUMP_TOLERANCE, ClockGuard, Measurement, measured
from ledger.log import LogFault

MILLISECOND: Micros = 1_000


def test_a_clock_within_the_tolerance_is_not_off() -> None:
    """Exactly 2 s ahead for certain, or 2 s behind, is not off; a microsecond more is."""
    assert not Measurement(CLOCK_TOLERANCE, CLOCK_TOLERANCE + SECOND).is_off
    assert Measurement(CLOCK_TOLERANCE + 1, CLOCK_TOLERANCE + SECOND).is_off
    assert not Measurement(-CLOCK_TOLERANCE - SECOND, -CLOCK_TOLERANCE).is_off
    assert Measurement(-CLOCK_TOLERANCE - SECOND, -CLOCK_TOLERANCE - 1).is_off


def test_only_what_is_certain_counts() -> None:
    """An answer that took long leaves the clock's error uncertain, and an uncertain clock is not off."""
    slow = measured(100 * SECOND, 130_000, 160 * SECOND)
    assert slow == Measurement(-30 * SECOND - 999, 30 * SECOND)
    assert not slow.is_off


def test_the_broker_tells_whole_milliseconds() -> None:
    """The broker's millisecond may have been any microsecond of it."""
    assert measured(5 * MILLISECOND, 5, 5 * MILLISECOND) == Measurement(-999, 0)


@given(
    st.integers(-10 * SECOND, 10 * SECOND),
    st.integers(0, 999),
    st.integers(0, SECOND),
    st.integers(0, SECOND),
)
def test_the_true_error_is_within_the_measurement(ahead: int, cut: int, there: int, back: int) -> None:
    """However the broker's time is cut off and however long it takes, the interval holds the true error."""
    broker = 1_700_000_000 * SECOND + cut
    measurement = measured(broker + ahead - there, broker // MILLISECOND, broker + ahead + back)
    assert measurement.ahead_min <= ahead <= measurement.ahead_max


class Bench:
    """A clock that may be set, brokers whose time may be off or not be had, and a count of the questions."""

    def __init__(self) -> None:
        self.reading: Micros = 1_000 * SECOND
        self.broker_ms = 1_000_000
        self.is_away = False
        self.asked = 0
        self.guard = ClockGuard(lambda: self.reading, self.ask)

    def ask(self) -> int:
        """The brokers' time, or a fault."""
        self.asked += 1
        if self.is_away:
            raise LogFault("away")
        return self.broker_ms


def test_the_brokers_are_asked_once() -> None:
    """Before the first write the brokers are asked; while the clock runs evenly they are not asked again."""
    bench = Bench()
    assert [bench.guard.refusal() for _ in range(3)] == [None, None, None]
    assert bench.asked == 1


@pytest.mark.parametrize("direction", [1, -1])
def test_a_jump_is_asked_about(direction: int) -> None:
    """A clock that is set by more than the jump's tolerance makes the guard ask, and is found out."""
    bench = Bench()
    bench.guard.observe(bench.reading, bench.broker_ms, bench.reading)
    bench.reading += direction * (CLOCK_TOLERANCE + JUMP_TOLERANCE)
    refusal = bench.guard.refusal()
    assert refusal is not None
    assert ("ahead of" if direction > 0 else "behind") in refusal
    assert bench.asked == 1


def test_an_acknowledgement_is_enough_to_be_found_out() -> None:
    """Where the brokers cannot be asked, an append time that is far off stops the next write."""
    bench = Bench()
    bench.is_away = True
    assert bench.guard.refusal() is None
    bench.guard.observe(bench.reading, bench.broker_ms - 10_000, bench.reading)
    assert bench.guard.refusal() is not None


def test_a_clock_that_agrees_again_may_write() -> None:
    """An append time that agrees ends the refusal."""
    bench = Bench()
    bench.guard.observe(bench.reading, bench.broker_ms - 10_000, bench.reading)
    bench.guard.observe(bench.reading, bench.broker_ms, bench.reading)
    assert bench.guard.refusal() is None
