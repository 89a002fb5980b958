"""What AuthZEN's certification scenario checks of any PDP, on a fixture in this ledger's own terms.

Its subjects are recipients here and its records are individuals. Its rules 5 to 8 are about properties of its
own (a status, a role), which no consent turns on; their place is taken by the data that a property asks for.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from tests.http.authzen_world import (
    ACTIONS,
    ALICE,
    BOB,
    EVALUATION,
    EVALUATIONS,
    METADATA,
    READ,
    RECORD_1,
    RECORD_2,
    RESOURCES,
    SUBJECTS,
    WRITE,
    ask,
    authzen_world,
    names,
)
from tests.http.serving import Served

JSON = {"content-type": "application/json"}
DECISION = {
    "type": "object",
    "required": ["decision"],
    "properties": {"decision": {"type": "boolean"}, "context": {"type": "object"}},
}
DECISIONS = {
    "type": "object",
    "required": ["evaluations"],
    "properties": {"evaluations": {"type": "array", "items": DECISION}},
    "not": {"required": ["decision"]},
}
PAGE = {
    "type": "object",
    "required": ["next_token"],
    "properties": {
        "next_token": {"type": "string"},
        "count": {"type": "integer", "minimum": 0},
        "total": {"type": "integer", "minimum": 0},
        "properties": {"type": "object"},
    },
}


def found(member: str, *others: str) -> dict[str, Any]:
    """The schema of a search's response, whose results have these members."""
    entity = {"type": "object", "required": [member, *others]}
    properties = {"page": PAGE, "context": {"type": "object"}, "results": {"type": "array", "items": entity}}
    return {"type": "object", "required": ["results"], "properties": properties}


SCHEMAS: dict[str, dict[str, Any]] = {
    EVALUATION: DECISION,
    EVALUATIONS: {"anyOf": [DECISION, DECISIONS]},
    SUBJECTS: found("id", "type"),
    RESOURCES: found("id", "type"),
    ACTIONS: found("name"),
}


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


def asked(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The response of a call that must be good, held against the specification's shape of it."""
    answer = ask(client, path, body)
    jsonschema_rs.validate(SCHEMAS[path], answer)
    return answer


def decisions(answer: dict[str, Any]) -> list[bool]:
    """The decisions alone, in their order."""
    return [each["decision"] for each in answer["evaluations"]]


@pytest.mark.parametrize(
    ("subject", "action", "expected"),
    [(ALICE, READ, True), (ALICE, WRITE, True), (BOB, READ, True), (BOB, WRITE, False)],
)
@pytest.mark.parametrize("context", [None, {"time": "2025-06-27T18:03-07:00", "ip": "192.0.2.1"}])
def test_rules_1_to_4(
    client: httpx.Client, subject: Any, action: Any, context: Any, *, expected: bool
) -> None:
    """The four decisions on identifiers alone are as the fixture has them, with a context and without."""
    body = {"subject": subject, "action": action, "resource": RECORD_1}
    assert asked(client, EVALUATION, body | ({"context": context} if context else {}))["decision"] is expected


def test_properties_are_evaluated(client: httpx.Client) -> None:
    """A property of action or resource changes the decision, in one evaluation and in each of a batch."""
    within, beyond = {"data": ["name"]}, {"data": ["name", "diagnosis"]}
    for expected, use in ((True, within), (False, beyond)):
        resource, action = {**RECORD_1, "properties": use}, {**WRITE, "properties": use}
        body = {"subject": ALICE, "action": WRITE, "resource": resource}
        assert asked(client, EVALUATION, body)["decision"] is expected
        assert asked(client, EVALUATION, {**body, "action": action})["decision"] is expected
    batch = {"subject": ALICE, "action": WRITE, "resource": RECORD_1}
    items = [
        {},
        {"resource": {**RECORD_1, "properties": beyond}},
        {"action": {**WRITE, "properties": within}},
    ]
    assert decisions(asked(client, EVALUATIONS, {**batch, "evaluations": items})) == [True, False, True]


def test_additional_properties_and_fields(client: httpx.Client) -> None:
    """Properties that the fixture does not know, and fields that nobody does, change no decision."""
    body = {
        "subject": {**ALICE, "properties": {"department": "Sales", "role": "manager"}},
        "action": {**READ, "properties": {"method": "GET"}},
        "resource": {**RECORD_1, "properties": {"status": "active", "owner": "bob"}},
        "foo": "bar",
        "futureField": {"nested": True},
    }
    assert asked(client, EVALUATION, body)["decision"] is True


MALFORMED: list[dict[str, Any]] = [
    {"action": READ, "resource": RECORD_1},
    {"subject": ALICE, "resource": RECORD_1},
    {"subject": ALICE, "action": READ},
    {"subject": {"id": "alice"}, "action": READ, "resource": RECORD_1},
    {"subject": {"type": "recipient"}, "action": READ, "resource": RECORD_1},
    {"subject": ALICE, "action": {}, "resource": RECORD_1},
    {"subject": ALICE, "action": READ, "resource": {"id": "record-1"}},
    {"subject": ALICE, "action": READ, "resource": {"type": "individual"}},
    {"subject": "alice", "action": READ, "resource": RECORD_1},
    {"subject": ALICE, "action": {"name": 123}, "resource": RECORD_1},
]


@pytest.mark.parametrize("body", MALFORMED)
@pytest.mark.parametrize("path", [EVALUATION, EVALUATIONS])
def test_errors_are_400(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """A member that is missing, or has an invalid type, is 400."""
    assert client.post(path, json=body).status_code == 400


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"{}", {"content-type": "text/plain"}), (b"{]", JSON), (b"", JSON), (b"", {})],
    ids=["content type", "malformed", "empty", "nothing"],
)
@pytest.mark.parametrize("path", SCHEMAS)
def test_bodies_that_are_none_are_400(client: httpx.Client, path: str, content: bytes, headers: Any) -> None:
    """Another content type, malformed JSON and an empty body are 400."""
    assert client.post(path, content=content, headers=headers).status_code == 400


@pytest.mark.parametrize("path", SCHEMAS)
def test_the_request_id(client: httpx.Client, path: str) -> None:
    """`X-Request-ID` comes back as it was sent, and a call without one does not fail."""
    body = {"subject": ALICE, "action": READ, "resource": RECORD_1}
    sent = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    response = client.post(path, json=body, headers={"X-Request-ID": sent})
    assert (response.status_code, response.headers["x-request-id"]) == (200, sent)
    assert client.post(path, json=body).status_code == 200


def test_the_same_request_again(client: httpx.Client) -> None:
    """Consecutive calls of the same request have the same decision."""
    for body, expected in (
        ({"subject": ALICE, "action": READ, "resource": RECORD_1}, True),
        ({"subject": BOB, "action": WRITE, "resource": RECORD_1}, False),
    ):
        assert {asked(client, EVALUATION, body)["decision"] for _ in range(5)} == {expected}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {
                "subject": ALICE,
                "action": READ,
                "evaluations": [{"resource": RECORD_1}, {"resource": RECORD_2}],
            },
            [True, True],
        ),
        (
            {"subject": BOB, "resource": RECORD_1, "evaluations": [{"action": READ}, {"action": WRITE}]},
            [True, False],
        ),
        (
            {
                "evaluations": [
                    {"subject": ALICE, "action": READ, "resource": RECORD_1},
                    {"subject": BOB, "action": WRITE, "resource": RECORD_1},
                ]
            },
            [True, False],
        ),
        (
            {
                "subject": ALICE,
                "action": READ,
                "context": {"time": "2025-06-27T18:03-07:00"},
                "evaluations": [
                    {"resource": RECORD_1},
                    {"resource": RECORD_2, "context": {"source": "batch-override"}},
                ],
            },
            [True, True],
        ),
        (
            {
                "subject": ALICE,
                "action": READ,
                "options": {"evaluations_semantic": "execute_all"},
                "evaluations": [{"resource": RECORD_1}, {}],
            },
            [True, False],
        ),
    ],
    ids=["array", "fixture", "no defaults", "context", "one malformed"],
)
def test_batches(client: httpx.Client, body: dict[str, Any], expected: list[bool]) -> None:
    """A batch has as many decisions as evaluations, in their order, and no decision at its top."""
    answer = asked(client, EVALUATIONS, body)
    assert decisions(answer) == expected
    assert "decision" not in answer


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_a_batch_of_none(client: httpx.Client, more: dict[str, Any]) -> None:
    """Without evaluations, or with none in the array, a batch is answered as one evaluation."""
    body = {"subject": ALICE, "action": READ, "resource": RECORD_1}
    assert asked(client, EVALUATIONS, {**body, **more})["decision"] is True


@pytest.mark.parametrize("context", [None, {"time": "2025-06-27T18:03-07:00", "ip": "192.0.2.1"}])
def test_searches(client: httpx.Client, context: Any) -> None:
    """Each search finds what the fixture says, with a context and without."""
    also = {"context": context} if context else {}
    who = {"subject": {"type": "recipient"}, "action": READ, "resource": RECORD_1, **also}
    which = {"subject": ALICE, "action": READ, "resource": {"type": "individual"}, **also}
    what = {"subject": ALICE, "resource": RECORD_1, **also}
    assert {"alice", "bob"} <= set(names(asked(client, SUBJECTS, who)))
    assert {"record-1"} <= set(names(asked(client, RESOURCES, which)))
    assert {"read", "write"} <= set(names(asked(client, ACTIONS, what)))


def test_a_searchs_own_id_is_ignored(client: httpx.Client) -> None:
    """A subject search with a subject's id, and a resource search with a resource's, are as without."""
    body = {"subject": {"type": "recipient"}, "action": READ, "resource": RECORD_1}
    assert asked(client, SUBJECTS, {**body, "subject": ALICE}) == asked(client, SUBJECTS, body)
    body = {"subject": ALICE, "action": READ, "resource": {"type": "individual"}}
    assert asked(client, RESOURCES, {**body, "resource": RECORD_1}) == asked(client, RESOURCES, body)


def test_pagination(client: httpx.Client) -> None:
    """A page's token, sent back without the limit, gives the next page; its last one is an empty text."""
    body = {"subject": {"type": "recipient"}, "action": READ, "resource": RECORD_1}
    first = asked(client, SUBJECTS, {**body, "page": {"limit": 1}})
    second = asked(client, SUBJECTS, {**body, "page": {"token": first["page"]["next_token"]}})
    assert (names(first), names(second)) == (["alice"], ["bob"])
    assert second["page"]["next_token"] == ""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ACTIONS, {"subject": {"type": "recipient", "id": "nobody"}, "resource": RECORD_1}),
        (ACTIONS, {"subject": ALICE, "resource": {"type": "record", "id": "1"}}),
        (SUBJECTS, {"subject": {"type": "spaceship"}, "action": READ, "resource": RECORD_1}),
        (SUBJECTS, {"subject": {"type": "recipient"}, "action": {"name": "fly"}, "resource": RECORD_1}),
        (RESOURCES, {"subject": ALICE, "action": READ, "resource": {"type": "spaceship"}}),
        (
            RESOURCES,
            {"subject": {"type": "user", "id": "x"}, "action": READ, "resource": {"type": "individual"}},
        ),
    ],
)
def test_nothing_is_found_of_the_unknown(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """An unknown identifier or type gives an empty array, and no error."""
    assert asked(client, path, body)["results"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SUBJECTS, {"subject": {"type": "recipient"}, "resource": RECORD_1}),
        (RESOURCES, {"action": READ, "resource": {"type": "individual"}}),
        (ACTIONS, {"subject": ALICE}),
        (SUBJECTS, {"subject": {"type": "recipient"}, "action": READ, "resource": {"type": "individual"}}),
        (RESOURCES, {"subject": {"type": "recipient"}, "action": READ, "resource": {"type": "individual"}}),
        (ACTIONS, {"subject": {"type": "recipient"}, "resource": RECORD_1}),
    ],
)
def test_search_errors_are_400(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """A search that lacks what it is given to search by is 400; the endpoint says which that is."""
    assert client.post(path, json=body).status_code == 400


def test_discovery(served: Served) -> None:
    """The metadata has the two required addresses, all others that we answer at, and all are https."""
    response = httpx.get(f"{served.url}{METADATA}")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    told = response.json()
    assert told["policy_decision_point"].removeprefix("https://") == served.url.removeprefix("http://")
    assert {told["policy_decision_point"] + path for path in SCHEMAS} < set(told.values())
    assert all(address.startswith("https://") for address in told.values())
