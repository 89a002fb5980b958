"""Questions and decisions as JSON: what the endpoints that decide take and give.

Source: ``events.md``, *Lines*. The common path is one typed decoding and the checks of the names. Only where
that refuses something is the document gone through again, member by member, to tell all that is wrong.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.problems import FAULTS_TOLD_MAX, Fault, Problem
from events.envelope import InvalidEvent, check_individual, check_key, check_name
from events.instants import Micros, format_instant, parse_instant
from events.streams import InvalidPosition, Position
from projections.decision import Decision
from projections.reader import Enquiry

DATA_MAX: Final = 256
"""Categories of data that one question may name: what is kept of a question stays small."""

QUESTIONS_MAX: Final = 1_000
"""Questions of one batch, all answered from one moment of the state."""


Check: TypeAlias = Callable[[str, Any], Iterator[Fault]]
"""All that is wrong with a member's value; it is given the member's path, for the faults to name."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question of a batch, as it is asked: instants are texts, and what is left out is open."""

    individual: str
    purpose: str
    recipient: str | None = None
    data: tuple[str, ...] = ()
    at: str | None = None
    known_at: str | None = None


class AskedAlone(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question by itself, with the position that its answer must include."""

    after: str | None = None
    wait_ms: int | None = None


class AskedTogether(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many questions, to be answered from one moment that includes the position ``after``."""

    questions: tuple[Asked, ...]
    after: str | None = None
    wait_ms: int | None = None


class Asking(NamedTuple):
    """A good question. ``wait_ms`` none means as long as the settings say."""

    enquiry: Enquiry
    after: Position | None
    wait_ms: int | None


class AskingMany(NamedTuple):
    """Good questions, in their order, with what holds for all of them."""

    enquiries: tuple[Enquiry, ...]
    after: Position | None
    wait_ms: int | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as JSON: the five members of a line, what stands beside, and where the answer was read."""

    permitted: bool
    reason: str
    policy: Mapping[str, str | int] | None
    evidence: tuple[str, ...]
    until: str | None
    overrides: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    objection: str | msgspec.UnsetType = msgspec.UNSET
    position: str | msgspec.UnsetType | None = None


def asking(document: object, tenant: str) -> Asking:
    """The question that a JSON document asks of a tenant. Raises Problem ``refused`` with every fault."""
    try:
        asked = msgspec.convert(document, AskedAlone)
        return Asking(_enquiry(asked, tenant), *_freshness(asked))
    except (msgspec.ValidationError, ValueError):
        raise _refused(faults_of(document)) from None


def asking_beside(document: object, tenant: str, beside: Mapping[str, Check]) -> Asking:
    """The same for a document with further members, each with the check that tells what is wrong with it."""
    checks = {**_ALONE, **beside}
    faults = list(islice(_faults_of_object(document, checks, _REQUIRED), FAULTS_TOLD_MAX))
    if faults or not isinstance(document, dict):
        raise Problem("refused", errors=faults)
    return asking({name: value for name, value in document.items() if name not in beside}, tenant)


def asking_many(document: object, tenant: str, questions_max: int = QUESTIONS_MAX) -> AskingMany:
    """The questions of a JSON document ``{"questions": […], "after": …, "wait_ms": …}``.

    Raises Problem ``refused`` with every fault, also where there are more than ``questions_max``.
    """
    try:
        asked = msgspec.convert(document, AskedTogether)
        enquiries = tuple([_enquiry(question, tenant) for question in _at_most(asked, questions_max)])
        return AskingMany(enquiries, *_freshness(asked))
    except (msgspec.ValidationError, ValueError):
        raise _refused(_faults_of_many(document, questions_max)) from None


def told(decision: Decision, position: Position | None) -> Told:
    """A decision as it is told, to be written as JSON."""
    policy, until = decision.policy, decision.until
    return Told(
        permitted=decision.permitted,
        reason=decision.reason,
        policy=None if policy is None else {"id": policy.id, "version": policy.version},
        evidence=decision.evidence,
        until=None if until is None else format_instant(until),
        overrides=decision.overrides or msgspec.UNSET,
        objection=decision.objection or msgspec.UNSET,
        position=None if position is None else position.encode(),
    )


def position_of(text: str) -> Position:
    """The position that a text names. Raises ValueError, which says what it must be."""
    return Position.decode(text)


def _enquiry(asked: Asked, tenant: str) -> Enquiry:
    """The enquiry of a question that was decoded. Raises InvalidEvent or ValueError at the first fault."""
    check_key("purpose", asked.purpose)
    if asked.recipient is not None:
        check_name("recipient", asked.recipient)
    if asked.data:
        if len(asked.data) > DATA_MAX:
            raise ValueError("too many categories")
        for category in asked.data:
            check_name("data", category)
    return Enquiry(
        tenant=tenant,
        individual=asked.individual,
        purpose=asked.purpose,
        recipient=asked.recipient,
        data=asked.data,
        at=None if asked.at is None else parse_instant(asked.at),
        known_at=None if asked.known_at is None else parse_instant(asked.known_at),
    )


def _at_most(asked: AskedTogether, questions_max: int) -> tuple[Asked, ...]:
    if len(asked.questions) > questions_max:
        raise ValueError("too many questions")
    return asked.questions


def _freshness(asked: AskedAlone | AskedTogether) -> tuple[Position | None, int | None]:
    if asked.wait_ms is not None and not 0 <= asked.wait_ms <= WAIT_MS_MAX:
        raise ValueError("no such wait")
    return None if asked.after is None else position_of(asked.after), asked.wait_ms


def _refused(faults: Iterator[Fault]) -> Problem:
    """The refusal. A document in which no fault is found was refused all the same, as a whole."""
    return Problem(
        "refused", errors=list(islice(faults, FAULTS_TOLD_MAX)) or [Fault("", "must be a question")]
    )


# ------------------------------------------------------------------------------- telling all that is wrong


def faults_of(document: object) -> Iterator[Fault]:
    """All that is wrong with a question by itself; nothing for a good one."""
    return _faults_of_object(document, _ALONE, _REQUIRED)


def _faults_of_many(document: object, questions_max: int) -> Iterator[Fault]:
    def questions(where: str, value: object) -> Iterator[Fault]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            yield Fault(where, "must be a list of questions")
        elif len(value) > questions_max:
            yield Fault(where, f"must be at most {questions_max} questions")
        else:
            for number, question in enumerate(value):
                yield from _faults_of_object(question, _ASKED, _REQUIRED, f"{where}[{number}]")

    return _faults_of_object(document, {"questions": questions, **_FRESHNESS}, ("questions",))


def _faults_of_object(
    document: object, checks: Mapping[str, Check], required: Sequence[str], where: str = ""
) -> Iterator[Fault]:
    if not isinstance(document, dict):
        yield Fault(where, "must be a JSON object")
        return
    prefix = f"{where}." if where else ""
    if not document.keys() <= checks.keys():  # The name is not repeated: it may be a value in a wrong place.
        yield Fault(where, f"has a member that is not known here; it may have {', '.join(checks)}")
    for name in required:
        if name not in document:
            yield Fault(prefix + name, "is missing")
    for name, check in checks.items():
        if name in document:
            yield from check(prefix + name, document[name])


def text_check(check: Callable[[str, str], object], *, optional: bool = True) -> Check:
    """The check of a member that is a text; ``check`` raises ValueError for a text that it may not be."""

    def checked(where: str, value: object) -> Iterator[Fault]:
        if value is None and optional:
            return
        if not isinstance(value, str):
            yield Fault(where, "must be a text or null" if optional else "must be a text")
            return
        try:
            check(where, value)
        except InvalidEvent as fault:
            yield Fault(where, fault.message)
        except ValueError as fault:
            yield Fault(where, str(fault))

    return checked


def _data(where: str, value: object) -> Iterator[Fault]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        yield Fault(where, "must be a list of texts")
    elif len(value) > DATA_MAX:
        yield Fault(where, f"must be at most {DATA_MAX} categories")
    else:
        for number, category in enumerate(value):
            yield from _CATEGORY(f"{where}[{number}]", category)


def _wait_ms(where: str, value: object) -> Iterator[Fault]:
    if value is not None and not (type(value) is int and 0 <= value <= WAIT_MS_MAX):
        yield Fault(where, f"must be a whole number from 0 to {WAIT_MS_MAX}, or null")


def _instant(where: str, text: str) -> Micros:
    del where
    return parse_instant(text)


def _position(where: str, text: str) -> None:
    del where
    try:
        position_of(text)
    except InvalidPosition:
        raise ValueError("must be a position, taken from a receipt or an answer, or null") from None


_CATEGORY: Final = text_check(check_name, optional=False)
_REQUIRED: Final = ("individual", "purpose")
_ASKED: Final[Mapping[str, Check]] = {
    "individual": text_check(lambda where, text: check_individual(text, where), optional=False),
    "purpose": text_check(check_key, optional=False),
    "recipient": text_check(check_name),
    "data": _data,
    "at": text_check(_instant),
    "known_at": text_check(_instant),
}
_FRESHNESS: Final[Mapping[str, Check]] = {"after": text_check(_position), "wait_ms": _wait_ms}
_ALONE: Final[Mapping[str, Check]] = {**_ASKED, **_FRESHNESS}
