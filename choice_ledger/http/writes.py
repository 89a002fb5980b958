"""What can be recorded over HTTP: one row for each event type but the log's own, each with what a body holds.

The endpoints, their schemas, their checks and their tests are made from these rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import msgspec

from choice_ledger.access import Scope
from choice_ledger.http.write_bodies import Form, Written
from choice_ledger.http.write_samples import SAMPLES
from events.individual_events import IndividualsLinked, IndividualsUnlinked
from events.union import EVENT_TYPES, Event
from ledger.commands import EVENT_OF, Command, LinkIndividuals, PublishPolicy, UnlinkIndividuals

Speech: TypeAlias = Literal["individual", "officer", "service"]
"""Who speaks where the body does not say: the individual, or the token's own name."""

COMMAND_OF: Final[dict[type[Event], type[Command]]] = {event: command for command, event in EVENT_OF.items()}
"""The command that asks for each type of event."""


def command_of(event: Event) -> Command:
    """The command that asks for what an event says."""
    kind = COMMAND_OF[type(event)]
    return kind(**{name: getattr(event, name) for name in kind.__struct_fields__})


def alone(written: Written) -> tuple[Command, ...]:
    """The one command that most bodies come to."""
    return (command_of(written.event),)


def both_sides(written: Written) -> tuple[Command, ...]:
    """The two sides of a link, or of its end."""
    event = written.event
    assert isinstance(event, IndividualsLinked | IndividualsUnlinked)
    kind = LinkIndividuals if isinstance(event, IndividualsLinked) else UnlinkIndividuals
    return kind(event.individual, event.other), kind(event.other, event.individual)


def publication(written: Written) -> tuple[Command, ...]:
    """A version that is in force as soon as it is recorded, where the body does not say from when."""
    command = command_of(written.event)
    assert isinstance(command, PublishPolicy)
    at_once = written.body.get("effective_at") is None
    return (msgspec.structs.replace(command, effective_at=None) if at_once else command,)


def undecided(written: Written) -> tuple[Command, ...]:
    """None: what is to be recorded follows from more than the body."""
    del written
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One row. ``commands`` says what a body comes to, as far as the body alone decides it."""

    path: str
    operation: str
    summary: str
    scopes: frozenset[Scope]
    form: Form
    example: Mapping[str, Any]
    speech: Speech
    tag: str = "Record"
    description: str = ""
    commands: Callable[[Written], tuple[Command, ...]] = alone


RECORD: Final[frozenset[Scope]] = frozenset({"record"})
"""For services that hear individuals, or use their data."""

HEARD: Final[frozenset[Scope]] = frozenset({"record", "officer"})
"""For what a service hears, and an officer may enter for those who write or call."""

OFFICER: Final[frozenset[Scope]] = frozenset({"officer"})
"""For what people decide and enter."""

PUBLISH: Final[frozenset[Scope]] = frozenset({"publish"})
"""For what a controller declares."""

ADMIN: Final[frozenset[Scope]] = frozenset({"admin"})
"""For who runs the ledger."""


def form_of(
    name: str,
    *,
    spoken: bool = False,
    computed: tuple[str, ...] = (),
    left_open: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
) -> Form:
    """The form of the bodies of one event type; ``computed`` are fields that the ledger fills in itself."""
    sample = SAMPLES[name]
    fields = tuple(field for field in sample if field not in computed)
    return Form(
        kind=EVENT_TYPES[name], fields=fields, sample=sample, open=left_open, flags=flags, spoken=spoken
    )


def _write(
    plural: str,
    operation: str,
    name: str,
    summary: str,
    scopes: frozenset[Scope],
    *,
    speech: Speech = "officer",
    spoken: bool = False,
    but: Mapping[str, Any] | None = None,
    tag: str = "Record",
    description: str = "",
    commands: Callable[[Written], tuple[Command, ...]] = alone,
    left_open: tuple[str, ...] = (),
) -> Write:
    """A row. Its example is the sample, ``but`` for some values; a null leaves a field out."""
    changed = {**SAMPLES[name], **(but or {})}
    return Write(
        path=f"/v1/{plural}",
        operation=operation,
        summary=summary,
        scopes=scopes,
        form=form_of(name, spoken=spoken, left_open=left_open),
        example={field: value for field, value in changed.items() if value is not None},
        speech=speech,
        tag=tag,
        description=description,
        commands=commands,
    )


_TERMS_BUT: Final = {
    **SAMPLES["PolicyAmended"]["purposes"][0],
    "replaces": [],
    "transfer_basis": [],
}

WRITES: Final[tuple[Write, ...]] = (
    _write(
        "policies",
        "publish_policy",
        "PolicyAmended",
        "Publish a version of a policy",
        PUBLISH,
        but={"wording": None, "effective_at": None, "purposes": [_TERMS_BUT]},
        tag="Publish",
        commands=publication,
        left_open=("effective_at",),
        description="`wording` names texts by their SHA-256, each of which `POST /v1/wordings` must have "
        "taken before. Without `effective_at` the version is in force as soon as it is recorded; it is "
        "never in force before, because nobody could have been told. Where another writer was quicker "
        "the outcome may be `void`.",
    ),
    _write(
        "policy-drafts",
        "draft_policy",
        "PolicyDrafted",
        "Record that a draft of a version was handed in",
        PUBLISH,
        tag="Publish",
    ),
    _write(
        "policy-reviews",
        "review_policy",
        "PolicyReviewed",
        "Record what somebody else decided about a draft",
        PUBLISH,
        tag="Publish",
    ),
    _write(
        "frameworks",
        "set_framework",
        "FrameworkStatusChanged",
        "Say from when a transfer framework is in force, or is not",
        PUBLISH,
        tag="Publish",
    ),
    _write(
        "waivers",
        "waive_safeguard",
        "SafeguardWaived",
        "Record that a safeguard is done without, and why",
        ADMIN,
        tag="Operate",
    ),
    _write(
        "descriptions",
        "describe_individual",
        "IndividualDescribed",
        "Say where an individual belongs",
        HEARD,
        speech="individual",
        spoken=True,
        description="Null, or a field that is left out, leaves what was said before.",
    ),
    _write(
        "notices",
        "record_notice",
        "NoticeGiven",
        "Record that an individual was told of a version of a policy",
        HEARD,
        speech="service",
        but={"wording_sha256": None},
        description="The version has to be published; a `wording_sha256` has to be one of its texts.",
    ),
    _write(
        "notice-outcomes",
        "record_notice_outcome",
        "NoticeOutcome",
        "Record whether a notice arrived",
        HEARD,
        speech="service",
    ),
    _write(
        "choices",
        "record_choice",
        "ChoiceMade",
        "Record an opt-out or an opt-in",
        HEARD,
        speech="individual",
        spoken=True,
        but={"evidence": None},
        description="An opt-out selects purposes or branches of them, an opt-in names them one by one. "
        "Without `recipients` an opt-out is for everything, an opt-in for own use alone.",
    ),
    _write(
        "applied-choices",
        "record_applied_choice",
        "ChoiceApplied",
        "Say up to which position a service has put choices into effect",
        RECORD,
        speech="service",
    ),
    _write(
        "links",
        "link_individuals",
        "IndividualsLinked",
        "Say that two individuals are one person",
        OFFICER,
        commands=both_sides,
        description="Both sides get an event, and the opt-outs that stand on either are written for the "
        "other. The receipt is that of `individual`'s event, and reaches as far as all of them.",
    ),
    _write(
        "unlinks",
        "unlink_individuals",
        "IndividualsUnlinked",
        "Say that they no longer count as one",
        OFFICER,
        commands=both_sides,
        description="Both sides get an event. Later opt-outs stay where they are made.",
    ),
    _write(
        "restrictions",
        "restrict_processing",
        "ProcessingRestricted",
        "Restrict the processing of an individual's data",
        OFFICER,
        spoken=True,
    ),
    _write(
        "restriction-lifts",
        "lift_restriction",
        "RestrictionLifted",
        "End a restriction",
        OFFICER,
        spoken=True,
    ),
    _write(
        "compelled-disclosures",
        "compel_disclosure",
        "DisclosureCompelled",
        "Record that the law compels a disclosure",
        OFFICER,
    ),
    _write(
        "planned-deliveries",
        "plan_delivery",
        "DeliveryPlanned",
        "Record that a notice is to be sent",
        RECORD,
        speech="service",
    ),
    _write(
        "delivery-attempts",
        "record_delivery_attempt",
        "DeliveryAttempted",
        "Record what came of one attempt at a delivery",
        RECORD,
        speech="service",
    ),
    _write(
        "requests",
        "open_request",
        "RequestOpened",
        "Record that an individual asks for one of their rights",
        OFFICER,
        spoken=True,
    ),
    _write(
        "request-steps",
        "advance_request",
        "RequestAdvanced",
        "Record that a request has reached another stage",
        OFFICER,
    ),
    _write(
        "complaints",
        "open_complaint",
        "ComplaintOpened",
        "Record that an individual complains",
        OFFICER,
        spoken=True,
        description="`about` is a subject, never the text of the complaint.",
    ),
    _write(
        "complaint-steps",
        "advance_complaint",
        "ComplaintAdvanced",
        "Record that a complaint has reached another stage",
        OFFICER,
    ),
    _write(
        "mandates",
        "give_mandate",
        "MandateGiven",
        "Record that somebody may act for an individual",
        OFFICER,
        spoken=True,
    ),
    _write("mandate-ends", "end_mandate", "MandateEnded", "End a mandate", OFFICER, spoken=True),
    _write(
        "personal-data",
        "store_personal_data",
        "PersonalDataStored",
        "Store a personal field as ciphertext",
        OFFICER,
        description="It has to be ciphertext already, under the individual's own key: bytes in base64.",
    ),
    _write(
        "personal-data-reads",
        "record_data_read",
        "PersonalDataRead",
        "Record that a personal field was read, and for which purpose",
        OFFICER,
    ),
    _write(
        "erasures",
        "erase_individual",
        "IndividualErased",
        "Erase an individual, finally",
        OFFICER,
        spoken=True,
        but={"individual": "erased-1"},
        description="Whoever returns is a new individual.",
    ),
    _write(
        "quarantine-resolutions",
        "resolve_quarantine",
        "QuarantineResolved",
        "Say how an unreadable record of an individual was dealt with",
        OFFICER,
        description="`position` is the ledger's generation and the record's place, joined by `/`. One that "
        "is no unreadable record of this individual settles nothing.",
    ),
)
"""Each row whose body alone says what is to be recorded, in the order of the documentation."""

DISCLOSURE: Final = Write(
    path="/v1/disclosures",
    operation="record_disclosure",
    summary="Record that data went to a recipient, and the answer that this relied on",
    scopes=RECORD,
    form=form_of(
        "DisclosureMade", computed=("decision",), left_open=("data", "at"), flags=("although_denied",)
    ),
    example={
        "individual": "ana",
        "recipient": "adco",
        "purpose": "website.surveys",
        "data": ["email_address"],
        "although_denied": True,
    },
    speech="service",
    commands=undecided,
    description="The service finds the answer itself: without `at` that of this instant, without `data` for "
    "all that the terms in force declare. A disclosure that is not permitted is refused, unless "
    "`although_denied` says that it has happened.",
)
"""A disclosure: what it relied on is the service's to find."""

WITHDRAWAL: Final = Write(
    path="/v1/policies/{policy_id}/withdrawal",
    operation="withdraw_policy",
    summary="Publish the next version of a policy, which declares no purposes",
    scopes=PUBLISH,
    form=Form(
        kind=EVENT_TYPES["PolicyAmended"],
        fields=("effective_at",),
        sample=SAMPLES["PolicyAmended"],
        open=("effective_at",),
    ),
    example={},
    speech="officer",
    tag="Publish",
    commands=undecided,
    description="Without `effective_at` nothing of the policy is declared from the instant of recording on.",
)
"""The withdrawal of a policy: which version it is follows from what stands."""
