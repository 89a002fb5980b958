"""Explanations: a sentence for every reason, event and exception, and nothing that steers a terminal."""

import io
from collections.abc import Iterator
from itertools import count
from typing import Any, get_args

import msgspec
import pytest

from choice_ledger.cli.output import safe, show_table
from choice_ledger.event_sentences import ACTORS, MEDIA, WORDS, said, told
from choice_ledger.explaining import OVERRIDES, SENTENCES, explain
from events.envelope import Actor, ActorKind, Medium
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
    RestrictionLifted,
)
from events.instants import DAY, SECOND, Micros
from events.policy_events import FrameworkStatusChanged, LedgerBegun, PolicyAmended, PolicyReviewed
from events.union import EVENT_TYPES, Event, Recorded
from projections.decision import PERMITTING, Decision, Override, PolicyRef, Question, Reason
from tests.tidy.source import ROOT

AT: Micros = 1_700_000_000 * SECOND
IDS: Iterator[str] = (f"00000000-0000-0000-0000-{number:012}" for number in count(1))
WHO: dict[str, Any] = {"tenant": "acme", "individual": "ana", "occurred_at": AT}
OF_POLICIES: dict[str, Any] = {"tenant": "acme", "occurred_at": AT}
DRAFT: dict[str, Any] = {"policy_id": "website", "version": 2, "draft_sha256": "0" * 64}


def reasons() -> list[Reason]:
    """Every reason that an answer may have."""
    return [code for literal in get_args(Reason) for code in (get_args(literal) or (literal,))]


def question(recipient: str | None = None, data: tuple[str, ...] = ()) -> Question:
    """A question about Ana's e-mail."""
    return Question(
        tenant="acme", individual="ana", purpose="website.email", at=AT, recipient=recipient, data=data
    )


SAID: dict[str, Event] = {
    "version 2 of policy website, in force from 14 November 2023, 22:13:20 UTC": PolicyAmended(
        event_id=next(IDS), **OF_POLICIES, policy_id="website", version=2, effective_at=AT
    ),
    "framework shield not in force from 14 November 2023, 22:13:20 UTC": FrameworkStatusChanged(
        event_id=next(IDS), **OF_POLICIES, framework="shield", in_force=False, from_=AT
    ),
    "framework shield in force from 14 November 2023, 22:13:20 UTC": FrameworkStatusChanged(
        event_id=next(IDS), **OF_POLICIES, framework="shield", in_force=True, from_=AT
    ),
    "draft of version 2 of policy website approved": PolicyReviewed(
        event_id=next(IDS), **OF_POLICIES, **DRAFT, verdict="approved"
    ),
    "draft of version 2 of policy website rejected": PolicyReviewed(
        event_id=next(IDS), **OF_POLICIES, **DRAFT, verdict="rejected"
    ),
    "the beginning of the ledger": LedgerBegun(event_id=next(IDS), **OF_POLICIES, generation=next(IDS)),
    "notice of version 1 of policy website, without a choice": NoticeGiven(
        event_id=next(IDS), **WHO, notice_id="n", policy_id="website", version=1
    ),
    "notice of version 1 of policy website, with a choice": NoticeGiven(
        event_id=next(IDS), **WHO, notice_id="n", policy_id="website", version=1, choice_offered=True
    ),
    "notice n not delivered": NoticeOutcome(event_id=next(IDS), **WHO, notice_id="n", outcome="failed"),
    "notice n delivered": NoticeOutcome(event_id=next(IDS), **WHO, notice_id="n", outcome="delivered"),
    "opt-out of website and hr": ChoiceMade(
        event_id=next(IDS), **WHO, decision="opt_out", purposes=("website", "hr")
    ),
    "opt-out of every purpose": ChoiceMade(event_id=next(IDS), **WHO, decision="opt_out", purposes=("*",)),
    "opt-out of no purpose, for disclosure to nobody": ChoiceMade(
        event_id=next(IDS), **WHO, decision="opt_out", purposes=(), recipients=()
    ),
    "opt-in to website.email": ChoiceMade(
        event_id=next(IDS), **WHO, decision="opt_in", purposes=("website.email",)
    ),
    "opt-in to website.email, for disclosure to adco": ChoiceMade(
        event_id=next(IDS), **WHO, decision="opt_in", purposes=("website.email",), recipients=("adco",)
    ),
    "jurisdiction US, population minor, locale en": IndividualDescribed(
        event_id=next(IDS), **WHO, jurisdiction="US", populations=("minor",), locale="en"
    ),
    "populations minor, visitor and customer": IndividualDescribed(
        event_id=next(IDS), **WHO, populations=("minor", "visitor", "customer")
    ),
    "no population": IndividualDescribed(event_id=next(IDS), **WHO, populations=()),
    "a description of the individual": IndividualDescribed(event_id=next(IDS), **WHO),
    "restriction r of every purpose": ProcessingRestricted(event_id=next(IDS), **WHO, restriction_id="r"),
    "restriction r lifted": RestrictionLifted(event_id=next(IDS), **WHO, restriction_id="r"),
    "disclosure to court compelled by order 7": DisclosureCompelled(
        event_id=next(IDS), **WHO, recipient="court", legal_reference="order 7", from_=AT
    ),
    "erasure of the individual": IndividualErased(event_id=next(IDS), **WHO),
    "linked to phone": IndividualsLinked(event_id=next(IDS), **WHO, other="phone"),
    "no longer linked to phone": IndividualsUnlinked(event_id=next(IDS), **WHO, other="phone"),
}


@pytest.mark.parametrize("words", SAID)
def test_each_event_is_told_in_a_few_words(words: str) -> None:
    """What an event said is told in a few words, with all that tells it from another of its type."""
    assert said(Recorded(SAID[words], AT)) == words


def test_an_event_is_told_with_its_two_times() -> None:
    """Both times are told where they differ, one where they are the same, with actor, medium and id."""
    event = ChoiceMade(
        event_id=next(IDS),
        **WHO,
        decision="opt_out",
        purposes=("*",),
        actor=Actor(kind="officer"),
        medium="mail",
    )
    same = told(Recorded(event, AT))
    when = "on 14 November 2023, 22:13:20 UTC"
    assert same == f"opt-out of every purpose, {when}, by an officer, by letter ({event.event_id})"
    assert "recorded on 15 November 2023, 22:13:20 UTC" in told(Recorded(event, AT + DAY))


def test_every_type_actor_and_medium_has_words() -> None:
    """No event is told by a code: each type, each actor and each medium has words of its own."""
    assert set(WORDS) == set(EVENT_TYPES.values())
    assert set(ACTORS) == set(get_args(ActorKind))
    assert set(MEDIA) == set(get_args(Medium))


@pytest.mark.parametrize("reason", reasons())
def test_every_reason_is_explained(reason: Reason) -> None:
    """For each reason there is a sentence why, and one on what would change the answer."""
    decision = Decision(permitted=reason in PERMITTING, reason=reason)
    lines = explain(question(), decision, {}).lines()
    because, change = SENTENCES[reason]
    assert lines[1] == f"{'Permitted' if decision.permitted else 'Denied'}: {reason}."
    assert lines[2] == because
    assert f"What would change it: {change}" in lines
    assert because.endswith(".")
    assert change.endswith(".")


def test_what_is_stale_is_not_said_to_stay_so() -> None:
    """A denial for want of freshness ends by itself; any other without an end stays as it is."""
    stale, told = (
        explain(question(), Decision(permitted=False, reason=reason), {}).until
        for reason in ("stale", "not_told")
    )
    assert stale == "This answer holds until the state has caught up with the log."
    assert told == "If nothing more is recorded, this answer does not change."


def test_the_reference_has_the_same_sentences() -> None:
    """The page of the reasons says of each what the program says."""
    page = (ROOT / "docs" / "reference" / "reasons.md").read_text(encoding="utf-8")
    for reason in reasons():
        because, change = SENTENCES[reason]
        answer = "permitted" if reason in PERMITTING else "denied"
        assert f"| `{reason}` | {answer} | {because} | {change} |" in page


def test_a_question_is_told_whole() -> None:
    """The recipient, the data and the time of record are in the sentences of the question."""
    decision = Decision(permitted=False, reason="not_told")
    own = explain(question(), decision, {}).question
    when = "on 14 November 2023, 22:13:20 UTC?"
    assert own == f"May acme itself use data of ana for website.email {when}"
    one = explain(question("adco", ("name",)), decision, {}).question
    told_to = f"May acme disclose data of ana to adco for website.email {when}"
    assert one == f"{told_to} Asked about this category of data: name."
    known = msgspec.structs.replace(question("adco", ("name", "address")), known_at=AT + DAY)
    assert explain(known, decision, {}).question == (
        f"{told_to} Asked about these 2 categories of data: name and address. "
        "Asked on what had been recorded by 15 November 2023, 22:13:20 UTC."
    )


def test_events_that_decided_are_told_in_order() -> None:
    """Each event of the evidence has a sentence; one that is not at hand is named by its id."""
    known = SAID["opt-out of website and hr"]
    decision = Decision(
        permitted=False,
        reason="opted_out",
        policy=PolicyRef("website", 2),
        evidence=("unknown-id", known.event_id),
        until=AT,
    )
    explanation = explain(question(), decision, {known.event_id: Recorded(known, AT)})
    assert explanation.events[0] == "event unknown-id"
    assert explanation.events[1].startswith("opt-out of website and hr, on ")
    assert explanation.answer.endswith("Policy website, version 2, declares the purpose.")
    assert explanation.until.endswith("ask again on 14 November 2023, 22:13:20 UTC.")
    assert "These 2 events decided it:" in explanation.lines()


def test_what_stands_beside_an_answer_is_told() -> None:
    """Each thing that a law overrides has words, and an objection is told with its event."""
    overrides: tuple[Override, ...] = get_args(Override)
    assert set(OVERRIDES) == set(overrides)
    objection = SAID["opt-out of website and hr"]
    decision = Decision(
        permitted=True, reason="required_by_law", overrides=overrides, objection=objection.event_id
    )
    beside = explain(question(), decision, {objection.event_id: Recorded(objection, AT)}).beside
    assert len(beside) == len(overrides) + 1
    assert "opt-out of website and hr" in beside[-1]
    assert f"event {objection.event_id}" in explain(question(), decision, {}).beside[-1]


def test_no_text_steers_a_terminal() -> None:
    """Whatever is printed, a control character is replaced; letters of any script stay."""
    assert safe("a\x1b[31mb\u202ec\u2028") == "a\ufffd[31mb\ufffdc\ufffd"
    assert safe("Überschrift – 意味") == "Überschrift – 意味"


class Terminal(io.StringIO):
    """A terminal, as far as a table looks at it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_table_is_ruled_on_a_terminal_and_plain_elsewhere() -> None:
    """On a terminal a table has rules; elsewhere its columns stand in line, uncut, without markup."""
    plain, terminal = io.StringIO(), Terminal()
    rows = [("[bold]x[/bold]", "y" * 200), ("a", "\x1b[31m")]
    for out in (plain, terminal):
        show_table(("one", "two"), rows, out)
    assert plain.getvalue().splitlines() == [
        "ONE             TWO",
        f"[bold]x[/bold]  {'y' * 200}",
        "a               \ufffd[31m",
    ]
    assert "[bold]x[/bold]" in terminal.getvalue()
    assert "│" in terminal.getvalue()
    assert "\x1b[31m\x1b" not in terminal.getvalue()
