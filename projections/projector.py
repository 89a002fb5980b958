"""The projector: reads a log's records, folds them, and saves state and position in one transaction.

Source: ``architecture.md``, *Projections*. Killed at any point it begins again from the store's checkpoint:
what was saved is not read again, and what was not saved left nothing behind.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from events.catalogue import Catalogue
from events.streams import READ_RECORDS_MAX, LogRecord, Position, PositionUnavailable
from projections.batch import fold_batch, fold_catalogue, reached_by
from projections.ports import Change, EventSource, StateStore, StoreConflict

CATCH_UP_WAIT_MS: Final = 1_000
"""How long one read waits for records that the log's end says are there."""

CATCH_UP_EMPTY_READS_MAX: Final = 30
"""Reads in a row that may come back empty before catching up is given up."""


class CatchUpStalled(Exception):
    """The log does not hand out what its end covers. See whether its brokers are well, then go on."""


class _State(NamedTuple):
    """What the store holds. ``saved`` is its checkpoint, none in a fresh store."""

    saved: Position | None
    position: Position
    catalogue: Catalogue


class Projector:
    """Keeps one store up with one source. For one thread; others read the store meanwhile.

    After any exception it may be used again: it then reads the store's checkpoint and catalogue anew.
    """

    def __init__(
        self, source: EventSource, store: StateStore, on_saved: Callable[[Change], None] | None = None
    ) -> None:
        """Go on from the store's checkpoint, or from the first event where the store is fresh.

        ``on_saved`` is told each change that was saved by this projector, at once. Raises PositionUnavailable
        where the log does not hold what the store has folded.
        """
        self._source = source
        self._store = store
        self._on_saved = on_saved
        self._known: _State | None = None
        self._state()

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, at ``position``."""
        return self._state().catalogue

    @property
    def position(self) -> Position:
        """How far the state reaches, as this projector knows it."""
        return self._state().position

    def step(self, limit: int = READ_RECORDS_MAX, wait_ms: int = 0) -> int:
        """Fold one batch of at most ``limit`` records; the number of records read, 0 where none follow.

        Raises StoreConflict if another projector has gone on (calling again starts from where it is),
        PositionUnavailable, WrongGeneration, and whatever fault the source or the store has.
        """
        state = self._state()
        records = self._source.read(state.position, limit, wait_ms)
        if not records:
            return 0
        with self._store.view() as reads:
            change, catalogue = fold_batch(reads, state.catalogue, state.saved, state.position, records)
        self._known = None  # Until the change is known to be saved, the store alone knows.
        self._store.apply(change)
        self._known = _State(change.reached, change.reached, catalogue)
        if self._on_saved is not None:
            self._on_saved(change)
        return len(records)

    def catch_up(
        self,
        to: Position | None = None,
        *,
        limit: int = READ_RECORDS_MAX,
        on_progress: Callable[[Position], None] | None = None,
    ) -> Position:
        """Fold until the state covers ``to`` (none: the log's end at this moment); where it then is.

        ``on_progress`` is told the position after each batch. Another projector on the same store is welcome
        to do part of the work. Raises CatchUpStalled, and what ``step`` raises but a conflict that is over.
        """
        reached = self.position  # Asked for before the log's end, which can then only be further.
        goal = self._source.end() if to is None else to
        if goal.generation != self._source.generation:
            raise PositionUnavailable("the position is of another ledger; take one from this ledger")
        if to is None:
            _check_held(goal, reached)
        empty_reads = 0
        while not self.position.covers(goal):
            read = self._step_beside_others(limit)
            if on_progress is not None:
                on_progress(self.position)
            empty_reads = 0 if read else empty_reads + 1
            if empty_reads > CATCH_UP_EMPTY_READS_MAX:
                raise CatchUpStalled("the log does not hand out what its end covers; check its brokers")
        return self.position

    def _step_beside_others(self, limit: int) -> int:
        """A step in which a conflict is no fault if it shows that the state has gone on."""
        before = self.position
        try:
            return self.step(limit, CATCH_UP_WAIT_MS)
        except StoreConflict:
            if self.position == before:
                raise
            return 1

    def _state(self) -> _State:
        if self._known is None:
            with self._store.view() as reads:
                saved, latest = reads.checkpoint(), reads.latest()
                catalogue = fold_catalogue(reads.policies())
            if saved is not None:
                _check_held(self._source.end(), saved)
                _check_same(self._source, saved, latest)
            self._known = _State(saved, self._source.start() if saved is None else saved, catalogue)
        return self._known


def _check_held(end: Position, reached: Position) -> None:
    """Refuse a state that has folded what the log does not hold, or another ledger's events.

    Where an older copy of a log was put in the place of a newer one, what is appended next would take the
    offsets of what is lost, and would never be folded: an opt-out among it would be acknowledged in vain.
    """
    if end.generation != reached.generation:
        raise PositionUnavailable("the position belongs to another ledger; rebuild from the first event")
    if not end.covers(reached):
        raise PositionUnavailable("the state reaches beyond the log's end; rebuild from the first event")


def _check_same(source: EventSource, reached: Position, latest: Sequence[LogRecord]) -> None:
    """Refuse a state whose last record of some slice is not what the log has there.

    Two copies of one ledger that went on apart have one generation, and may have one length: the state of
    one of them would pass over the other's opt-outs. Mostly one read, of one record of each slice, and from
    there the log is read on.
    """
    missing = {record.slice: record for record in latest}
    offsets = reached.as_dict() | {record.slice: record.offset for record in latest}
    position = Position.of(reached.generation, offsets.items())
    while missing:
        records = source.read(position, len(missing))
        if not records or any(missing.pop(record.slice, record) != record for record in records):
            raise PositionUnavailable(
                "the state is of other events than the log's; rebuild from the first event"
            )
        position = reached_by(position, records)
