"""An event in a few words, for people: what it said, when it happened, and by whom it was said."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from choice_ledger.languages import Speech, marked, speech
from events.envelope import ActorKind, Medium
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
from events.union import Recorded

_ENGLISH: Final = speech("en")

ACTORS: Final[dict[ActorKind, str]] = {
    "individual": marked("by the individual"),
    "agent": marked("by an agent"),
    "guardian": marked("by a guardian"),
    "officer": marked("by an officer"),
    "service": marked("by a service"),
    "authority": marked("by an authority"),
}
"""Who spoke, in words."""

MEDIA: Final[dict[Medium, str]] = {
    "web": marked("on the web"),
    "intranet": marked("on the intranet"),
    "app": marked("in an app"),
    "email": marked("by e-mail"),
    "mail": marked("by letter"),
    "verbal": marked("by word of mouth"),
    "api": marked("through a programming interface"),
    "gpc": marked("by the browser's signal (GPC)"),
    "link": marked("through a link between two identities"),
}
"""Over what it was said, in words."""


def told(recorded: Recorded, by: Speech = _ENGLISH) -> str:
    """One event in a sentence: what it said, when it happened, and when it was recorded."""
    event = recorded.event
    values = {
        "what": said(recorded, by),
        "date": by.instant(event.occurred_at),
        "actor": by.say(ACTORS[event.actor.kind]),
        "medium": by.say(MEDIA[event.medium]),
        "event": event.event_id,
    }
    if recorded.recorded_at == event.occurred_at:
        return by.say(marked("{what}, on {date}, {actor}, {medium} ({event})"), **values)
    return by.say(
        marked("{what}, on {date}, recorded on {recorded}, {actor}, {medium} ({event})"),
        recorded=by.instant(recorded.recorded_at),
        **values,
    )


def said(recorded: Recorded, by: Speech = _ENGLISH) -> str:
    """What one event said, in a few words."""
    event = recorded.event
    return WORDS[type(event)](event, by)


def purposes_in_words(selectors: Sequence[str] | None, by: Speech) -> str:
    """Purposes after one another; null and ``*`` are all of them."""
    if selectors is None or "*" in selectors:
        return by.say(marked("every purpose"))
    return by.listed(selectors) if selectors else by.say(marked("no purpose"))


def _amended(event: PolicyAmended, by: Speech) -> str:
    return by.say(
        marked("version {version} of policy {policy}, in force from {since}"),
        version=event.version,
        policy=event.policy_id,
        since=by.instant(event.effective_at),
    )


def _drafted(event: PolicyDrafted, by: Speech) -> str:
    message = marked("draft of version {version} of policy {policy}")
    return by.say(message, version=event.version, policy=event.policy_id)


def _reviewed(event: PolicyReviewed, by: Speech) -> str:
    approved = marked("draft of version {version} of policy {policy} approved")
    rejected = marked("draft of version {version} of policy {policy} rejected")
    message = approved if event.verdict == "approved" else rejected
    return by.say(message, version=event.version, policy=event.policy_id)


def _framework(event: FrameworkStatusChanged, by: Speech) -> str:
    in_force = marked("framework {framework} in force from {since}")
    not_in_force = marked("framework {framework} not in force from {since}")
    message = in_force if event.in_force else not_in_force
    return by.say(message, framework=event.framework, since=by.instant(event.from_))


def _notice(event: NoticeGiven, by: Speech) -> str:
    with_choice = marked("notice of version {version} of policy {policy}, with a choice")
    without = marked("notice of version {version} of policy {policy}, without a choice")
    message = with_choice if event.choice_offered else without
    return by.say(message, version=event.version, policy=event.policy_id)


def _outcome(event: NoticeOutcome, by: Speech) -> str:
    delivered, failed = marked("notice {notice} delivered"), marked("notice {notice} not delivered")
    return by.say(delivered if event.outcome == "delivered" else failed, notice=event.notice_id)


def _choice(event: ChoiceMade, by: Speech) -> str:
    purposes = purposes_in_words(event.purposes, by)
    opts_in = event.decision == "opt_in"
    if event.recipients is None:
        return by.say(
            marked("opt-in to {purposes}") if opts_in else marked("opt-out of {purposes}"), purposes=purposes
        )
    message = (
        marked("opt-in to {purposes}, for disclosure to {recipients}")
        if opts_in
        else marked("opt-out of {purposes}, for disclosure to {recipients}")
    )
    nobody = marked("nobody")
    recipients = by.listed(event.recipients) if event.recipients else by.say(nobody)
    return by.say(message, purposes=purposes, recipients=recipients)


def _described(event: IndividualDescribed, by: Speech) -> str:
    parts: list[str] = []
    if event.jurisdiction is not None:
        parts.append(by.say(marked("jurisdiction {jurisdiction}"), jurisdiction=event.jurisdiction))
    if event.populations is not None:
        parts.append(_populations(event.populations, by))
    if event.locale is not None:
        parts.append(by.say(marked("locale {locale}"), locale=event.locale))
    return ", ".join(parts) or by.say(marked("a description of the individual"))


def _populations(populations: Sequence[str], by: Speech) -> str:
    if not populations:
        return by.say(marked("no population"))
    return by.counted(
        "population {populations}",
        "populations {populations}",
        len(populations),
        populations=by.listed(populations),
    )


def _restricted(event: ProcessingRestricted, by: Speech) -> str:
    message = marked("restriction {restriction} of {purposes}")
    return by.say(message, restriction=event.restriction_id, purposes=purposes_in_words(event.purposes, by))


def _compelled(event: DisclosureCompelled, by: Speech) -> str:
    message = marked("disclosure to {recipient} compelled by {reference}")
    return by.say(message, recipient=event.recipient, reference=event.legal_reference)


def _disclosed(event: DisclosureMade, by: Speech) -> str:
    message = marked("disclosure to {recipient} for {purpose}")
    return by.say(message, recipient=event.recipient, purpose=event.purpose)


def _planned(event: DeliveryPlanned, by: Speech) -> str:
    message = marked("delivery of version {version} of policy {policy} planned")
    return by.say(message, version=event.version, policy=event.policy_id)


def _with(message: str, **fields: str) -> Callable[[Any, Speech], str]:
    """The words of a type whose message takes fields of the event as they stand."""

    def words(event: Any, by: Speech) -> str:  # noqa: ANN401 - one type of the union each
        return by.say(message, **{name: getattr(event, field) for name, field in fields.items()})

    return words


WORDS: Final[dict[type, Callable[[Any, Speech], str]]] = {
    LedgerBegun: _with(marked("the beginning of the ledger")),
    PolicyDrafted: _drafted,
    PolicyReviewed: _reviewed,
    PolicyAmended: _amended,
    FrameworkStatusChanged: _framework,
    SafeguardWaived: _with(marked("safeguard waived: {what}"), what="what"),
    IndividualDescribed: _described,
    NoticeGiven: _notice,
    NoticeOutcome: _outcome,
    ChoiceMade: _choice,
    ChoiceApplied: _with(marked("choices put into effect by {service}"), service="service"),
    IndividualsLinked: _with(marked("linked to {other}"), other="other"),
    IndividualsUnlinked: _with(marked("no longer linked to {other}"), other="other"),
    ProcessingRestricted: _restricted,
    RestrictionLifted: _with(marked("restriction {restriction} lifted"), restriction="restriction_id"),
    DisclosureCompelled: _compelled,
    DisclosureMade: _disclosed,
    DeliveryPlanned: _planned,
    DeliveryAttempted: _with(
        marked("delivery {intent} attempted: {result}"), intent="intent_id", result="result"
    ),
    RequestOpened: _with(marked("request {request} opened: {kind}"), request="request_id", kind="kind"),
    RequestAdvanced: _with(
        marked("request {request} advanced to {stage}"), request="request_id", stage="stage"
    ),
    ComplaintOpened: _with(marked("complaint {complaint} opened"), complaint="complaint_id"),
    ComplaintAdvanced: _with(
        marked("complaint {complaint} advanced to {stage}"), complaint="complaint_id", stage="stage"
    ),
    MandateGiven: _with(marked("mandate {mandate} given to {holder}"), mandate="mandate_id", holder="holder"),
    MandateEnded: _with(marked("mandate {mandate} ended"), mandate="mandate_id"),
    PersonalDataStored: _with(marked("personal data stored: {field}"), field="field"),
    PersonalDataRead: _with(
        marked("personal data read: {field}, for {purpose}"), field="field", purpose="purpose"
    ),
    IndividualErased: _with(marked("erasure of the individual")),
    QuarantineResolved: _with(marked("unreadable record {place} resolved"), place="position"),
}
"""How each type is told."""
