"""From AuthZEN to the ledger's question, and from its decision to AuthZEN's."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
import pytest

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.authzen_entities import NOTHING, Action, Entity, Faults, Request
from choice_ledger.http.authzen_questions import (
    MALFORMED,
    Decided,
    Manner,
    Unmapped,
    decided,
    denied,
    denied_for,
    enquiry_of,
    manner_of,
    whole_number,
)
from choice_ledger.http.problems import Fault
from choice_ledger.http.questions import DATA_MAX
from events.instants import parse_instant
from events.streams import Position, Slice
from projections.decision import Decision, PolicyRef, outside
from projections.reader import Enquiry

AT = "2026-06-05T00:00:00Z"
POSITION = Position.of("11111111-1111-4111-8111-111111111111", [(Slice("individuals", 0), 7)])


class OneService:
    """A registry in which the tenant ``main`` has the service ``crm``, and nobody else has any."""

    def is_own(self, tenant: str, service_id: str) -> bool:
        return (tenant, service_id) == ("main", "crm")

    def of_tenant(self, tenant: str) -> Sequence[str]:
        return ["crm"] if tenant == "main" else []

    def fault(self) -> str | None:
        return None


def as_json(answer: Decided) -> Any:
    """A decision as a client reads it."""
    return msgspec.json.decode(msgspec.json.encode(answer))


def request(**change: Any) -> Request:
    """A request to send Ana's address to adco, changed as told."""
    whole = Request(Entity("recipient", "adco"), Action("mail"), Entity("individual", "ana"), NOTHING)
    return whole._replace(**change)


def said(members: dict[str, Any]) -> tuple[Manner, list[str]]:
    """What a context says, and the fields at fault."""
    faults: Faults = []
    return manner_of(request(context=members), faults), [fault.field for fault in faults]


def test_a_recipient_is_a_disclosure() -> None:
    """Action, resource and a subject of type recipient are purpose, individual and recipient."""
    manner = Manner(data=("name",), at=5, known_at=4)
    assert enquiry_of(request(), manner, "main", OneService()) == Enquiry(
        tenant="main",
        individual="ana",
        purpose="mail",
        recipient="adco",
        data=("name",),
        at=5,
        known_at=4,
    )


def test_a_service_is_own_use() -> None:
    """A subject that is one of the tenant's services is no recipient."""
    asked = enquiry_of(request(subject=Entity("service", "crm")), Manner(), "main", OneService())
    assert asked == Enquiry(tenant="main", individual="ana", purpose="mail")


@pytest.mark.parametrize(
    ("tenant", "change", "expected"),
    [
        ("main", {"subject": Entity("user", "adco")}, "subject_type_unknown"),
        ("main", {"subject": Entity("service", "adco")}, "service_not_registered"),
        ("other", {"subject": Entity("service", "crm")}, "service_not_registered"),
        ("main", {"resource": Entity("person", "ana")}, "resource_type_unknown"),
        ("main", {"resource": Entity("individual", "ana/bo")}, "identifier_not_possible"),
        (
            "main",
            {"resource": Entity("individual", "e\N{COMBINING ACUTE ACCENT}")},
            "identifier_not_possible",
        ),
        ("main", {"action": Action("")}, "identifier_not_possible"),
        ("main", {"action": Action("*")}, "identifier_not_possible"),
        ("main", {"subject": Entity("recipient", "")}, "identifier_not_possible"),
        ("main", {"subject": Entity("recipient", "a\nb")}, "identifier_not_possible"),
        ("main", {"subject": Entity("user", ""), "resource": Entity("x", "")}, "subject_type_unknown"),
    ],
)
def test_what_asks_of_nothing(tenant: str, change: dict[str, Any], expected: Unmapped) -> None:
    """A request for which there is no question has one reason, the first of them that applies."""
    assert enquiry_of(request(**change), Manner(), tenant, OneService()) == expected


def test_all_five_are_read() -> None:
    """Data, both instants, position and wait are read from the context."""
    members = {"data": ["b", "a", "b"], "at": AT, "known_at": AT, "after": POSITION.encode(), "wait_ms": 250}
    at = parse_instant(AT)
    assert said(members) == (
        Manner(data=("a", "b"), at=at, known_at=at, after=POSITION, wait_ms=250),
        [],
    )


@pytest.mark.parametrize("members", [{}, {"at": None, "data": None, "after": None}, {"time": AT, "At": AT}])
def test_what_is_not_ours_says_nothing(members: dict[str, Any]) -> None:
    """Members that are absent, null, or of another name say nothing."""
    assert said(members) == (Manner(), [])


@pytest.mark.parametrize(
    ("member", "value", "is_good"),
    [
        ("wait_ms", 0, True),
        ("wait_ms", WAIT_MS_MAX, True),
        ("wait_ms", float(WAIT_MS_MAX), True),
        ("wait_ms", WAIT_MS_MAX + 1, False),
        ("wait_ms", "1", False),
        ("data", [f"c{n}" for n in range(DATA_MAX)], True),
        ("data", [f"c{n}" for n in range(DATA_MAX + 1)], False),
        ("data", {"name": 1}, False),
        ("data", ["a\nb"], False),
        ("at", AT, True),
        ("at", 5, False),
        ("known_at", "2026-02-30T00:00:00Z", False),
        ("after", POSITION.encode(), True),
        ("after", "x", False),
        ("after", [], False),
    ],
)
def test_each_is_read_or_refused(member: str, value: object, is_good: bool) -> None:
    """A value that cannot be read is told with its place; one at a limit is read."""
    assert said({member: value})[1] == ([] if is_good else [f"context.{member}"])


def test_the_places_agree_or_are_refused() -> None:
    """What stands in several places has to say the same; each that says otherwise is told."""
    agreed: Faults = []
    one = request(
        action=Action("mail", {"data": ["b", "a"]}),
        resource=Entity("individual", "ana", {"at": AT}),
        context={"data": ["a", "b"]},
    )
    assert manner_of(one, agreed) == Manner(data=("a", "b"), at=parse_instant(AT))
    faults: Faults = []
    other = one._replace(
        action=Action("mail", {"data": ["b"]}), resource=Entity("individual", "ana", {"data": []})
    )
    manner_of(other, faults, "evaluations[1].")
    assert [fault.field for fault in faults] == [
        "evaluations[1].action.properties.data",
        "evaluations[1].resource.properties.data",
    ]


def test_the_subjects_properties_say_nothing() -> None:
    """The subject is who asks to use data: what stands in its properties is no part of the question."""
    faults: Faults = []
    asked = request(subject=Entity("recipient", "adco", {"data": 5, "at": "never"}))
    assert (manner_of(asked, faults), faults) == (Manner(), [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (7, 7),
        (2.0, 2),
        (1e3, 1_000),
        (-1, None),
        (-0.5, None),
        (1.5, None),
        (True, None),
        ("1", None),
    ],
)
def test_whole_numbers(value: object, expected: int | None) -> None:
    """A JSON number is whole by its value, not by how it was written; a text or a boolean is none."""
    assert whole_number(value) == expected


@pytest.mark.parametrize("value", [float("inf"), float("nan"), None, [], {}])
def test_what_is_no_whole_number(value: object) -> None:
    """What is no finite number is no whole one."""
    assert whole_number(value) is None


def test_a_decision_is_told_whole() -> None:
    """Everything that the ledger says of a decision stands in the context."""
    decision = Decision(
        permitted=True,
        reason="required_by_law",
        policy=PolicyRef("privacy", 2),
        evidence=("e1",),
        until=parse_instant(AT),
        overrides=("erased",),
        objection="e2",
    )
    assert as_json(decided(decision, POSITION)) == {
        "decision": True,
        "context": {
            "reason": "required_by_law",
            "position": POSITION.encode(),
            "until": "2026-06-05T00:00:00.000000Z",
            "policy": {"id": "privacy", "version": 2},
            "evidence": ["e1"],
            "overrides": ["erased"],
            "objection": "e2",
        },
    }


def test_what_a_decision_lacks_is_left_out() -> None:
    """Nothing stands in the context as null."""
    told = as_json(decided(outside("stale"), None))
    assert told == {"decision": False, "context": {"reason": "stale", "evidence": []}}


@pytest.mark.parametrize("reason", get_args(Unmapped))
def test_a_denial_without_a_question(reason: Unmapped) -> None:
    """A request that asks of nothing is denied with its reason alone."""
    assert as_json(denied(reason)) == {"decision": False, "context": {"reason": reason}}


def test_a_denial_for_faults() -> None:
    """One evaluation that is not well formed is denied, and says what is wrong with it."""
    told = as_json(denied_for([Fault("a", "is missing"), Fault("b", "is wrong")]))
    error = {"status": 400, "message": "`a` is missing; `b` is wrong"}
    assert told == {"decision": False, "context": {"reason": MALFORMED, "error": error}}
