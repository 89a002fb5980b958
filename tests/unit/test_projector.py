"""The projector: one batch at a time, beside others, and never past what it cannot tell."""

from collections.abc import Sequence

import msgspec
import pytest

from events.streams import READ_RECORDS_MAX, LogRecord, Position, PositionUnavailable
from projections.batch import WrongGeneration, reached_by
from projections.memory_store import MemoryStore
from projections.ports import ReachEntry, StoreConflict
from projections.projector import CATCH_UP_EMPTY_READS_MAX, CatchUpStalled, Projector
from projections.replay import Progress, rebuild
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, begun, day, described, failed, opted_out, told

OTHER_GENERATION = "22222222-2222-4222-8222-222222222222"


class HidingLog(RawLog):
    """A log that does not hand out everything that its end covers, until it has been asked often enough."""

    def __init__(self, empty_reads: int) -> None:
        super().__init__()
        self.empty_reads = empty_reads

    def read(
        self, position: Position, limit: int = READ_RECORDS_MAX, wait_ms: int = 0
    ) -> Sequence[LogRecord]:
        if self.empty_reads > 0:
            self.empty_reads -= 1
            return ()
        return super().read(position, limit, 0)


def test_a_step_reads_at_most_its_limit() -> None:
    """A step folds no more records than its limit, says how many, and 0 once there are none."""
    log = log_of([amended(day(1)), told(day(1)), opted_out(day(2))])
    projector = Projector(log, MemoryStore())
    counts = [projector.step(2) for _ in range(3)]
    assert counts == [2, 2, 0]
    assert projector.position == log.end()


def test_a_fresh_store_begins_at_the_start() -> None:
    """Of an empty store the position is the log's start, and it stays fresh until something is folded."""
    store = MemoryStore()
    log = log_of([])
    projector = Projector(log, store)
    assert projector.position == log.start()
    assert store.checkpoint() is None
    projector.step()
    assert store.checkpoint() == log.end()


def test_the_catalogue_is_there_again_after_a_restart() -> None:
    """A projector that starts on a store that was folded knows the policies without reading the log."""
    log, store = log_of([amended(day(1)), amended(day(2), 2)]), MemoryStore()
    Projector(log, store).catch_up()
    again = Projector(log, store)
    assert [version.version for version in again.catalogue.tenant("acme").standing["website"]] == [1, 2]
    assert again.catalogue.generation == log.generation


def test_repeated_policies_are_kept_once() -> None:
    """A repeated event of the policies' stream is neither kept twice nor taken for a void version."""
    amendment = amended(day(1))
    log, store = log_of([amendment, amendment]), MemoryStore()
    for _ in range(3):
        Projector(log, store).step(1)
    log.put_event(amendment)
    projector = Projector(log, store)
    projector.catch_up()
    assert len(list(store.policies())) == 2
    assert projector.catalogue.tenant("acme").void == ()


def test_another_ledgers_beginning_is_a_fault() -> None:
    """Records that begin another ledger are folded by nobody, and nothing of their batch is saved."""
    log, store = log_of([told(day(1))]), MemoryStore()
    log.put_event(begun(day(2), OTHER_GENERATION))
    projector = Projector(log, store)
    with pytest.raises(WrongGeneration, match="policies/0/1"):
        projector.catch_up()
    assert store.checkpoint() is None
    repeated = log_of([begun(day(2), RawLog().generation)])
    assert Projector(repeated, MemoryStore()).catch_up() == repeated.end()


def test_a_store_of_another_ledger_is_a_fault() -> None:
    """A store that was folded from another ledger is not gone on with: its position is refused."""
    store = MemoryStore()
    Projector(log_of([told(day(1))]), store).catch_up()
    other = log_of([told(day(1))])
    other.shared.generation = OTHER_GENERATION
    with pytest.raises(PositionUnavailable):
        Projector(other, store).step()


def test_a_position_of_another_ledger_is_never_reached() -> None:
    """Catching up to a position of another ledger is refused at once."""
    log = log_of([])
    foreign = Position.of(OTHER_GENERATION, log.end().as_dict().items())
    with pytest.raises(PositionUnavailable, match="another ledger"):
        Projector(log, MemoryStore()).catch_up(foreign)


def test_of_two_projectors_the_slower_gives_way() -> None:
    """A projector whose store has gone on conflicts, saves nothing, and then starts from where it is."""
    log, store = log_of([told(day(1)), opted_out(day(2)), described(day(3))]), MemoryStore()
    slow, fast = Projector(log, store), Projector(log, store)
    fast.step(2)
    with pytest.raises(StoreConflict):
        slow.step(3)
    assert slow.position == fast.position == store.checkpoint()
    assert slow.step() == 2
    assert len(store.history("acme/ana")) == 3
    assert fast.catch_up() == log.end()


def test_a_conflict_without_progress_is_a_fault() -> None:
    """A conflict that nobody's progress explains is told, not tried for ever."""

    class Refusing(MemoryStore):
        def apply(self, change: object) -> None:
            raise StoreConflict("as it stands")

    with pytest.raises(StoreConflict):
        Projector(log_of([]), Refusing()).catch_up()


def test_after_a_fault_the_store_alone_knows() -> None:
    """A store that saved a change and then failed to say so: the next step goes on after that change."""

    class Silent(MemoryStore):
        failures = 1

        def apply(self, change: object) -> None:
            super().apply(change)  # type: ignore[arg-type]  # whatever it is given.
            if self.failures:
                self.failures -= 1
                raise OSError("the answer was lost")

    log, store = log_of([told(day(1)), opted_out(day(2))]), Silent()
    projector = Projector(log, store)
    with pytest.raises(OSError, match="lost"):
        projector.step(2)
    assert projector.catch_up() == log.end()
    assert len(store.history("acme/ana")) == 2


@pytest.mark.parametrize(("empty_reads", "stalls"), [(0, False), (1, True)])
def test_catching_up_gives_up_at_its_limit(empty_reads: int, stalls: bool) -> None:
    """As many empty reads as the limit are waited out; one more is told."""
    log = HidingLog(CATCH_UP_EMPTY_READS_MAX + empty_reads)
    projector = Projector(log, MemoryStore())
    if stalls:
        with pytest.raises(CatchUpStalled):
            projector.catch_up()
    else:
        assert projector.catch_up() == log.end()


def test_catching_up_to_a_position() -> None:
    """Catching up ends once the position is covered; where it is covered already, nothing is read."""
    log = log_of([told(day(1)), opted_out(day(2)), described(day(3))])
    projector = Projector(log, MemoryStore())
    goal = reached_by(log.start(), log.read(log.start(), 3))
    reached = projector.catch_up(goal, limit=1)
    assert reached.covers(goal)
    assert not reached.covers(log.end())
    assert projector.catch_up(log.start()) == reached


def test_reach_follows_what_was_told() -> None:
    """Who was told a later version has that one; of whom the only notice failed there is no entry."""
    events = [amended(day(1)), told(day(1)), told(day(1), "bo"), told(day(2), "ana", 2), failed(day(3), "bo")]
    store = MemoryStore()
    log = log_of(events[:3])
    projector = Projector(log, store)
    projector.catch_up()
    assert list(store.reach("acme", "website")) == [
        ReachEntry("acme/ana", "website", 1),
        ReachEntry("acme/bo", "website", 1),
    ]
    for event in events[3:]:
        log.put_event(event)
    projector.catch_up()
    assert list(store.reach("acme", "website")) == [ReachEntry("acme/ana", "website", 2)]


def test_the_first_of_an_id_stands() -> None:
    """A repeated id with other content changes nothing, in one batch or in two, for that individual alone."""
    first = told(day(1))
    again = msgspec.structs.replace(
        opted_out(day(2)),
        event=msgspec.structs.replace(opted_out(day(2)).event, event_id=first.event.event_id),
    )
    elsewhere = msgspec.structs.replace(again, event=msgspec.structs.replace(again.event, individual="bo"))
    for limit in (1, 10):
        store = MemoryStore()
        Projector(log_of([first, again, elsewhere, again]), store).catch_up(limit=limit)
        assert [entry.recorded_at for entry in store.history("acme/ana")] == [first.recorded_at]
        assert [entry.recorded_at for entry in store.history("acme/bo")] == [day(2)]


def test_a_replay_that_was_interrupted_goes_on() -> None:
    """A replay begins where its store is, and tells how much of the whole is done."""
    log = log_of([told(day(1)), opted_out(day(2)), described(day(3))])
    store = MemoryStore()
    Projector(log, store).step(2)
    progress: list[Progress] = []
    assert rebuild(log, store, progress.append) == log.end()
    assert progress == [Progress(4, 4)]
    assert rebuild(log, store) == log.end()
