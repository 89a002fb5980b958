"""Working: the projector and all consumers of a ledger in one process, a thread each, until told to stop."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from consumers.runner import Step, run
from events.streams import READ_RECORDS_MAX
from projections.ports import EventSource, StateStore, StoreConflict
from projections.projector import Projector


class Worker(NamedTuple):
    """One of those that work. ``step`` is called by one thread alone."""

    name: str
    step: Step


OnFault = Callable[[str, Exception, int], None]
"""Told the worker's name, the fault that is tried again, and how often it was in a row."""


class Folding:
    """The projector's work: the state kept up with the log. ``folded`` counts the records folded here."""

    def __init__(self, source: EventSource, store: StateStore) -> None:
        """Go on from the store's checkpoint. Raises PositionUnavailable (see ``Projector``)."""
        self._projector = Projector(source, store)
        self.folded = 0

    def step(self, *, wait_ms: int) -> int:
        """Fold one batch. That another process has folded it meanwhile, as commands do, is no fault."""
        before = self._projector.position
        try:
            count = self._projector.step(READ_RECORDS_MAX, wait_ms)
        except StoreConflict:
            if self._projector.position == before:
                raise
            return 0
        self.folded += count
        return count


def work(workers: Sequence[Worker], stop: threading.Event, on_fault: OnFault | None = None) -> None:
    """Have all of them work until ``stop`` is set. What ends one of them ends all, and is raised."""
    ended: list[Exception] = []

    def run_one(worker: Worker) -> None:
        try:
            run(worker.step, stop, lambda fault, in_a_row: _tell(on_fault, worker.name, fault, in_a_row))
        except Exception as fault:  # noqa: BLE001 - raised by the thread that waits for all of them
            ended.append(fault)
            stop.set()

    threads = [threading.Thread(target=run_one, args=(each,), name=each.name) for each in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if ended:
        raise ended[0]


def _tell(on_fault: OnFault | None, name: str, fault: Exception, in_a_row: int) -> None:
    if on_fault is not None:
        on_fault(name, fault, in_a_row)
