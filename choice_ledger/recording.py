"""Recording: from a command to a receipt, told only when the event is durable and folded."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, assert_never

import msgspec

from choice_ledger import import_under_way
from choice_ledger.exits import EventIdTaken, ExitCode, Failure, OutcomeUnknown, refused
from choice_ledger.fault_codes import failure_of
from choice_ledger.ledger_at_hand import LedgerAtHand, StandingEvent
from events.catalogue import VoidReason
from events.envelope import LEDGER_TENANT, Actor
from events.individual_events import ChoiceMade, IndividualsLinked
from events.instants import Micros
from events.policy_events import PolicyAmended, SafeguardWaived
from events.streams import Position
from events.union import Event
from ledger.commands import (
    Command,
    Heard,
    LinkIndividuals,
    Refused,
    UnlinkIndividuals,
    WaiveSafeguard,
    propose,
)
from ledger.dating import is_repetition
from ledger.links import derived_opt_outs, standing_opt_outs
from ledger.log import Acknowledged, LogFault, Proposal, Rejected, Unknown
from projections.ports import StoreConflict, StoreFault
from projections.projector import CatchUpStalled

NOT_THE_CALLERS: Final = frozenset({"overloaded", "storage", "clock"})
"""Reasons for which a log refuses what another time it would take: the ledger's fault, not the event's."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded: proof for whoever asked, and the position from which on every answer knows of it.

    ``void`` says why the event claims nothing, where it is an amendment that is void. ``derived`` names the
    opt-outs that were written for linked individuals.
    """

    event_id: str
    type: str
    recorded_at: Micros
    position: Position
    repeated: bool = False
    void: VoidReason | None = None
    derived: tuple[str, ...] = ()


def record(ledger: LedgerAtHand, command: Command, heard: Heard) -> Receipt:
    """Carry a command out. Safe from many threads where the ledger's state is followed.

    A repetition of an event id with the same content gives the receipt of the first. Raises Failure where it
    is refused, EventIdTaken where other content has that id, and OutcomeUnknown with the id to send again.
    """
    ledger.catch_up()
    proposal = propose(command, heard, ledger.clock(), ledger.catalogue)
    if isinstance(proposal, Refused):
        raise refused(proposal.field, proposal.message)
    receipt = _recorded(ledger, proposal)
    with _completed_by(receipt.event_id):
        derived = [_recorded(ledger, Proposal(choice)) for choice in _derived(ledger, proposal.event)]
    if derived:
        position = receipt.position
        for other in derived:
            position = position.joined(other.position)
        ids = tuple(other.event_id for other in derived)
        return msgspec.structs.replace(receipt, position=position, derived=ids)
    return receipt


def record_both(ledger: LedgerAtHand, commands: tuple[Command, Command], heard: Heard) -> Receipt:
    """Carry out two commands that are two sides of one; the receipt of the first, reaching as far as both."""
    first = commands[0]
    assert isinstance(first, LinkIndividuals | UnlinkIndividuals)  # No other command has two sides.
    here = record(ledger, first, heard)
    # An id is one event of one individual: another may use it too, for a link to the same third.
    there_id = str(uuid.uuid5(uuid.UUID(here.event_id), f"the other side of {first.individual}"))
    other = msgspec.structs.replace(heard, event_id=there_id, caused_by=here.event_id)
    with _completed_by(here.event_id):
        there = record(ledger, commands[1], other)
    return msgspec.structs.replace(
        here, position=here.position.joined(there.position), derived=here.derived + there.derived
    )


def record_waivers(ledger: LedgerAtHand, waivers: Sequence[str], why: str = "chosen in the settings") -> None:
    """Put on record every safeguard that the operator does without, once in a ledger's life."""
    if not waivers:
        return
    ledger.catch_up()
    known = {r.event.what for r in ledger.policy_events() if isinstance(r.event, SafeguardWaived)}
    for what in waivers:
        if what not in known:
            heard = Heard(event_id=ledger.new_id(), tenant=LEDGER_TENANT, actor=Actor(kind="service"))
            record(ledger, WaiveSafeguard(what, why), heard)


def append(ledger: LedgerAtHand, proposal: Proposal) -> Receipt:
    """Append one event, and fold up to it."""
    import_under_way.end(Path(ledger.settings.home))
    outcome = ledger.log.append([proposal])[0]
    match outcome:
        case Acknowledged():
            _fold(ledger, outcome)
            return _first_receipt(ledger, proposal, outcome)
        case Rejected(reason="id_conflict"):
            raise EventIdTaken(outcome.message)
        case Rejected(reason=reason) if reason in NOT_THE_CALLERS:
            raise Failure(ExitCode.UNAVAILABLE, f"nothing is recorded: `{outcome.field}` {outcome.message}")
        case Rejected():
            raise refused(outcome.field, outcome.message)
        case Unknown():
            raise OutcomeUnknown(outcome.event_id, outcome.message)
        case _:
            assert_never(outcome)


def _recorded(ledger: LedgerAtHand, proposal: Proposal) -> Receipt:
    """The receipt of an event that is appended, or stands already."""
    if not ledger.log.deduplicates:  # One that does also knows where the first one stands.
        standing = ledger.standing(proposal.event)
        if standing is not None:
            return _receipt_of(ledger, proposal, standing, repeated=True)
    return append(ledger, proposal)


def _fold(ledger: LedgerAtHand, outcome: Acknowledged) -> None:
    """Have the state cover what was acknowledged: before that nobody can say what it came to."""
    try:
        ledger.catch_up(outcome.position)
    except (CatchUpStalled, StoreFault, StoreConflict, LogFault, OSError) as fault:
        why = f"it is recorded, but not folded yet ({failure_of(fault).message})"
        raise OutcomeUnknown(outcome.event_id, why) from fault


def _first_receipt(ledger: LedgerAtHand, proposal: Proposal, outcome: Acknowledged) -> Receipt:
    """The receipt of the first event in log order that has this id: another call may have been before us.

    ``events.md`` counts an id as one event, in every fold; only the fold can tell which one that is where
    the log takes whatever comes.
    """
    standing = None if ledger.log.deduplicates else ledger.standing(proposal.event)
    if standing is None:
        return _receipt(ledger, proposal.event, outcome)
    return _receipt_of(ledger, proposal, standing, repeated=standing.position != outcome.position)


def _receipt_of(
    ledger: LedgerAtHand, proposal: Proposal, standing: StandingEvent, *, repeated: bool
) -> Receipt:
    """The receipt of what stands under the proposal's id. Other content under it is refused."""
    recorded = standing.recorded
    if not is_repetition(proposal, recorded.event):
        raise EventIdTaken("names another event already; give this one an id of its own")
    first = Acknowledged(
        event_id=recorded.event.event_id,
        recorded_at=recorded.recorded_at,
        position=standing.position,
        repeated=repeated,
    )
    return _receipt(ledger, recorded.event, first)


def _receipt(ledger: LedgerAtHand, event: Event, outcome: Acknowledged) -> Receipt:
    return Receipt(
        event_id=outcome.event_id,
        type=type(event).__name__,
        recorded_at=outcome.recorded_at,
        position=outcome.position,
        repeated=outcome.repeated,
        void=_void(ledger, event),
    )


@contextmanager
def _completed_by(event_id: str) -> Iterator[None]:
    """Work that sending that event again completes: where its end is not known, that is the id to send.

    A refusal too is none of the whole: the event is recorded, and whoever is told otherwise would be misled.
    """
    try:
        yield
    except OutcomeUnknown as unknown:
        raise OutcomeUnknown(event_id, unknown.why) from unknown
    except Failure as failure:
        why = f"it is recorded, but not all that follows from it ({failure.message})"
        raise OutcomeUnknown(event_id, why) from failure


def _void(ledger: LedgerAtHand, event: Event) -> VoidReason | None:
    if not isinstance(event, PolicyAmended):
        return None
    void = ledger.tenant(event.tenant).void
    return next((entry.reason for entry in void if entry.event_id == event.event_id), None)


def _derived(ledger: LedgerAtHand, event: Event) -> tuple[ChoiceMade, ...]:
    """The opt-outs that travel along links because of what was just recorded.

    The receipt is told after they are written, so that whoever has it knows that they stand too. Killed in
    between, the same command with the same event id writes the rest.
    """
    if not isinstance(event, IndividualsLinked | ChoiceMade):
        return ()
    history = ledger.history(event.key)
    if isinstance(event, IndividualsLinked):
        own = standing_opt_outs(history)
        return tuple(
            d for choice in own for d in derived_opt_outs(history, choice) if d.individual == event.other
        )
    stored = next(r.event for r in history if r.event.event_id == event.event_id)
    return derived_opt_outs(history, stored) if isinstance(stored, ChoiceMade) else ()
