"""Answers: as of when they are, how far they reach, and when there is none."""

import msgspec
import pytest

from events.envelope import InvalidEvent
from events.instants import INSTANT_MAX
from events.streams import Position, Slice
from events.union import Recorded
from projections.decision import Decision, outside
from projections.memory_store import MemoryStore
from projections.projector import Projector
from projections.reader import ENQUIRIES_MAX, Enquiry, ReadModel
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, day, opted_out, told

ANA = Enquiry(tenant="acme", individual="ana", purpose="website.email")


class Desk:
    """A log, the projector that keeps a store up with it, a clock that a test sets, and the read model."""

    def __init__(self, *events: Recorded, partitions: int = 1) -> None:
        self.log: RawLog = log_of(events, partitions)
        self.store = MemoryStore()
        self.projector = Projector(self.log, self.store)
        self.projector.catch_up()
        self.clock_at = 0
        self.model = ReadModel(self.store, self.log.slice_of, lambda: self.clock_at)

    def record(self, *events: Recorded) -> None:
        """Let more happen, and fold it."""
        for event in events:
            self.log.put_event(event)
        self.projector.catch_up()

    def reason(self, **fields: object) -> str:
        """The reason of the answer about Ana, with these fields of the enquiry."""
        return self.model.answer(msgspec.structs.replace(ANA, **fields)).decision.reason


def test_the_default_instant_is_the_clock() -> None:
    """Where the clock is ahead of everything that was folded, an open instant is the clock's."""
    desk = Desk(amended(day(1)), told(day(2)))
    desk.clock_at = day(9)
    assert desk.model.answer(ANA).question.at == day(9)


def test_the_default_instant_is_not_before_the_individuals_newest_event() -> None:
    """Where a writer's clock was ahead, the newest event of the individual is the instant."""
    desk = Desk(amended(day(1)), told(day(2)), told(day(8), "bo"))
    desk.clock_at = day(1)
    assert desk.model.answer(ANA).question.at == day(2)


def test_the_default_instant_is_not_before_the_tenants_newest_policy() -> None:
    """So it is with the newest event of the tenant's policies, of no other tenant's."""
    desk = Desk(amended(day(1)), told(day(2)), amended(day(5), 2), amended(day(9), tenant="globex"))
    assert desk.model.answer(ANA).question.at == day(5)
    stranger = Enquiry(tenant="nobody", individual="ana", purpose="x", at=None)
    desk.clock_at = day(3)
    assert desk.model.answer(stranger).question.at == day(3)


def test_an_instant_that_is_given_is_kept() -> None:
    """A given instant is asked as it is, however far it lies from the clock."""
    desk = Desk(amended(day(1)), told(day(2)))
    assert desk.model.answer(msgspec.structs.replace(ANA, at=day(1))).question.at == day(1)


def test_the_past_is_answered_from_history() -> None:
    """What was allowed before a choice, and what was known then, is answered as of that time."""
    desk = Desk(amended(day(1)), told(day(2)), opted_out(day(5)))
    letter = opted_out(day(4))
    desk.record(Recorded(letter.event, day(7)))
    assert desk.reason(at=day(8)) == "opted_out"
    assert desk.reason(at=day(3)) == "not_opted_out"
    assert desk.reason(at=day(1)) == "not_told"
    assert desk.reason(at=day(4), known_at=day(6)) == "not_opted_out"
    assert desk.reason(at=day(4), known_at=day(7)) == "opted_out"
    assert desk.reason(at=day(9), known_at=day(3)) == "not_opted_out"


def test_an_amendment_is_seen_at_once() -> None:
    """Policies that were folded after an answer are heeded by the next."""
    desk = Desk(told(day(2)))
    desk.clock_at = day(3)
    assert desk.reason() == "purpose_not_declared"
    desk.record(amended(day(2)))
    assert desk.reason() == "not_opted_out"


def test_strangers_are_denied() -> None:
    """An unknown individual, tenant or purpose is denied by the rules, also where nothing was ever folded."""
    desk = Desk(amended(day(1)))
    assert desk.reason() == "not_told"
    assert desk.reason(tenant="globex") == "purpose_not_declared"
    assert desk.reason(purpose="website.other") == "purpose_not_declared"
    fresh = ReadModel(MemoryStore(), lambda _: Slice("individuals", 0), lambda: 5)
    answer = fresh.answer(ANA)
    assert (answer.decision, answer.position) == (
        Decision(permitted=False, reason="purpose_not_declared"),
        None,
    )


def test_an_answer_tells_its_position() -> None:
    """The position holds the individual's slice and the policies, no other slice."""
    desk = Desk(amended(day(1)), *(told(day(2), name) for name in ("ana", "bo", "cy", "di")), partitions=4)
    answer = desk.model.answer(ANA)
    slice_ = desk.log.slice_of(b"acme/ana")
    end = desk.log.end().as_dict()
    policies = Slice("policies", 0)
    expected = Position.of(desk.log.generation, [(slice_, end[slice_]), (policies, end[policies])])
    assert answer.position == expected
    assert desk.log.end().covers(expected)


def test_answers_stand_in_the_order_of_their_enquiries() -> None:
    """Enquiries about several people, some of them twice, are answered each in its place."""
    desk = Desk(amended(day(1)), told(day(2)), told(day(2), "bo"), opted_out(day(3), "bo"))
    desk.clock_at = day(5)
    people = ("bo", "ana", "zoe", "bo", "ana")
    asked = [msgspec.structs.replace(ANA, individual=name) for name in people]
    answers = desk.model.answer_many(asked)
    reasons = [answer.decision.reason for answer in answers]
    assert reasons == ["opted_out", "not_opted_out", "not_told", "opted_out", "not_opted_out"]
    assert [answer.question.individual for answer in answers] == list(people)
    assert desk.model.answer_many([]) == []


def test_no_more_enquiries_than_the_limit() -> None:
    """As many enquiries as the limit are answered at once; one more is refused."""
    desk = Desk(amended(day(1)))
    assert len(desk.model.answer_many([ANA] * ENQUIRIES_MAX)) == ENQUIRIES_MAX
    with pytest.raises(ValueError, match="cut"):
        desk.model.answer_many([ANA] * (ENQUIRIES_MAX + 1))


def test_a_quarantined_individual_is_denied_also_about_the_past() -> None:
    """While a record of theirs is unreadable an individual is denied, about whatever time; others are not."""
    desk = Desk(amended(day(1)), told(day(2)), told(day(2), "bo"))
    desk.log.put(desk.log.slice_of(b"acme/ana"), b"acme/ana", b"?")
    desk.projector.catch_up()
    for at in (day(1), day(3)):
        assert desk.model.answer(msgspec.structs.replace(ANA, at=at)).decision == outside("quarantined")
    assert desk.reason(individual="bo") == "not_opted_out"


def test_every_use_is_answered_from_one_moment() -> None:
    """Permissions are the answers to each use alone, at one instant and with one position."""
    desk = Desk(amended(day(1)), told(day(2)), opted_out(day(5)))
    desk.clock_at = day(9)
    found = desk.model.permissions(msgspec.structs.replace(ANA, purpose="*"))
    assert [answer.question.purpose for answer in found.answers] == ["website.email"]
    assert [answer.decision for answer in found.answers] == [desk.model.answer(ANA).decision]
    assert (found.at, found.position) == (day(9), desk.model.answer(ANA).position)
    before = desk.model.permissions(msgspec.structs.replace(ANA, purpose="website", at=day(3)))
    assert [answer.decision.reason for answer in before.answers] == ["not_opted_out"]
    assert desk.model.permissions(msgspec.structs.replace(ANA, purpose="hr")).answers == ()


def test_every_use_of_a_quarantined_individual_is_denied() -> None:
    """Nothing is permitted of somebody who has an unreadable record, whichever use is asked about."""
    desk = Desk(amended(day(1)), told(day(2)))
    desk.log.put(desk.log.slice_of(b"acme/ana"), b"acme/ana", b"?")
    desk.projector.catch_up()
    found = desk.model.permissions(msgspec.structs.replace(ANA, purpose="*"))
    assert {answer.decision for answer in found.answers} == {outside("quarantined")}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant", "Acme"),
        ("tenant", "acme/x"),
        ("individual", "a/b"),
        ("individual", ""),
        ("individual", "\ud800"),
        ("at", INSTANT_MAX + 1),
        ("known_at", INSTANT_MAX + 1),
    ],
)
def test_an_enquiry_that_no_event_could_answer_is_refused(field: str, value: object) -> None:
    """A name or an instant that no event may have is refused when the enquiry is made, and named."""
    with pytest.raises(InvalidEvent) as refusal:
        msgspec.structs.replace(ANA, **{field: value})
    assert refusal.value.field == field


def test_a_question_at_the_newest_instant_is_of_the_present() -> None:
    """At the very instant of the newest event live facts and history agree, one microsecond before too."""
    newest = day(5)
    desk = Desk(amended(day(1)), told(day(2)), opted_out(newest))
    assert desk.reason(at=newest) == desk.reason(at=newest, known_at=newest) == "opted_out"
    assert desk.reason(at=newest - 1) == "not_opted_out"
