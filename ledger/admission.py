"""What an event is when it comes to the log: a record to store, or a refusal. Pure.

``ledger.log.EventLog``, demands 3, 6 and 12: the adapters differ in where they store records, not in which.
"""

from typing import Final, NamedTuple, TypeAlias

from events.codec import RecordTooLarge, encode
from events.envelope import INDIVIDUAL_BYTES_MAX, InvalidEvent
from events.individual_events import ChoiceMade
from events.instants import INSTANT_MAX, INSTANT_MIN, Micros
from events.streams import RECORD_BYTES_MAX
from events.union import Event, Recorded
from ledger.dating import dated
from ledger.log import Proposal, Rejected

LINK_ROOM_BYTES: Final = 2 * INDIVIDUAL_BYTES_MAX
"""What an opt-out of an individual's own leaves free of ``RECORD_BYTES_MAX``: it is written again for whoever
they are linked to, where a longer id, an earlier instant and a cause may stand.
"""

_TOO_LARGE: Final = (
    f"takes more than {RECORD_BYTES_MAX} bytes; store long texts by digest, and cut long lists"
)
_TOO_LARGE_TO_TRAVEL: Final = (
    f"takes more than the {RECORD_BYTES_MAX - LINK_ROOM_BYTES} bytes of an opt-out; cut it into several"
)
_OCCURRED_AFTER: Final = "must not be after the instant at which the ledger records it; see to the clocks"
_NO_INSTANT: Final = "must be an instant of the years 0001 to 9999"
_CLOCK: Final = "cannot be told, because the clock of this machine names no instant; set the clock"
_CONFLICT: Final = "names another event already; give this one an id of its own"


class Admitted(NamedTuple):
    """A record to store. ``stamped`` says that its time is the ledger's, not an import's."""

    key: bytes
    value: bytes
    recorded: Recorded
    stamped: bool


Admission: TypeAlias = Admitted | Rejected
"""What becomes of a proposal, as far as the event alone decides it."""


def admit(proposal: Proposal, stamp: Micros) -> Admission:
    """The record of a proposal, recorded at ``stamp`` unless the proposal brings its own time."""
    event, given = proposal.event, proposal.recorded_at
    recorded_at = stamp if given is None else given
    if not INSTANT_MIN <= recorded_at <= INSTANT_MAX:
        return _no_instant(event.event_id, is_clock=given is None)
    if proposal.heard_now:
        event = dated(event, recorded_at)
    elif event.occurred_at > recorded_at:
        return _rejected(event.event_id, "occurred_after_recorded", "occurred_at", _OCCURRED_AFTER)
    try:
        recorded = Recorded(event, recorded_at)
        value = encode(recorded)
    except RecordTooLarge:
        return _rejected(event.event_id, "too_large", "event", _TOO_LARGE)
    except InvalidEvent as fault:
        return _rejected(event.event_id, "invalid_event", fault.field, fault.message)
    if given is None and _may_travel(event) and len(value) > RECORD_BYTES_MAX - LINK_ROOM_BYTES:
        return _rejected(event.event_id, "too_large", "event", _TOO_LARGE_TO_TRAVEL)
    return Admitted(event.key.encode(), value, recorded, given is None)


def _may_travel(event: Event) -> bool:
    """Whether an event is, or may come to be, written for linked individuals too. An import brings both."""
    return isinstance(event, ChoiceMade) and event.decision == "opt_out" and event.medium != "link"


def id_conflict(event_id: str) -> Rejected:
    """The refusal of an event whose id another event of the same key bears."""
    return _rejected(event_id, "id_conflict", "event_id", _CONFLICT)


def _no_instant(event_id: str, *, is_clock: bool) -> Rejected:
    reason, message = ("clock", _CLOCK) if is_clock else ("invalid_time", _NO_INSTANT)
    return _rejected(event_id, reason, "recorded_at", message)


def _rejected(event_id: str, reason: str, field: str, message: str) -> Rejected:
    return Rejected(event_id=event_id, reason=reason, field=field, message=message)
