"""Answers from a projection's state: the one way from a question to a decision.

It joins what a store holds of an individual with the tenant's policies, chooses between the live facts and
the history, fills in the default instant, and denies what cannot be determined.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from events.catalogue import Catalogue, TenantPolicies
from events.codec import decode
from events.envelope import check_individual, check_instant, check_tenant
from events.instants import Micros
from events.streams import POLICIES, Position, Slice
from projections.batch import fold_catalogue
from projections.decide import decide
from projections.decision import Decision, Question, outside
from projections.facts import NO_FACTS, Facts, decode_facts
from projections.facts_at_hand import FactsAtHand, Known, Present, answer_position
from projections.fold import facts_known_at
from projections.intake import partition_subject
from projections.permissions import uses
from projections.ports import QuarantineScope, StateReads, StateStore

ENQUIRIES_MAX: Final = 10_000
"""Enquiries of one ``answer_many``: they are answered from one moment, whose facts are held in memory."""


class Enquiry(msgspec.Struct, frozen=True, kw_only=True):
    """A question whose instant may be left open. The fields are those of ``Question``.

    ``at`` null is ``semantics.md``'s default: "the clock, but not before the newest `recorded_at` folded for
    the individual or the tenant's policies".
    """

    tenant: str
    individual: str
    purpose: str
    at: Micros | None = None
    recipient: str | None = None
    data: tuple[str, ...] = ()
    known_at: Micros | None = None

    def __post_init__(self) -> None:
        """Raise InvalidEvent for names and instants that no event could have."""
        check_tenant(self.tenant)
        check_individual(self.individual)
        for name, instant in (("at", self.at), ("known_at", self.known_at)):
            if instant is not None:
                check_instant(name, instant)

    @property
    def key(self) -> str:
        """The key of the individual's events: ``tenant/individual``."""
        return f"{self.tenant}/{self.individual}"


class Answer(NamedTuple):
    """A decision, the question as it was answered, and the position that the answer includes.

    The position holds the individual's slice and the policies; it is none where nothing was ever folded.
    """

    decision: Decision
    question: Question
    position: Position | None


class Permissions(NamedTuple):
    """The answers to every use of an individual, in the order of ``projections.permissions.uses``.

    ``at`` is the instant for which all of them were answered; the position is as in ``Answer``.
    """

    answers: tuple[Answer, ...]
    at: Micros
    position: Position | None


class _Policies(NamedTuple):
    """The catalogue, and how far into the policies' stream it reaches."""

    reached: tuple[tuple[Slice, int], ...]
    catalogue: Catalogue


class ReadModel:
    """Answers enquiries from a store that a projector, here or in another process, keeps up.

    ``slice_of`` names the slice in which an individual's events stand (an ``EventSource`` knows). Safe from
    many threads.
    """

    def __init__(
        self,
        store: StateStore,
        slice_of: Callable[[bytes], Slice],
        clock: Callable[[], Micros],
        at_hand: FactsAtHand | None = None,
    ) -> None:
        """Read from a store. ``clock`` tells the present, for enquiries that leave the instant open.

        With ``at_hand`` facts that are there are not read again, and those that are read are left there.
        """
        self._store = store
        self._slice_of = slice_of
        self._clock = clock
        self._at_hand = at_hand
        self._policies = _Policies((), Catalogue())

    def answer(self, enquiry: Enquiry) -> Answer:
        """The answer to one enquiry, from the store as it is now. Raises StoreFault."""
        return self.answer_many((enquiry,))[0]

    def answer_many(self, enquiries: Sequence[Enquiry]) -> list[Answer]:
        """The answers to many enquiries, in their order, all from one moment of the store.

        Raises StoreFault, and ValueError for more than ``ENQUIRIES_MAX``.
        """
        if len(enquiries) > ENQUIRIES_MAX:
            raise ValueError(f"at most {ENQUIRIES_MAX} enquiries are answered at once; cut the sequence")
        with self._store.view() as reads:
            moment = self._moment(reads, enquiries)
            return [moment.answer(enquiry) for enquiry in enquiries]

    def permissions(self, enquiry: Enquiry) -> Permissions:
        """The answers to every use that can be asked of an individual, all from one moment of the store.

        ``enquiry.purpose`` selects purposes (``*``: all); its recipient and data are not looked at. Raises
        StoreFault, and TooManyUses.
        """
        with self._store.view() as reads:
            moment = self._moment(reads, (enquiry,))
            return moment.permissions(enquiry)

    def _moment(self, reads: StateReads, enquiries: Sequence[Enquiry]) -> "_Moment":
        keys = {enquiry.key for enquiry in enquiries}
        checkpoint = reads.checkpoint()
        present, known = self._of_hand(checkpoint, keys)
        found = self._found(reads, keys - known.keys())
        if self._at_hand is not None and found:
            self._at_hand.keep(checkpoint, found)
        known |= found
        return _Moment(
            reads=reads,
            catalogue=self._catalogue(reads, checkpoint) if present is None else present.catalogue,
            clock_at=self._clock(),
            known=known,
            positions={k.slice: answer_position(checkpoint, k.slice) for k in known.values()},
        )

    def _of_hand(
        self, checkpoint: Position | None, keys: Collection[str]
    ) -> tuple[Present | None, dict[str, Known]]:
        """What is at hand, where that is of the very moment that is being read."""
        if self._at_hand is None:
            return None, {}
        present, known = self._at_hand.known(keys)
        return (present, known) if present.position == checkpoint else (None, {})

    def _found(self, reads: StateReads, keys: Collection[str]) -> dict[str, Known]:
        """What the store holds of each of these individuals."""
        if not keys:
            return {}
        slices = {key: self._slice_of(key.encode()) for key in keys}
        facts = reads.facts(keys)
        denied = _denied(reads, slices)
        return {
            key: Known(decode_facts(facts[key]) if key in facts else NO_FACTS, slice_, key in denied)
            for key, slice_ in slices.items()
        }

    def _catalogue(self, reads: StateReads, checkpoint: Position | None) -> Catalogue:
        """The catalogue of this moment; it is folded again only where the policies' stream has gone on."""
        reached = policies_reached(checkpoint)
        known = self._policies
        if known.reached != reached:
            known = self._policies = _Policies(reached, fold_catalogue(reads.policies()))
        return known.catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """All that the answers of one batch are made of, at one moment of the store.

    ``recorded`` keeps the facts that were made from a history, by key and ``known_at``.
    """

    reads: StateReads
    catalogue: Catalogue
    clock_at: Micros
    known: dict[str, Known]
    positions: dict[Slice, Position | None]
    recorded: dict[tuple[str, Micros | None], Facts] = field(default_factory=dict)

    def answer(self, enquiry: Enquiry) -> Answer:
        """Decide, unless an unreadable record keeps it from being determined."""
        key = enquiry.key
        known = self.known[key]
        policies = self.catalogue.tenant(enquiry.tenant)
        question = question_of(enquiry, policies, known.facts, self.clock_at)
        if known.is_denied:
            decision = outside("quarantined")
        else:
            decision = decide(policies, self._facts(key, known.facts, question), question)
        return Answer(decision, question, self.positions[known.slice])

    def permissions(self, enquiry: Enquiry) -> Permissions:
        """Answer every use that the policies speak of, where the enquiry's selector covers it."""
        known, policies = self.known[enquiry.key], self.catalogue.tenant(enquiry.tenant)
        question = question_of(enquiry, policies, known.facts, self.clock_at)
        facts = NO_FACTS if known.is_denied else self._facts(enquiry.key, known.facts, question)
        asked = uses(policies, facts, at=question.at, known_at=enquiry.known_at, selectors=(enquiry.purpose,))
        alone = msgspec.structs.replace(enquiry, at=question.at, data=())
        answers = tuple(
            self.answer(msgspec.structs.replace(alone, purpose=use.purpose, recipient=use.recipient))
            for use in asked
        )
        return Permissions(answers, question.at, self.positions[known.slice])

    def _facts(self, key: str, live: Facts, question: Question) -> Facts:
        """The live facts where all of them had been recorded by then, else facts from the history."""
        if is_of_the_present(question, live):
            return live
        known_at = question.known_at
        facts = self.recorded.get((key, known_at))
        if facts is None:
            history = [decode(entry.value) for entry in self.reads.history(key)]
            facts = self.recorded[key, known_at] = facts_known_at(history, known_at)
        return facts


def question_of(enquiry: Enquiry, policies: TenantPolicies, live: Facts, clock_at: Micros) -> Question:
    """The question of an enquiry, its instant filled in where that was left open."""
    at = enquiry.at
    if at is None:
        newest = policies.newest_recorded_at
        at = max(clock_at, live.newest_recorded_at, clock_at if newest is None else newest)
    return Question(
        tenant=enquiry.tenant,
        individual=enquiry.individual,
        purpose=enquiry.purpose,
        at=at,
        recipient=enquiry.recipient,
        data=enquiry.data,
        known_at=enquiry.known_at,
    )


def is_of_the_present(question: Question, live: Facts) -> bool:
    """Whether the live facts answer a question, and no history is needed."""
    newest, known_at = live.newest_recorded_at, question.known_at
    return question.at >= newest and (known_at is None or known_at >= newest)


def policies_reached(checkpoint: Position | None) -> tuple[tuple[Slice, int], ...]:
    """How far into the policies' stream a checkpoint reaches: what its catalogue depends on."""
    offsets = {} if checkpoint is None else checkpoint.as_dict()
    return tuple(sorted(item for item in offsets.items() if item[0].stream == POLICIES))


def _denied(reads: StateReads, slices: dict[str, Slice]) -> frozenset[str]:
    """Those of the individuals whom an open quarantine entry denies, by themselves or with others."""
    asked = {key: _denials(key, slice_) for key, slice_ in slices.items()}
    entries = reads.open_quarantine({pair for pairs in asked.values() for pair in pairs})
    found = {(entry.scope, entry.subject) for entry in entries}
    return frozenset(key for key, pairs in asked.items() if not found.isdisjoint(pairs))


def _denials(key: str, slice_: Slice) -> tuple[tuple[QuarantineScope, str], ...]:
    return (
        ("individual", key),
        ("tenant", key.partition("/")[0]),
        ("partition", partition_subject(slice_)),
        ("ledger", ""),
    )
