"""Linked identities: which opt-outs travel from one individual to another, as events of their own.

Source: ``semantics.md``, *Linked identities*: "When two individuals are linked (a browser and an account),
each opt-out that stands on either side is written for the other as an event of its own (`medium=link`,
`caused_by` the link), dated at the link; later ones are dated as their cause. A derived opt-out travels no
further: one hop."
"""

import uuid
from collections.abc import Iterable

import msgspec

from events.individual_events import ChoiceMade, IndividualsLinked, IndividualsUnlinked
from events.instants import Micros
from events.union import Recorded


def linked_others(history: Iterable[Recorded]) -> tuple[str, ...]:
    """Whom an individual's own events link it to, after the last of them in the order of the semantics."""
    linked: dict[str, bool] = {}
    for recorded in in_order(history):
        event = recorded.event
        if isinstance(event, IndividualsLinked | IndividualsUnlinked):
            linked[event.other] = isinstance(event, IndividualsLinked)
    return tuple(other for other, stands in linked.items() if stands)


def standing_opt_outs(history: Iterable[Recorded]) -> tuple[ChoiceMade, ...]:
    """The individual's own opt-outs that no later opt-in of theirs takes back in full.

    An opt-out is taken back in full where later opt-ins name each of its purposes for each of its
    recipients. One for every recipient never is: own use is all that an opt-in without recipients grants.
    """
    choices = [recorded.event for recorded in in_order(history) if isinstance(recorded.event, ChoiceMade)]
    own = [choice for choice in choices if choice.medium != "link"]
    return tuple(
        choice
        for place, choice in enumerate(own)
        if choice.decision == "opt_out" and not _taken_back(choice, own[place + 1 :])
    )


def derived_opt_out(cause: ChoiceMade, other: str, *, dated: Micros, caused_by: str) -> ChoiceMade:
    """The opt-out that is written for ``other``. Its id follows from the cause, so that it is one event
    however often it is written.
    """
    name = f"{caused_by}/{cause.tenant}/{other}"
    return msgspec.structs.replace(
        cause,
        event_id=str(uuid.uuid5(uuid.UUID(cause.event_id), name)),
        individual=other,
        occurred_at=dated,
        medium="link",
        caused_by=caused_by,
        evidence=None,
    )


def in_order(history: Iterable[Recorded]) -> list[Recorded]:
    """``semantics.md``: "order is `(occurred_at, recorded_at, event_id as lower-case text)`"."""
    return sorted(history, key=lambda r: (r.event.occurred_at, r.recorded_at, r.event.event_id))


def _taken_back(opt_out: ChoiceMade, later: list[ChoiceMade]) -> bool:
    if opt_out.recipients is None:
        return False
    grants = {
        (purpose, recipient)
        for choice in later
        if choice.decision == "opt_in"
        for purpose in choice.purposes
        for recipient in choice.recipients or ()
    }
    return all((p, r) in grants for p in opt_out.purposes for r in opt_out.recipients)
