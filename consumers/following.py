"""Following: a state kept in sight by a thread of its own, how fresh it is, and who waits for what.

Others use the state meanwhile; what they recorded themselves they wait for here. Source: ``architecture.md``,
*Fresh enough, or no*.
"""

import threading
from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from consumers.pursuits import Moved, Pursuit
from consumers.runner import READ_WAIT_MS, run
from events.catalogue import Catalogue
from events.streams import Position
from projections.ports import EventSource
from projections.projector import CatchUpStalled

FOLD_WAIT_S: Final = 10.0
"""How long a writer waits until what it appended is folded."""

WAITERS_MAX: Final = 1_000
"""Calls that wait for a position at one time; a further one is refused."""

ASKED_AGAIN_PER_AGE: Final = 4
"""How often the log's end is asked for in the time that an answer may be old."""

STOP_SEEN_MS: Final = 100
"""How long one step waits for something to happen, and so how long a stop may take to be seen."""

OnMoved = Callable[[Position, Catalogue, Collection[str] | None], None]
"""Told how far the state is, its catalogue, and whose facts may have changed (none: anybody's)."""


class TooManyWaiting(Exception):
    """More calls wait for a position than may: ``limit``. Try again later, or without a position."""

    def __init__(self, limit: int = WAITERS_MAX) -> None:
        """Say how many may."""
        super().__init__(f"{limit} calls wait for a position already; try again later")
        self.limit = limit


class Standing(NamedTuple):
    """How the following stands. ``end`` is the log's end when it was last asked for; ``age_ms`` how long ago
    the state was last known to hold all that the log held; ``trouble`` the fault that is being tried again;
    ``fault`` the one that ended it.
    """

    position: Position
    end: Position | None
    age_ms: float
    trouble: Exception | None
    fault: Exception | None


class _Goal(NamedTuple):
    """Once the state covers ``end`` it is as fresh as the moment at which that was asked for."""

    asked_at_ms: float
    end: Position


class Following:
    """Keeps a state in sight from ``start`` to ``stop``. Everything else is safe from many threads.

    1. ``on_moved`` has returned before ``position`` says that the state has moved, and before anybody who
       waits for that position is told.
    2. Faults that may pass are tried again for as long as they last; meanwhile the age grows.
    3. Whoever waits is told when the following ends, too.
    """

    def __init__(
        self,
        source: EventSource,
        pursuit: Pursuit,
        *,
        clock_ms: Callable[[], float],
        age_ms_max: int,
        on_moved: OnMoved | None = None,
        on_fault: Callable[[Exception, int], None] | None = None,
    ) -> None:
        """Follow by ``pursuit`` a state of what ``source`` holds, to be no older than ``age_ms_max``.

        ``clock_ms`` is monotonic; ``on_fault`` is told what is tried again, and how often it was in a row.
        """
        self._source = source
        self._pursuit = pursuit
        self._clock_ms = clock_ms
        self._ask_after_ms = max(1, min(READ_WAIT_MS, age_ms_max // ASKED_AGAIN_PER_AGE))
        self._wait_ms = min(STOP_SEEN_MS, self._ask_after_ms)
        self._on_moved = on_moved
        self._on_fault = on_fault
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[Position, Callable[[], None]]] = {}
        self._next_waiting = 0
        self._position = pursuit.position
        self._catalogue = pursuit.catalogue
        self._goal: _Goal | None = None
        self._end: Position | None = None
        self._fresh_at_ms = -float("inf")
        self._trouble: Exception | None = None
        self._fault: Exception | None = None
        self._has_ended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    @property
    def position(self) -> Position:
        """How far the state reaches."""
        return self._position

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, at ``position`` or later."""
        return self._catalogue

    def age_ms(self) -> float:
        """How long ago the state was last known to hold all that the log held, in milliseconds."""
        return self._clock_ms() - self._fresh_at_ms

    def standing(self) -> Standing:
        """How it stands, for those who watch over it."""
        return Standing(self._position, self._end, self.age_ms(), self._trouble, self._fault)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Follow no more, tell all who wait, and wait until the thread has ended."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def catch_up(
        self, to: Position | None = None, *, on_progress: Callable[[Position], None] | None = None
    ) -> Position:
        """Wait until the state covers ``to``; with none nothing is waited for.

        Raises CatchUpStalled where that takes too long, and where nothing is followed any more.
        """
        with self._changed:
            if to is not None:
                self._changed.wait_for(lambda: self._has_ended or self._position.covers(to), FOLD_WAIT_S)
            if self._has_ended and (to is None or not self._position.covers(to)):
                raise CatchUpStalled("the state is not kept up any more; restart the service")
            if to is not None and not self._position.covers(to):
                raise CatchUpStalled("the state is behind the log; see whether it is being folded")
        if on_progress is not None:
            on_progress(self._position)
        return self._position

    def when(self, position: Position, call: Callable[[], None]) -> Callable[[], None]:
        """Call once the state covers a position, or nothing is followed any more; at once where that is so.

        The answer takes it back. ``call`` must be quick. Raises TooManyWaiting.
        """
        with self._changed:
            number = self._next_waiting
            is_due = self._has_ended or self._position.covers(position)
            if not is_due:
                if len(self._waiting) >= WAITERS_MAX:
                    raise TooManyWaiting
                self._next_waiting += 1
                self._waiting[number] = (position, call)
        if is_due:
            call()
        return lambda: self._take_back(number)

    def _take_back(self, number: int) -> None:
        with self._changed:
            self._waiting.pop(number, None)

    def _run(self) -> None:
        try:
            run(self._step, self._stop, self._tell_fault)
        except Exception as fault:  # noqa: BLE001 - told to whoever asks how the service is
            self._fault = fault
        with self._changed:
            self._has_ended = True
        self._tell()

    def _tell_fault(self, fault: Exception, in_a_row: int) -> None:
        self._trouble = fault
        if self._on_fault is not None:
            self._on_fault(fault, in_a_row)

    def _step(self, *, wait_ms: int = READ_WAIT_MS) -> int:
        if self._goal is None and self.age_ms() >= self._ask_after_ms:
            # The clock is read first: what is appended after the end was asked for is newer than that.
            self._goal = _Goal(self._clock_ms(), self._source.end())
            self._end = self._goal.end
            self._heed_goal()
        moved = self._pursuit.step(self._position, min(wait_ms, self._wait_ms))
        if moved is not None:
            self._take(moved)
        self._heed_goal()
        self._trouble = None
        return 0 if moved is None else 1

    def _take(self, moved: Moved) -> None:
        if self._on_moved is not None:
            self._on_moved(moved.position, moved.catalogue, moved.keys)
        with self._changed:
            self._position, self._catalogue = moved.position, moved.catalogue
        self._tell()

    def _heed_goal(self) -> None:
        if self._goal is not None and self._position.covers(self._goal.end):
            self._fresh_at_ms = self._goal.asked_at_ms
            self._goal = None

    def _tell(self) -> None:
        """Wake all whose position is reached; all there are, once nothing is followed any more."""
        with self._changed:
            self._changed.notify_all()
            due = [
                number
                for number, (position, _) in self._waiting.items()
                if self._has_ended or self._position.covers(position)
            ]
            calls = [self._waiting.pop(number)[1] for number in due]
        for call in calls:
            call()
