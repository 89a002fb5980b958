"""AuthZEN's evaluation of one request, its entities and what they mean here (sections 4 to 6)."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.authzen_entities import PROPERTIES_BYTES_MAX
from choice_ledger.http.authzen_metadata import PATHS
from choice_ledger.wiring import now
from events.instants import DAY, format_instant
from tests.http.authzen_world import (
    ALICE,
    CRM,
    DENIED,
    EVALUATION,
    MAIL,
    PERMITTED,
    READ,
    RECORD_1,
    ask,
    authzen_world,
    compelled,
    faults,
    opted_out,
    reason,
    record,
)
from tests.http.serving import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The world of AuthZEN's tests."""
    with authzen_world(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """Who may check."""
    with served.client("check") as client:
        yield client


# ------------------------------------------------------------------------------ the version and the entities


def test_every_path_names_the_version() -> None:
    """§4, SHOULD: "Endpoints for version 1.0 SHOULD include `v1`": every one of ours does."""
    assert all("/v1/" in path for path in PATHS.values())


@pytest.mark.parametrize(
    ("part", "member"),
    [("subject", "type"), ("subject", "id"), ("resource", "type"), ("resource", "id"), ("action", "name")],
)
@pytest.mark.parametrize("wrong", [None, 1, True, [], {}])
def test_entities_need_their_texts(client: httpx.Client, part: str, member: str, wrong: object) -> None:
    """§5, REQUIRED: `type`, `id` and `name` have "a string value": absent or of another type is 400."""
    entity = {**PERMITTED[part], member: wrong}
    assert faults(client, EVALUATION, {**PERMITTED, part: entity}) == {f"{part}.{member}"}
    del entity[member]
    assert faults(client, EVALUATION, {**PERMITTED, part: entity}) == {f"{part}.{member}"}


@pytest.mark.parametrize("part", ["subject", "action", "resource"])
def test_properties_hold_anything(client: httpx.Client, part: str) -> None:
    """§5.1.1, MAY: a property holds "simple values" and "complex values": unknown ones change nothing."""
    properties = {
        "a": 1.5,
        "b": None,
        "c": True,
        "d": ["x", {"e": []}],
        "status": "archived",
        "role": "admin",
    }
    body = {**PERMITTED, part: {**PERMITTED[part], "properties": properties}}
    assert ask(client, EVALUATION, body) == ask(client, EVALUATION, PERMITTED)


@pytest.mark.parametrize("part", ["subject", "action", "resource"])
@pytest.mark.parametrize("wrong", [None, "x", 1, []])
def test_properties_are_an_object(client: httpx.Client, part: str, wrong: object) -> None:
    """§5.1, OPTIONAL: `properties` has "a value of an object"; another value is 400."""
    body = {**PERMITTED, part: {**PERMITTED[part], "properties": wrong}}
    assert faults(client, EVALUATION, body) == {f"{part}.properties"}


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize(
    "place", ["context", "subject.properties", "action.properties", "resource.properties"]
)
def test_properties_are_bounded(client: httpx.Client, place: str, more: int) -> None:
    """§11.7, SHOULD: protection from "request payload size": properties and context have a limit each."""
    text = "x" * (PROPERTIES_BYTES_MAX - len('{"note":""}') + more)
    part, _, member = place.partition(".")
    value: dict[str, Any] = {"note": text} if not member else {**PERMITTED[part], member: {"note": text}}
    body = {**PERMITTED, part: value}
    if more:
        assert faults(client, EVALUATION, body) == {place}
    else:
        assert ask(client, EVALUATION, body)["decision"] is True


# ------------------------------------------------------------------------------------- request and response


def test_a_permitted_use_is_true(client: httpx.Client) -> None:
    """§6.2, REQUIRED: the response is a decision: true, with its reason, policy, evidence and position."""
    answer = ask(client, EVALUATION, PERMITTED)
    context = answer["context"]
    assert answer["decision"] is True
    assert context["reason"] == "necessary"
    assert context["policy"] == {"id": "records", "version": 1}
    assert len(context["evidence"]) == 2
    assert context["position"]


def test_a_decision_is_true_or_false(client: httpx.Client) -> None:
    """§5.5, REQUIRED: a decision has "a boolean value", and its context, where there is one, is an object."""
    for body in (PERMITTED, DENIED, {**PERMITTED, "resource": {"type": "record", "id": "1"}}):
        answer = ask(client, EVALUATION, body)
        assert set(answer) == {"decision", "context"}
        assert type(answer["decision"]) is bool
        assert isinstance(answer["context"], dict)


def test_a_denied_use_is_false_and_200(client: httpx.Client) -> None:
    """§10.1.2, MUST: "a "deny" is indicated by a 200 OK status code": a denial is no error."""
    response = client.post(EVALUATION, json=DENIED)
    assert (response.status_code, response.json()["decision"]) == (200, False)
    assert reason(response.json()) == "recipient_not_declared"


def test_until_says_when_to_ask_again(client: httpx.Client) -> None:
    """§5.5.1, MAY: the context conveys "additional information": until when an answer that changes holds."""
    body = {"subject": CRM, "action": {"name": "later"}, "resource": {"type": "individual", "id": "soon"}}
    answer = ask(client, EVALUATION, body)
    assert (answer["decision"], reason(answer)) == (False, "choice_period_running")
    assert answer["context"]["until"].endswith("Z")


@pytest.mark.parametrize("missing", ["subject", "action", "resource"])
def test_an_entity_that_is_missing(client: httpx.Client, missing: str) -> None:
    """§6.1, REQUIRED: subject, action and resource: without one of them the call is 400, and says which."""
    assert faults(client, EVALUATION, {k: v for k, v in PERMITTED.items() if k != missing}) == {missing}


@pytest.mark.parametrize("context", [{}, {"time": "1985-10-26T01:22-07:00", "ip": "192.0.2.1"}])
def test_context_is_optional(client: httpx.Client, context: dict[str, str]) -> None:
    """§6.1, OPTIONAL: context: members of it that are not ours change nothing."""
    assert ask(client, EVALUATION, {**PERMITTED, "context": context}) == ask(client, EVALUATION, PERMITTED)


@pytest.mark.parametrize("wrong", [None, "x", 1, []])
def test_context_is_an_object(client: httpx.Client, wrong: object) -> None:
    """§5.4, states: "Context is an object"; another value is 400."""
    assert faults(client, EVALUATION, {**PERMITTED, "context": wrong}) == {"context"}


def test_all_faults_come_at_once(client: httpx.Client) -> None:
    """A request with many faults is told of all of them in one problem."""
    body = {"subject": {"id": 1}, "resource": "x", "context": []}
    found = faults(client, EVALUATION, body)
    assert found == {"subject.type", "subject.id", "resource", "context", "action"}


# ----------------------------------------------------------------------------------------------- our mapping


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"subject": {"type": "user", "id": "alice"}}, "subject_type_unknown"),
        ({"subject": {"type": "Recipient", "id": "alice"}}, "subject_type_unknown"),
        ({"subject": {"type": "", "id": ""}}, "subject_type_unknown"),
        ({"subject": {"type": "service", "id": "alice"}}, "service_not_registered"),
        ({"subject": {"type": "service", "id": "their-crm"}}, "service_not_registered"),
        ({"resource": {"type": "record", "id": "record-1"}}, "resource_type_unknown"),
        ({"resource": {"type": "individual", "id": "ana@example.com"}}, "identifier_not_possible"),
        ({"resource": {"type": "individual", "id": ""}}, "identifier_not_possible"),
        ({"action": {"name": "read everything"}}, "identifier_not_possible"),
        ({"subject": {"type": "recipient", "id": "x" * 129}}, "identifier_not_possible"),
        ({"action": {"name": "unknown"}}, "purpose_not_declared"),
        ({"resource": {"type": "individual", "id": "nobody"}}, "not_told"),
        ({"subject": {"type": "recipient", "id": "nobody"}}, "recipient_not_declared"),
    ],
)
def test_what_nobody_could_permit_is_denied(client: httpx.Client, change: Any, expected: str) -> None:
    """A request that is well formed and asks of nothing that there is gets a denial, with a reason."""
    answer = ask(client, EVALUATION, {**PERMITTED, **change})
    assert (answer["decision"], reason(answer)) == (False, expected)


def test_a_service_is_own_use(client: httpx.Client) -> None:
    """A registered service of the tenant's own is the controller's own use, not a disclosure."""
    own = {"subject": CRM, "action": {"name": "later"}, "resource": RECORD_1}
    assert reason(ask(client, EVALUATION, own)) == "not_opted_out"
    disclosed = {**own, "subject": {"type": "recipient", "id": "crm"}}
    assert reason(ask(client, EVALUATION, disclosed)) == "recipient_not_declared"


def test_the_tenant_comes_from_the_token(served: Served, client: httpx.Client) -> None:
    """§11.2, SHOULD: "authenticate the calling PEP": whose ledger it asks follows from its token alone."""
    theirs = {**PERMITTED, "resource": {"type": "individual", "id": "theirs"}}
    assert reason(ask(client, EVALUATION, {**theirs, "tenant": "other"})) == "not_told"
    with served.client("check", tenant="other") as other:
        assert ask(other, EVALUATION, theirs)["decision"] is True
        assert reason(ask(other, EVALUATION, PERMITTED)) == "not_told"
        assert reason(ask(other, EVALUATION, {**PERMITTED, "subject": CRM})) == "service_not_registered"


@pytest.mark.parametrize("place", ["context", "action", "resource"])
@pytest.mark.parametrize(("data", "expected"), [(["name"], True), (["name", "diagnosis"], False), ([], True)])
def test_data_narrows_the_question(client: httpx.Client, place: str, data: list[str], expected: bool) -> None:
    """§5.1.1, states: the PDP takes "all relevant attributes": data may stand in context or properties."""
    use = {"data": data}
    part = use if place == "context" else {**PERMITTED[place], "properties": use}
    answer = ask(client, EVALUATION, {**PERMITTED, place: part})
    assert answer["decision"] is expected
    assert reason(answer) == ("necessary" if expected else "data_not_declared")


def test_both_times_are_heeded(served: Served, client: httpx.Client) -> None:
    """`at` is when the use happens and `known_at` what was recorded by then: both change the answer."""
    at = now()
    record(served, opted_out(at - 5 * DAY, "record-2"))
    body = {"subject": ALICE, "action": MAIL, "resource": {"type": "individual", "id": "record-2"}}
    before, now_ = format_instant(at - 6 * DAY), format_instant(at)
    assert reason(ask(client, EVALUATION, body)) == "opted_out"
    assert reason(ask(client, EVALUATION, {**body, "context": {"at": before}})) == "not_opted_out"
    known = {"at": now_, "known_at": format_instant(at - 1)}
    assert reason(ask(client, EVALUATION, {**body, "context": known})) != "opted_out"


def test_the_same_said_twice_is_no_contradiction(client: httpx.Client) -> None:
    """What stands in several places may be repeated; data is a set, whose order says nothing."""
    action = {**READ, "properties": {"data": ["address", "name"], "at": "2026-01-01T00:00:00Z"}}
    context = {"data": ["name", "address"], "at": "2026-01-01T00:00:00.000Z"}
    assert ask(client, EVALUATION, {**PERMITTED, "action": action, "context": context})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"data": ["name"]}, {"data": ["address"]}),
        ({"at": "2026-01-01T00:00:00Z"}, {"at": "2026-01-02T00:00:00Z"}),
        ({"known_at": "2026-01-01T00:00:00Z"}, {"known_at": "2026-01-02T00:00:00Z"}),
        ({"wait_ms": 1}, {"wait_ms": 2}),
    ],
)
def test_a_contradiction_is_refused(client: httpx.Client, one: dict[str, Any], other: dict[str, Any]) -> None:
    """What says one thing in the context and another in a property is refused: neither goes before."""
    resource = {**RECORD_1, "properties": other}
    (name,) = one
    body = {**PERMITTED, "resource": resource, "context": one}
    assert faults(client, EVALUATION, body) == {f"resource.properties.{name}"}


@pytest.mark.parametrize(
    "context",
    [
        {"at": "yesterday"},
        {"at": "2026-01-01T00:00:00+02:00"},
        {"known_at": 5},
        {"data": "name"},
        {"data": [1]},
        {"data": [""]},
        {"after": "no position"},
        {"after": 7},
        {"wait_ms": -1},
        {"wait_ms": 1.5},
        {"wait_ms": True},
        {"wait_ms": WAIT_MS_MAX + 1},
    ],
)
def test_what_is_ours_has_to_be_right(client: httpx.Client, context: dict[str, Any]) -> None:
    """A time, a set of data or a position that cannot be read is refused: it is never passed over."""
    (name,) = context
    assert faults(client, EVALUATION, {**PERMITTED, "context": context}) == {f"context.{name}"}


def test_an_answer_can_wait_for_a_position(served: Served, client: httpx.Client) -> None:
    """`after` is heeded: a position that is there is answered, one that never comes is denied as stale."""
    reached = record(served, compelled(now() - DAY, "waited-for"))
    body = {**PERMITTED, "context": {"after": reached.encode(), "wait_ms": WAIT_MS_MAX}}
    assert ask(client, EVALUATION, body)["decision"] is True
    offsets = {slice_: offset + 10 for slice_, offset in reached.as_dict().items()}
    beyond = type(reached).of(reached.generation, offsets.items())
    answer = ask(client, EVALUATION, {**PERMITTED, "context": {"after": beyond.encode(), "wait_ms": 1}})
    assert (answer["decision"], reason(answer)) == (False, "stale")


def test_what_a_law_compels_is_permitted_with_what_it_overrides(served: Served, client: httpx.Client) -> None:
    """A disclosure compelled by law is permitted, and what it overrides stands in the context."""
    record(served, opted_out(now() - DAY, "compelled", "*"))
    body = {
        "subject": {"type": "recipient", "id": "court"},
        "action": {"name": "inquiry"},
        "resource": {"type": "individual", "id": "compelled"},
    }
    answer = ask(client, EVALUATION, body)
    assert (answer["decision"], reason(answer)) == (True, "required_by_law")
    assert answer["context"]["overrides"] == ["opted_out"]
