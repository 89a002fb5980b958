"""Following: a projection kept up by a thread of its own, how fresh it is, and who waits for what.

Others use the state meanwhile; what they recorded themselves they wait for here.
"""

import threading
from collections.abc import Callable
from typing import Final

from consumers.runner import READ_WAIT_MS, run
from events.catalogue import Catalogue
from events.streams import READ_RECORDS_MAX, Position
from projections.ports import EventSource
from projections.projector import CatchUpStalled, Projector

FOLD_WAIT_S: Final = 10.0
"""How long a writer waits until what it appended is folded."""


class Following:
    """Keeps a projector's state up with its log from ``start`` to ``stop``."""

    def __init__(
        self,
        source: EventSource,
        projector: Projector,
        clock_ms: Callable[[], float],
        on_fault: Callable[[Exception, int], None] | None = None,
    ) -> None:
        """Follow ``source``. ``clock_ms`` is monotonic; ``on_fault`` is told what is tried again."""
        self._source = source
        self._projector = projector
        self._clock_ms = clock_ms
        self._on_fault = on_fault
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[Position, Callable[[], None]]] = {}
        self._next_waiting = 0
        self._position = projector.position
        self._catalogue = projector.catalogue
        self._fresh_at_ms = -float("inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)
        self.fault: Exception | None = None

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

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Follow no more, and wait until the thread has ended."""
        self._stop.set()
        self._thread.join()

    def catch_up(
        self, to: Position | None = None, *, on_progress: Callable[[Position], None] | None = None
    ) -> Position:
        """Wait until the state covers ``to``; with none nothing is waited for. Raises CatchUpStalled."""
        if to is not None:
            with self._changed:
                if not self._changed.wait_for(lambda: self._position.covers(to), FOLD_WAIT_S):
                    raise CatchUpStalled("what was recorded is not folded yet; send the same event id again")
        if on_progress is not None:
            on_progress(self._position)
        return self._position

    def when(self, position: Position, call: Callable[[], None]) -> Callable[[], None]:
        """Call once the state covers a position, at once where it does; the answer takes it back."""
        with self._changed:
            number = self._next_waiting
            self._next_waiting += 1
            self._waiting[number] = (position, call)
        self._tell()
        return lambda: self._waiting.pop(number, None) and None

    def _run(self) -> None:
        try:
            run(self._step, self._stop, self._on_fault)
        except Exception as fault:  # noqa: BLE001 - told to whoever asks how the service is
            self.fault = fault

    def _step(self, *, wait_ms: int = READ_WAIT_MS) -> int:
        asked_at_ms, end = self._clock_ms(), self._source.end()
        while not self._projector.position.covers(end):
            self._projector.step(READ_RECORDS_MAX, wait_ms)
            self._tell()
        self._fresh_at_ms = asked_at_ms
        count = self._projector.step(READ_RECORDS_MAX, wait_ms)
        self._tell()
        return count

    def _tell(self) -> None:
        with self._changed:
            self._position, self._catalogue = self._projector.position, self._projector.catalogue
            self._changed.notify_all()
            due = [n for n, (position, _) in self._waiting.items() if self._position.covers(position)]
            calls = [self._waiting.pop(number)[1] for number in due]
        for call in calls:
            call()
