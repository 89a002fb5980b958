"""What the contract suites of a log are written with: a workshop that makes handles, and how to read them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from events.codec import decode
from events.instants import SECOND, Micros
from events.policy_events import LedgerBegun
from events.streams import LogRecord, Position
from events.union import Event
from ledger.log import Acknowledged, EventLog, Outcome, Proposal, Rejected
from projections.ports import EventSource

READING_S_MAX = 30.0
"""Seconds after which a log that does not give what it acknowledged has failed."""

WAIT_MS = 500
"""How long one read may wait for records that must come."""

ONE_MINUTE = 60 * SECOND


class Log(EventLog, EventSource, Protocol):
    """An adapter under test: it satisfies the ports of both sides."""


class WornClock:
    """A clock that follows the real one, until a test stops it or sets it back."""

    def __init__(self) -> None:
        self._stopped: Micros | None = None

    def __call__(self) -> Micros:
        return time.time_ns() // 1_000 if self._stopped is None else self._stopped

    def stop(self, back: Micros = 0) -> Micros:
        """Stand still, so far behind where it was; the instant at which it stands."""
        self._stopped = self() - back
        return self._stopped


class Workshop:
    """Makes handles on one log. Each is what another process, or the same one started again, would have."""

    def __init__(
        self,
        open_handle: Callable[[WornClock], Log],
        interrupted: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None:
        """``interrupted`` gives a context within which nothing can become durable."""
        self.clock = WornClock()
        self._open_handle = open_handle
        self.interrupted = interrupted
        self._handles: list[Log] = []

    def open(self) -> Log:
        """A new handle; the first one makes the log."""
        handle = self._open_handle(self.clock)
        self._handles.append(handle)
        return handle

    def close(self) -> None:
        """Close every handle (closing twice does no harm, and so proves that)."""
        for handle in self._handles:
            handle.close()


def append(log: Log, *events: Event) -> tuple[Outcome, ...]:
    """Append plain events."""
    return log.append([Proposal(event) for event in events])


def acknowledged(outcome: Outcome) -> Acknowledged:
    """The outcome, which must be an acknowledgement."""
    assert isinstance(outcome, Acknowledged), outcome
    return outcome


def rejected(outcome: Outcome) -> Rejected:
    """The outcome, which must be a rejection."""
    assert isinstance(outcome, Rejected), outcome
    return outcome


def after(position: Position, records: Sequence[LogRecord]) -> Position:
    """The position that a reader has reached with these records."""
    offsets = position.as_dict()
    for record in records:
        offsets[record.slice] = record.offset + 1
    return Position.of(position.generation, offsets.items())


def batches(log: Log, position: Position, limit: int) -> Iterator[Sequence[LogRecord]]:
    """Reads until everything is read that was in the log when this began; fails if that takes too long."""
    end, deadline = log.end(), time.monotonic() + READING_S_MAX
    while not position.covers(end):
        assert time.monotonic() < deadline, "the log does not give what its end covers"
        records = log.read(position, limit, WAIT_MS)
        position = after(position, records)
        yield records


def read_all(log: Log, limit: int = 1_000) -> list[LogRecord]:
    """Every record of the log, from the start."""
    return [record for records in batches(log, log.start(), limit) for record in records]


def events_of(records: Sequence[LogRecord]) -> list[Event]:
    """What the records say, without the beginning of the ledger."""
    events = [decode(record.value).event for record in records]
    return [event for event in events if not isinstance(event, LedgerBegun)]


def ids_in(log: Log) -> list[str]:
    """The ids of all events in the log, sorted."""
    return sorted(event.event_id for event in events_of(read_all(log)))


def is_content(record: LogRecord) -> bool:
    """Whether the record is more than the beginning of the ledger."""
    return not isinstance(decode(record.value).event, LedgerBegun)
