"""From an individual's events to their facts: for any moment of knowledge, or pruned for the present.

``semantics.md``: an individual's events "are a *set*, and any delivery order and any repetition gives the
same answer". So facts are a function of the set of events. ``advance`` is a short cut that gives the same
result one event at a time; where it cannot (something late or rare) it says so, and the facts are made
anew from the history.
"""

from bisect import insort
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

import msgspec

from events.individual_events import (
    ChoiceMade,
    DisclosureCompelled,
    IndividualDescribed,
    IndividualErased,
    NoticeGiven,
    NoticeOutcome,
    ProcessingRestricted,
    RestrictionLifted,
)
from events.instants import Micros
from events.union import Recorded
from projections.facts import (
    NO_FACTS,
    Choice,
    Compelled,
    Description,
    Erasure,
    Facts,
    Notice,
    OrderKey,
    Restriction,
)

_Dated: TypeAlias = Notice | Choice | Description | Compelled | Erasure
_Fact = TypeVar("_Fact", Notice, Choice, Description, Compelled, Erasure)


def facts_known_at(history: Iterable[Recorded], known_at: Micros | None) -> Facts:
    """Everything that the events recorded by ``known_at`` (null: all) say, with nothing pruned.

    An event id that is repeated counts once: the first of the iteration stands.
    """
    known = {
        recorded.event.event_id: recorded
        for recorded in reversed(tuple(history))
        if known_at is None or recorded.recorded_at <= known_at
    }
    ordered = sorted(known.values(), key=_order)
    return Facts(
        newest_recorded_at=max((recorded.recorded_at for recorded in ordered), default=0),
        notices=_notices(ordered),
        choices=tuple(
            sorted((_choice(r, r.event) for r in ordered if isinstance(r.event, ChoiceMade)), key=_in_order)
        ),
        descriptions=tuple(
            _description(r, r.event) for r in ordered if isinstance(r.event, IndividualDescribed)
        ),
        restrictions=_restrictions(ordered),
        compelled=tuple(_compelled(r, r.event) for r in ordered if isinstance(r.event, DisclosureCompelled)),
        erasures=tuple(_erasure(r) for r in ordered if isinstance(r.event, IndividualErased)),
        failed_notices=tuple(
            sorted({r.event.notice_id for r in ordered if isinstance(r.event, NoticeOutcome) and _failed(r)})
        ),
    )


def live_facts(history: Iterable[Recorded]) -> Facts:
    """The facts that can still change an answer at or after the newest event, from the whole history."""
    return prune(facts_known_at(history, None))


def prune(facts: Facts) -> Facts:
    """Leave out what no question about the present or the future can reach.

    The present begins at ``newest_recorded_at``: by then every event has occurred. What goes: the notices
    between the first and the last of a series that say the same; descriptions that a later one replaced;
    restrictions that are over; compelled disclosures whose time has passed; erasures after the first.
    """
    return Facts(
        newest_recorded_at=facts.newest_recorded_at,
        notices=_prune_notices(facts.notices),
        choices=facts.choices,
        descriptions=_prune_descriptions(facts.descriptions),
        restrictions=tuple(r for r in facts.restrictions if r.over_from is None),
        compelled=_prune_compelled(facts.compelled, facts.newest_recorded_at),
        erasures=facts.erasures[:1],
        failed_notices=facts.failed_notices,
    )


def advance(facts: Facts | None, recorded: Recorded) -> Facts | None:
    """Live facts with one more event, not folded before; none where they must be made anew.

    Where it answers, it answers exactly what ``live_facts`` would of the whole history.
    """
    before = NO_FACTS if facts is None else facts
    event = recorded.event
    newest = max(recorded.recorded_at, before.newest_recorded_at) if facts else recorded.recorded_at
    compelled = _prune_compelled(before.compelled, newest) if before.compelled else ()
    notices, choices = before.notices, before.choices
    descriptions, erasures = before.descriptions, before.erasures
    if isinstance(event, ChoiceMade):
        choices = _inserted(choices, _choice(recorded, event))
    elif isinstance(event, NoticeGiven):
        if event.notice_id in before.failed_notices or not _follows(notices, event, recorded):
            return None
        notices = _followed(notices, _notice(recorded, event, event.occurred_at))
    elif isinstance(event, IndividualDescribed):
        descriptions = _prune_descriptions(_inserted(descriptions, _description(recorded, event)))
    elif isinstance(event, DisclosureCompelled):
        compelled = _prune_compelled(_inserted(compelled, _compelled(recorded, event)), newest)
    elif isinstance(event, IndividualErased):
        erasures = _inserted(erasures, _erasure(recorded))[:1]
    elif _is_retroactive(event, before):
        return None
    return Facts(
        newest_recorded_at=newest,
        notices=notices,
        choices=choices,
        descriptions=descriptions,
        restrictions=before.restrictions,
        compelled=compelled,
        erasures=erasures,
        failed_notices=before.failed_notices,
    )


def _is_retroactive(event: object, before: Facts) -> bool:
    if isinstance(event, NoticeOutcome):
        return event.outcome == "failed" or event.notice_id in before.failed_notices
    return isinstance(event, ProcessingRestricted | RestrictionLifted)


def _order(recorded: Recorded) -> OrderKey:
    event = recorded.event
    return (event.occurred_at, recorded.recorded_at, event.event_id)


def _in_order(fact: _Dated) -> tuple[object, ...]:
    return fact.order


def _inserted(facts: tuple[_Fact, ...], fact: _Fact) -> tuple[_Fact, ...]:
    if not facts or facts[-1].order < fact.order:
        return facts + (fact,)  # noqa: RUF005 - a constrained type variable survives only this spelling.
    several = list(facts)
    insort(several, fact, key=_in_order)
    return tuple(several)


def _failed(recorded: Recorded) -> bool:
    event = recorded.event
    return isinstance(event, NoticeOutcome) and event.outcome == "failed"


def _notices(ordered: list[Recorded]) -> tuple[Notice, ...]:
    outcomes: dict[str, list[Recorded]] = {}
    for recorded in ordered:
        if isinstance(recorded.event, NoticeOutcome):
            outcomes.setdefault(recorded.event.notice_id, []).append(recorded)
    notices = []
    for recorded in ordered:
        event = recorded.event
        if isinstance(event, NoticeGiven):
            counts_from = _counts_from(event, outcomes.get(event.notice_id, []))
            if counts_from is not None:
                notices.append(_notice(recorded, event, counts_from))
    return tuple(sorted(notices, key=_in_order))


def _counts_from(notice: NoticeGiven, outcomes: list[Recorded]) -> Micros | None:
    """The instant from which a notice counts, its outcomes being in the order of an individual's events.

    ``semantics.md``: "if a `failed` is known at k, from the `occurred_at` (or its own, if later) of the first
    `delivered` after the last `failed` [...] and not at all where there is none".
    """
    failures = [index for index, outcome in enumerate(outcomes) if _failed(outcome)]
    if not failures:
        return notice.occurred_at
    delivered = outcomes[failures[-1] + 1 :]
    return max(delivered[0].event.occurred_at, notice.occurred_at) if delivered else None


def _notice(recorded: Recorded, event: NoticeGiven, counts_from: Micros) -> Notice:
    return Notice(
        counts_from=counts_from,
        recorded_at=recorded.recorded_at,
        event_id=event.event_id,
        policy_id=event.policy_id,
        version=event.version,
        purposes=event.purposes,
        choice_offered=event.choice_offered,
        at_collection=event.at_collection,
    )


def _choice(recorded: Recorded, event: ChoiceMade) -> Choice:
    return Choice(
        occurred_at=event.occurred_at,
        recorded_at=recorded.recorded_at,
        event_id=event.event_id,
        opt_in=event.decision == "opt_in",
        purposes=event.purposes,
        recipients=event.recipients,
        versions=tuple(sorted((event.versions or {}).items())),
        by_guardian=event.actor.kind == "guardian",
    )


def _description(recorded: Recorded, event: IndividualDescribed) -> Description:
    return Description(
        occurred_at=event.occurred_at,
        recorded_at=recorded.recorded_at,
        event_id=event.event_id,
        jurisdiction=event.jurisdiction,
        populations=event.populations,
    )


def _compelled(recorded: Recorded, event: DisclosureCompelled) -> Compelled:
    return Compelled(
        occurred_at=event.occurred_at,
        recorded_at=recorded.recorded_at,
        event_id=event.event_id,
        recipient=event.recipient,
        purposes=event.purposes,
        data=event.data,
        since=event.from_,
        to=event.to,
    )


def _erasure(recorded: Recorded) -> Erasure:
    return Erasure(recorded.event.occurred_at, recorded.recorded_at, recorded.event.event_id)


def _restrictions(ordered: list[Recorded]) -> tuple[Restriction, ...]:
    over_from: dict[str, Micros] = {}
    for recorded in ordered:
        event = recorded.event
        if isinstance(event, RestrictionLifted):
            over_from.setdefault(event.restriction_id, event.occurred_at)
    return tuple(
        Restriction(
            occurred_at=recorded.event.occurred_at,
            recorded_at=recorded.recorded_at,
            event_id=recorded.event.event_id,
            purposes=recorded.event.purposes,
            over_from=over_from.get(recorded.event.restriction_id),
        )
        for recorded in ordered
        if isinstance(recorded.event, ProcessingRestricted)
    )


def _prune_notices(notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """Of each unbroken series of one policy's notices that say the same, keep the first and the last.

    The first fixes when a run began and when its choice was offered, the last governs; whether those
    between cover a question is the same as for these two.
    """
    kept: tuple[Notice, ...] = ()
    for notice in notices:
        kept = _followed(kept, notice)
    return kept


def _followed(notices: tuple[Notice, ...], notice: Notice) -> tuple[Notice, ...]:
    """Pruned notices with one that follows every other notice of its policy."""
    of_policy = [index for index, other in enumerate(notices) if other.policy_id == notice.policy_id]
    if len(of_policy) >= 2 and all(notices[index].says_as_much_as(notice) for index in of_policy[-2:]):
        notices = notices[: of_policy[-1]] + notices[of_policy[-1] + 1 :]
    return _inserted(notices, notice)


def _follows(notices: tuple[Notice, ...], event: NoticeGiven, recorded: Recorded) -> bool:
    order = (event.occurred_at, recorded.recorded_at, event.event_id)
    return all(other.policy_id != event.policy_id or other.order < order for other in notices)


def _prune_descriptions(descriptions: tuple[Description, ...]) -> tuple[Description, ...]:
    """Keep of each field the last that is said, and blank what a kept description says in vain."""
    placed = next((d for d in reversed(descriptions) if d.jurisdiction is not None), None)
    grouped = next((d for d in reversed(descriptions) if d.populations is not None), None)
    return tuple(
        msgspec.structs.replace(
            description,
            jurisdiction=description.jurisdiction if description is placed else None,
            populations=description.populations if description is grouped else None,
        )
        for description in descriptions
        if description is placed or description is grouped
    )


def _prune_compelled(compelled: tuple[Compelled, ...], newest: Micros) -> tuple[Compelled, ...]:
    return tuple(c for c in compelled if c.to is None or c.to > newest)
