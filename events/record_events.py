"""The events of the stream ``consent.individuals`` that are kept for the record.

The decision does not read them: they say what was disclosed, delivered, asked, complained of and stored.
Source: ``events.md``, the rows whose stream is *individuals*.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from events.envelope import (
    IndividualStreamEvent,
    InvalidEvent,
    check_instant,
    check_key,
    check_name,
    check_text,
    check_uuid,
    check_version,
)
from events.instants import Micros

Channel: TypeAlias = Literal["email", "web", "webhook", "paper"]
AttemptResult: TypeAlias = Literal["sent", "delivered", "superseded", "suppressed", "ambiguous", "failed"]
RequestKind: TypeAlias = Literal[
    "access", "correction", "portability", "deletion", "restriction", "objection"
]
MandateKind: TypeAlias = Literal["agent", "guardian"]

CIPHERTEXT_BYTES_MAX: Final = 32_768
"""Bytes of a ciphertext inside an event; a longer one stands in the content store, by digest."""


class ChoiceApplied(IndividualStreamEvent, frozen=True, kw_only=True):
    """A subscribed service says up to which position it has put choices into effect."""

    service: str
    applied: str

    def __post_init__(self) -> None:
        """Check the names."""
        IndividualStreamEvent.__post_init__(self)
        check_name("service", self.service)
        check_text("applied", self.applied)


class ReliedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that a disclosure relied on: its reason, its position and its evidence."""

    reason: str
    position: str
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the reason, the position and the event ids."""
        check_name("decision.reason", self.reason)
        check_text("decision.position", self.position)
        for event_id in self.evidence:
            check_uuid("decision.evidence", event_id)


class DisclosureMade(IndividualStreamEvent, frozen=True, kw_only=True):
    """Data went to a recipient at ``at``, on the strength of a decision."""

    recipient: str
    purpose: str
    data: tuple[str, ...]
    at: Micros
    decision: ReliedDecision

    def __post_init__(self) -> None:
        """Check the names and the instant."""
        IndividualStreamEvent.__post_init__(self)
        check_name("recipient", self.recipient)
        check_key("purpose", self.purpose)
        for category in self.data:
            check_name("data", category)
        check_instant("at", self.at)


class DeliveryPlanned(IndividualStreamEvent, frozen=True, kw_only=True):
    """A notice of a version is to be sent to the individual over a channel."""

    intent_id: str
    policy_id: str
    version: int
    channel: Channel

    def __post_init__(self) -> None:
        """Check the ids and the version."""
        IndividualStreamEvent.__post_init__(self)
        check_uuid("intent_id", self.intent_id)
        check_name("policy_id", self.policy_id)
        check_version("version", self.version)


class DeliveryAttempted(IndividualStreamEvent, frozen=True, kw_only=True):
    """What came of one attempt at that delivery."""

    intent_id: str
    policy_id: str
    version: int
    channel: Channel
    result: AttemptResult

    def __post_init__(self) -> None:
        """Check the ids and the version."""
        IndividualStreamEvent.__post_init__(self)
        check_uuid("intent_id", self.intent_id)
        check_name("policy_id", self.policy_id)
        check_version("version", self.version)


class RequestOpened(IndividualStreamEvent, frozen=True, kw_only=True):
    """The individual asked for access, correction or another of their rights."""

    request_id: str
    kind: RequestKind
    stage: str
    due_at: Micros | None = None

    def __post_init__(self) -> None:
        """Check the id, the stage and the due date."""
        IndividualStreamEvent.__post_init__(self)
        _check_case(self.request_id, "request_id", self.stage, self.due_at)


class RequestAdvanced(IndividualStreamEvent, frozen=True, kw_only=True):
    """That request reached another stage."""

    request_id: str
    kind: RequestKind
    stage: str
    due_at: Micros | None = None

    def __post_init__(self) -> None:
        """Check the id, the stage and the due date."""
        IndividualStreamEvent.__post_init__(self)
        _check_case(self.request_id, "request_id", self.stage, self.due_at)


class ComplaintOpened(IndividualStreamEvent, frozen=True, kw_only=True):
    """The individual complained. ``about`` is a subject, never the text of the complaint."""

    complaint_id: str
    stage: str
    due_at: Micros | None = None
    about: str = ""

    def __post_init__(self) -> None:
        """Check the id, the stage, the due date and the subject."""
        IndividualStreamEvent.__post_init__(self)
        _check_case(self.complaint_id, "complaint_id", self.stage, self.due_at)
        check_text("about", self.about)


class ComplaintAdvanced(IndividualStreamEvent, frozen=True, kw_only=True):
    """That complaint reached another stage."""

    complaint_id: str
    stage: str
    due_at: Micros | None = None
    about: str = ""

    def __post_init__(self) -> None:
        """Check the id, the stage, the due date and the subject."""
        IndividualStreamEvent.__post_init__(self)
        _check_case(self.complaint_id, "complaint_id", self.stage, self.due_at)
        check_text("about", self.about)


class MandateGiven(IndividualStreamEvent, frozen=True, kw_only=True):
    """Somebody may act for the individual. ``holder`` is pseudonymous."""

    mandate_id: str
    holder: str
    kind: MandateKind

    def __post_init__(self) -> None:
        """Check the ids."""
        IndividualStreamEvent.__post_init__(self)
        check_name("mandate_id", self.mandate_id)
        check_name("holder", self.holder)


class MandateEnded(IndividualStreamEvent, frozen=True, kw_only=True):
    """That mandate is over."""

    mandate_id: str
    holder: str
    kind: MandateKind

    def __post_init__(self) -> None:
        """Check the ids."""
        IndividualStreamEvent.__post_init__(self)
        check_name("mandate_id", self.mandate_id)
        check_name("holder", self.holder)


class PersonalDataStored(IndividualStreamEvent, frozen=True, kw_only=True):
    """A personal field, as ciphertext under the individual's own key."""

    field: str
    ciphertext: bytes

    def __post_init__(self) -> None:
        """Check the field's name and the size of the ciphertext."""
        IndividualStreamEvent.__post_init__(self)
        check_name("field", self.field)
        if len(self.ciphertext) > CIPHERTEXT_BYTES_MAX:
            raise InvalidEvent("ciphertext", f"must be at most {CIPHERTEXT_BYTES_MAX} bytes")


class PersonalDataRead(IndividualStreamEvent, frozen=True, kw_only=True):
    """Somebody read that field, and said for which purpose."""

    field: str
    purpose: str

    def __post_init__(self) -> None:
        """Check the names."""
        IndividualStreamEvent.__post_init__(self)
        check_name("field", self.field)
        check_name("purpose", self.purpose)


def _check_case(case_id: str, field: str, stage: str, due_at: Micros | None) -> None:
    check_name(field, case_id)
    check_name("stage", stage)
    if due_at is not None:
        check_instant("due_at", due_at)
