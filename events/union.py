"""The closed union of everything that can be said, and an event as the log holds it.

``Event`` is closed: a need for another type adds it here, with a schema, a vector and golden bytes.
"""

from typing import Final, TypeAlias, get_args

import msgspec

from events.envelope import InvalidEvent, check_instant
from events.individual_events import (
    ChoiceMade,
    DisclosureCompelled,
    IndividualDescribed,
    IndividualErased,
    IndividualsLinked,
    IndividualsUnlinked,
    NoticeGiven,
    NoticeOutcome,
    ProcessingRestricted,
    QuarantineResolved,
    RestrictionLifted,
)
from events.instants import Micros
from events.policy_events import (
    FrameworkStatusChanged,
    LedgerBegun,
    PolicyAmended,
    PolicyDrafted,
    PolicyReviewed,
    SafeguardWaived,
)
from events.record_events import (
    ChoiceApplied,
    ComplaintAdvanced,
    ComplaintOpened,
    DeliveryAttempted,
    DeliveryPlanned,
    DisclosureMade,
    MandateEnded,
    MandateGiven,
    PersonalDataRead,
    PersonalDataStored,
    RequestAdvanced,
    RequestOpened,
)

PolicyEvent: TypeAlias = (
    LedgerBegun | PolicyDrafted | PolicyReviewed | PolicyAmended | FrameworkStatusChanged | SafeguardWaived
)
"""Every event of the stream ``consent.policies``."""

IndividualEvent: TypeAlias = (
    IndividualDescribed
    | NoticeGiven
    | NoticeOutcome
    | ChoiceMade
    | ChoiceApplied
    | IndividualsLinked
    | IndividualsUnlinked
    | ProcessingRestricted
    | RestrictionLifted
    | DisclosureCompelled
    | DisclosureMade
    | DeliveryPlanned
    | DeliveryAttempted
    | RequestOpened
    | RequestAdvanced
    | ComplaintOpened
    | ComplaintAdvanced
    | MandateGiven
    | MandateEnded
    | PersonalDataStored
    | PersonalDataRead
    | IndividualErased
    | QuarantineResolved
)
"""Every event of the stream ``consent.individuals``."""

Event: TypeAlias = PolicyEvent | IndividualEvent
"""Everything that can be said."""

EVENT_TYPES: Final[dict[str, type[Event]]] = {kind.__name__: kind for kind in get_args(Event)}
"""Each event type by the name that lines, schemas and headers use."""

POLICY_EVENT_TYPES: Final = frozenset(get_args(PolicyEvent))
"""The types whose stream is ``consent.policies``."""


class Recorded(msgspec.Struct, frozen=True):
    """An event as the log holds it: the content, and when the ledger took it."""

    event: Event
    recorded_at: Micros

    def __post_init__(self) -> None:
        """Hold ``semantics.md``: "**`occurred_at` is never after `recorded_at`.**"."""
        check_instant("recorded_at", self.recorded_at)
        if self.event.occurred_at > self.recorded_at:
            raise InvalidEvent("occurred_at", "must not be after recorded_at")
