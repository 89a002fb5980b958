"""Questions of the hot path out of JSON, and their decisions into it.

A good body is read by one typed decoding. Any other is read again by ``choice_ledger.http.questions``, which
tells all that is wrong with it and has the last word: what is refused here and not there is good.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from choice_ledger.http.bodies import BODY_BYTES_MAX, read_json
from choice_ledger.http.problems import FAULTS_TOLD_MAX, Fault, Problem
from choice_ledger.http.questions import DATA_MAX, QUESTIONS_MAX, Asking, AskingMany, asking, asking_many
from events.envelope import check_key, check_name
from events.instants import format_instant, parse_instant
from events.streams import Position
from projections.decision import Decision, PolicyRef
from projections.reader import ENQUIRIES_MAX, Answer, Enquiry

LINES_MAX: Final = ENQUIRIES_MAX
"""Questions of one call as NDJSON."""

LINES_BYTES_MAX: Final = 8 * BODY_BYTES_MAX
"""Bytes of a body of NDJSON."""

WRITTEN_MAX: Final = 16_384
"""Decisions whose bytes are kept to be written again, at some 400 bytes each."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A question of a batch. What was left out stays apart from what was null, so names can be counted."""

    individual: str
    purpose: str
    recipient: str | UnsetType | None = UNSET
    data: tuple[str, ...] | UnsetType = UNSET
    at: str | UnsetType | None = UNSET
    known_at: str | UnsetType | None = UNSET


class PlainlyAsked(_Asked, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A question by itself, decoded and not yet checked: the names in it may be anything."""

    after: str | UnsetType | None = UNSET
    wait_ms: int | UnsetType | None = UNSET


class _AskedTogether(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    questions: list[_Asked]
    after: str | UnsetType | None = UNSET
    wait_ms: int | UnsetType | None = UNSET


class _Decided(msgspec.Struct, frozen=True, gc=False):
    """A decision as a line shows it, with what stands beside it. The order is that of the line's members."""

    permitted: bool
    reason: str
    policy: PolicyRef | None
    evidence: tuple[str, ...]
    until: str | None
    overrides: tuple[str, ...] | UnsetType
    objection: str | UnsetType
    position: str | UnsetType | None


class _DecidedTogether(msgspec.Struct, frozen=True, gc=False):
    position: str | None
    decisions: list[_Decided]


_ONE: Final = msgspec.json.Decoder(PlainlyAsked)
_MANY: Final = msgspec.json.Decoder(_AskedTogether)
_ENCODER: Final = msgspec.json.Encoder()
_encode: Final = _ENCODER.encode
_encode_lines: Final = _ENCODER.encode_lines


# ------------------------------------------------------------------------------------------ reading a body


def read_one(raw: bytes, tenant: str) -> Asking:
    """The question of a body. Raises Problem, with all that is wrong."""
    try:
        asked = _ONE.decode(raw)
        if asked.after is UNSET and asked.wait_ms is UNSET and _is_plain(raw, asked):
            return Asking(_enquiry(asked, tenant), None, None)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # All that is wrong is told by the reader that finds all of it.
    return asking(read_json(raw), tenant)


def read_plain(raw: bytes) -> PlainlyAsked | None:
    """A question about the present that waits for nothing, where the body is one and every name stands once.

    None says nothing of the body: ``read_one`` does.
    """
    try:
        asked = _ONE.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    is_open = (
        asked.at is UNSET and asked.known_at is UNSET and asked.after is UNSET and asked.wait_ms is UNSET
    )
    return asked if is_open and (_encode(asked) == raw or _is_plain(raw, asked)) else None


def read_many(raw: bytes, tenant: str) -> AskingMany:
    """The questions of a body. Raises Problem, with all that is wrong."""
    try:
        asked = _MANY.decode(raw)
        plain = asked.after is UNSET and asked.wait_ms is UNSET and _is_plain(raw, asked)
        if plain and len(asked.questions) <= QUESTIONS_MAX:
            return AskingMany(tuple([_enquiry(question, tenant) for question in asked.questions]), None, None)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return asking_many(read_json(raw), tenant)


def _is_plain(raw: bytes, asked: PlainlyAsked | _AskedTogether) -> bool:
    """Whether every name stands once: see ``bodies.read_json``, whose counting of colons this is."""
    return raw.count(b":") == _encode(asked).count(b":") and b"\\u003" not in raw


def _enquiry(asked: _Asked, tenant: str) -> Enquiry:
    """The enquiry of what was decoded. Raises ValueError at the first fault."""
    check_key("purpose", asked.purpose)
    recipient = None if asked.recipient is UNSET else asked.recipient
    if recipient is not None:
        check_name("recipient", recipient)
    at, known_at = asked.at, asked.known_at
    return Enquiry(
        tenant=tenant,
        individual=asked.individual,
        purpose=asked.purpose,
        recipient=recipient,
        data=() if asked.data is UNSET else _data(asked.data),
        at=None if at is UNSET or at is None else parse_instant(at),
        known_at=None if known_at is UNSET or known_at is None else parse_instant(known_at),
    )


def _data(categories: tuple[str, ...]) -> tuple[str, ...]:
    if len(categories) > DATA_MAX:
        raise ValueError("too many categories")
    for category in categories:
        check_name("data", category)
    return categories


def read_lines(raw: bytes, tenant: str) -> list[Enquiry]:
    """The questions of NDJSON, one a line; empty lines are passed over. Raises Problem, with every fault."""
    lines = [line for line in raw.split(b"\n") if line.strip()]
    if len(lines) > LINES_MAX:
        raise Problem("refused", errors=[Fault("questions", f"must be at most {LINES_MAX} lines")])
    enquiries: list[Enquiry] = []
    faults: list[Fault] = []
    for number, line in enumerate(lines):
        try:
            enquiries.append(_of_line(line, tenant))
        except Problem as problem:
            faults += _placed(problem, f"questions[{number}]")
            if len(faults) >= FAULTS_TOLD_MAX:
                break
    if faults:
        raise Problem("refused", errors=faults)
    return enquiries


def _of_line(line: bytes, tenant: str) -> Enquiry:
    enquiry, after, wait_ms = read_one(line, tenant)
    if after is not None or wait_ms is not None:
        raise Problem(
            "refused", errors=[Fault("", "must not name `after` or `wait_ms`: lines wait for nothing")]
        )
    return enquiry


def _placed(problem: Problem, where: str) -> list[Fault]:
    """The faults of a line as faults of the body. Bad JSON in one line is a fault of that line."""
    if not problem.errors:
        return [Fault(where, problem.row.title)]
    return [
        Fault(f"{where}.{fault.field}" if fault.field else where, fault.message) for fault in problem.errors
    ]


# ------------------------------------------------------------------------------------------ writing answers


class Writer:
    """Writes decisions. It keeps the text of the last position, which most answers of a moment share."""

    __slots__ = ("_kept", "_last", "_text")

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._last: Position | None = None
        self._text: str | None = None
        self._kept: dict[int, tuple[Decision, bytes]] = {}

    def again(self, decision: Decision, position: Position | None) -> bytes:
        """What ``one`` writes, for a decision that is given again: all but the position is kept."""
        kept = self._kept.get(id(decision))
        if kept is None:
            if len(self._kept) >= WRITTEN_MAX:
                self._kept.clear()
            # The decision is kept with it, so that its identity is nobody else's.
            kept = self._kept[id(decision)] = decision, _encode(_decided(decision))[:-1]
        text = self._text_of(position)
        return kept[1] + (
            b',"position":null}' if text is None else b',"position":"%b"}' % text.encode("ascii")
        )

    def one(self, decision: Decision, position: Position | None) -> bytes:
        """A decision with the position that it was read at."""
        return _encode(_decided(decision, self._text_of(position)))

    def many(self, decisions: Sequence[Decision], position: Position | None) -> bytes:
        """Decisions of one moment, with the position that includes all that they were read at."""
        return _encode(_DecidedTogether(self._text_of(position), [_decided(each) for each in decisions]))

    def lines(self, answers: Sequence[tuple[Decision, Position | None]]) -> bytes:
        """Decisions as NDJSON, each with its position."""
        told = [_decided(decision, self._text_of(position)) for decision, position in answers]
        return _encode_lines(told)

    def _text_of(self, position: Position | None) -> str | None:
        if position is not self._last:
            self._text = None if position is None else position.encode()
            self._last = position
        return self._text


def _decided(decision: Decision, position: str | UnsetType | None = UNSET) -> _Decided:
    until = decision.until
    return _Decided(
        decision.permitted,
        decision.reason,
        decision.policy,
        decision.evidence,
        None if until is None else format_instant(until),
        decision.overrides or UNSET,
        decision.objection or UNSET,
        position,
    )


def joined(answers: Sequence[Answer]) -> Position | None:
    """The position that includes those of all answers of one moment."""
    whole: Position | None = None
    for position in {id(answer.position): answer.position for answer in answers}.values():
        whole = position if whole is None or position is None else whole.joined(position)
    return whole
