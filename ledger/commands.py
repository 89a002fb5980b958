"""Commands: what a client asks the ledger to record, and the rules that refuse it before an append.

A command is a value with an imperative name; ``propose`` makes of it the proposal of one event, or says why
not. Refusing early is a courtesy: with no append-if-version in the log, the fold has the last word (*void*
in ``semantics.md``). An import goes around these rules, because it repeats what was recorded elsewhere.
"""

from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias

import msgspec

from events.catalogue import TenantPolicies, VoidReason
from events.envelope import LEDGER_TENANT, SELF, Actor, InvalidEvent, Medium, check_individual
from events.individual_events import (
    ChoiceDecision,
    ChoiceMade,
    DeliveryOutcome,
    DisclosureCompelled,
    Evidence,
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
    ReliedDecision,
    RequestAdvanced,
    RequestOpened,
)
from events.terms import Terms
from events.union import Event
from ledger.log import Proposal
from ledger.record_commands import (
    AdvanceComplaint,
    AdvanceRequest,
    DraftPolicy,
    EndMandate,
    GiveMandate,
    OpenComplaint,
    OpenRequest,
    PlanDelivery,
    ReportApplied,
    ReportDataRead,
    ReportDelivery,
    ReviewPolicy,
    StorePersonalData,
)

LETTER_MEDIA: Final[frozenset[Medium]] = frozenset({"email", "mail", "verbal"})
"""Media that an officer enters by hand, so that what they carry may have happened before it is recorded."""

VOID_MESSAGES: Final[dict[VoidReason, tuple[str, str]]] = {
    "version_not_next": ("version", "must be one more than the policy's highest standing version"),
    "key_of_another_policy": ("purposes", "declare a key that another policy of this tenant declared before"),
    "necessary_third_party": ("purposes", "make a third party `necessary`; give it opt_out or opt_in"),
    "key_named_twice": ("purposes", "name one key twice"),
    "recipient_named_twice": ("purposes", "name one recipient of a key twice"),
}
"""Why an amendment would be void: the field, and what is wrong with it."""


class CatalogueView(Protocol):
    """What a command may know of the policies.

    1. ``tenant`` must answer for every name; an unknown tenant has published nothing.
    2. It must include what this process has recorded and seen acknowledged before the call.
    3. It may lag behind other writers: nothing may rest on it but an early refusal.
    """

    def tenant(self, name: str) -> TenantPolicies:
        """The policies of a tenant, as far as they are known here."""
        ...


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How a command reached the ledger. ``occurred_at`` null: it happens now, as the ledger hears it."""

    event_id: str
    tenant: str
    actor: Actor = SELF
    medium: Medium = "api"
    occurred_at: Micros | None = None
    caused_by: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """Why a command is not carried out: the field that is wrong, and what it must be."""

    field: str
    message: str


class PublishPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Publish a version of a policy; without purposes it withdraws it.

    ``effective_at`` null: as soon as it is recorded.
    """

    policy_id: str
    version: int
    effective_at: Micros | None = None
    title: str = ""
    summary: str = ""
    wording: Mapping[str, str] = msgspec.field(default_factory=dict)
    purposes: tuple[Terms, ...] = ()
    gpc_purposes: tuple[str, ...] = ()
    contact: str = ""


class SetFramework(msgspec.Struct, frozen=True):
    """Say from when a transfer framework is in force, or is not."""

    framework: str
    in_force: bool
    from_: Micros


class WaiveSafeguard(msgspec.Struct, frozen=True):
    """Go on without a safeguard, on record."""

    what: str
    why: str


class DescribeIndividual(msgspec.Struct, frozen=True, kw_only=True):
    """Say where an individual belongs; null leaves what was said before."""

    individual: str
    jurisdiction: str | None = None
    populations: tuple[str, ...] | None = None
    locale: str | None = None


class RecordNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Record that an individual was told of a version of a policy."""

    individual: str
    notice_id: str
    policy_id: str
    version: int
    purposes: tuple[str, ...] | None = None
    choice_offered: bool = False
    at_collection: bool = False
    locale: str | None = None
    wording_sha256: str | None = None


class RecordNoticeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Record whether a notice arrived."""

    individual: str
    notice_id: str
    outcome: DeliveryOutcome
    detail: str = ""


class RecordChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Record an opt-out or an opt-in."""

    individual: str
    decision: ChoiceDecision
    purposes: tuple[str, ...]
    recipients: tuple[str, ...] | None = None
    versions: dict[str, int] | None = None
    evidence: Evidence | None = None


class RestrictProcessing(msgspec.Struct, frozen=True):
    """Restrict the processing of an individual's data for some purposes (null: all)."""

    individual: str
    restriction_id: str
    purposes: tuple[str, ...] | None = None


class LiftRestriction(msgspec.Struct, frozen=True):
    """End a restriction."""

    individual: str
    restriction_id: str


class CompelDisclosure(msgspec.Struct, frozen=True, kw_only=True):
    """Record that the law compels a disclosure, and where it says so."""

    individual: str
    recipient: str
    legal_reference: str
    from_: Micros
    purposes: tuple[str, ...] | None = None
    data: tuple[str, ...] | None = None
    to: Micros | None = None


class RecordDisclosure(msgspec.Struct, frozen=True, kw_only=True):
    """Record that data went to a recipient, and the answer that this relied on."""

    individual: str
    recipient: str
    purpose: str
    data: tuple[str, ...]
    at: Micros
    decision: ReliedDecision


class LinkIndividuals(msgspec.Struct, frozen=True):
    """Say that two individuals are one person."""

    individual: str
    other: str


class UnlinkIndividuals(msgspec.Struct, frozen=True):
    """Say that they no longer count as one."""

    individual: str
    other: str


class EraseIndividual(msgspec.Struct, frozen=True):
    """Erase an individual, finally."""

    individual: str
    reason: str = ""


class ResolveQuarantine(msgspec.Struct, frozen=True):
    """Say how an unreadable record of an individual was dealt with; ``position`` names its place."""

    individual: str
    position: str
    how: str


Command: TypeAlias = (
    PublishPolicy
    | SetFramework
    | WaiveSafeguard
    | DescribeIndividual
    | RecordNotice
    | RecordNoticeOutcome
    | RecordChoice
    | RestrictProcessing
    | LiftRestriction
    | CompelDisclosure
    | RecordDisclosure
    | LinkIndividuals
    | UnlinkIndividuals
    | EraseIndividual
    | ResolveQuarantine
    | DraftPolicy
    | ReviewPolicy
    | ReportApplied
    | PlanDelivery
    | ReportDelivery
    | OpenRequest
    | AdvanceRequest
    | OpenComplaint
    | AdvanceComplaint
    | GiveMandate
    | EndMandate
    | StorePersonalData
    | ReportDataRead
)
"""Everything that a client may ask to be recorded."""

EVENT_OF: Final[dict[type[Command], type[Event]]] = {
    PublishPolicy: PolicyAmended,
    SetFramework: FrameworkStatusChanged,
    WaiveSafeguard: SafeguardWaived,
    DescribeIndividual: IndividualDescribed,
    RecordNotice: NoticeGiven,
    RecordNoticeOutcome: NoticeOutcome,
    RecordChoice: ChoiceMade,
    RestrictProcessing: ProcessingRestricted,
    LiftRestriction: RestrictionLifted,
    CompelDisclosure: DisclosureCompelled,
    RecordDisclosure: DisclosureMade,
    LinkIndividuals: IndividualsLinked,
    UnlinkIndividuals: IndividualsUnlinked,
    EraseIndividual: IndividualErased,
    ResolveQuarantine: QuarantineResolved,
    DraftPolicy: PolicyDrafted,
    ReviewPolicy: PolicyReviewed,
    ReportApplied: ChoiceApplied,
    PlanDelivery: DeliveryPlanned,
    ReportDelivery: DeliveryAttempted,
    OpenRequest: RequestOpened,
    AdvanceRequest: RequestAdvanced,
    OpenComplaint: ComplaintOpened,
    AdvanceComplaint: ComplaintAdvanced,
    GiveMandate: MandateGiven,
    EndMandate: MandateEnded,
    StorePersonalData: PersonalDataStored,
    ReportDataRead: PersonalDataRead,
}
"""The event that each command becomes; a command's fields are that event's own. Only ``LedgerBegun`` is no
command's: the log writes it, as its first event."""


def propose(command: Command, heard: Heard, now: Micros, policies: CatalogueView) -> Proposal | Refused:
    """The event that a command asks for, or why it is refused. ``now`` is the caller's clock."""
    try:
        event = _event_of(command, heard, now)
    except InvalidEvent as fault:
        return Refused(fault.field, fault.message)
    refused = _tenant_refused(event) or _time_refused(heard, now)
    refused = refused or _content_refused(event, now, policies.tenant(event.tenant))
    return refused or Proposal(event, heard_now=heard.occurred_at is None)


def _event_of(command: Command, heard: Heard, now: Micros) -> Event:
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    occurred_at = now if heard.occurred_at is None else heard.occurred_at
    if isinstance(command, PublishPolicy) and command.effective_at is None:
        fields["effective_at"] = occurred_at
    return EVENT_OF[type(command)](
        event_id=heard.event_id,
        tenant=heard.tenant,
        occurred_at=occurred_at,
        actor=heard.actor,
        medium=heard.medium,
        caused_by=heard.caused_by,
        **fields,
    )


def _tenant_refused(event: Event) -> Refused | None:
    """In the ledger's own tenant the operator says what was waived, and how a record was dealt with."""
    if event.tenant == LEDGER_TENANT and not isinstance(event, SafeguardWaived | QuarantineResolved):
        return Refused("tenant", f"must not be `{LEDGER_TENANT}`, which is kept for the ledger itself")
    return None


def _time_refused(heard: Heard, now: Micros) -> Refused | None:
    """Hold ``semantics.md``: "only an officer's entry and `import` may give an earlier `occurred_at`"."""
    if heard.occurred_at is None:
        return None
    if heard.occurred_at > now:
        return Refused("occurred_at", "must not be in the future")
    if heard.actor.kind == "officer" or heard.medium in LETTER_MEDIA:
        return None
    return Refused(
        "occurred_at",
        "must be left out where the ledger hears the individual itself; an earlier one is for an officer's "
        "entry (actor officer) and for what came by medium email, mail or verbal",
    )


def _content_refused(event: Event, now: Micros, policies: TenantPolicies) -> Refused | None:
    match event:
        case PolicyAmended():
            return _amendment_refused(event, now, policies)
        case NoticeGiven():
            return _notice_refused(event, policies)
        case DeliveryPlanned():
            return _unpublished(event, policies)
        case IndividualsLinked() | IndividualsUnlinked():
            return _other_refused(event)
        case DisclosureCompelled() if event.to is not None and event.to <= event.from_:
            return Refused("to", "must be after `from`")
        case _:
            return None


def _other_refused(event: IndividualsLinked | IndividualsUnlinked) -> Refused | None:
    """Both sides get an event of their own, so both have to be individuals' ids."""
    try:
        check_individual(event.other, "other")
    except InvalidEvent as fault:
        return Refused(fault.field, fault.message)
    return Refused("other", "must be another individual") if event.other == event.individual else None


def _amendment_refused(event: PolicyAmended, now: Micros, policies: TenantPolicies) -> Refused | None:
    if event.effective_at < now:
        return Refused(
            "effective_at",
            "must not be in the past, because nobody could have been told; give a later one, or have it in "
            "force as soon as it is recorded",
        )
    if policies.holds(event.event_id):
        return None  # A repetition: the log compares the two.
    verdict = policies.verdict(event)
    if verdict is None:
        return None
    field, message = VOID_MESSAGES[verdict]
    if verdict == "version_not_next":
        message += f"; the next is {len(policies.standing.get(event.policy_id, ())) + 1}"
    return Refused(field, message)


def _unpublished(event: NoticeGiven | DeliveryPlanned, policies: TenantPolicies) -> Refused | None:
    """Nobody is told, now or later, of a version that does not stand."""
    versions = policies.standing.get(event.policy_id, ())
    if not versions:
        return Refused("policy_id", "must name a policy that is published; mend it, or publish that first")
    if not 1 <= event.version <= len(versions):
        return Refused("version", f"must be a published version of that policy, 1 to {len(versions)}")
    return None


def _notice_refused(event: NoticeGiven, policies: TenantPolicies) -> Refused | None:
    if refused := _unpublished(event, policies):
        return refused
    wordings = policies.standing[event.policy_id][event.version - 1].event.wording.values()
    if event.wording_sha256 is not None and event.wording_sha256 not in wordings:
        return Refused("wording_sha256", "must be the digest of one of the wordings that this version names")
    return None
