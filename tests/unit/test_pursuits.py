"""Pursuits: what a step tells, whoever folded, and whatever fault the step before it ended in."""

import pytest

from consumers.pursuits import Moved, Projecting, Watching
from events.streams import Position, PositionUnavailable
from events.union import Recorded
from ledger.log import LogFault
from projections.memory_store import MemoryStore
from projections.ports import Change, StoreConflict
from projections.projector import Projector
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, day, opted_out, told


class Desk:
    """A log, a store that others fold too, and what was told last."""

    def __init__(self) -> None:
        self.log: RawLog = log_of([amended(day(1)), told(day(2))])
        self.store = MemoryStore()
        self.other = Projector(self.log, self.store)
        self.other.catch_up()

    def record(self, *events: Recorded) -> None:
        """Let more happen."""
        for event in events:
            self.log.put_event(event)


def test_a_fold_here_tells_whom_it_changed() -> None:
    """A step that folds names the individuals of its change, and the position that it leads to."""
    desk = Desk()
    pursuit = Projecting(desk.log, desk.store)
    start = pursuit.position
    assert pursuit.step(start, 0) is None
    desk.record(opted_out(day(3)), told(day(3), "bo"))
    moved = pursuit.step(start, 0)
    assert moved == Moved(desk.log.end(), pursuit.catalogue, frozenset({"acme/ana", "acme/bo"}))
    assert desk.store.checkpoint() == desk.log.end()


def test_a_fold_elsewhere_is_read_from_the_log() -> None:
    """Where another projector was faster the individuals of what it folded are named all the same."""
    desk = Desk()
    pursuit = Projecting(desk.log, desk.store)
    start = pursuit.position
    desk.record(opted_out(day(3)))
    desk.other.catch_up()
    moved = pursuit.step(start, 0)
    assert moved is not None
    assert (moved.position, moved.keys) == (desk.log.end(), frozenset({"acme/ana"}))


def test_an_amendment_changes_nobodys_facts() -> None:
    """A version that is published moves the catalogue, and no individual."""
    desk = Desk()
    for pursuit in (Projecting(desk.log, desk.store), Watching(desk.log, desk.store)):
        start, before = pursuit.position, len(pursuit.catalogue.tenant("acme").standing["website"])
        desk.record(amended(day(5), before + 1))
        if isinstance(pursuit, Watching):
            desk.other = Projector(desk.log, desk.store)
            desk.other.catch_up()
        moved = pursuit.step(start, 0)
        assert moved is not None
        assert moved.keys == frozenset()
        assert len(moved.catalogue.tenant("acme").standing["website"]) == before + 1


class Torn(MemoryStore):
    """A store that saves a change and then does not say so."""

    def apply(self, change: Change) -> None:
        """Save it, and fail."""
        super().apply(change)
        raise LogFault("no answer")


def test_what_was_saved_before_a_fault_is_told_by_the_next_step() -> None:
    """A change that was saved though the step failed is told by the next one: nobody is left out."""
    desk, store = Desk(), Torn()
    Projector(desk.log, MemoryStore()).catch_up()
    pursuit = Projecting(desk.log, store)
    start = pursuit.position
    with pytest.raises(LogFault):
        pursuit.step(start, 0)
    moved = pursuit.step(start, 0)
    assert moved is not None
    assert (moved.position, moved.keys) == (desk.log.end(), frozenset({"acme/ana"}))


def test_what_was_not_heard_is_told_again() -> None:
    """A step is asked from where the last answer was taken in; what got lost in between is named again."""
    desk = Desk()
    pursuit = Projecting(desk.log, desk.store)
    start = pursuit.position
    desk.record(opted_out(day(3)))
    assert pursuit.step(start, 0) is not None
    desk.record(told(day(3), "bo"))
    moved = pursuit.step(start, 0)
    assert moved is not None
    assert "acme/ana" in (moved.keys or ())
    following = pursuit.step(moved.position, 0)
    assert following is not None
    assert following.keys == frozenset({"acme/bo"})


class Contended(MemoryStore):
    """A store whose changes always conflict, though nobody has gone on."""

    def apply(self, change: Change) -> None:
        """Refuse."""
        del change
        raise StoreConflict("another one")


def test_a_conflict_after_which_nothing_moved_is_a_fault() -> None:
    """A conflict is over only where the state has gone on; else it is told, to be tried again later."""
    desk = Desk()
    pursuit = Projecting(desk.log, Contended())
    with pytest.raises(StoreConflict):
        pursuit.step(pursuit.position, 0)


class Beaten(MemoryStore):
    """A store that another projector writes to just before each change of ours."""

    def __init__(self, log: RawLog) -> None:
        super().__init__()
        self.log = log
        self.is_ours = True

    def apply(self, change: Change) -> None:
        """Let the other one go first."""
        if self.is_ours:
            self.is_ours = False
            Projector(self.log, self).catch_up()
        super().apply(change)


def test_a_conflict_that_another_won_is_no_fault() -> None:
    """Where another projector saved the same events first, its work is told as if it were ours."""
    desk = Desk()
    pursuit = Projecting(desk.log, Beaten(desk.log))
    moved = pursuit.step(pursuit.position, 0)
    assert moved is not None
    assert (moved.position, moved.keys) == (desk.log.end(), frozenset({"acme/ana"}))


def test_a_watch_folds_nothing() -> None:
    """What is in the log alone moves nothing; once another process folds it, the step tells of it."""
    desk = Desk()
    pursuit = Watching(desk.log, desk.store)
    start = pursuit.position
    desk.record(opted_out(day(3)))
    assert pursuit.step(start, 1) is None
    assert desk.store.checkpoint() == start
    desk.other.catch_up()
    moved = pursuit.step(start, 1)
    assert moved is not None
    assert (moved.position, moved.keys) == (desk.log.end(), frozenset({"acme/ana"}))
    assert pursuit.step(moved.position, 1) is None


def test_a_watch_of_a_store_that_is_empty_begins_at_the_start() -> None:
    """Before anything is folded the position is the log's start, and nothing is declared."""
    desk = Desk()
    pursuit = Watching(desk.log, MemoryStore())
    assert pursuit.position == desk.log.start()
    assert not pursuit.catalogue.tenants
    assert pursuit.step(pursuit.position, 0) is None


def test_a_state_that_went_back_is_no_state_to_watch() -> None:
    """A store that is behind what was seen of it is another one: what was told could be wrong."""
    desk = Desk()
    pursuit = Watching(desk.log, desk.store)
    ahead = Position.of(desk.log.generation, [(s, o + 1) for s, o in desk.log.end().as_dict().items()])
    with pytest.raises(PositionUnavailable, match="back"):
        pursuit.step(ahead, 0)
