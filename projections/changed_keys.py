"""Whose facts a step of the state may have changed: known from the change itself, or read from the log.

What is answered may name too many individuals, never too few; where that cannot be told, it is all of them.
"""

from collections.abc import Iterable
from typing import Final

from events.individual_events import QuarantineResolved
from events.streams import INDIVIDUALS, LogRecord, Position
from projections.batch import reached_by
from projections.intake import Accepted, judge
from projections.ports import Change, EventSource, QuarantineEntry

RECORDS_READ_MAX: Final = 1_000
"""Records read to learn whom they are about; where more lie between, all is taken to have changed."""


def keys_of_change(change: Change) -> frozenset[str] | None:
    """The individuals whose facts or quarantine a change touches; none where that may be anybody."""
    denied = _denied(change.quarantined)
    return None if denied is None or change.resolved else denied | change.facts.keys()


def keys_between(source: EventSource, start: Position, end: Position) -> frozenset[str] | None:
    """The same for a state that another has brought from ``start`` to ``end``. Raises what ``read`` does."""
    keys: set[str] = set()
    position, read = start, 0
    while not position.covers(end):
        records = source.read(position, RECORDS_READ_MAX - read)
        found = keys_of_records(records)
        read += len(records)
        if found is None or not records or read >= RECORDS_READ_MAX:
            return None
        keys |= found
        position = reached_by(position, records)
    return frozenset(keys)


def keys_of_records(records: Iterable[LogRecord]) -> frozenset[str] | None:
    """The individuals whom these records are about, or may be; none where that may be anybody."""
    keys: set[str] = set()
    for record in records:
        judged = judge(record)
        if not isinstance(judged, Accepted):
            denied = _denied(judged)
            if denied is None:
                return None
            keys |= denied
        elif isinstance(judged.recorded.event, QuarantineResolved):
            return None
        elif record.slice.stream == INDIVIDUALS:
            keys.add(judged.key)
    return frozenset(keys)


def _denied(entries: Iterable[QuarantineEntry]) -> frozenset[str] | None:
    """The individuals that these entries deny; none where they deny more than single individuals."""
    found = [(entry.scope, entry.subject) for entry in entries]
    if any(scope != "individual" for scope, _ in found):
        return None
    return frozenset(subject for _, subject in found)
