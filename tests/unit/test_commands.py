"""Commands: what they propose, and what is refused before anything is appended."""

from typing import get_args, get_type_hints

import msgspec
import pytest

from events.catalogue import Catalogue, TenantPolicies, VoidReason
from events.envelope import SELF, Actor, ActorKind, IndividualStreamEvent, Medium, PolicyStreamEvent
from events.individual_events import ChoiceMade, DisclosureCompelled, NoticeGiven
from events.instants import DAY, SECOND, Micros
from events.policy_events import PolicyAmended, SafeguardWaived
from events.terms import Recipient, Terms
from events.union import EVENT_TYPES, Recorded
from ledger.commands import (
    EVENT_OF,
    LETTER_MEDIA,
    VOID_MESSAGES,
    Command,
    CompelDisclosure,
    EraseIndividual,
    Heard,
    LinkIndividuals,
    PublishPolicy,
    RecordChoice,
    RecordNotice,
    Refused,
    ResolveQuarantine,
    UnlinkIndividuals,
    WaiveSafeguard,
    propose,
)
from ledger.log import Proposal
from ledger.record_commands import (
    AdvanceRequest,
    DraftPolicy,
    OpenComplaint,
    PlanDelivery,
    ReportDelivery,
    StorePersonalData,
)

NOW: Micros = 1_800_000_000 * SECOND
DIGEST = "ab" * 32
OTHER_DIGEST = "cd" * 32
EMAIL = Terms(key="website.email", mode="opt_out")


def heard(
    number: int = 1,
    *,
    tenant: str = "acme",
    actor: Actor = SELF,
    medium: Medium = "api",
    occurred_at: Micros | None = None,
) -> Heard:
    """How a command was heard; ``number`` makes its id."""
    return Heard(
        event_id=f"00000000-0000-0000-0000-{number:012}",
        tenant=tenant,
        actor=actor,
        medium=medium,
        occurred_at=occurred_at,
    )


def amended(version: int = 1, policy_id: str = "website", *purposes: Terms) -> PolicyAmended:
    """A version of a policy with one wording."""
    return PolicyAmended(
        event_id=f"00000000-0000-0000-0001-{version:012}",
        tenant="acme",
        occurred_at=NOW - DAY,
        policy_id=policy_id,
        version=version,
        effective_at=NOW - DAY,
        wording={"en": DIGEST},
        purposes=purposes or (EMAIL,),
    )


def published(*events: PolicyAmended) -> Catalogue:
    """A catalogue in which these are folded."""
    catalogue = Catalogue()
    for event in events:
        catalogue = catalogue.after(Recorded(event, NOW - DAY))
    return catalogue


def opt_out(individual: str = "ana") -> RecordChoice:
    """An opt-out of e-mail."""
    return RecordChoice(individual=individual, decision="opt_out", purposes=("website.email",))


def notice(version: int = 1, policy_id: str = "website", wording: str | None = None) -> RecordNotice:
    """A notice of a version."""
    return RecordNotice(
        individual="ana", notice_id="n", policy_id=policy_id, version=version, wording_sha256=wording
    )


def accepted(command: Command, how: Heard, catalogue: Catalogue | None = None) -> Proposal:
    """What is proposed, which must not be a refusal."""
    proposal = propose(command, how, NOW, catalogue or Catalogue())
    assert isinstance(proposal, Proposal), proposal
    return proposal


def refused_field(command: Command, how: Heard, catalogue: Catalogue | None = None) -> str:
    """The field of a refusal, which there must be."""
    refused = propose(command, how, NOW, catalogue or Catalogue())
    assert isinstance(refused, Refused), refused
    assert refused.message
    return refused.field


def test_every_command_has_its_event() -> None:
    """The table of events names exactly the commands of the closed union, each with an event of its own."""
    assert set(EVENT_OF) == set(get_args(Command))
    assert len(set(EVENT_OF.values())) == len(EVENT_OF)


def test_every_event_can_be_asked_for_but_the_logs_own() -> None:
    """Each event type is some command's, except the beginning of a ledger, which the log itself writes."""
    named = {event.__name__ for event in EVENT_OF.values()}
    assert set(EVENT_TYPES) - named == {"LedgerBegun"}


@pytest.mark.parametrize("kind", EVENT_OF, ids=lambda kind: kind.__name__)
def test_a_command_has_the_fields_of_its_event(kind: type[Command]) -> None:
    """A command has exactly the fields that its event has of its own, and the individual."""
    event = EVENT_OF[kind]
    base = PolicyStreamEvent if issubclass(event, PolicyStreamEvent) else IndividualStreamEvent
    own = set(event.__struct_fields__) - set(base.__struct_fields__)
    if base is IndividualStreamEvent:
        own |= {"individual"}
    assert set(kind.__struct_fields__) == own
    hints, event_hints = get_type_hints(kind), get_type_hints(event)
    open_ones = {"effective_at", "wording"}
    assert {n: hints[n] for n in own - open_ones} == {n: event_hints[n] for n in own - open_ones}


def test_a_proposal_is_the_event_that_was_asked_for() -> None:
    """The event has the fields of the command and of how it was heard; without a date it happens now."""
    how = msgspec.structs.replace(heard(actor=Actor(kind="agent", id="a")), caused_by=heard(9).event_id)
    proposal = accepted(opt_out(), how)
    assert proposal == Proposal(
        ChoiceMade(
            event_id=how.event_id,
            tenant="acme",
            individual="ana",
            occurred_at=NOW,
            actor=Actor(kind="agent", id="a"),
            medium="api",
            caused_by=how.caused_by,
            decision="opt_out",
            purposes=("website.email",),
        ),
        heard_now=True,
    )


@pytest.mark.parametrize("kind", get_args(ActorKind))
@pytest.mark.parametrize("medium", get_args(Medium))
def test_who_may_give_an_earlier_date(kind: ActorKind, medium: Medium) -> None:
    """An earlier `occurred_at` is for an officer's entry, and for what came by letter or word of mouth."""
    how = heard(actor=Actor(kind=kind), medium=medium, occurred_at=NOW - DAY)
    outcome = propose(opt_out(), how, NOW, Catalogue())
    if kind == "officer" or medium in LETTER_MEDIA:
        assert isinstance(outcome, Proposal)
        assert (outcome.event.occurred_at, outcome.heard_now) == (NOW - DAY, False)
    else:
        assert isinstance(outcome, Refused)
        assert outcome.field == "occurred_at"


def test_nothing_happens_in_the_future() -> None:
    """An `occurred_at` at the clock's instant is taken, and one microsecond later is not."""
    officer = Actor(kind="officer")
    assert accepted(opt_out(), heard(actor=officer, occurred_at=NOW)).event.occurred_at == NOW
    assert refused_field(opt_out(), heard(actor=officer, occurred_at=NOW + 1)) == "occurred_at"


def test_the_ledgers_tenant_is_its_operators() -> None:
    """In the ledger's own tenant there are waivers and resolutions, and nothing that a controller says."""
    own = heard(tenant="ledger")
    assert refused_field(opt_out(), own) == "tenant"
    assert refused_field(EraseIndividual("ana"), own) == "tenant"
    assert isinstance(accepted(WaiveSafeguard("a", "b"), own).event, SafeguardWaived)
    assert accepted(ResolveQuarantine("operator", "policies/0/7", "mended"), own).event.tenant == "ledger"


def test_what_no_event_may_have_is_refused_by_its_field() -> None:
    """What an event type refuses when it is made is a refusal here, with the field and no value."""
    assert refused_field(opt_out("a@b.example"), heard()) == "individual"
    assert refused_field(opt_out(), heard(tenant="Acme")) == "tenant"
    refused = propose(opt_out("a@b.example"), heard(), NOW, Catalogue())
    assert isinstance(refused, Refused)
    assert "a@b.example" not in refused.message


def test_a_policy_takes_effect_when_it_is_recorded_or_later() -> None:
    """Without a date a version takes effect as it is recorded; a date may be now, and never before."""
    command = PublishPolicy(policy_id="website", version=1, purposes=(EMAIL,))
    proposal = accepted(command, heard())
    assert isinstance(proposal.event, PolicyAmended)
    assert (proposal.event.effective_at, proposal.event.occurred_at, proposal.heard_now) == (NOW, NOW, True)
    at_now, before = (msgspec.structs.replace(command, effective_at=at) for at in (NOW, NOW - 1))
    accepted(at_now, heard())
    assert refused_field(before, heard()) == "effective_at"
    officer = heard(actor=Actor(kind="officer"), occurred_at=NOW - DAY)
    assert refused_field(command, officer) == "effective_at"


VOID: dict[VoidReason, tuple[int, tuple[Terms, ...]]] = {
    "version_not_next": (3, (EMAIL,)),
    "key_of_another_policy": (2, (Terms(key="hr.payroll", mode="necessary"),)),
    "necessary_third_party": (
        2,
        (Terms(key="website.a", mode="necessary", recipients=(Recipient(name="adco"),)),),
    ),
    "key_named_twice": (2, (EMAIL, EMAIL)),
    "recipient_named_twice": (
        2,
        (Terms(key="website.a", mode="opt_out", recipients=(Recipient(name="a"), Recipient(name="a"))),),
    ),
}


@pytest.mark.parametrize("reason", VOID)
def test_what_would_be_void_is_refused(reason: VoidReason) -> None:
    """For each reason to be void, an amendment that would be is refused early, with the field at fault."""
    other = amended(1, "staff", Terms(key="hr.payroll", mode="necessary"))
    catalogue = published(amended(), msgspec.structs.replace(other, event_id=heard(7).event_id))
    version, purposes = VOID[reason]
    command = PublishPolicy(policy_id="website", version=version, purposes=purposes)
    assert refused_field(command, heard(), catalogue) == VOID_MESSAGES[reason][0]
    assert set(VOID_MESSAGES) == set(get_args(VoidReason)) == set(VOID)


def test_the_next_version_is_named() -> None:
    """Whoever publishes the wrong version is told which one is next."""
    command = PublishPolicy(policy_id="website", version=1, purposes=(EMAIL,))
    refused = propose(command, heard(), NOW, published(amended()))
    assert isinstance(refused, Refused)
    assert refused.message.endswith("; the next is 2")


def test_a_repeated_amendment_is_left_to_the_log() -> None:
    """An amendment whose id is folded already is no void one: the log compares the two."""
    event = amended()
    command = PublishPolicy(policy_id="website", version=1, effective_at=NOW, purposes=(EMAIL,))
    how = msgspec.structs.replace(heard(), event_id=event.event_id)
    assert isinstance(propose(command, how, NOW, published(event)), Proposal)


def test_a_notice_is_of_what_is_published() -> None:
    """A notice of an unknown policy, or of a version that does not stand, is refused."""
    catalogue = published(amended(1), amended(2))
    for version in (1, 2):
        assert isinstance(accepted(notice(version), heard(), catalogue).event, NoticeGiven)
    assert refused_field(notice(3), heard(), catalogue) == "version"
    assert refused_field(notice(1, "staff"), heard(), catalogue) == "policy_id"
    assert refused_field(notice(1), heard(tenant="other"), catalogue) == "policy_id"


def test_a_notices_text_is_one_of_its_version() -> None:
    """The digest of a wording of that version is taken, another one is refused."""
    catalogue = published(amended())
    accepted(notice(wording=DIGEST), heard(), catalogue)
    assert refused_field(notice(wording=OTHER_DIGEST), heard(), catalogue) == "wording_sha256"


def test_a_delivery_is_planned_of_what_is_published() -> None:
    """A delivery of a version that does not stand is not planned; an attempt at one, a fact, is recorded."""
    catalogue = published(amended(1), amended(2))
    plan = PlanDelivery(
        individual="ana", intent_id=heard(7).event_id, policy_id="website", version=2, channel="email"
    )
    accepted(plan, heard(), catalogue)
    for version in (0, 3, -1):
        assert refused_field(msgspec.structs.replace(plan, version=version), heard(), catalogue) == "version"
    assert refused_field(msgspec.structs.replace(plan, policy_id="staff"), heard(), catalogue) == "policy_id"
    fields = {name: getattr(plan, name) for name in plan.__struct_fields__}
    accepted(ReportDelivery(**fields | {"version": 3}, result="failed"), heard(), catalogue)


def test_what_is_kept_for_the_record_has_its_events_form() -> None:
    """Commands that no decision depends on are refused for the form of their events alone, by the field."""
    advance = AdvanceRequest(individual="ana", request_id="never-opened", kind="access", stage="answered")
    accepted(advance, heard())
    assert refused_field(msgspec.structs.replace(advance, stage=""), heard()) == "stage"
    complaint = OpenComplaint(individual="ana", complaint_id="c", stage="s", about="x" * 8_193)
    assert refused_field(complaint, heard()) == "about"
    assert refused_field(StorePersonalData("ana", "address", bytes(32_769)), heard()) == "ciphertext"
    accepted(StorePersonalData("ana", "address", bytes(32_768)), heard())
    draft = DraftPolicy(policy_id="website", version=9, draft_sha256=DIGEST.upper())
    assert refused_field(draft, heard()) == "draft_sha256"


def test_a_link_joins_two_individuals() -> None:
    """Both sides of a link, and of its end, have to be individuals, and not the same one."""
    for command in (LinkIndividuals, UnlinkIndividuals):
        accepted(command("ana", "browser-1"), heard())
        assert refused_field(command("ana", "ana"), heard()) == "other"
        assert refused_field(command("ana", "a b"), heard()) == "other"


def test_a_compelled_disclosure_has_an_interval() -> None:
    """A disclosure that would end before it begins, or as it begins, would compel nothing and is refused."""
    compelled = CompelDisclosure(individual="ana", recipient="court", legal_reference="x", from_=NOW, to=None)
    assert isinstance(accepted(compelled, heard()).event, DisclosureCompelled)
    accepted(msgspec.structs.replace(compelled, to=NOW + 1), heard())
    assert refused_field(msgspec.structs.replace(compelled, to=NOW), heard()) == "to"


def test_a_catalogue_satisfies_the_port() -> None:
    """A view answers for every tenant: one that has published nothing has nothing."""
    assert isinstance(Catalogue().tenant("nobody"), TenantPolicies)
    assert Catalogue().tenant("nobody").standing == {}
