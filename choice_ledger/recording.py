"""Recording: from a command to a receipt, told only when the event is durable and folded."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import msgspec

from choice_ledger import import_under_way
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.ledger_at_hand import LedgerAtHand
from events.catalogue import VoidReason
from events.envelope import LEDGER_TENANT, Actor
from events.individual_events import ChoiceMade, IndividualsLinked
from events.instants import Micros
from events.policy_events import PolicyAmended, SafeguardWaived
from events.streams import Position
from events.union import Event
from ledger.commands import Command, Heard, Refused, WaiveSafeguard, propose
from ledger.dating import is_repetition
from ledger.links import derived_opt_outs, standing_opt_outs
from ledger.log import Acknowledged, Proposal, Rejected, Unknown


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
    """Carry a command out. Raises Failure where it is refused, and where its outcome is unknown.

    A repetition of an event id with the same content gives the receipt of the first.
    """
    ledger.catch_up()
    proposal = propose(command, heard, ledger.clock(), ledger.catalogue)
    if isinstance(proposal, Refused):
        raise refused(proposal.field, proposal.message)
    receipt = _held(ledger, proposal) or append(ledger, proposal)
    proposals = [Proposal(choice) for choice in _derived(ledger, proposal.event)]
    derived = [_held(ledger, further) or append(ledger, further) for further in proposals]
    if derived:
        position = receipt.position
        for other in derived:
            position = position.joined(other.position)
        ids = tuple(other.event_id for other in derived)
        return msgspec.structs.replace(receipt, position=position, derived=ids)
    return receipt


def record_both(ledger: LedgerAtHand, commands: tuple[Command, Command], heard: Heard) -> Receipt:
    """Carry out two commands that are two sides of one; the receipt of the first, reaching as far as both."""
    here = record(ledger, commands[0], heard)
    there_id = str(uuid.uuid5(uuid.UUID(here.event_id), "the other side"))
    other = msgspec.structs.replace(heard, event_id=there_id, caused_by=here.event_id)
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
            ledger.catch_up(outcome.position)
            return _receipt(ledger, proposal.event, outcome)
        case Rejected():
            raise refused(outcome.field, outcome.message)
        case Unknown():
            again = f"send it again with --event-id {outcome.event_id}"
            raise Failure(ExitCode.UNKNOWN, f"may be recorded or not: {outcome.message}; {again}")
        case _:
            assert_never(outcome)


def _receipt(ledger: LedgerAtHand, event: Event, outcome: Acknowledged) -> Receipt:
    return Receipt(
        event_id=outcome.event_id,
        type=type(event).__name__,
        recorded_at=outcome.recorded_at,
        position=outcome.position,
        repeated=outcome.repeated,
        void=_void(ledger, event),
    )


def _held(ledger: LedgerAtHand, proposal: Proposal) -> Receipt | None:
    """The receipt of the event that has this id already. Other content under the same id is refused."""
    held = ledger.find(proposal.event)
    if held is None or ledger.log.deduplicates:
        return None  # A log that finds repetitions itself also knows where the first one stands.
    if not is_repetition(proposal, held.event):
        raise refused("event_id", "names another event already; give this one an id of its own")
    first = Acknowledged(
        event_id=held.event.event_id,
        recorded_at=held.recorded_at,
        position=ledger.folding.position,
        repeated=True,
    )
    return _receipt(ledger, held.event, first)


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
