"""Linked identities: which opt-outs travel, how they are dated, and which do not."""

import itertools
import uuid
from collections.abc import Iterator

import msgspec
import pytest

from events.individual_events import ChoiceDecision, ChoiceMade, IndividualsLinked, IndividualsUnlinked
from events.instants import DAY, SECOND, Micros
from events.union import IndividualEvent, Recorded
from ledger.links import Link, derived_opt_outs, in_order, links_of, standing_opt_outs

START: Micros = 1_700_000_000 * SECOND
IDS: Iterator[str] = (str(uuid.UUID(int=number)) for number in itertools.count(1))


def on_day(day: int) -> Micros:
    """An instant of the story."""
    return START + day * DAY


def linked(day: int, other: str = "account") -> IndividualsLinked:
    """The browser is linked on that day."""
    return IndividualsLinked(
        event_id=next(IDS), tenant="acme", individual="browser", occurred_at=on_day(day), other=other
    )


def unlinked(day: int, other: str = "account") -> IndividualsUnlinked:
    """The link of the browser is ended on that day."""
    return IndividualsUnlinked(
        event_id=next(IDS), tenant="acme", individual="browser", occurred_at=on_day(day), other=other
    )


def choice(
    day: int,
    decision: ChoiceDecision = "opt_out",
    purposes: tuple[str, ...] = ("website.email",),
    recipients: tuple[str, ...] | None = None,
) -> ChoiceMade:
    """What the browser chose on that day."""
    return ChoiceMade(
        event_id=next(IDS),
        tenant="acme",
        individual="browser",
        occurred_at=on_day(day),
        decision=decision,
        purposes=purposes,
        recipients=recipients,
    )


def history(*events: IndividualEvent) -> list[Recorded]:
    """These events, recorded on day 100, in whatever order."""
    return [Recorded(event, on_day(100)) for event in events]


def test_a_link_stands_until_it_is_ended() -> None:
    """A link has its beginning, and its end if it has one; a second link while the first stands is none."""
    first, second, end, again = linked(1), linked(2), unlinked(5), linked(7)
    assert links_of(history(first)) == (Link(other="account", event_id=first.event_id, since=on_day(1)),)
    found = links_of(history(again, end, second, first))
    assert [(link.since, link.until) for link in found] == [(on_day(1), on_day(5)), (on_day(7), None)]
    assert links_of(history(unlinked(3))) == ()


def test_a_later_opt_out_travels_as_it_is() -> None:
    """An opt-out made while the link stands is dated as its cause, and caused by it."""
    cause = choice(3, recipients=("adco",))
    (derived,) = derived_opt_outs(history(linked(1), cause), cause)
    assert (derived.individual, derived.medium, derived.caused_by) == ("account", "link", cause.event_id)
    assert derived.occurred_at == cause.occurred_at
    assert (derived.purposes, derived.recipients) == (cause.purposes, cause.recipients)


def test_an_opt_out_before_the_link_is_dated_at_the_link() -> None:
    """An opt-out that stood when the link was made is dated at the link, and caused by it."""
    link, cause = linked(4), choice(2)
    (derived,) = derived_opt_outs(history(cause, link), cause)
    assert (derived.occurred_at, derived.caused_by) == (link.occurred_at, link.event_id)


def test_a_derived_opt_out_is_one_event_however_often_it_is_made() -> None:
    """Its id follows from the cause, the individual and what caused it, and from nothing else."""
    link, cause = linked(1), choice(3)
    first, again = (derived_opt_outs(history(link, cause), cause) for _ in range(2))
    assert first == again
    (other,) = derived_opt_outs(history(linked(1, "phone"), cause), cause)
    assert other.event_id != first[0].event_id


def test_an_opt_out_travels_to_everybody_who_is_linked() -> None:
    """Each of several links carries it, once."""
    cause = choice(3)
    derived = derived_opt_outs(history(linked(1), linked(2, "phone"), cause), cause)
    assert {choice_.individual for choice_ in derived} == {"account", "phone"}


@pytest.mark.parametrize(("day", "travels"), [(1, True), (4, True), (5, False), (6, False)])
def test_an_opt_out_after_the_end_stays(day: int, travels: bool) -> None:
    """What is chosen before the link's end travels, though it arrives after it; from its end on it stays."""
    cause = choice(day)
    derived = derived_opt_outs(history(linked(2), unlinked(5), cause), cause)
    assert bool(derived) == travels


def test_opt_ins_and_derived_opt_outs_stay() -> None:
    """A grant stays where it was given, and a derived opt-out goes no second hop."""
    grant = choice(3, "opt_in")
    hop = msgspec.structs.replace(choice(3), medium="link")
    for cause in (grant, hop):
        assert derived_opt_outs(history(linked(1), cause), cause) == ()


def test_evidence_stays_with_the_individual_who_gave_it() -> None:
    """The derived event names no evidence: that belongs to the other individual's record."""
    from events.individual_events import Evidence  # noqa: PLC0415 - this test alone has evidence

    cause = msgspec.structs.replace(choice(3), evidence=Evidence(sha256="ab" * 32, kind="scan"))
    (derived,) = derived_opt_outs(history(linked(1), cause), cause)
    assert derived.evidence is None


STANDING: dict[str, tuple[tuple[ChoiceMade, ...], int]] = {
    "an opt-out alone": ((choice(1),), 1),
    "an opt-out after an opt-in": ((choice(1, "opt_in"), choice(2)), 1),
    "one for everybody, though own use was granted again": ((choice(1), choice(2, "opt_in")), 1),
    "one for a recipient, granted again": (
        (choice(1, recipients=("adco",)), choice(2, "opt_in", recipients=("adco",))),
        0,
    ),
    "one for two recipients, one of them granted again": (
        (choice(1, recipients=("adco", "other")), choice(2, "opt_in", recipients=("adco",))),
        1,
    ),
    "one for a recipient, granted for another purpose": (
        (
            choice(1, recipients=("adco",)),
            choice(2, "opt_in", purposes=("website.surveys",), recipients=("adco",)),
        ),
        1,
    ),
    "one that came by a link": ((msgspec.structs.replace(choice(1), medium="link"),), 0),
}


@pytest.mark.parametrize("what", STANDING)
def test_which_opt_outs_stand(what: str) -> None:
    """An opt-out stands unless later opt-ins grant each of its purposes to each of its recipients."""
    events, count = STANDING[what]
    assert len(standing_opt_outs(history(*reversed(events)))) == count


def test_events_are_in_the_order_of_the_semantics() -> None:
    """Order is by when it happened, then by when it was recorded, then by id; never by arrival."""
    a, b = sorted((choice(1), choice(1)), key=lambda event: event.event_id)
    late, early = Recorded(b, on_day(100)), Recorded(a, on_day(100))
    first = Recorded(b, on_day(50))
    assert in_order([late, early]) == [early, late]
    assert in_order([early, first]) == [first, early]
    assert in_order([Recorded(choice(2), on_day(3)), late])[0] == late
