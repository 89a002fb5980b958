"""A decision in plain sentences: what was asked, what is so, why, what would change it, and until when.

Pure: it is given the question, the decision and the events that decided it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from choice_ledger.event_sentences import listed, told
from events.instants import format_instant
from events.union import Recorded
from projections.decision import Decision, Override, Question, Reason

SENTENCES: Final[dict[Reason, tuple[str, str]]] = {
    "required_by_law": (
        "The law compels this disclosure, so it is permitted whatever else stands.",
        "It ends when the interval of the compelled disclosure is over.",
    ),
    "opted_in": (
        "The individual was told of these terms and opted in to them.",
        "An opt-out, an expiry of the opt-in, or an amendment of the terms would end it.",
    ),
    "necessary": (
        "The individual was told of it, and the policy declares it necessary: it needs no choice.",
        "An amendment, a restriction or an erasure would end it. An opt-out would not.",
    ),
    "not_opted_out": (
        "The policy declares it, the individual was told of it and could opt out, and did not.",
        "An opt-out would end it at once; so would an amendment of which the individual is not told.",
    ),
    "erased": (
        "The individual was erased, and the terms in force do not say that this use survives it.",
        "Nothing. A person who returns is a new individual.",
    ),
    "restricted": (
        "Processing is restricted for this purpose, and the terms do not say that it survives that.",
        "Lifting the restriction (`restriction lift`) would end this denial.",
    ),
    "purpose_not_declared": (
        "No policy that was in force declares this purpose.",
        "A version that declares the purpose (`policy publish`), and a notice of it.",
    ),
    "population_not_covered": (
        "The terms in force are for populations to which the individual does not belong.",
        "A description that puts the individual among them (`individual describe`), if true.",
    ),
    "recipient_not_declared": (
        "The terms in force do not name this recipient.",
        "A version that names the recipient (`policy publish`), and a notice of it.",
    ),
    "data_not_declared": (
        "The terms in force do not declare all the data asked for.",
        "A version that declares the data (`policy publish`) and a notice of it, or asking for less.",
    ),
    "transfer_basis_lapsed": (
        "A framework on which the terms rest for the individual's jurisdiction is not in force.",
        "A version that rests on another framework, or the framework's return (`framework set`).",
    ),
    "not_told": (
        "No notice of this policy that counts has told the individual of this purpose.",
        "A notice of the version in force that names this purpose (`notice record`).",
    ),
    "told_terms_differ": (
        "The individual was told of other terms than those that this question needs.",
        "A notice of the version in force (`notice record`), and then the time to choose.",
    ),
    "no_choice_offered": (
        "The individual was told, but no notice since then offered a choice.",
        "A notice that offers a choice (`notice record --choice-offered`).",
    ),
    "choice_period_running": (
        "The individual was told and offered a choice, and the time to choose is not over.",
        "The end of the time to choose, or an opt-in before it (`choice record --opt-in`).",
    ),
    "opted_out": (
        "The individual opted out, and nothing later of theirs takes that back.",
        "A later opt-in by the individual (`choice record --opt-in`), for these terms.",
    ),
    "consent_predates_terms": (
        "The individual's opt-in was given for other terms than those of this question.",
        "A new opt-in, given for the terms of which the individual was told.",
    ),
    "consent_expired": (
        "The individual's opt-in has expired.",
        "A new opt-in (`choice record --opt-in`).",
    ),
    "consent_not_by_guardian": (
        "The individual is a minor, and the opt-in did not come from a guardian.",
        "An opt-in by a guardian (`choice record --opt-in … --actor guardian`).",
    ),
    "consent_required": (
        "This use needs an opt-in, and there is none.",
        "An opt-in by the individual (`choice record --opt-in`).",
    ),
    "stale": (
        "The answer cannot be shown to be fresh enough, so it is no.",
        "Ask again when the projection has caught up (`doctor` shows the lag).",
    ),
    "quarantined": (
        "A record that concerns this answer cannot be read, so it is no until that is resolved.",
        "An operator's resolution (`quarantine list`, `quarantine resolve`).",
    ),
    "gap": (
        "The log has a hole before this answer, so it is no.",
        "A rebuild from the first event (`rebuild`).",
    ),
    "wrong_generation": (
        "The position belongs to another generation of the ledger, so it is no.",
        "A position of this ledger: take one from a receipt or an answer.",
    ),
    "keys_unavailable": (
        "The key store cannot be reached, so it is no.",
        "The key store's return.",
    ),
}
"""Why, and what would change the answer, for each reason."""

OVERRIDES: Final[dict[Override, str]] = {
    "erased": "the erasure of the individual",
    "restricted": "a restriction of processing",
    "opted_out": "the individual's opt-out",
}
"""What the law may override, in words."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision in sentences; ``events`` has one for each that decided it, in the order of evidence."""

    question: str
    answer: str
    because: str
    events: tuple[str, ...]
    beside: tuple[str, ...]
    would_change: str
    until: str

    def lines(self) -> tuple[str, ...]:
        """The sentences as a person reads them."""
        decided = ("Decided by:", *(f"  - {event}" for event in self.events)) if self.events else ()
        return (
            self.question,
            self.answer,
            self.because,
            *decided,
            *self.beside,
            f"What would change it: {self.would_change}",
            self.until,
        )


def explain(question: Question, decision: Decision, events: Mapping[str, Recorded]) -> Explanation:
    """The explanation of a decision; ``events`` holds those that its evidence names."""
    because, would_change = SENTENCES[decision.reason]
    policy = decision.policy
    declared = (
        "" if policy is None else f" Policy {policy.id}, version {policy.version}, declares the purpose."
    )
    return Explanation(
        question=_question(question),
        answer=f"{'Permitted' if decision.permitted else 'Denied'}: {decision.reason}.{declared}",
        because=because,
        events=tuple(told(events[e]) if e in events else f"event {e}" for e in decision.evidence),
        beside=_beside(decision, events),
        would_change=would_change,
        until=_until(decision),
    )


def _question(question: Question) -> str:
    whom = "the controller's own use" if question.recipient is None else f"disclosure to {question.recipient}"
    data = f" of {listed(question.data)}" if question.data else ""
    known = (
        "" if question.known_at is None else f", on what was recorded by {format_instant(question.known_at)}"
    )
    return (
        f"May {question.purpose} be done ({whom}{data}) at {format_instant(question.at)}{known}, "
        f"for {question.individual} of {question.tenant}?"
    )


def _beside(decision: Decision, events: Mapping[str, Recorded]) -> tuple[str, ...]:
    beside = [f"It overrides {OVERRIDES[override]}." for override in decision.overrides]
    if decision.objection is not None:
        objection = events.get(decision.objection)
        said = f"event {decision.objection}" if objection is None else told(objection)
        beside.append(f"The individual objected, which a necessary use passes over: {said}.")
    return tuple(beside)


def _until(decision: Decision) -> str:
    if decision.until is None:
        return "If nothing more is recorded, this answer does not change."
    return f"If nothing more is recorded, ask again at {format_instant(decision.until)}."
