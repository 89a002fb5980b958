"""The law of the facts at hand, on random worlds: no answer from them differs by a byte from the store's."""

import random
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.checking import Checks
from consumers.pursuits import Projecting, Pursuit, Watching
from events.envelope import LEDGER_TENANT
from events.individual_events import QuarantineResolved
from events.streams import POLICIES, Slice
from events.union import Recorded
from projections.facts_at_hand import FactsAtHand
from projections.memory_store import MemoryStore
from projections.projector import Projector
from projections.reader import Answer, Enquiry, ReadModel
from tests.simulation.histories import generate
from tests.simulation.logs import A_DAY_LATER, GENERATION, RawLog
from tests.simulation.worlds import question_of, recorded_of

pytestmark = pytest.mark.timeout(1_800)  # A long run looks at thousands of worlds.

STEPS_MAX = 200
AT_ONCE_MAX = 4
seeds = st.integers(min_value=0, max_value=2**32)


class Service:
    """A store that is folded here or by others, with facts at hand beside it, and without."""

    def __init__(self, seed: int, *, watching: bool) -> None:
        self.dice = random.Random(seed)
        lines, asked = generate(self.dice)
        self.events = [recorded_of(line) for line in lines]
        self.enquiries = list(enquiries_of(asked))
        self.log = RawLog(self.dice.choice((1, 2, 6)))
        self.store = MemoryStore()
        self.other = Projector(self.log, self.store)
        self.is_watching = watching
        self.pursuit: Pursuit = (Watching if watching else Projecting)(self.log, self.store)
        room = self.dice.choice((1, 2, 1_000))
        self.hand = FactsAtHand(threading.Lock(), self.pursuit.position, self.pursuit.catalogue, room)
        self.clock_at = A_DAY_LATER
        self.plain = ReadModel(self.store, self.log.slice_of, self.clock)
        self.checks = Checks(
            ReadModel(self.store, self.log.slice_of, self.clock, self.hand), self.hand, self.clock
        )

    def clock(self) -> int:
        """The instant that the test has chosen."""
        return self.clock_at

    def record(self) -> None:
        """Let a few events happen, and now and then something that nobody can read, or its end."""
        for _ in range(self.dice.randint(0, AT_ONCE_MAX)):
            if self.events:
                self.log.put_event(self.events.pop(0))
        if self.dice.random() < 0.15:
            self.spoil()
        if self.dice.random() < 0.15:
            self.settle()

    def spoil(self) -> None:
        """A record that cannot be read, about one individual, a tenant, a partition or everybody."""
        enquiry = self.dice.choice(self.enquiries)
        key = enquiry.key.encode()
        place = self.log.slice_of(key)
        policies = Slice(POLICIES, 0)
        where, named = self.dice.choice(
            [(place, key), (place, key), (place, b"?"), (policies, enquiry.tenant.encode()), (policies, b"?")]
        )
        value = self.dice.choice(
            [b"nonsense", *(record.value for record in self.log.shared.slices[policies])]
        )
        self.log.put(where, named, value)

    def settle(self) -> None:
        """An operator settles whatever cannot be read."""
        for entry in self.store.open_quarantine():
            event = QuarantineResolved(
                event_id=f"00000000-0000-4000-9000-{self.dice.randrange(10**12):012d}",
                tenant=LEDGER_TENANT,
                individual="operator",
                occurred_at=A_DAY_LATER,
                position=f"{GENERATION}/{entry.place}",
                how="looked at",
            )
            self.log.put_event(Recorded(event, A_DAY_LATER))

    def fold_elsewhere(self) -> None:
        """Another projector folds some of what is there, or all."""
        if self.is_watching or self.dice.random() < 0.4:
            self.other = Projector(self.log, self.store)
            for _ in range(self.dice.randint(1, 3)):
                self.other.step(self.dice.choice((1, 3, 10_000)))

    def follow(self) -> None:
        """What the thread of the following does, once."""
        moved = self.pursuit.step(self.hand.present.position, 0)
        if moved is not None:
            self.hand.moved(moved.position, moved.catalogue, moved.keys)


def enquiries_of(asked: list[dict[str, object]]) -> Iterator[Enquiry]:
    """The questions, each with its instant and with that left open."""
    for fields in asked:
        question = question_of(fields)
        enquiry = Enquiry(**msgspec.structs.asdict(question))
        yield enquiry
        yield msgspec.structs.replace(enquiry, at=None)


def in_bytes(answer: Answer) -> bytes:
    """All that an answer says."""
    position = None if answer.position is None else answer.position.encode()
    return msgspec.json.encode([answer.decision, answer.question, position])


def assert_at_hand(service: Service, expected: list[bytes]) -> None:
    """What is at hand answers as the store did when the following last looked, or nothing."""
    for enquiry, before in zip(service.enquiries, expected, strict=True):
        answer = service.checks.at_hand(enquiry)
        assert answer is None or in_bytes(answer) == before


@given(seeds, st.booleans())
def test_answers_from_facts_at_hand_are_those_of_the_store(seed: int, watching: bool) -> None:
    """Whoever folds, whatever was read meanwhile, whatever is unreadable: the same bytes, or no answer."""
    service = Service(seed, watching=watching)
    expected = [in_bytes(answer) for answer in service.plain.answer_many(service.enquiries)]
    for _ in range(STEPS_MAX):
        service.record()
        service.fold_elsewhere()
        assert_at_hand(service, expected)
        now = [in_bytes(answer) for answer in service.plain.answer_many(service.enquiries)]
        some = service.dice.sample(range(len(service.enquiries)), 3)
        asked = [service.enquiries[number] for number in some]
        told = [in_bytes(answer) for answer in service.checks.answer_many(asked)]
        assert told == [now[number] for number in some]
        assert_at_hand(service, expected)
        service.follow()
        service.clock_at += service.dice.choice((0, A_DAY_LATER // 100_000))
        expected = [in_bytes(answer) for answer in service.plain.answer_many(service.enquiries)]
        service.checks.answer_many(asked)
        many = service.checks.at_hand_many(asked)
        if many is not None:
            assert [in_bytes(answer) for answer in many] == [expected[number] for number in some]
        if not service.events and service.store.checkpoint() == service.log.end():
            break
    assert service.hand.present.position.covers(service.store.checkpoint() or service.log.start())


def test_most_answers_about_the_present_are_at_hand() -> None:
    """The law is no empty one: who was asked about before is at hand, and stays so until they change."""
    found = 0
    for seed in range(20):
        service = Service(seed, watching=False)
        while service.events:
            service.log.put_event(service.events.pop(0))
        service.follow()
        service.checks.answer_many(service.enquiries)
        found += sum(service.checks.at_hand(enquiry) is not None for enquiry in service.enquiries)
    assert found > 20
