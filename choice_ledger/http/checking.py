"""The hot path: ``POST /v1/check`` and ``POST /v1/checks`` as bare ASGI handlers.

Most calls ask of the present about somebody whose facts are at hand, in a body that is good. Such a call is
one decoding, one decision and one encoding on the event loop, without a thread, a timer or a lock. Whatever
is not common takes the way of every endpoint: a body that may be bad is read again, to tell all that is wrong
with it; what is not at hand is read from the store in a thread.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from choice_ledger.access import Caller, Scope
from choice_ledger.checking import AT_HAND_MANY_MAX
from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.check_bodies import (
    LINES_BYTES_MAX,
    LINES_MAX,
    Writer,
    joined,
    read_lines,
    read_many,
    read_one,
)
from choice_ledger.http.endpoints import JSON, NDJSON, Answered, AsgiApp, Endpoint
from choice_ledger.http.faults import problem_of
from choice_ledger.http.gate import (
    SAFE_HEADERS,
    VISIT,
    ClientGone,
    Connection,
    Receive,
    Send,
    Visit,
    admitted,
    bare,
    check_media_type,
    check_no_query,
    check_single,
    peer_of,
    read_body,
    send_problem,
)
from choice_ledger.http.parameters import INDIVIDUAL_SCHEMA, INSTANT_SCHEMA, POSITION_SCHEMA
from choice_ledger.http.problems import Problem
from choice_ledger.http.questions import DATA_MAX, QUESTIONS_MAX, Told
from choice_ledger.http.quick_check import QuickCheck
from choice_ledger.http.service import Service
from events.envelope import NAME_BYTES_MAX
from events.streams import Position
from projections.decision import OutsideDenial, outside
from projections.reader import Answer, Enquiry

CHECK: Final[frozenset[Scope]] = frozenset({"check"})
"""Who may ask."""

READ_AT_ONCE_BYTES_MAX: Final = 65_536
"""Bytes of a batch that is read on the event loop, in some milliseconds."""

_T = TypeVar("_T")

_NDJSON: Final = NDJSON.encode()


class Checking:
    """What the handlers of one service answer. For the event loop's thread alone."""

    def __init__(self, service: Service) -> None:
        """Answer from a service."""
        self._service = service
        self._checks = service.checks
        self._freshness = service.freshness
        self._metrics = service.metrics
        self._writer = Writer()

    async def one(self, visit: Visit, raw: bytes) -> bytes:
        """The answer to a body that asks one question. Raises Problem."""
        enquiry, after, wait_ms = read_one(raw, _caller(visit).tenant)
        denied = self._freshness.outside() if after is None else await self._reached(after, wait_ms)
        if denied is None:
            answer = self._checks.at_hand(enquiry)
            if answer is None:
                (answer,), denied = await self._read((enquiry,))
            else:
                self._metrics.hits += 1
            if denied is None:
                self._metrics.decided(answer.decision.reason)
                return self._writer.one(answer.decision, answer.position)
        self._metrics.decided(denied)
        return self._writer.one(outside(denied), None)

    async def many(self, visit: Visit, raw: bytes) -> bytes:
        """The answer to a body that asks many questions, all from one moment. Raises Problem."""
        caller = _caller(visit)
        enquiries, after, wait_ms = await self._understood(read_many, raw, caller.tenant)
        self._count(caller, len(enquiries))
        denied = self._freshness.outside() if after is None else await self._reached(after, wait_ms)
        answers = self._checks.at_hand_many(enquiries) if denied is None else []
        if answers is None:
            answers, denied = await self._read(enquiries)
        elif denied is None:
            self._metrics.hits += len(answers)
        if denied is not None:
            self._metrics.decided(denied, len(enquiries))
            return self._writer.many([outside(denied)] * len(enquiries), None)
        decisions = [answer.decision for answer in answers]
        self._metrics.decided_all(decision.reason for decision in decisions)
        return self._writer.many(decisions, joined(answers))

    async def lines(self, visit: Visit, raw: bytes) -> list[bytes]:
        """The answers to a body of lines, in groups, each from one moment. Raises Problem."""
        caller, groups = _caller(visit), list[bytes]()
        enquiries = await self._understood(read_lines, raw, caller.tenant)
        self._count(caller, len(enquiries))
        for start in range(0, len(enquiries), AT_HAND_MANY_MAX):
            groups.append(await self._group(enquiries[start : start + AT_HAND_MANY_MAX]))
            await asyncio.sleep(0)  # Others are answered in between.
        return groups

    async def _understood(self, read: Callable[[bytes, str], _T], raw: bytes, tenant: str) -> _T:
        """What a body says; a long one is read in a thread, or every other call would wait meanwhile."""
        if len(raw) <= READ_AT_ONCE_BYTES_MAX:
            return read(raw, tenant)
        return await self._service.read(partial(read, raw, tenant))

    async def _group(self, enquiries: Sequence[Enquiry]) -> bytes:
        denied = self._freshness.outside()
        answers = self._checks.at_hand_many(enquiries) if denied is None else []
        if answers is None:
            answers, denied = await self._read(enquiries)
        elif denied is None:
            self._metrics.hits += len(answers)
        if denied is not None:
            self._metrics.decided(denied, len(enquiries))
            return self._writer.lines([(outside(denied), None)] * len(enquiries))
        self._metrics.decided_all(answer.decision.reason for answer in answers)
        return self._writer.lines([(answer.decision, answer.position) for answer in answers])

    async def _read(self, enquiries: Sequence[Enquiry]) -> tuple[list[Answer], OutsideDenial | None]:
        """The answers out of the store. Reading takes time, in which the state may have grown too old."""
        self._metrics.misses += len(enquiries)
        answers = await self._service.read(partial(self._checks.answer_many, enquiries))
        return answers, self._freshness.outside()

    async def _reached(self, after: Position, wait_ms: int | None) -> OutsideDenial | None:
        default = self._service.ledger.settings.freshness_ms_max
        return await self._freshness.reached(after, default if wait_ms is None else wait_ms)

    def _count(self, caller: Caller, questions: int) -> None:
        """Count a batch as so many calls; the gate has counted one. Raises Problem ``rate_limited``."""
        if questions > 1 and (wait_s := self._service.admission.take(caller.token_id, questions - 1)):
            raise Problem("rate_limited", retry_after_s=int(wait_s) + 1)


def _caller(visit: Visit) -> Caller:
    assert visit.caller is not None  # The gate has let the call in.
    return visit.caller


def check(service: Service) -> AsgiApp:
    """The handler of ``POST /v1/check``."""
    thorough = bare(service, "check", scopes=CHECK, answer=Checking(service).one)
    # A trace tells of each call through its visit, which the quick way does not make.
    return thorough if service.tracing is not None else QuickCheck(service, thorough)


def checks(service: Service) -> AsgiApp:
    """The handler of ``POST /v1/checks``, which takes JSON or NDJSON and answers in kind."""
    checking = Checking(service)
    together = bare(service, "checks", scopes=CHECK, answer=checking.many)
    lines = _lines(service, checking)

    async def handle(scope: Connection, receive: Receive, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        is_lines = given.partition(b";")[0].strip().lower() == _NDJSON
        await (lines if is_lines else together)(scope, receive, send)

    return handle


def _lines(service: Service, checking: Checking) -> AsgiApp:
    new_id, count = service.ledger.new_id, service.metrics.count

    async def handle(scope: Connection, receive: Receive, send: Send) -> None:
        visit = scope[VISIT] = Visit(scope["headers"], new_id, "checks")
        try:
            check_single(scope["headers"], visit.headers)
            visit.caller = admitted(service, visit.headers, CHECK, peer_of(scope))
            check_no_query(scope)
            check_media_type(visit.headers, _NDJSON)
            raw = await read_body(receive, visit.headers, LINES_BYTES_MAX)
            await _send_lines(send, visit, await checking.lines(visit, raw))
        except ClientGone:
            visit.status = 499
        except Exception as fault:
            if visit.status:
                raise  # The answer has begun, so the connection is broken off.
            await send_problem(send, visit, problem_of(fault, visit.request_id))
        finally:
            count("checks", visit.status, visit.seconds)

    return handle


async def _send_lines(send: Send, visit: Visit, groups: Sequence[bytes]) -> None:
    visit.status = 200
    headers = [(b"content-type", _NDJSON), (b"x-request-id", visit.echoed), *SAFE_HEADERS]
    headers.append((b"content-length", b"%d" % sum(map(len, groups))))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for group in groups:
        await send({"type": "http.response.body", "body": group, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


# ------------------------------------------------------------------------------------------------ the rows


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: Sequence[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": properties,
    }


_NAME: Final = {"type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX}
_KEY: Final = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
    "maxLength": NAME_BYTES_MAX,
}
_QUESTION: Final[dict[str, Any]] = {
    "individual": dict(INDIVIDUAL_SCHEMA),
    "purpose": {**_KEY, "description": "The key of a purpose."},
    "recipient": {**_or_null(_NAME), "description": "To whom. Without it: the controller's own use."},
    "data": {
        "type": "array",
        "items": _NAME,
        "maxItems": DATA_MAX,
        "description": "Which categories. Without it: all that the terms in force declare.",
    },
    "at": {**_or_null(dict(INSTANT_SCHEMA)), "description": "When the use would happen. Without it: now."},
    "known_at": {
        **_or_null(dict(INSTANT_SCHEMA)),
        "description": "On what had been recorded by then. Without it: on all that is known.",
    },
}
_FRESHNESS: Final[dict[str, Any]] = {
    "after": {
        **_or_null(dict(POSITION_SCHEMA)),
        "description": "A position from a receipt or an answer: the answer is at least as fresh, or `stale`.",
    },
    "wait_ms": {
        **_or_null({"type": "integer", "minimum": 0, "maximum": WAIT_MS_MAX}),
        "description": "How long to wait for `after`. Without it: as the service is set up.",
    },
}
_REQUIRED: Final = ("individual", "purpose")
_QUESTIONS: Final = {
    "type": "array",
    "items": _object(_REQUIRED, _QUESTION),
    "maxItems": QUESTIONS_MAX,
    "description": "Answered in their order.",
}
_TOLD: Final = msgspec.json.schema(Told)
_TOLD_TOGETHER: Final = {
    "type": "object",
    "required": ["position", "decisions"],
    "properties": {
        "position": {"type": ["string", "null"], "description": "The moment of all the decisions."},
        "decisions": {"type": "array", "items": {"$ref": _TOLD["$ref"]}, "maxItems": QUESTIONS_MAX},
    },
    "$defs": _TOLD["$defs"],
}
_EXAMPLE: Final = {"individual": "ana", "purpose": "website.periodic_email"}

CHECKING: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/v1/check",
        operation="check",
        summary="Whether a use is permitted, why, and until when",
        description="A denial is an answer: its status is 200. What cannot be determined is denied, with a "
        "reason of its own (`stale`, `quarantined`, `wrong_generation`); it may have no position.",
        tag="Check",
        scopes=CHECK,
        body=_object(_REQUIRED, _QUESTION | _FRESHNESS),
        example=_EXAMPLE,
        answers=(Answered(status=200, description="The decision.", content={JSON: _TOLD}),),
        problems=("refused",),
        asgi=check,
    ),
    Endpoint(
        method="POST",
        path="/v1/checks",
        operation="checks",
        summary="Whether many uses are permitted, answered from one moment",
        description=f"At most {QUESTIONS_MAX} questions, each of which counts as a call for the rate. All "
        "decisions are of one moment, whose position stands beside them once. More questions go as lines "
        f"(`Content-Type: {NDJSON}`), at most {LINES_MAX}, each a question without `after` and `wait_ms`; "
        f"they are answered in lines, {AT_HAND_MANY_MAX} from one moment, each with its position.",
        tag="Check",
        scopes=CHECK,
        body=_object(("questions",), {"questions": _QUESTIONS} | _FRESHNESS),
        example={"questions": [_EXAMPLE, {**_EXAMPLE, "recipient": "adco"}]},
        answers=(
            Answered(
                status=200,
                description="The decisions, in order.",
                content={JSON: _TOLD_TOGETHER, NDJSON: _TOLD},
            ),
        ),
        problems=("refused",),
        asgi=checks,
    ),
)
"""The rows of this part."""
