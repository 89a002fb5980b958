"""AuthZEN's evaluations: one, or many with one of three ways to end.

Source: OpenID Authorization API 1.0, sections 6 and 7. A denial is an answer like any other; what is wrong
with one of many evaluations is told in its place, and denies it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from choice_ledger.access import Caller
from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.authzen_entities import Faults, Parts, parts_of, whole
from choice_ledger.http.authzen_questions import (
    Decided,
    Manner,
    Unmapped,
    decided,
    denied,
    denied_for,
    enquiry_of,
    manner_of,
)
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.service import Service
from events.streams import Position
from projections.decision import OutsideDenial, outside
from projections.reader import Answer, Enquiry

EVALUATIONS_MAX: Final = 1_000
"""Evaluations of one request, all answered from one moment of the state."""

Semantic: TypeAlias = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
"""Which evaluations are answered: all, or those up to the first that is denied, or permitted."""

SEMANTICS: Final[tuple[Semantic, ...]] = get_args(Semantic)
"""Every semantic; the first is the one of a request that names none."""

_ENDS_WITH: Final[dict[Semantic, bool]] = {"deny_on_first_deny": False, "permit_on_first_permit": True}


class DecidedMany(msgspec.Struct, frozen=True, kw_only=True):
    """AuthZEN's decisions, in the order of the evaluations."""

    evaluations: tuple[Decided, ...]


class Asked(NamedTuple):
    """One evaluation on its way: a question, or the decision that it came to without one."""

    question: Enquiry | Decided
    manner: Manner


async def evaluation(service: Service, caller: Caller, document: object) -> Decided:
    """The decision on one request. Raises Problem ``malformed_request`` with every fault."""
    faults: Faults = []
    asked = _asked(service, caller.tenant, parts_of(document, faults), faults)
    if faults:
        raise Problem("malformed_request", errors=faults)
    return (await _decisions(service, (asked,)))[0]


async def evaluations(service: Service, caller: Caller, document: object) -> Decided | DecidedMany:
    """The decisions on the ``evaluations`` of a request; without any it is one request by itself.

    They count as so many calls. Raises Problem ``malformed_request`` for what is wrong with the request as a
    whole, and ``rate_limited``.
    """
    if not isinstance(document, dict) or document.get("evaluations", []) == []:
        return await evaluation(service, caller, document)
    faults: Faults = []
    defaults = parts_of(document, faults)
    items = _items(document["evaluations"], faults)
    semantic = _semantic(document.get("options", {}), faults)
    if faults:
        raise Problem("malformed_request", errors=faults)
    if wait_s := service.admission.take(caller.token_id, len(items) - 1):
        raise Problem("rate_limited", retry_after_s=int(wait_s) + 1)
    asked = [_asked_among(service, caller.tenant, item, defaults) for item in items]
    return DecidedMany(evaluations=tuple(cut(await _decisions(service, asked), semantic)))


def cut(decisions: Sequence[Decided], semantic: Semantic) -> Sequence[Decided]:
    """The decisions up to the one with which the semantic ends, that one included."""
    end = _ENDS_WITH.get(semantic)
    last = next((n for n, each in enumerate(decisions) if each.decision is end), len(decisions))
    return decisions[: last + 1]


async def unreached(service: Service, after: Position | None, wait_ms: int | None) -> OutsideDenial | None:
    """Why nothing can be answered, once the state had its time to reach a position."""
    wait = service.ledger.settings.freshness_ms_max if wait_ms is None else wait_ms
    return await service.freshness.reached(after, min(wait, WAIT_MS_MAX))


def _asked(service: Service, tenant: str, parts: Parts, faults: Faults, where: str = "") -> Asked:
    request = whole(parts, faults, where)
    if request is None:
        return Asked(denied_for(faults), Manner())
    manner = manner_of(request, faults, where)
    if faults:
        return Asked(denied_for(faults), Manner())
    question: Enquiry | Unmapped = enquiry_of(request, manner, tenant, service.services)
    return Asked(question if isinstance(question, Enquiry) else denied(question), manner)


def _asked_among(service: Service, tenant: str, item: object, defaults: Parts) -> Asked:
    """One of many: its faults are its own."""
    faults: Faults = []
    return _asked(service, tenant, parts_of(item, faults).over(defaults), faults)


def _items(items: object, faults: Faults) -> list[Any]:
    if not isinstance(items, list):
        faults.append(Fault("evaluations", "must be a list"))
        return []
    if len(items) > EVALUATIONS_MAX:
        faults.append(Fault("evaluations", f"must be at most {EVALUATIONS_MAX}; send the rest in another"))
    return items


def _semantic(options: object, faults: Faults) -> Semantic:
    if not isinstance(options, dict):
        faults.append(Fault("options", "must be a JSON object"))
        return SEMANTICS[0]
    named = options.get("evaluations_semantic", SEMANTICS[0])
    for semantic in SEMANTICS:
        if named == semantic:
            return semantic
    faults.append(Fault("options.evaluations_semantic", f"must be one of {', '.join(SEMANTICS)}"))
    return SEMANTICS[0]


async def _decisions(service: Service, asked: Sequence[Asked]) -> list[Decided]:
    """The decisions on all that is asked, in order, all from one moment."""
    waits = {(each.manner.after, each.manner.wait_ms) for each in asked if isinstance(each.question, Enquiry)}
    reasons = await asyncio.gather(*(unreached(service, *wait) for wait in waits))
    outsides = dict(zip(waits, reasons, strict=True))
    decisions = [_before_reading(each, outsides) for each in asked]
    enquiries = [each for each in decisions if isinstance(each, Enquiry)]
    answers = iter(await _answers(service, enquiries) if enquiries else ())
    denied = service.freshness.outside()  # Reading takes time, in which the state may have grown too old.
    return [each if isinstance(each, Decided) else _told(next(answers), denied) for each in decisions]


def _before_reading(
    asked: Asked, outsides: dict[tuple[Position | None, int | None], OutsideDenial | None]
) -> Enquiry | Decided:
    if isinstance(asked.question, Decided):
        return asked.question
    reason = outsides[asked.manner.after, asked.manner.wait_ms]
    return asked.question if reason is None else decided(outside(reason), None)


async def _answers(service: Service, enquiries: Sequence[Enquiry]) -> list[Answer]:
    if len(enquiries) == 1 and (answer := service.checks.at_hand(enquiries[0])) is not None:
        return [answer]
    return await service.read(lambda: service.checks.answer_many(enquiries))


def _told(answer: Answer, denied: OutsideDenial | None) -> Decided:
    if denied is not None:
        return decided(outside(denied), None)
    return decided(answer.decision, answer.position)
