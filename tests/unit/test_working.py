"""Working: every worker in a thread of its own, all of them ended together."""

import threading

import pytest

from consumers.working import Folding, Worker, work
from events.streams import PositionUnavailable
from ledger.log import LogFault
from projections.memory_store import MemoryStore
from projections.ports import Change, StoreConflict
from projections.projector import Projector
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, day, opted_out, told

WITHIN_S = 10.0


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("consumers.runner.PAUSE_MS_MIN", 0)


def test_all_of_them_work_at_the_same_time() -> None:
    """Workers do not wait for each other, and end once they are told to."""
    stop, together = threading.Event(), threading.Barrier(3)

    def step(*, wait_ms: int) -> int:
        together.wait(wait_ms + WITHIN_S)
        stop.set()
        return 0

    work([Worker(name, step) for name in "abc"], stop)
    assert not together.broken


def test_what_ends_one_of_them_ends_all() -> None:
    """A fault that cannot pass stops the others, and is what the work ends in."""
    stop = threading.Event()

    def fails(*, wait_ms: int) -> int:
        raise PositionUnavailable(f"a hole after {wait_ms}")

    def waits(*, wait_ms: int) -> int:
        stop.wait(wait_ms / 1_000)
        return 0

    with pytest.raises(PositionUnavailable):
        work([Worker("waits", waits), Worker("fails", fails)], stop)
    assert stop.is_set()


def test_faults_that_may_pass_are_told_with_the_workers_name() -> None:
    """Whoever looks after the work hears which worker has which trouble, and how often in a row."""
    stop, heard = threading.Event(), list[tuple[str, str, int]]()
    acts: list[Exception | None] = [LogFault("away"), LogFault("away"), None]

    def step(*, wait_ms: int) -> int:
        del wait_ms
        act = acts.pop(0)
        if act is not None:
            raise act
        stop.set()
        return 1

    work(
        [Worker("a", step)],
        stop,
        lambda name, fault, count: heard.append((name, type(fault).__name__, count)),
    )
    assert heard == [("a", "LogFault", 1), ("a", "LogFault", 2)]
    acts[:] = [LogFault("away"), None]
    stop.clear()
    work([Worker("a", step)], stop)
    assert acts == []


class Unmoved(MemoryStore):
    """A store whose changes conflict with nobody's."""

    def apply(self, change: Change) -> None:
        """Refuse."""
        del change
        raise StoreConflict("nobody")


class Overtaken(MemoryStore):
    """A store that another projector brings to the log's end just before our first change."""

    def __init__(self, log: RawLog) -> None:
        super().__init__()
        self._log: RawLog | None = log

    def apply(self, change: Change) -> None:
        """Let the other go first."""
        log, self._log = self._log, None
        if log is not None:
            Projector(log, self).catch_up()
        super().apply(change)


def test_what_is_folded_is_counted() -> None:
    """Each record that was folded here counts once."""
    log = log_of([amended(day(1)), told(day(2))])
    folding = Folding(log, MemoryStore())
    assert folding.step(wait_ms=0) == 3  # The ledger's beginning is one too.
    log.put_event(opted_out(day(3)))
    assert [folding.step(wait_ms=0) for _ in range(2)] == [1, 0]
    assert folding.folded == 4


def test_what_another_folded_meanwhile_is_no_fault() -> None:
    """A command that folded the same events first has done the work: nothing is told, nothing counted."""
    log = log_of([amended(day(1)), told(day(2))])
    store = Overtaken(log)
    folding = Folding(log, store)
    assert folding.step(wait_ms=0) == 0
    assert (folding.folded, store.checkpoint()) == (0, log.end())


def test_a_conflict_with_nobody_is_a_fault() -> None:
    """A conflict after which the state is where it was is told, and tried again."""
    with pytest.raises(StoreConflict):
        Folding(log_of([told(day(2))]), Unmoved()).step(wait_ms=0)
