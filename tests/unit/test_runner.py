"""The runner goes on through faults that may pass, and ends with those that do not."""

import threading

import pytest

from consumers.runner import (
    PAUSE_MS_MAX,
    PAUSE_MS_MIN,
    READ_WAIT_MS,
    pause_ms,
    run,
)
from events.streams import PositionUnavailable
from ledger.log import LogFault
from projections.ports import StoreConflict, StoreFault

FAULTS_IN_A_ROW = 1_000


class Script:
    """A step that plays what a test has written, and stops the run after it."""

    def __init__(self, *acts: int | Exception) -> None:
        self.acts = list(acts)
        self.stop = threading.Event()
        self.waits: list[int] = []
        self.told: list[tuple[str, int]] = []

    def __call__(self, *, wait_ms: int) -> int:
        self.waits.append(wait_ms)
        act = self.acts.pop(0)
        if not self.acts:
            self.stop.set()
        if isinstance(act, Exception):
            raise act
        return act

    def tell(self, fault: Exception, in_a_row: int) -> None:
        """Note a fault that is tried again."""
        self.told.append((type(fault).__name__, in_a_row))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once: how long a pause is has a test of its own."""
    monkeypatch.setattr("consumers.runner.PAUSE_MS_MIN", 0)


def test_it_steps_until_it_is_stopped() -> None:
    """The run steps, waiting in each for records, until the stop is set."""
    script = Script(3, 0, 2)
    run(script, script.stop)
    assert script.waits == [READ_WAIT_MS] * 3


def test_a_stop_before_the_first_step() -> None:
    """A run that is stopped already does nothing."""
    script = Script(1)
    script.stop.set()
    run(script, script.stop)
    assert script.waits == []


def test_faults_that_may_pass_are_tried_again() -> None:
    """Each such fault is told with its number in a row, which a step that succeeds sets back."""
    script = Script(StoreConflict(), LogFault(), 1, StoreFault(), OSError(), 0)
    run(script, script.stop, script.tell)
    assert script.told == [("StoreConflict", 1), ("LogFault", 2), ("StoreFault", 1), ("OSError", 2)]


def test_faults_are_tried_again_for_as_long_as_they_last() -> None:
    """However many faults come in a row, the run goes on, and is well once they are over."""
    script = Script(*[LogFault() for _ in range(FAULTS_IN_A_ROW)], 1)
    run(script, script.stop, script.tell)
    assert script.acts == []
    assert script.told[-1] == ("LogFault", FAULTS_IN_A_ROW)


def test_a_fault_that_cannot_pass_ends_the_run_at_once() -> None:
    """A hole in the log is no fault to wait out."""
    script = Script(1, PositionUnavailable(), 1)
    with pytest.raises(PositionUnavailable):
        run(script, script.stop, script.tell)
    assert script.told == []


def test_pauses_double_between_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pause is the least, each further one doubles it, and none is longer than the greatest."""
    monkeypatch.setattr("consumers.runner.PAUSE_MS_MIN", PAUSE_MS_MIN)
    pauses = [pause_ms(faults) for faults in (*range(1, 12), FAULTS_IN_A_ROW)]
    assert pauses[:3] == [PAUSE_MS_MIN, 2 * PAUSE_MS_MIN, 4 * PAUSE_MS_MIN]
    assert pauses[-1] == PAUSE_MS_MAX == max(pauses)
