"""What comes in: whether one record of a log can be folded, and whom it denies if it cannot.

Source: ``architecture.md``, "**A bad record never stops the rest**". Pure.
"""

from typing import Final, NamedTuple

from events.codec import UndecodableRecord, decode_verified
from events.envelope import InvalidEvent, check_individual, check_tenant
from events.streams import INDIVIDUALS, POLICIES, LogRecord, Slice, stream_of
from events.union import Recorded
from projections.ports import QuarantineEntry, QuarantineScope

KEY_MISMATCH: Final = "key_mismatch"
"""The record stands under another key than its event has."""

WRONG_STREAM: Final = "wrong_stream"
"""The event's type belongs to the other stream."""


class Accepted(NamedTuple):
    """A record that can be folded. ``key`` is that of the record and of the event alike."""

    key: str
    record: LogRecord
    recorded: Recorded


def judge(record: LogRecord) -> Accepted | tuple[QuarantineEntry, ...]:
    """The event of a record, or the quarantine entries of everyone whom the record may have been about.

    A record that cannot be read is about whom its key names. One whose event is readable, but stands where
    it does not belong, is also about whom that event names: which of the two was meant nobody can tell.
    """
    try:
        recorded = decode_verified(record.value)
    except UndecodableRecord as fault:
        return (_entry(record, fault.reason, _denied_by_place(record)),)
    event = recorded.event
    if stream_of(event) != record.slice.stream:
        return _misplaced(record, recorded, WRONG_STREAM)
    key = event.key
    if key.encode() != record.key:
        return _misplaced(record, recorded, KEY_MISMATCH)
    return Accepted(key, record, recorded)


def partition_subject(slice_: Slice) -> str:
    """The subject of an entry that denies every individual of a slice."""
    return f"{slice_.stream}/{slice_.partition}"


def _misplaced(record: LogRecord, recorded: Recorded, reason: str) -> tuple[QuarantineEntry, ...]:
    event = recorded.event
    named: QuarantineScope = "tenant" if stream_of(event) == POLICIES else "individual"
    denied = {_denied_by_place(record), (named, event.key)}
    return tuple(_entry(record, reason, each) for each in sorted(denied))


def _denied_by_place(record: LogRecord) -> tuple[QuarantineScope, str]:
    """``architecture.md``: "On the policies stream it denies its tenant (all tenants if the key is
    unreadable); without a readable key, its partition: never fail open".
    """
    key = _readable(record)
    if record.slice.stream == POLICIES:
        return ("ledger", "") if key is None else ("tenant", key)
    if key is None:
        return ("partition", partition_subject(record.slice))
    return ("individual", key)


def _readable(record: LogRecord) -> str | None:
    """The record's key, if it is one that an event of its stream can have."""
    try:
        key = record.key.decode()
        if record.slice.stream == INDIVIDUALS:
            tenant, _, individual = key.partition("/")
            check_tenant(tenant)
            check_individual(individual)
        else:
            check_tenant(key)
    except (UnicodeDecodeError, InvalidEvent):
        return None
    return key


def _entry(record: LogRecord, reason: str, denied: tuple[QuarantineScope, str]) -> QuarantineEntry:
    scope, subject = denied
    return QuarantineEntry(
        place=record.place,
        slice=record.slice,
        offset=record.offset,
        scope=scope,
        subject=subject,
        reason=reason,
        value=record.value,
    )
