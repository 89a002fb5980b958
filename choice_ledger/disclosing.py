"""Disclosures: recorded with the answer that they relied on, which the ledger finds itself.

A disclosure that is not permitted is recorded only where somebody says that it has happened all the same.
"""

from collections.abc import Callable

import msgspec

from choice_ledger.ledger_at_hand import LedgerAtHand
from events.instants import Micros
from events.record_events import DisclosureMade, ReliedDecision
from ledger.commands import Heard, RecordDisclosure
from projections.decision import OutsideDenial, Reason, outside
from projections.reader import Answer


class Disclosed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says was disclosed. ``at`` null is now; no ``data`` is all that the terms declare."""

    individual: str
    recipient: str
    purpose: str
    data: tuple[str, ...] = ()
    at: Micros | None = None
    although_denied: bool = False


class UseDenied(msgspec.Struct, frozen=True):
    """Why nothing is to be recorded: the disclosure was not permitted, for this reason."""

    reason: Reason


def relying(
    ledger: LedgerAtHand,
    disclosed: Disclosed,
    heard: Heard,
    answer: Callable[[], Answer],
    denied: Callable[[], OutsideDenial | None] = lambda: None,
) -> RecordDisclosure | UseDenied:
    """The command that records a disclosure and the answer it relied on, or why there is none.

    A repetition keeps what was answered the first time; only else is ``answer`` asked for. ``denied``
    is asked once the answer is there, and says why nothing can be answered now.
    """
    held = ledger.find_of_individual(f"{heard.tenant}/{disclosed.individual}", heard.event_id)
    first = None if held is None else held.event
    if isinstance(first, DisclosureMade):
        return _command(disclosed, first.at, first.decision)
    answered = answer()
    reason = denied()
    decision = answered.decision if reason is None else outside(reason)
    if not decision.permitted and not disclosed.although_denied:
        return UseDenied(decision.reason)
    position = "" if answered.position is None else answered.position.encode()
    relied = ReliedDecision(reason=decision.reason, position=position, evidence=decision.evidence)
    return _command(disclosed, answered.question.at, relied)


def _command(disclosed: Disclosed, at: Micros, decision: ReliedDecision) -> RecordDisclosure:
    return RecordDisclosure(
        individual=disclosed.individual,
        recipient=disclosed.recipient,
        purpose=disclosed.purpose,
        data=disclosed.data,
        at=at if disclosed.at is None else disclosed.at,
        decision=decision,
    )
