"""Facts at hand: of one moment, of as many individuals as there is room for, and gone once they changed."""

import threading

import pytest

from choice_ledger.checking import AT_HAND_MANY_MAX, Checks
from events.catalogue import Catalogue
from events.streams import POLICIES, Position, Slice
from projections.facts import NO_FACTS
from projections.facts_at_hand import FactsAtHand, Known, Present
from projections.memory_store import MemoryStore
from projections.projector import Projector
from projections.reader import Enquiry, ReadModel
from tests.simulation.logs import GENERATION, log_of
from tests.unit.people import amended, day, opted_out, told

HERE = Slice("individuals", 0)
ANA, BO, CY = "acme/ana", "acme/bo", "acme/cy"
NOBODY = Known(NO_FACTS, HERE, is_denied=False)


def position(offset: int) -> Position:
    """A position in the middle of the slices."""
    return Position.of(GENERATION, [(HERE, offset), (Slice(POLICIES, 0), 1), (Slice("individuals", 1), 9)])


def hand(room: int = 10) -> FactsAtHand:
    """Nothing at hand yet, at the first position."""
    return FactsAtHand(threading.Lock(), position(1), Catalogue(), room)


def test_what_was_read_at_the_same_position_is_kept() -> None:
    """Facts of the very position are kept; those of any other, newer or older, are not."""
    facts = hand()
    facts.keep(position(2), {ANA: NOBODY})
    facts.keep(position(0), {BO: NOBODY})
    facts.keep(None, {BO: NOBODY})
    facts.keep(position(1), {CY: NOBODY})
    present, known = facts.known([ANA, BO, CY])
    assert (present.position, set(known)) == (position(1), {CY})


def test_who_was_answered_from_a_newer_moment_is_forgotten() -> None:
    """Where the state was read at another position, the older facts of whoever was asked about are let go."""
    facts = hand()
    facts.keep(position(1), {ANA: NOBODY, BO: NOBODY})
    facts.keep(position(2), {ANA: NOBODY, CY: NOBODY})
    assert set(facts.known([ANA, BO, CY])[1]) == {BO}


def test_who_changed_is_forgotten() -> None:
    """A move takes out whoever changed, keeps the others, and is of the next moment."""
    facts, catalogue = hand(), Catalogue()
    facts.keep(position(1), {ANA: NOBODY, BO: NOBODY})
    facts.moved(position(2), catalogue, {ANA, CY})
    present, known = facts.known([ANA, BO])
    assert (present.position, set(known)) == (position(2), {BO})
    assert present.catalogue is catalogue


def test_where_nobody_knows_who_changed_all_are_forgotten() -> None:
    """A move of which nobody knows whom it changed leaves nothing at hand."""
    facts = hand()
    facts.keep(position(1), {ANA: NOBODY, BO: NOBODY})
    facts.moved(position(2), Catalogue(), None)
    assert facts.known([ANA, BO])[1] == {}


def test_a_move_while_one_looks_leaves_nothing_found() -> None:
    """What is found while the moment changes may be of either; so nothing counts as found."""
    facts = hand()
    facts.keep(position(1), {ANA: NOBODY})

    class Moving(dict[str, Known]):
        """Facts in which every look is overtaken by a move."""

        def get(self, key: str, default: object = None) -> object:  # type: ignore[override]  # dict's own has overloads
            """Move, and then answer."""
            facts.present = Present(position(2), Catalogue(), {})
            return super().get(key, default)

    facts.present.individuals = Moving(facts.present.individuals)
    assert facts.known([ANA])[1] == {}
    facts.present.individuals = Moving({ANA: NOBODY})
    checks = Checks(ReadModel(MemoryStore(), lambda _: HERE, lambda: 0), facts, lambda: 0)
    assert checks.at_hand(Enquiry(tenant="acme", individual="ana", purpose="x")) is None


@pytest.mark.parametrize(("room", "kept"), [(0, set()), (2, {BO, CY}), (3, {ANA, BO, CY})])
def test_there_is_room_for_no_more_than_the_limit(room: int, kept: set[str]) -> None:
    """As many individuals as the limit are kept; for one more, who was kept first goes."""
    facts = hand(room)
    for key in (ANA, BO, CY):
        facts.keep(position(1), {key: NOBODY})
    assert set(facts.known([ANA, BO, CY])[1]) == kept


def test_more_than_there_is_room_for_at_once() -> None:
    """Of a batch that is larger than the room the first are kept."""
    facts = hand(2)
    facts.keep(position(1), {ANA: NOBODY, BO: NOBODY, CY: NOBODY})
    assert set(facts.known([ANA, BO, CY])[1]) == {ANA, BO}


def test_the_position_of_an_answer_is_made_once() -> None:
    """Answers about one slice bear one and the same position: that of the slice and of the policies."""
    present = hand().present
    expected = Position.of(GENERATION, [(HERE, 1), (Slice(POLICIES, 0), 1)])
    assert present.reached(HERE) == expected
    assert present.reached(HERE) is present.reached(HERE)


class Counter:
    """A service's checks on a log of two people, with everything at hand."""

    def __init__(self) -> None:
        self.log = log_of([amended(day(1)), told(day(2)), opted_out(day(5)), told(day(2), "bo")])
        self.log.put(HERE, b"acme/cy", b"?")
        store = MemoryStore()
        projector = Projector(self.log, store)
        projector.catch_up()
        facts = FactsAtHand(threading.Lock(), projector.position, projector.catalogue, 10)
        self.model = ReadModel(store, self.log.slice_of, lambda: day(9), facts)
        self.checks = Checks(self.model, facts, lambda: day(9))

    def enquiry(self, individual: str = "ana", at: int | None = None, known_at: int | None = None) -> Enquiry:
        """May they be mailed?"""
        return Enquiry(
            tenant="acme", individual=individual, purpose="website.email", at=at, known_at=known_at
        )


def test_what_is_not_at_hand_is_at_hand_once_it_was_read() -> None:
    """The first question about somebody is for the store; then the answer is at hand, and the same."""
    counter = Counter()
    for name in ("ana", "bo", "cy", "stranger"):
        enquiry = counter.enquiry(name)
        assert counter.checks.at_hand(enquiry) is None
        assert counter.checks.at_hand_many([enquiry]) is None
        (answer,) = counter.checks.answer_many([enquiry])
        assert counter.checks.at_hand(enquiry) == answer
        assert counter.checks.at_hand_many([enquiry]) == [answer]


def test_the_past_is_never_at_hand() -> None:
    """A question whose instant, or whose knowledge, lies before the newest event is for the store."""
    counter = Counter()
    counter.checks.answer_many([counter.enquiry()])
    assert counter.checks.at_hand(counter.enquiry(at=day(5))) is not None
    assert counter.checks.at_hand(counter.enquiry(at=day(5) - 1)) is None
    assert counter.checks.at_hand(counter.enquiry(known_at=day(5))) is not None
    assert counter.checks.at_hand(counter.enquiry(known_at=day(5) - 1)) is None
    assert counter.checks.at_hand_many([counter.enquiry(), counter.enquiry(at=day(1))]) is None


def test_what_was_known_of_old_policies_is_never_at_hand() -> None:
    """A view of the policies' past takes long to make, so it is not made on the event loop."""
    counter = Counter()
    counter.checks.answer_many([counter.enquiry("stranger")])
    assert counter.checks.at_hand(counter.enquiry("stranger", known_at=day(1))) is not None
    assert counter.checks.at_hand(counter.enquiry("stranger", known_at=day(1) - 1)) is None


def test_no_more_are_answered_at_once_than_the_limit() -> None:
    """As many enquiries as the limit are answered on the event loop; one more is for a thread."""
    counter = Counter()
    counter.checks.answer_many([counter.enquiry()])
    answers = counter.checks.at_hand_many([counter.enquiry()] * AT_HAND_MANY_MAX)
    assert answers is not None
    assert len(answers) == AT_HAND_MANY_MAX
    assert counter.checks.at_hand_many([counter.enquiry()] * (AT_HAND_MANY_MAX + 1)) is None


def test_checks_without_facts_at_hand_read_the_store() -> None:
    """Where nothing is kept every answer comes from the store, and is the same."""
    counter = Counter()
    plain = Checks(counter.model, None, lambda: day(9))
    assert plain.at_hand(counter.enquiry()) is None
    assert plain.at_hand_many([counter.enquiry()]) is None
    assert plain.answer_many([counter.enquiry()]) == counter.checks.answer_many([counter.enquiry()])
