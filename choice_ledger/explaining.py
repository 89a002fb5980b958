"""A decision in plain sentences: what was asked, what is so, why, what would change it, and until when.

It is given the question, the decision and the events that decided it, and the language to speak.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from choice_ledger.event_sentences import told
from choice_ledger.languages import Speech, marked, speech
from events.union import Recorded
from projections.decision import Decision, Override, Question, Reason

_ENGLISH: Final = speech("en")

SENTENCES: Final[dict[Reason, tuple[str, str]]] = {
    "required_by_law": (
        marked("The law compels this disclosure, so it is permitted whatever else stands."),
        marked("It ends when the interval of the compelled disclosure is over."),
    ),
    "opted_in": (
        marked("The individual was told of these terms and opted in to them."),
        marked("An opt-out, an expiry of the opt-in, or an amendment of the terms would end it."),
    ),
    "necessary": (
        marked("The individual was told of it, and the policy declares it necessary: it needs no choice."),
        marked("An amendment, a restriction or an erasure would end it. An opt-out would not."),
    ),
    "not_opted_out": (
        marked("The policy declares it, the individual was told of it and could opt out, and did not."),
        marked("An opt-out would end it at once; so would an amendment of which the individual is not told."),
    ),
    "erased": (
        marked("The individual was erased, and the terms in force do not say that this use survives it."),
        marked("Nothing. A person who returns is a new individual."),
    ),
    "restricted": (
        marked("Processing is restricted for this purpose, and the terms do not say that it survives that."),
        marked("Lifting the restriction would end this denial."),
    ),
    "purpose_not_declared": (
        marked("No policy that was in force declares this purpose."),
        marked("A version that declares the purpose, and a notice of it."),
    ),
    "population_not_covered": (
        marked("The terms in force are for populations to which the individual does not belong."),
        marked("A description that puts the individual among them, if true."),
    ),
    "recipient_not_declared": (
        marked("The terms in force do not name this recipient."),
        marked("A version that names the recipient, and a notice of it."),
    ),
    "data_not_declared": (
        marked("The terms in force do not declare all the data asked for."),
        marked("A version that declares the data and a notice of it, or asking for less."),
    ),
    "transfer_basis_lapsed": (
        marked("A framework on which the terms rest for the individual's jurisdiction is not in force."),
        marked("A version that rests on another framework, or this framework's coming into force again."),
    ),
    "not_told": (
        marked("No notice of this policy that counts has told the individual of this purpose."),
        marked("A notice of the version in force that names this purpose."),
    ),
    "told_terms_differ": (
        marked("The individual was told of other terms than those that this question needs."),
        marked("A notice of the version in force, and then the time to choose."),
    ),
    "no_choice_offered": (
        marked("The individual was told, but no notice since then offered a choice."),
        marked("A notice that offers a choice."),
    ),
    "choice_period_running": (
        marked("The individual was told and offered a choice, and the time to choose is not over."),
        marked("The end of the time to choose, or an opt-in before it."),
    ),
    "opted_out": (
        marked("The individual opted out, and nothing later of theirs takes that back."),
        marked("A later opt-in by the individual, for these terms."),
    ),
    "consent_predates_terms": (
        marked("The individual's opt-in was given for other terms than those of this question."),
        marked("A new opt-in, given for the terms of which the individual was told."),
    ),
    "consent_expired": (
        marked("The individual's opt-in has expired."),
        marked("A new opt-in by the individual."),
    ),
    "consent_not_by_guardian": (
        marked("The individual is a minor, and the opt-in did not come from a guardian."),
        marked("An opt-in by a guardian."),
    ),
    "consent_required": (
        marked("This use needs an opt-in, and there is none."),
        marked("An opt-in by the individual."),
    ),
    "stale": (
        marked("The answer cannot be shown to be fresh enough, so it is no."),
        marked(
            "Ask again when the state has caught up with the log; the operator sees how far it is behind."
        ),
    ),
    "quarantined": (
        marked("A record that concerns this answer cannot be read, so it is no until that is resolved."),
        marked("An operator's resolution of the quarantined record."),
    ),
    "gap": (
        marked("The log has a hole before this answer, so it is no."),
        marked("A rebuild of the state from the first event, by an operator."),
    ),
    "wrong_generation": (
        marked("The position belongs to another generation of the ledger, so it is no."),
        marked("A position of this ledger: take one from a receipt or an answer."),
    ),
    "keys_unavailable": (
        marked("The key store cannot be reached, so it is no."),
        marked("The key store's return."),
    ),
}
"""Why, and what would change the answer, for each reason."""

OVERRIDES: Final[dict[Override, str]] = {
    "erased": marked("It overrides the erasure of the individual."),
    "restricted": marked("It overrides a restriction of processing."),
    "opted_out": marked("It overrides the individual's opt-out."),
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

    def lines(self, by: Speech = _ENGLISH) -> tuple[str, ...]:
        """The sentences as a person reads them; ``by`` must be the speech that they were made in."""
        decided: tuple[str, ...] = ()
        if self.events:
            heading = by.counted(
                "This event decided it:", "These {count} events decided it:", len(self.events)
            )
            decided = (heading, *(f"  - {event}" for event in self.events))
        would_change = by.say(marked("What would change it: {change}"), change=self.would_change)
        return (self.question, self.answer, self.because, *decided, *self.beside, would_change, self.until)


def explain(
    question: Question, decision: Decision, events: Mapping[str, Recorded], by: Speech = _ENGLISH
) -> Explanation:
    """The explanation of a decision; ``events`` holds those that its evidence names."""
    because, would_change = SENTENCES[decision.reason]
    return Explanation(
        question=_question(question, by),
        answer=_answer(decision, by),
        because=by.say(because),
        events=tuple(_event(event_id, events, by) for event_id in decision.evidence),
        beside=_beside(decision, events, by),
        would_change=by.say(would_change),
        until=_until(decision, by),
    )


def _question(question: Question, by: Speech) -> str:
    values = {
        "individual": question.individual,
        "tenant": question.tenant,
        "purpose": question.purpose,
        "at": by.instant(question.at),
    }
    if question.recipient is None:
        own = marked("May {tenant} itself use data of {individual} for {purpose} on {at}?")
        sentences = [by.say(own, **values)]
    else:
        other = marked("May {tenant} disclose data of {individual} to {recipient} for {purpose} on {at}?")
        sentences = [by.say(other, recipient=question.recipient, **values)]
    if question.data:
        data = by.listed(question.data)
        sentences.append(
            by.counted(
                "Asked about this category of data: {data}.",
                "Asked about these {count} categories of data: {data}.",
                len(question.data),
                data=data,
            )
        )
    if question.known_at is not None:
        known = marked("Asked on what had been recorded by {known_at}.")
        sentences.append(by.say(known, known_at=by.instant(question.known_at)))
    return " ".join(sentences)


def _answer(decision: Decision, by: Speech) -> str:
    message = marked("Permitted: {reason}.") if decision.permitted else marked("Denied: {reason}.")
    answer = by.say(message, reason=decision.reason)
    if decision.policy is None:
        return answer
    declared = marked("Policy {policy}, version {version}, declares the purpose.")
    return f"{answer} {by.say(declared, policy=decision.policy.id, version=decision.policy.version)}"


def _event(event_id: str, events: Mapping[str, Recorded], by: Speech) -> str:
    """An event in a sentence; one that is not at hand is named by its id."""
    recorded = events.get(event_id)
    return by.say(marked("event {event}"), event=event_id) if recorded is None else told(recorded, by)


def _beside(decision: Decision, events: Mapping[str, Recorded], by: Speech) -> tuple[str, ...]:
    beside = [by.say(OVERRIDES[override]) for override in decision.overrides]
    if decision.objection is not None:
        message = marked("The individual objected, which a necessary use passes over: {event}.")
        beside.append(by.say(message, event=_event(decision.objection, events, by)))
    return tuple(beside)


def _until(decision: Decision, by: Speech) -> str:
    if decision.reason == "stale":
        return by.say(marked("This answer holds until the state has caught up with the log."))
    if decision.until is None:
        return by.say(marked("If nothing more is recorded, this answer does not change."))
    message = marked("If nothing more is recorded, ask again on {instant}.")
    return by.say(message, instant=by.instant(decision.until))
