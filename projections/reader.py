"""Answers from a projection's state: the one way from a question to a decision.

It joins what a store holds of an individual with the tenant's policies, chooses between the live facts and
the history, fills in the default instant, and denies what cannot be determined.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from events.catalogue import Catalogue
from events.codec import decode
from events.envelope import check_individual, check_instant, check_tenant
from events.instants import Micros
from events.streams import POLICIES, Position, Slice
from projections.batch import fold_catalogue
from projections.decide import decide
from projections.decision import Decision, Question, outside
from projections.facts import NO_FACTS, Facts, decode_facts
from projections.fold import facts_known_at
from projections.intake import partition_subject
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
        self, store: StateStore, slice_of: Callable[[bytes], Slice], clock: Callable[[], Micros]
    ) -> None:
        """Read from a store. ``clock`` tells the present, for enquiries that leave the instant open."""
        self._store = store
        self._slice_of = slice_of
        self._clock = clock
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

    def _moment(self, reads: StateReads, enquiries: Sequence[Enquiry]) -> "_Moment":
        keys = {enquiry.key for enquiry in enquiries}
        checkpoint = reads.checkpoint()
        slices = {key: self._slice_of(key.encode()) for key in keys}
        reached = {slice_: _position(checkpoint, slice_) for slice_ in set(slices.values())}
        return _Moment(
            reads=reads,
            catalogue=self._catalogue(reads, checkpoint),
            clock_at=self._clock(),
            live={key: decode_facts(facts) for key, facts in reads.facts(keys).items()},
            positions={key: reached[slice_] for key, slice_ in slices.items()},
            denied=_denied(reads, slices),
        )

    def _catalogue(self, reads: StateReads, checkpoint: Position | None) -> Catalogue:
        """The catalogue of this moment; it is folded again only where the policies' stream has gone on."""
        offsets = {} if checkpoint is None else checkpoint.as_dict()
        reached = tuple(sorted(item for item in offsets.items() if item[0].stream == POLICIES))
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
    live: dict[str, Facts]
    positions: dict[str, Position | None]
    denied: frozenset[str]
    recorded: dict[tuple[str, Micros | None], Facts] = field(default_factory=dict)

    def answer(self, enquiry: Enquiry) -> Answer:
        """Decide, unless an unreadable record keeps it from being determined."""
        key = enquiry.key
        question = self._question(enquiry)
        if key in self.denied:
            decision = outside("quarantined")
        else:
            policies = self.catalogue.tenant(enquiry.tenant)
            decision = decide(policies, self._facts(key, question), question)
        return Answer(decision, question, self.positions[key])

    def _question(self, enquiry: Enquiry) -> Question:
        at = enquiry.at
        if at is None:
            newest = self.catalogue.tenant(enquiry.tenant).newest_recorded_at
            live = self.live.get(enquiry.key, NO_FACTS)
            at = max(self.clock_at, live.newest_recorded_at, self.clock_at if newest is None else newest)
        return Question(
            tenant=enquiry.tenant,
            individual=enquiry.individual,
            purpose=enquiry.purpose,
            at=at,
            recipient=enquiry.recipient,
            data=enquiry.data,
            known_at=enquiry.known_at,
        )

    def _facts(self, key: str, question: Question) -> Facts:
        """The live facts where all of them had been recorded by then, else facts from the history."""
        live = self.live.get(key, NO_FACTS)
        newest, known_at = live.newest_recorded_at, question.known_at
        if question.at >= newest and (known_at is None or known_at >= newest):
            return live
        facts = self.recorded.get((key, known_at))
        if facts is None:
            history = [decode(entry.value) for entry in self.reads.history(key)]
            facts = self.recorded[key, known_at] = facts_known_at(history, known_at)
        return facts


def _position(checkpoint: Position | None, slice_: Slice) -> Position | None:
    """``architecture.md``: "An answer's position holds its individual's partition and the policies"."""
    if checkpoint is None:
        return None
    held = ((s, offset) for s, offset in checkpoint.as_dict().items() if s == slice_ or s.stream == POLICIES)
    return Position.of(checkpoint.generation, held)


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
