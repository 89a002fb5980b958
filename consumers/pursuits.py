"""Pursuits: how the state of this process's readers goes on, by folding it here or by another process.

Either way a step tells how far the state has come, and whose facts that may have changed.
"""

import threading
from typing import Final, NamedTuple, Protocol

from events.catalogue import Catalogue
from events.streams import READ_RECORDS_MAX, Position, PositionUnavailable
from projections.batch import fold_catalogue
from projections.changed_keys import keys_between, keys_of_change
from projections.ports import Change, EventSource, StateStore, StoreConflict
from projections.projector import Projector
from projections.reader import policies_reached

LOOK_INTERVAL_MS: Final = 10
"""How long a state that another process folds is left alone between two looks at how far it is."""


class Moved(NamedTuple):
    """The state has come to ``position``. ``keys`` may have changed on the way; none: anybody's may have."""

    position: Position
    catalogue: Catalogue
    keys: frozenset[str] | None


class Pursuit(Protocol):
    """What a state's way on is.

    1. ``step`` must tell of every individual whose facts or quarantine differ between ``since`` and the
       position that it answers, whoever folded what lies between, and whatever fault the last step ended in.
    2. It must answer none where the state is still at ``since``, after at most about ``wait_ms``.
    3. What it answers must be saved, so that whoever reads the store finds at least that.
    """

    @property
    def position(self) -> Position:
        """How far the state is now."""
        ...

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, at ``position``."""
        ...

    def step(self, since: Position, wait_ms: int) -> Moved | None:
        """Go on from ``since``, or see how far another has gone. Raises the faults of source and store."""
        ...


class Projecting:
    """Folds what the log holds, here. Another projector on the same store is welcome. For one thread."""

    def __init__(self, source: EventSource, store: StateStore) -> None:
        """Go on from the store's checkpoint. Raises PositionUnavailable (see ``Projector``)."""
        self._source = source
        self._changes: list[Change] = []
        self._projector = Projector(source, store, self._changes.append)

    @property
    def position(self) -> Position:
        """How far the state is."""
        return self._projector.position

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, at ``position``."""
        return self._projector.catalogue

    def step(self, since: Position, wait_ms: int) -> Moved | None:
        """Fold one batch, or learn how far another projector has come."""
        if self._projector.position != since:
            return self._jumped(since)
        self._changes.clear()
        try:
            self._projector.step(READ_RECORDS_MAX, wait_ms)
        except StoreConflict:
            if self._projector.position == since:
                raise
            return self._jumped(since)
        if not self._changes:
            return None
        return Moved(self.position, self.catalogue, keys_of_change(self._changes[0]))

    def _jumped(self, since: Position) -> Moved:
        return Moved(self.position, self.catalogue, keys_between(self._source, since, self.position))


class Watching:
    """Looks at a state that another process folds, and folds nothing itself. For one thread."""

    def __init__(self, source: EventSource, store: StateStore) -> None:
        """Begin where the store is. That it is a state of this very log is for a projector to see to."""
        self._source = source
        self._store = store
        self._pause = threading.Event()
        self._seen: tuple[Position | None, Catalogue] = (None, Catalogue())
        self._look()

    @property
    def position(self) -> Position:
        """How far the state was at the last look."""
        return self._seen[0] or self._source.start()

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, at ``position``."""
        return self._seen[1]

    def step(self, since: Position, wait_ms: int) -> Moved | None:
        """Look; where nothing has moved, wait a little."""
        self._look()
        if self.position == since:
            self._pause.wait(min(wait_ms, LOOK_INTERVAL_MS) / 1_000)
            return None
        if not self.position.covers(since):
            raise PositionUnavailable("the state has gone back; restart what reads it")
        return Moved(self.position, self.catalogue, keys_between(self._source, since, self.position))

    def _look(self) -> None:
        """Read how far the state is; the policies only where their stream has gone on."""
        before, catalogue = self._seen
        with self._store.view() as reads:
            checkpoint = reads.checkpoint()
            if policies_reached(checkpoint) != policies_reached(before):
                catalogue = fold_catalogue(reads.policies())
        self._seen = (checkpoint, catalogue)
