"""Disks that fail under an embedded log: every outcome is true, also where nobody can know it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from events.streams import PositionUnavailable
from ledger.log import Acknowledged, LogFault, Outcome, Rejected, Unknown
from ledger.sqlite_file import BusyWait
from ledger.sqlite_log import SqliteLog
from ledger.sqlite_writer import COMMIT_ATTEMPTS_MAX
from tests.contract.event_log_contract import InterruptedLogContract
from tests.contract.log_workshop import Workshop
from tests.contract.sample_events import choice, event_of_size, new_id
from tests.simulation.disks import BreakableDisk, Step, watched_disk
from tests.simulation.embedded_trial import LOG_FILE, append, held, now, open_log, told

FULL = apsw.FullError("no room")
BROKEN = apsw.IOError("it ticks no more")


@pytest.fixture
def breakable() -> BreakableDisk:
    """The fault of a disk, to be set."""
    return BreakableDisk()


@pytest.fixture
def disk(breakable: BreakableDisk) -> Iterator[str]:
    """The name of a disk that can be broken."""
    with watched_disk("breakable", breakable) as made:
        yield made.name


@pytest.fixture
def log(tmp_path: Path, disk: str) -> Iterator[SqliteLog]:
    """A log on that disk."""
    made = open_log(tmp_path, disk)
    yield made
    made.close()


@pytest.fixture(params=[FULL, BROKEN], ids=["full", "broken"])
def workshop(
    request: pytest.FixtureRequest, tmp_path: Path, breakable: BreakableDisk, disk: str
) -> Iterator[Workshop]:
    """Handles on one log, whose disk fails while it is interrupted."""

    @contextmanager
    def interrupted() -> Iterator[None]:
        breakable.fault = request.param
        yield
        breakable.fault = None

    made = Workshop(lambda clock: SqliteLog(tmp_path / LOG_FILE, clock, new_id, disk), interrupted)
    yield made
    made.close()


class TestBrokenDisk(InterruptedLogContract):
    """``SqliteLog`` tells the truth through a full disk and a broken one."""


class FailingAWhile(BreakableDisk):
    """A disk that fails at so many syncs and is well again."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.kinds = frozenset({"sync"})
        self.fault = BROKEN
        self._times = times

    def __call__(self, step: Step) -> None:
        if self.refusals == self._times:
            self.fault = None
        super().__call__(step)


def one(outcomes: tuple[Outcome, ...]) -> Outcome:
    """The only outcome."""
    (outcome,) = outcomes
    return outcome


def test_a_commit_that_fails_too_often_is_unknown(tmp_path: Path) -> None:
    """When a commit has failed ``COMMIT_ATTEMPTS_MAX`` times, its events end unknown, and nothing goes on
    trying.
    """
    open_log(tmp_path).close()
    failing = FailingAWhile(COMMIT_ATTEMPTS_MAX)
    with watched_disk("failing-twice", failing) as disk:
        log = open_log(tmp_path, disk.name)
        assert isinstance(one(append(log, (choice(now()),))), Unknown)
        assert failing.refusals == COMMIT_ATTEMPTS_MAX
        log.close()


def test_a_commit_that_fails_once_is_settled(tmp_path: Path) -> None:
    """When a commit fails and the last attempt succeeds, the event is acknowledged, and stands once."""
    open_log(tmp_path).close()
    failing = FailingAWhile(COMMIT_ATTEMPTS_MAX - 1)
    with watched_disk("failing-once", failing) as disk:
        log = open_log(tmp_path, disk.name)
        event = choice(now())
        event_id, _ = told(one(append(log, (event,))))
        log.close()
    assert failing.refusals == COMMIT_ATTEMPTS_MAX - 1
    assert held(tmp_path)[event_id][0] == event


def test_what_ends_unknown_may_come_alive(tmp_path: Path, log: SqliteLog, breakable: BreakableDisk) -> None:
    """An event whose commit failed at its sync stands in the log when this is recovered after a crash:
    *rejected* would have been a lie, and so would *acknowledged*.
    """
    event, before = choice(now()), log.end()
    breakable.kinds = frozenset({"sync"})
    breakable.fault = BROKEN
    outcome = one(append(log, (event,)))
    assert isinstance(outcome, Unknown)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in (LOG_FILE, f"{LOG_FILE}-wal"):
        shutil.copy(tmp_path / name, crashed / name)
    assert event.event_id in held(crashed)
    breakable.fault = None
    assert log.end() == before
    assert isinstance(one(append(log, (choice(now()),))), Acknowledged)
    log.close()
    assert event.event_id not in held(tmp_path)


class FailingWorse(BreakableDisk):
    """A disk that fails at its first sync, and from then on at every write."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds = frozenset({"sync"})

    def __call__(self, step: Step) -> None:
        if self.refusals:
            self.kinds = frozenset({"write"})
        super().__call__(step)


def test_what_cannot_be_settled_is_unknown(tmp_path: Path) -> None:
    """When a commit has failed, and the attempt to settle it does not even come to a commit, its events
    are unknown: they are not rejected, although the second attempt alone would have been.
    """
    open_log(tmp_path).close()
    failing = FailingWorse()
    with watched_disk("failing-worse", failing) as disk:
        log = open_log(tmp_path, disk.name)
        log._writer._connection.execute("PRAGMA cache_size = 10")
        append(log, (choice(now()),))
        failing.fault = BROKEN
        events = tuple(choice(now(), f"p-{number}", "x." * 60 + "y") for number in range(500))
        assert {type(outcome) for outcome in append(log, events)} == {Unknown}
        assert failing.refusals > 1
        failing.fault = None
        log.close()


def test_what_was_refused_remains_refused_when_the_commit_fails(
    log: SqliteLog, breakable: BreakableDisk
) -> None:
    """Of an append whose commit fails, what would have been rejected anyway is rejected, and the rest
    unknown.
    """
    breakable.fault = BROKEN
    good, bad = append(log, (choice(now()), choice(now() + 10**9)))
    assert isinstance(good, Unknown)
    assert isinstance(bad, Rejected)
    breakable.fault = None


def test_a_disk_that_fills_up_before_the_commit_rejects(
    tmp_path: Path, log: SqliteLog, breakable: BreakableDisk
) -> None:
    """A transaction too large for memory meets the full disk before its commit: nothing of it is stored,
    which is told as ``storage``; a small one is taken as soon as there is room.
    """
    log._writer._connection.execute("PRAGMA cache_size = 10")
    breakable.fault = FULL
    large = event_of_size(now(), 60_000)
    events = tuple(choice(now(), f"p-{number}", "x." * 60 + "y") for number in range(500))
    outcomes = append(log, (*events, large))
    assert {(type(outcome), getattr(outcome, "reason", "")) for outcome in outcomes} == {
        (Rejected, "storage")
    }
    assert all("free space" in outcome.message for outcome in outcomes if isinstance(outcome, Rejected))
    breakable.fault = None
    assert isinstance(one(append(log, (events[0],))), Acknowledged)
    log.close()
    assert len(held(tmp_path)) == 2


def test_a_log_held_by_another_process_refuses(tmp_path: Path, log: SqliteLog) -> None:
    """When another process writes for longer than the patience, an append is ``overloaded``; then it is
    taken.
    """
    log._writer._connection.set_busy_handler(BusyWait(0.05))
    holder = apsw.Connection(str(tmp_path / LOG_FILE))
    holder.execute("BEGIN IMMEDIATE")
    outcome = one(append(log, (choice(now()),)))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, "another process" in outcome.message) == ("overloaded", True)
    holder.execute("ROLLBACK")
    holder.close()
    assert isinstance(one(append(log, (choice(now()),))), Acknowledged)


def test_a_repetition_of_what_cannot_be_read_is_unknown(tmp_path: Path, log: SqliteLog) -> None:
    """Where the record of an id cannot be read, nobody can tell whether it is the same event."""
    event = choice(now())
    append(log, (event,))
    wound(tmp_path, "UPDATE individuals SET value = x'c301'")
    outcome = one(append(log, (event,)))
    assert isinstance(outcome, Unknown)
    assert "doctor" in outcome.message


def test_a_file_that_refuses_rows_for_another_reason_is_damaged(tmp_path: Path, log: SqliteLog) -> None:
    """A constraint that is not ours, such as somebody's trigger, is told as ``storage``; nothing is
    stored.
    """
    wound(tmp_path, "CREATE TRIGGER t BEFORE INSERT ON individuals BEGIN SELECT raise(ABORT, 'no'); END")
    outcome = one(append(log, (choice(now()),)))
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "storage"
    assert log.end().as_dict()[log.slice_of(b"")] == 0


def test_a_hole_is_never_skipped(tmp_path: Path, log: SqliteLog) -> None:
    """A log that lacks a record in the middle raises ``PositionUnavailable`` for those who read across it."""
    append(log, tuple(choice(now(), f"p-{number}") for number in range(5)))
    wound(tmp_path, "DELETE FROM individuals WHERE offset = 2")
    with pytest.raises(PositionUnavailable, match="hole"):
        log.read(log.start())


def test_a_disk_that_cannot_be_read_is_a_fault(tmp_path: Path, log: SqliteLog) -> None:
    """What keeps a reader from reading is a LogFault that says what to do, and the next read works again."""
    append(log, (choice(now()),))
    wound(tmp_path, "ALTER TABLE individuals RENAME TO elsewhere")
    with pytest.raises(LogFault, match="cannot be used"):
        log.read(log.start())
    wound(tmp_path, "ALTER TABLE elsewhere RENAME TO individuals")
    assert len(log.read(log.start())) == 2


def wound(folder: Path, statement: str) -> None:
    """Do to the file what none of us would."""
    connection = apsw.Connection(str(folder / LOG_FILE))
    connection.execute(statement)
    connection.close()
