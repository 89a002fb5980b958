"""The runner: keeps a projection up with its log until it is told to stop.

A fault that may pass (a broker away, a file locked, another projector gone on) is tried again for as long as
it lasts, later each time; one that cannot pass ends the run.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol

from ledger.log import LogFault
from projections.ports import StoreConflict, StoreFault

READ_WAIT_MS: Final = 500
"""How long one read waits for a record, and so how long a stop may take to be seen."""

PAUSE_MS_MIN: Final = 100
"""The pause after the first fault; each further one in a row doubles it."""

PAUSE_MS_MAX: Final = 2_000
"""The longest pause between two tries."""

PASSING: Final = (StoreConflict, StoreFault, LogFault, OSError)
"""Faults that may pass. Any other is a fault of the log's content, or of this program."""


class Step(Protocol):
    """One batch of work, such as ``Projector.step``."""

    def __call__(self, *, wait_ms: int) -> int:
        """Do what there is to do, waiting up to ``wait_ms`` for the first of it; how much was done."""
        ...


def run(step: Step, stop: threading.Event, on_fault: Callable[[Exception, int], None] | None = None) -> None:
    """Step until ``stop`` is set. Raises what ended the run otherwise.

    ``on_fault`` is told each fault that is tried again, and how many there have been in a row.
    """
    faults = 0
    while not stop.is_set():
        try:
            step(wait_ms=READ_WAIT_MS)
            faults = 0
        except PASSING as fault:
            faults += 1
            if on_fault is not None:
                on_fault(fault, faults)
            stop.wait(pause_ms(faults) / 1_000)


def pause_ms(faults_in_a_row: int) -> int:
    """How long to wait after so many faults in a row."""
    doublings = min(faults_in_a_row - 1, PAUSE_MS_MAX.bit_length())
    return min(PAUSE_MS_MAX, PAUSE_MS_MIN << doublings)
