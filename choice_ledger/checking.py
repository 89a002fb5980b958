"""Answers for a running service: from facts kept at hand, and from the store where they are not."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from events.catalogue import TenantPolicies
from events.instants import Micros
from events.streams import Position
from projections.decide import decide_lasting
from projections.decision import Decision, Question, outside
from projections.facts_at_hand import FactsAtHand, Known, Present
from projections.plan import DATA_AT_HAND_MAX
from projections.reader import Answer, Enquiry, Permissions, ReadModel, is_of_the_present, question_of

AT_HAND_MANY_MAX: Final = 1_000
"""Enquiries that are answered at once on the event loop; a longer sequence is for ``answer_many``."""

DECISIONS_AT_HAND_MAX: Final = 65_536
"""Decisions that are kept to be given again. At more, all are forgotten and made anew."""


class Checks:
    """Answers enquiries as fresh as the state that the service follows, whichever way they are answered.

    Whether that is fresh enough is not asked here: see ``choice_ledger.freshness``.
    """

    def __init__(self, read_model: ReadModel, facts: FactsAtHand | None, clock: Callable[[], Micros]) -> None:
        """Answer from what is at hand, or by ``read_model``, which leaves what it reads at hand."""
        self._read_model = read_model
        self._facts = facts
        self._clock = clock
        self._decisions = _Decisions()

    @property
    def individuals_at_hand(self) -> int:
        """How many individuals' facts are at hand."""
        return 0 if self._facts is None else len(self._facts.present.individuals)

    def at_hand(self, enquiry: Enquiry) -> Answer | None:
        """The answer, where it takes no reading of the store: at once, and safe on the event loop.

        None where the individual's facts are not at hand, or the question is of the past: ``answer_many``
        then has the answer. Answers of one position and slice bear one and the same ``Position`` object.
        """
        facts = self._facts
        if facts is None:
            return None
        present = facts.present
        known = present.individuals.get(enquiry.key)
        # What changes is taken out before the next moment is in place: see FactsAtHand.known.
        if known is None or facts.present is not present:
            return None
        return self._answer(enquiry, present, known, self._clock())

    def given_again(
        self, tenant: str, individual: str, purpose: str, recipient: str | None, data: tuple[str, ...]
    ) -> tuple[Decision, Position | None] | None:
        """What ``at_hand`` answers of the present, where that was answered lately and holds still.

        None says nothing: ask ``at_hand``. The names need not be checked, since nothing is kept of bad ones.
        """
        facts = self._facts
        if facts is None:
            return None
        key, present = f"{tenant}/{individual}", facts.present
        known = present.individuals.get(key)
        if known is None or facts.present is not present:
            return None
        policies, clock_at = present.catalogue.tenant(tenant), self._clock()
        at = max(clock_at, known.facts.newest_recorded_at, policies.newest_recorded_at or clock_at)
        decision = self._decisions.again(policies, known, key, (purpose, recipient, data), at)
        return None if decision is None else (decision, present.reached(known.slice))

    def at_hand_many(self, enquiries: Sequence[Enquiry]) -> list[Answer] | None:
        """The same for many: all from one moment, in order; none where one of them is not to be had."""
        if self._facts is None or len(enquiries) > AT_HAND_MANY_MAX:
            return None
        present, known = self._facts.known([enquiry.key for enquiry in enquiries])
        clock_at, answers = self._clock(), list[Answer]()
        for enquiry in enquiries:
            individual = known.get(enquiry.key)
            answer = None if individual is None else self._answer(enquiry, present, individual, clock_at)
            if answer is None:
                return None
            answers.append(answer)
        return answers

    def answer_many(self, enquiries: Sequence[Enquiry]) -> list[Answer]:
        """The answers to many enquiries, in order, all from one moment. May block; raises StoreFault."""
        return self._read_model.answer_many(enquiries)

    def permissions(self, enquiry: Enquiry) -> Permissions:
        """The answers to every use of an individual. May block; raises StoreFault and TooManyUses."""
        return self._read_model.permissions(enquiry)

    def _answer(self, enquiry: Enquiry, present: Present, known: Known, clock_at: Micros) -> Answer | None:
        policies = present.catalogue.tenant(enquiry.tenant)
        question = question_of(enquiry, policies, known.facts, clock_at)
        position = present.reached(known.slice)
        if known.is_denied:
            return Answer(outside("quarantined"), question, position)
        if not is_of_the_present(question, known.facts) or _asks_old_policies(question.known_at, policies):
            return None
        return Answer(self._decisions.decide(policies, known, question), question, position)


_Asked: TypeAlias = tuple[str, str | None, tuple[str, ...]]
"""What is asked about an individual: purpose, recipient, data."""


class _Kept(NamedTuple):
    """A decision, and the instants from which and before which it holds."""

    decision: Decision
    since: Micros
    before: Micros | None


class _OfOne(NamedTuple):
    """The decisions about one individual, and what all of them were made from."""

    known: Known
    policies: TenantPolicies
    by_question: dict[_Asked, _Kept]


class _Decisions:
    """Decisions made lately. ``decide`` is a pure function: one is given again only for the very facts and
    policies that it was made from, the same objects, and only while it says that it lasts.

    An individual's are kept together and go together, so that no facts but the latest asked of are held.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: dict[str, _OfOne] = {}

    def decide(self, policies: TenantPolicies, known: Known, question: Question) -> Decision:
        if question.known_at is not None or len(question.data) > DATA_AT_HAND_MAX:
            return decide_lasting(policies, known.facts, question).decision
        at, asked = question.at, (question.purpose, question.recipient, question.data)
        again = self.again(policies, known, question.key, asked, at)
        if again is not None:
            return again
        decision, before = decide_lasting(policies, known.facts, question)
        self._keep(question.key, _OfOne(known, policies, {asked: _Kept(decision, at, before)}))
        return decision

    def again(
        self, policies: TenantPolicies, known: Known, key: str, asked: _Asked, at: Micros
    ) -> Decision | None:
        """The decision on what is asked, where it was made from these and holds at that instant."""
        mine = self._kept.get(key)
        if mine is None or mine.known is not known or mine.policies is not policies:
            return None
        kept = mine.by_question.get(asked)
        if kept is None or kept.since > at or not (kept.before is None or at < kept.before):
            return None
        return kept.decision

    def _keep(self, key: str, fresh: _OfOne) -> None:
        if self.count >= DECISIONS_AT_HAND_MAX:
            self.count = 0
            self._kept.clear()
        mine = self._kept.get(key)
        if mine is None or mine.known is not fresh.known or mine.policies is not fresh.policies:
            self.count -= 0 if mine is None else len(mine.by_question)
            self._kept[key] = fresh
            self.count += len(fresh.by_question)
            return
        self.count -= len(mine.by_question)
        mine.by_question.update(fresh.by_question)
        self.count += len(mine.by_question)


def _asks_old_policies(known_at: Micros | None, policies: TenantPolicies) -> bool:
    """Whether a view of the policies' past would have to be made: too long a work for the event loop."""
    newest = policies.newest_recorded_at
    return known_at is not None and newest is not None and known_at < newest
