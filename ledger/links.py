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


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link to another individual, from ``since`` until ``until`` (null: it stands)."""

    other: str
    event_id: str
    since: Micros
    until: Micros | None = None


def links_of(history: Iterable[Recorded]) -> tuple[Link, ...]:
    """The links that an individual's own events make and end, in the order of the semantics."""
    standing: dict[str, Link] = {}
    over: list[Link] = []
    for recorded in in_order(history):
        event = recorded.event
        if isinstance(event, IndividualsLinked) and event.other not in standing:
            standing[event.other] = Link(other=event.other, event_id=event.event_id, since=event.occurred_at)
        elif isinstance(event, IndividualsUnlinked) and event.other in standing:
            ended = standing.pop(event.other)
            over.append(msgspec.structs.replace(ended, until=event.occurred_at))
    return (*over, *standing.values())


def derived_opt_outs(history: Iterable[Recorded], cause: ChoiceMade) -> tuple[ChoiceMade, ...]:
    """What an individual's own opt-out has to be written as for those whom it is, or was then, linked to.

    One that was made before the link is dated at the link, however late it arrives.
    """
    if cause.decision != "opt_out" or cause.medium == "link":
        return ()
    derived: dict[str, ChoiceMade] = {}
    for link in links_of(history):
        if link.until is None or link.until > cause.occurred_at:
            by_link = link.since > cause.occurred_at
            derived.setdefault(
                link.other,
                _derived(
                    cause,
                    link.other,
                    dated=max(link.since, cause.occurred_at),
                    caused_by=link.event_id if by_link else cause.event_id,
                ),
            )
    return tuple(derived.values())


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


def _derived(cause: ChoiceMade, other: str, *, dated: Micros, caused_by: str) -> ChoiceMade:
    """The opt-out that is written for ``other``. Its id follows from the cause, so that it is one event
    however often it is written; and from whose it is, because two individuals may use one id.
    """
    name = f"{caused_by}/{cause.key}/{other}"
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
