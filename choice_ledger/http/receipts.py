"""Receipts over HTTP: what a call that recorded an event is answered."""

from collections.abc import Callable
from typing import Any, Final, get_args

from choice_ledger.exits import Failure
from choice_ledger.http.endpoints import JSON, Answered, Parameter, Reply
from choice_ledger.http.idempotency import HEADER, KEY_LENGTH_MAX
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.write_schemas import INSTANT, UUID, nullable, object_of
from choice_ledger.recording import Receipt
from events.catalogue import VoidReason
from events.instants import format_instant
from events.union import EVENT_TYPES

RECEIPT: Final = object_of(
    {
        "event_id": {**UUID, "description": "The event's id."},
        "type": {"type": "string", "enum": list(EVENT_TYPES), "description": "What was recorded."},
        "outcome": {
            "type": "string",
            "enum": ["acknowledged", "void"],
            "description": "`void`: it is recorded, and claims nothing, now and for ever.",
        },
        "void": {
            **nullable({"type": "string", "enum": list(get_args(VoidReason))}),
            "description": "Why it is void, where it is.",
        },
        "recorded_at": {**INSTANT, "description": "When the ledger took it."},
        "position": {
            "type": "string",
            "minLength": 1,
            "description": "Pass it back as `after`, and an answer knows of this event.",
        },
        "repeated": {"type": "boolean", "description": "Whether it was recorded before this call."},
        "derived": {
            "type": "array",
            "items": UUID,
            "description": "The opt-outs that were written for linked individuals.",
        },
    }
)
"""The schema of a receipt."""

ANSWERS: Final = (
    Answered(status=200, description="It was recorded already: the receipt.", content={JSON: RECEIPT}),
    Answered(status=201, description="It is recorded, durably: the receipt.", content={JSON: RECEIPT}),
)
"""How a call that records an event is answered."""

PROBLEMS: Final = ("in_flight", "event_id_taken", "refused", "idempotency_key_reused", "unknown")
"""What a call that records an event can end in, beside what every call with a body can."""


_LENGTH: Final = f"{{1,{KEY_LENGTH_MAX}}}"

IDEMPOTENCY_KEY: Final = Parameter(
    name=HEADER,
    place="header",
    schema={
        "type": "string",
        "pattern": rf'^("([ !#-\[\]-~]|\\["\\]){_LENGTH}"|[!#-+\--:<-\[\]-~]{_LENGTH})$',
    },
    description="A key of your own, in place of an `event_id`: the same call, sent again with it, is carried "
    "out once, and answered with the same receipt.",
)
"""The header by which a call that records may be sent again."""


def reply_of(receipt: Receipt) -> Reply:
    """The answer that tells a receipt: 201 where the event is new, and 200 where it was there already."""
    return Reply(status=200 if receipt.repeated else 201, content=told(receipt))


def told(receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON."""
    return {
        "event_id": receipt.event_id,
        "type": receipt.type,
        "outcome": "acknowledged" if receipt.void is None else "void",
        "void": receipt.void,
        "recorded_at": format_instant(receipt.recorded_at),
        "position": receipt.position.encode(),
        "repeated": receipt.repeated,
        "derived": receipt.derived,
    }


def recorded(work: Callable[[], Receipt]) -> Receipt:
    """Record. What the log says of an event as a whole is told of the body as a whole, not of a member."""
    try:
        return work()
    except Failure as failure:
        if failure.field != "event":
            raise
        raise Problem("refused", errors=[Fault("", failure.message)]) from None
