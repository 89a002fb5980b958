"""The events that a decision names, found again so that they can be told."""

from choice_ledger.ledger_at_hand import LedgerAtHand
from events.codec import decode
from events.union import Recorded
from projections.reader import Answer


def events_named(ledger: LedgerAtHand, answer: Answer) -> dict[str, Recorded]:
    """The events of the answer's evidence and its objection, by id, as far as they are folded.

    They are the individual's own and the tenant's policies'. Published versions are at hand; only what else
    is named, such as a framework's status, is looked for in the whole stream. May block. Raises StoreFault.
    """
    decision, question = answer.decision, answer.question
    named = {*decision.evidence, decision.objection} - {None}
    found = {
        entry.event_id: decode(entry.value)
        for entry in (ledger.store.history(question.key) if named else ())
        if entry.event_id in named
    }
    for versions in ledger.tenant(question.tenant).standing.values():
        for version in versions:
            if version.event_id in named:
                found.setdefault(version.event_id, Recorded(version.event, version.recorded_at))
    if named <= found.keys():
        return found
    for recorded in ledger.policy_events():
        event = recorded.event
        if event.event_id in named and event.tenant == question.tenant:
            found.setdefault(event.event_id, recorded)
    return found
