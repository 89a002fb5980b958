"""Answers for a running service: from facts kept at hand, and from the store where they are not."""

from collections.abc import Callable, Sequence
from typing import Final

from events.catalogue import TenantPolicies
from events.instants import Micros
from projections.decide import decide
from projections.decision import outside
from projections.facts_at_hand import FactsAtHand, Known, Present
from projections.reader import Answer, Enquiry, Permissions, ReadModel, is_of_the_present, question_of

AT_HAND_MANY_MAX: Final = 1_000
"""Enquiries that are answered at once on the event loop; a longer sequence is for ``answer_many``."""


class Checks:
    """Answers enquiries as fresh as the state that the service follows, whichever way they are answered.

    Whether that is fresh enough is not asked here: see ``choice_ledger.freshness``.
    """

    def __init__(self, read_model: ReadModel, facts: FactsAtHand | None, clock: Callable[[], Micros]) -> None:
        """Answer from what is at hand, or by ``read_model``, which leaves what it reads at hand."""
        self._read_model = read_model
        self._facts = facts
        self._clock = clock

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
        return _answer(enquiry, present, known, self._clock())

    def at_hand_many(self, enquiries: Sequence[Enquiry]) -> list[Answer] | None:
        """The same for many: all from one moment, in order; none where one of them is not to be had."""
        if self._facts is None or len(enquiries) > AT_HAND_MANY_MAX:
            return None
        present, known = self._facts.known([enquiry.key for enquiry in enquiries])
        clock_at, answers = self._clock(), list[Answer]()
        for enquiry in enquiries:
            individual = known.get(enquiry.key)
            answer = None if individual is None else _answer(enquiry, present, individual, clock_at)
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


def _answer(enquiry: Enquiry, present: Present, known: Known, clock_at: Micros) -> Answer | None:
    policies = present.catalogue.tenant(enquiry.tenant)
    question = question_of(enquiry, policies, known.facts, clock_at)
    if known.is_denied:
        return Answer(outside("quarantined"), question, present.reached(known.slice))
    if not is_of_the_present(question, known.facts) or _asks_old_policies(question.known_at, policies):
        return None
    return Answer(decide(policies, known.facts, question), question, present.reached(known.slice))


def _asks_old_policies(known_at: Micros | None, policies: TenantPolicies) -> bool:
    """Whether a view of the policies' past would have to be made: too long a work for the event loop."""
    newest = policies.newest_recorded_at
    return known_at is not None and newest is not None and known_at < newest
