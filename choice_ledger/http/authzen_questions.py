"""From AuthZEN to the ledger: which question a request asks, and what the answer says in AuthZEN's words.

The action's name is the purpose, the resource is the individual, and the subject's type says which use is
meant. Data, instants and freshness stand in the context or in the action's or the resource's properties.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from choice_ledger.access import ServiceRegistry
from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.authzen_entities import NOTHING, Faults, Request, sentence_of
from choice_ledger.http.problems import Fault
from choice_ledger.http.questions import DATA_MAX, told
from events.envelope import InvalidEvent, check_individual, check_key, check_name
from events.instants import Micros, parse_instant
from events.streams import InvalidPosition, Position
from projections.decision import Decision
from projections.reader import Enquiry

RECIPIENT: Final = "recipient"
"""The type of a subject to whom personal data is disclosed; its id is the recipient's name."""

SERVICE: Final = "service"
"""The type of a subject that is one of the controller's own services: its use is the controller's own."""

INDIVIDUAL: Final = "individual"
"""The only type of resource; its id is the individual's pseudonymous id."""

Unmapped: TypeAlias = Literal[
    "subject_type_unknown", "service_not_registered", "resource_type_unknown", "identifier_not_possible"
]
"""Why a request that is well formed asks of nothing that this ledger could permit."""

MALFORMED: Final = "malformed"
"""The reason of one evaluation among many that is not well formed."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says beside its entities: which data, which instants, and how fresh."""

    data: tuple[str, ...] = ()
    at: Micros | None = None
    known_at: Micros | None = None
    after: Position | None = None
    wait_ms: int | None = None


class EvaluationError(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one evaluation among many. ``message`` repeats no value of the request."""

    status: int
    message: str


class PolicyInForce(msgspec.Struct, frozen=True):
    """The policy that declares the purpose, and the version of it that was in force."""

    id: str
    version: int


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """Why: what stands in a decision's context. A member that has no value is left out."""

    reason: str
    position: str | msgspec.UnsetType = msgspec.UNSET
    until: str | msgspec.UnsetType = msgspec.UNSET
    policy: PolicyInForce | msgspec.UnsetType = msgspec.UNSET
    evidence: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    overrides: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    objection: str | msgspec.UnsetType = msgspec.UNSET
    error: EvaluationError | msgspec.UnsetType = msgspec.UNSET


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """AuthZEN's decision, with the reason in its context."""

    decision: bool
    context: Because


def manner_of(request: Request, faults: Faults, where: str = "") -> Manner:
    """What the context and the properties say; what is wrong goes to ``faults``.

    A member may stand in several of the three places, and then must say the same in each.
    """
    places = {
        "context": request.context,
        "action.properties": request.action.properties,
        "resource.properties": request.resource.properties,
    }
    chosen: dict[str, Any] = {}
    for place, members in places.items():
        for name in _PARSERS.keys() & members.keys() if members is not NOTHING else ():
            if members[name] is not None:
                _choose(chosen, name, members[name], f"{where}{place}.{name}", faults)
    return Manner(**chosen)


def _choose(chosen: dict[str, Any], name: str, value: object, field: str, faults: Faults) -> None:
    try:
        parsed = _PARSERS[name](value)
    except InvalidEvent as fault:
        faults.append(Fault(field, fault.message))
    except ValueError as fault:
        faults.append(Fault(field, str(fault)))
    else:
        if chosen.setdefault(name, parsed) != parsed:
            faults.append(Fault(field, "contradicts what stands in another place; send it once"))


def enquiry_of(
    request: Request, manner: Manner, tenant: str, services: ServiceRegistry
) -> Enquiry | Unmapped:
    """The question that a request asks of a tenant, or why it asks none."""
    subject, action, resource, _ = request
    if subject.type not in {RECIPIENT, SERVICE}:
        return "subject_type_unknown"
    if subject.type == SERVICE and not services.is_own(tenant, subject.id):
        return "service_not_registered"
    if resource.type != INDIVIDUAL:
        return "resource_type_unknown"
    try:
        check_key("purpose", action.name)
        check_individual(resource.id)
        if subject.type == RECIPIENT:
            check_name("recipient", subject.id)
    except InvalidEvent:
        return "identifier_not_possible"
    return Enquiry(
        tenant=tenant,
        individual=resource.id,
        purpose=action.name,
        recipient=subject.id if subject.type == RECIPIENT else None,
        data=manner.data,
        at=manner.at,
        known_at=manner.known_at,
    )


def decided(decision: Decision, position: Position | None) -> Decided:
    """A decision of the ledger as one of AuthZEN."""
    said = told(decision, position)
    policy = decision.policy
    because = Because(
        reason=said.reason,
        position=said.position or msgspec.UNSET,
        until=said.until or msgspec.UNSET,
        policy=msgspec.UNSET if policy is None else PolicyInForce(policy.id, policy.version),
        evidence=said.evidence,
        overrides=said.overrides,
        objection=said.objection,
    )
    return Decided(decision=said.permitted, context=because)


def denied(reason: Unmapped) -> Decided:
    """The denial of a request that asks of nothing that could be permitted."""
    return Decided(decision=False, context=Because(reason=reason))


def denied_for(faults: Faults) -> Decided:
    """The denial of one evaluation among many that is not well formed."""
    error = EvaluationError(status=400, message=sentence_of(faults))
    return Decided(decision=False, context=Because(reason=MALFORMED, error=error))


def _data(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(category, str) for category in value):
        raise ValueError("must be a list of texts")
    if len(value) > DATA_MAX:
        raise ValueError(f"must be at most {DATA_MAX} categories")
    for category in value:
        check_name("data", category)
    return tuple(sorted(set(value)))


def _instant(value: object) -> Micros:
    return parse_instant(value if isinstance(value, str) else "")


def _after(value: object) -> Position:
    try:
        return Position.decode(value if isinstance(value, str) else "")
    except InvalidPosition:
        raise ValueError("must be a position, taken from a receipt or an answer") from None


def _wait_ms(value: object) -> int:
    wait_ms = whole_number(value)
    if wait_ms is None or wait_ms > WAIT_MS_MAX:
        raise ValueError(f"must be a whole number from 0 to {WAIT_MS_MAX}")
    return wait_ms


def whole_number(value: object) -> int | None:
    """The number that a JSON value is, if it is a whole one of 0 or more: ``2.0`` is as whole as ``2``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == value // 1 else None


_PARSERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "data": _data,
    "at": _instant,
    "known_at": _instant,
    "after": _after,
    "wait_ms": _wait_ms,
}
