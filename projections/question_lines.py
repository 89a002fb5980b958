"""Questions and decisions as lines of JSON: what ``check --questions`` reads, and what it writes.

Source: ``events.md``, *Lines*. A question's fields are those of ``decide``; ``at`` and ``known_at`` may be
null or left out. A decision has exactly five keys: permitted, reason, policy, evidence, until.
"""

import json
import re
from typing import Final

import msgspec

from events.envelope import InvalidEvent, check_key, check_name
from events.instants import Micros, format_instant, parse_instant
from projections.decision import Decision
from projections.reader import Enquiry

QUESTION_BYTES_MAX: Final = 65_536
"""Bytes of one question's line, its end not counted."""


class InvalidQuestion(ValueError):
    """A line that is no question. ``field`` names what is wrong (empty: the line itself); the message says
    what it must be, and never repeats the value.
    """

    def __init__(self, field: str, message: str) -> None:
        """Name the field and say what it must be."""
        super().__init__(f"`{field}` {message}" if field else message)
        self.field = field
        self.message = message


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question as somebody asked it: instants that were left out are still open, and so is the tenant."""

    individual: str
    purpose: str
    tenant: str | None = None
    recipient: str | None = None
    data: tuple[str, ...] = ()
    at: str | None = None
    known_at: str | None = None


_DECODER: Final = msgspec.json.Decoder(Asked)
_FIELD: Final = re.compile(r"at `\$\.(\w+)")
_NAMED: Final = re.compile(r"field `(\w+)`")
_ENCODER: Final = msgspec.json.Encoder()
_PARTS: Final = {
    "individual": "must be a text",
    "purpose": "must be a text",
    "tenant": "must be a text or null",
    "recipient": "must be a text or null",
    "data": "must be a list of texts",
    "at": "must be an RFC 3339 instant in UTC, or null",
    "known_at": "must be an RFC 3339 instant in UTC, or null",
}


def parse_question(raw: bytes, tenant: str) -> Enquiry:
    """The enquiry of a line; ``tenant`` is meant where the line names none. Raises InvalidQuestion."""
    if len(raw) > QUESTION_BYTES_MAX:
        raise InvalidQuestion("", f"the line has more than {QUESTION_BYTES_MAX} bytes")
    try:
        asked = _DECODER.decode(raw)
    except msgspec.ValidationError as fault:
        raise _named(str(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidQuestion("", "the line must be one JSON object in UTF-8") from None
    names = [name for name, _ in json.loads(raw, object_pairs_hook=list)]
    if len(set(names)) != len(names):  # The decoder keeps the last: an answer to what may not be meant.
        raise InvalidQuestion("", "the line has a name twice")
    at, known_at = _instant("at", asked.at), _instant("known_at", asked.known_at)
    return checked(asked, tenant, at=at, known_at=known_at)


def checked(
    asked: Asked, tenant: str, *, at: Micros | None = None, known_at: Micros | None = None
) -> Enquiry:
    """The enquiry, every name in it checked; the instants are those given here. Raises InvalidQuestion."""
    try:
        check_key("purpose", asked.purpose)
        if asked.recipient is not None:
            check_name("recipient", asked.recipient)
        for category in asked.data:
            check_name("data", category)
        return Enquiry(
            tenant=tenant if asked.tenant is None else asked.tenant,
            individual=asked.individual,
            purpose=asked.purpose,
            recipient=asked.recipient,
            data=asked.data,
            at=at,
            known_at=known_at,
        )
    except InvalidEvent as fault:
        raise InvalidQuestion(fault.field, fault.message) from None


def format_decision(decision: Decision) -> bytes:
    """The line of a decision: one JSON object without a line end."""
    policy = decision.policy
    return _ENCODER.encode(
        {
            "permitted": decision.permitted,
            "reason": decision.reason,
            "policy": None if policy is None else {"id": policy.id, "version": policy.version},
            "evidence": decision.evidence,
            "until": None if decision.until is None else format_instant(decision.until),
        }
    )


def _instant(field: str, text: str | None) -> Micros | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as fault:
        raise InvalidQuestion(field, str(fault)) from None


def _named(message: str) -> InvalidQuestion:
    """A fault of the decoder by the field that it is about; its own words may quote what was sent."""
    if found := _FIELD.search(message):
        return InvalidQuestion(found[1], _PARTS.get(found[1], "is not as it must be"))
    if "missing required" in message and (found := _NAMED.search(message)):
        return InvalidQuestion(found[1], "is missing")
    if "unknown field" in message:
        return InvalidQuestion(
            "", f"the line has a field that a question has not; it may have {', '.join(_PARTS)}"
        )
    return InvalidQuestion("", "the line must be one JSON object in UTF-8")
