"""Following: who is told what when, how old the state is, and what waits in vain."""

import threading
from collections.abc import Collection

import pytest

from consumers.following import FOLD_WAIT_S, STOP_SEEN_MS, WAITERS_MAX, Following, Standing, TooManyWaiting
from consumers.pursuits import Moved
from events.catalogue import Catalogue
from events.streams import Position, PositionUnavailable
from ledger.log import LogFault
from projections.projector import CatchUpStalled
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, day, opted_out, told

WITHIN_S = 10.0


class Scripted:
    """A pursuit that does what a test says next, and then stays where it is."""

    def __init__(self, position: Position, *acts: Position | Exception) -> None:
        self.position = position
        self.catalogue = Catalogue()
        self.acts = list(acts)
        self.waits: list[int] = []
        self.idle = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def step(self, since: Position, wait_ms: int) -> Moved | None:
        """The next act; once there is none, wait a moment for the test's."""
        self.waits.append(wait_ms)
        self.go_on.wait(WITHIN_S)
        if not self.acts:
            self.idle.set()
            threading.Event().wait(0.001)
            return None
        act = self.acts.pop(0)
        if isinstance(act, Exception):
            raise act
        self.position = act
        return Moved(act, self.catalogue, frozenset({"acme/ana"}))


class Bench:
    """A log of three events, a clock that the test sets, and a following of a scripted pursuit."""

    def __init__(self, *acts: int | Exception, age_ms_max: int = 2_000) -> None:
        self.log: RawLog = log_of([amended(day(1)), told(day(2)), opted_out(day(3))])
        self.now_ms = 0.0
        self.moves: list[tuple[Position, Collection[str] | None, bool]] = []
        self.faults: list[tuple[str, int]] = []
        self.troubled: list[Standing] = []
        steps = [act if isinstance(act, Exception) else self.at(act) for act in acts]
        self.pursuit = Scripted(self.at(0), *steps)
        self.following = Following(
            self.log,
            self.pursuit,
            clock_ms=lambda: self.now_ms,
            age_ms_max=age_ms_max,
            on_moved=self.moved,
            on_fault=self.failed,
        )

    def at(self, events: int) -> Position:
        """The position after so many of Ana's events, and all policies where there is any."""
        end = self.log.end().as_dict()
        offsets = [(slice_, min(events, offset)) for slice_, offset in end.items()]
        return Position.of(self.log.generation, offsets)

    def failed(self, fault: Exception, in_a_row: int) -> None:
        """Note a fault, and how things stand with it."""
        self.faults.append((type(fault).__name__, in_a_row))
        self.troubled.append(self.following.standing())

    def moved(self, position: Position, catalogue: Catalogue, keys: Collection[str] | None) -> None:
        """Note what was told, and whether the following already says so itself."""
        del catalogue
        self.moves.append((position, keys, self.following.position.covers(position)))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("consumers.runner.PAUSE_MS_MIN", 0)


def test_what_changed_is_told_before_the_position() -> None:
    """Whoever keeps facts hears what changed before the position says that the state has moved."""
    bench = Bench(1, 2)
    bench.following.start()
    bench.following.catch_up(bench.at(2))
    bench.following.stop()
    keys = frozenset({"acme/ana"})
    assert bench.moves == [(bench.at(1), keys, False), (bench.at(2), keys, False)]


def test_who_waits_for_a_position_is_called_once_it_is_reached() -> None:
    """A call waits until the position is covered; one that is covered already is made at once."""
    bench = Bench(2)
    bench.pursuit.go_on.clear()
    called = threading.Event()
    bench.following.start()
    bench.following.when(bench.at(2), called.set)
    assert not called.is_set()
    bench.pursuit.go_on.set()
    assert called.wait(WITHIN_S)
    at_once = threading.Event()
    bench.following.when(bench.at(1), at_once.set)
    assert at_once.is_set()
    bench.following.stop()


def test_a_call_that_is_taken_back_is_not_made() -> None:
    """Whoever no longer waits is not called, and its place is free again."""
    bench, called = Bench(2), threading.Event()
    cancel = bench.following.when(bench.at(2), called.set)
    cancel()
    cancel()
    bench.following.start()
    bench.following.catch_up(bench.at(2))
    bench.following.stop()
    assert not called.is_set()


def test_no_more_wait_than_the_limit() -> None:
    """As many calls as the limit wait; one more is refused, until one is taken back."""
    bench = Bench()
    cancels = [bench.following.when(bench.at(2), lambda: None) for _ in range(WAITERS_MAX)]
    with pytest.raises(TooManyWaiting):
        bench.following.when(bench.at(2), lambda: None)
    bench.following.when(bench.at(0), lambda: None)  # Nothing has to wait for this one.
    cancels[0]()
    bench.following.when(bench.at(2), lambda: None)
    with pytest.raises(TooManyWaiting):
        bench.following.when(bench.at(2), lambda: None)


def test_the_age_is_counted_from_before_the_end_was_asked_for() -> None:
    """A state is as fresh as the moment at which the end that it covers was asked for, no fresher."""
    bench = Bench(1, 2)
    assert bench.following.age_ms() == float("inf")
    bench.pursuit.go_on.clear()
    bench.now_ms = 5_000.0
    bench.following.start()
    while not bench.pursuit.waits:
        threading.Event().wait(0.001)
    bench.now_ms = 9_000.0
    bench.pursuit.go_on.set()
    bench.following.catch_up(bench.at(2))
    bench.pursuit.idle.wait(WITHIN_S)
    for _ in range(1_000):  # At the third look the end is asked for again, at nine seconds.
        if bench.following.age_ms() == 0:
            break
        threading.Event().wait(0.005)
    bench.following.stop()
    assert bench.following.age_ms() == 0


def test_a_state_that_is_behind_grows_old() -> None:
    """While the state does not cover the log's end its age grows, whatever it is told of."""
    bench = Bench(1)
    bench.following.start()
    bench.following.catch_up(bench.at(1))
    bench.pursuit.idle.wait(WITHIN_S)
    bench.now_ms = 60_000.0
    standing = bench.following.standing()
    bench.following.stop()
    assert standing.age_ms == float("inf")
    assert standing.end == bench.log.end()
    assert standing.position == bench.at(1)


@pytest.mark.parametrize(
    ("age_ms_max", "wait_ms"),
    [(0, 1), (40, 10), (4 * STOP_SEEN_MS, STOP_SEEN_MS), (3_600_000, STOP_SEEN_MS)],
)
def test_a_step_waits_a_part_of_the_age_that_an_answer_may_have(age_ms_max: int, wait_ms: int) -> None:
    """A state that may be little old is looked at often, so that it stays fresh where nothing happens."""
    bench = Bench(2, age_ms_max=age_ms_max)
    bench.following.start()
    bench.following.catch_up(bench.at(2))
    bench.following.stop()
    assert bench.pursuit.waits[0] == wait_ms


def test_a_fault_that_may_pass_is_told_and_survived() -> None:
    """Faults are tried again; while one lasts it is the trouble, and it is none any more afterwards."""
    bench = Bench(1, LogFault("away"), LogFault("away"), 2)
    bench.following.start()
    bench.following.catch_up(bench.at(2))
    bench.pursuit.idle.wait(WITHIN_S)
    standing = bench.following.standing()
    bench.following.stop()
    assert bench.faults == [("LogFault", 1), ("LogFault", 2)]
    assert (standing.trouble, standing.fault) == (None, None)


def test_trouble_is_to_be_seen_while_it_lasts() -> None:
    """The fault that is being tried again is the trouble, and the age is what it was."""
    bench = Bench(LogFault("away"), 2)
    bench.following.start()
    bench.following.catch_up(bench.at(2))
    bench.following.stop()
    (standing,) = bench.troubled
    assert isinstance(standing.trouble, LogFault)
    assert (standing.fault, standing.age_ms) == (None, float("inf"))


def test_a_fault_that_cannot_pass_ends_it_and_all_waiting() -> None:
    """What ended the following is told, and so is everybody who waits; nobody waits any more after it."""
    bench, called = Bench(PositionUnavailable("a hole")), threading.Event()
    bench.following.when(bench.at(2), called.set)
    bench.following.start()
    assert called.wait(WITHIN_S)
    assert isinstance(bench.following.standing().fault, PositionUnavailable)
    with pytest.raises(CatchUpStalled, match="restart"):
        bench.following.catch_up(bench.at(2))
    with pytest.raises(CatchUpStalled, match="restart"):
        bench.following.catch_up()
    at_once = threading.Event()
    bench.following.when(bench.at(2), at_once.set)
    assert at_once.is_set()
    bench.following.stop()


def test_a_stop_wakes_all_who_wait() -> None:
    """Whoever waits for a position that never comes does not wait for longer than the service lives."""
    bench, called = Bench(), threading.Event()
    bench.following.start()
    bench.following.when(bench.at(2), called.set)
    fault: list[Exception] = []

    def wait() -> None:
        try:
            bench.following.catch_up(bench.at(2))
        except CatchUpStalled as stalled:
            fault.append(stalled)

    waiter = threading.Thread(target=wait)
    waiter.start()
    bench.pursuit.idle.wait(WITHIN_S)
    bench.following.stop()
    waiter.join(FOLD_WAIT_S / 2)
    assert not waiter.is_alive()
    assert len(fault) == 1
    assert called.is_set()


def test_a_following_that_was_never_begun_can_be_stopped() -> None:
    """Where opening a service fails half way, what was not begun ends without a fault."""
    bench = Bench()
    bench.following.stop()
    assert bench.following.position == bench.at(0)


def test_a_wait_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer does not wait for ever until what it appended is folded."""
    monkeypatch.setattr("consumers.following.FOLD_WAIT_S", 0.05)
    bench = Bench()
    bench.following.start()
    with pytest.raises(CatchUpStalled, match="behind"):
        bench.following.catch_up(bench.at(2))
    seen: list[Position] = []
    assert bench.following.catch_up(on_progress=seen.append) == bench.at(0)
    assert bench.following.catch_up(bench.at(0)) == bench.at(0)
    bench.following.stop()
    assert seen == [bench.at(0)]
