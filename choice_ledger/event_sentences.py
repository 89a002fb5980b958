"""An event in a few words, for people: what it said, when it happened, and by whom it was said."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from events.individual_events import (
    ChoiceMade,
    DisclosureCompelled,
    IndividualDescribed,
    IndividualErased,
    IndividualsLinked,
    IndividualsUnlinked,
    NoticeGiven,
    NoticeOutcome,
    ProcessingRestricted,
    RestrictionLifted,
)
from events.instants import format_instant
from events.policy_events import FrameworkStatusChanged, PolicyAmended
from events.record_events import DisclosureMade
from events.union import Recorded


def told(recorded: Recorded) -> str:
    """One event in a sentence: what it said, when it happened, and when it was recorded."""
    event = recorded.event
    when = f"on {format_instant(event.occurred_at)}"
    if recorded.recorded_at != event.occurred_at:
        when += f", recorded on {format_instant(recorded.recorded_at)}"
    return f"{said(recorded)}, {when}, by {event.actor.kind} over {event.medium} ({event.event_id})"


def said(recorded: Recorded) -> str:
    """What one event said, in a few words; where there is nothing to add, the name of its type."""
    event = recorded.event
    words = _WORDS.get(type(event))
    return type(event).__name__ if words is None else words(event)


def listed(names: Sequence[str] | None) -> str:
    """Names after one another; null is all of them."""
    if names is None:
        return "everything"
    return ", ".join(names) if names else "nothing"


def _amended(event: PolicyAmended) -> str:
    since = format_instant(event.effective_at)
    return f"version {event.version} of policy {event.policy_id}, in force from {since}"


def _notice(event: NoticeGiven) -> str:
    choice = "with a choice" if event.choice_offered else "without a choice"
    return f"notice of version {event.version} of policy {event.policy_id}, {choice}"


def _choice(event: ChoiceMade) -> str:
    whom = "" if event.recipients is None else f" to {listed(event.recipients)}"
    return f"{event.decision.replace('_', '-')} of {listed(event.purposes)}{whom}"


def _described(event: IndividualDescribed) -> str:
    populations = None if event.populations is None else listed(event.populations)
    described = {"jurisdiction": event.jurisdiction, "populations": populations, "locale": event.locale}
    return ", ".join(f"{name} {value}" for name, value in described.items() if value is not None)


def _framework(event: FrameworkStatusChanged) -> str:
    state = "in force" if event.in_force else "not in force"
    return f"framework {event.framework} {state} from {format_instant(event.from_)}"


_WORDS: Final[dict[type, Callable[[Any], str]]] = {
    PolicyAmended: _amended,
    NoticeGiven: _notice,
    ChoiceMade: _choice,
    IndividualDescribed: _described,
    FrameworkStatusChanged: _framework,
    NoticeOutcome: lambda event: f"notice {event.notice_id} {event.outcome}",
    ProcessingRestricted: lambda event: f"restriction {event.restriction_id} of {listed(event.purposes)}",
    RestrictionLifted: lambda event: f"restriction {event.restriction_id} lifted",
    DisclosureCompelled: lambda e: f"disclosure to {e.recipient} compelled by {e.legal_reference}",
    DisclosureMade: lambda event: f"disclosure to {event.recipient} for {event.purpose}",
    IndividualErased: lambda _: "the individual erased",
    IndividualsLinked: lambda event: f"linked to {event.other}",
    IndividualsUnlinked: lambda event: f"no longer linked to {event.other}",
}
"""How each type is told; the others say all that there is by their name."""
