"""AuthZEN's exchanges in the shapes of its own examples, over HTTP, held against its shapes of the answers.

The people and things in them are nobody's here, so what is asked for is denied; the exchange has to be good.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jsonschema_rs
import pytest

from choice_ledger.http.authzen_schemas import EVALUATION as EVALUATION_SCHEMA
from choice_ledger.http.authzen_schemas import EVALUATIONS as EVALUATIONS_SCHEMA
from tests.http.authzen_world import ACTIONS, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS, authzen_world
from tests.http.serving import Served
from tests.http.test_authzen_scenario import DECISION, DECISIONS, SCHEMAS

Json = Mapping[str, Any]

USER = {"type": "user", "id": "maria@example.org"}
LATER = {"time": "2026-05-31T15:22-07:00"}
PROPERTY = {"type": "object"}
ENTITY = {
    "type": "object",
    "required": ["type", "id"],
    "properties": {"type": {"type": "string"}, "id": {"type": "string"}, "properties": PROPERTY},
}
REQUEST = {
    "type": "object",
    "required": ["subject", "resource", "action"],
    "properties": {
        "subject": ENTITY,
        "resource": ENTITY,
        "action": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "properties": PROPERTY},
        },
        "context": {"type": "object"},
    },
}
"""The shape of an evaluation's request, as the specification has it."""


def document(name: str) -> Json:
    """A resource of the examples."""
    return {"type": "document", "id": name}


MINIMAL: Json = {"subject": USER, "resource": {"type": "todo", "id": "1"}, "action": {"name": "can_read"}}
SINGLE: dict[str, Json] = {
    "minimal": MINIMAL,
    "with a method and a time": {
        "subject": USER,
        "resource": {"type": "account", "id": "321"},
        "action": {"name": "can_read", "properties": {"method": "GET"}},
        "context": LATER,
    },
    "a subject with a department": {**MINIMAL, "subject": {**USER, "properties": {"department": "Sales"}}},
    "a subject with a device": {
        **MINIMAL,
        "subject": {**USER, "properties": {"ip_address": "192.0.2.14", "device_id": "8:65:ee:17:7e:0b"}},
    },
    "a resource with an object": {
        **MINIMAL,
        "resource": {
            "type": "book",
            "id": "321",
            "properties": {"library_record": {"title": "A Book", "isbn": "978-0000000000"}},
        },
    },
    "an action with a period": {**MINIMAL, "action": {"name": "extend-loan", "properties": {"period": "2W"}}},
    "a context with a schema": {
        **MINIMAL,
        "context": {**LATER, "schema": "https://schema.example.org/access-request.schema.json"},
    },
}
NAMED = [document(name) for name in ("one.md", "two.md", "three.md")]
MANY: dict[str, Json] = {
    "no defaults": {
        "evaluations": [
            {"subject": USER, "action": {"name": "can_read"}, "resource": each, "context": LATER}
            for each in NAMED
        ]
    },
    "one subject and one context": {
        "subject": USER,
        "context": LATER,
        "evaluations": [{"action": {"name": "can_read"}, "resource": each} for each in NAMED],
    },
    "an action that is overridden": {
        "subject": USER,
        "context": LATER,
        "action": {"name": "can_read"},
        "evaluations": [
            {"resource": NAMED[0]},
            {"resource": NAMED[1]},
            {"action": {"name": "can_edit"}, "resource": NAMED[2]},
        ],
    },
    "options": {
        "evaluations": [{"resource": {"type": "doc", "id": "1"}, "subject": {"type": "doc", "id": "2"}}],
        "options": {"evaluations_semantic": "execute_all", "another_option": "value"},
    },
}
SEMANTICS = {"execute_all": 3, "deny_on_first_deny": 1, "permit_on_first_permit": 3}
"""How many decisions each semantic comes to, where all three are denied."""
SEARCHES: dict[str, tuple[str, Json]] = {
    "subjects": (
        SUBJECTS,
        {
            "subject": {"type": "user"},
            "action": {"name": "can_read"},
            "resource": {"type": "account", "id": "321"},
            "context": LATER,
        },
    ),
    "resources": (
        RESOURCES,
        {"subject": USER, "action": {"name": "can_read"}, "resource": {"type": "account"}},
    ),
    "resources by pages": (
        RESOURCES,
        {
            "subject": USER,
            "action": {"name": "can_read"},
            "resource": {"type": "account"},
            "page": {"limit": 2},
        },
    ),
    "actions": (
        ACTIONS,
        {"subject": USER, "resource": {"type": "account", "id": "321"}, "context": LATER},
    ),
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


def exchanged(client: httpx.Client, path: str, body: Json) -> dict[str, Any]:
    """The answer of an exchange that was good in every part that the specification shows."""
    sent = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    response = client.post(path, json=body, headers={"X-Request-ID": sent})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == sent
    answer: dict[str, Any] = response.json()
    jsonschema_rs.validate(SCHEMAS[path], answer)
    return answer


@pytest.mark.parametrize("name", SINGLE)
def test_an_evaluation(client: httpx.Client, name: str) -> None:
    """An evaluation in each shape of the specification's examples is answered by a decision."""
    jsonschema_rs.validate(REQUEST, SINGLE[name])
    jsonschema_rs.validate(EVALUATION_SCHEMA, SINGLE[name])
    answer = exchanged(client, EVALUATION, SINGLE[name])
    jsonschema_rs.validate(DECISION, answer)
    assert answer["decision"] is False


@pytest.mark.parametrize("name", MANY)
def test_evaluations(client: httpx.Client, name: str) -> None:
    """Evaluations in each shape of the specification's examples are answered by as many decisions."""
    jsonschema_rs.validate(EVALUATIONS_SCHEMA, MANY[name])
    answer = exchanged(client, EVALUATIONS, MANY[name])
    jsonschema_rs.validate(DECISIONS, answer)
    assert len(answer["evaluations"]) == len(MANY[name]["evaluations"])


@pytest.mark.parametrize(("semantic", "count"), SEMANTICS.items())
def test_evaluations_by_each_semantic(client: httpx.Client, semantic: str, count: int) -> None:
    """The example of the three semantics, all of whose evaluations are denied, ends where it must."""
    body = {
        "subject": USER,
        "action": {"name": "read"},
        "options": {"evaluations_semantic": semantic},
        "evaluations": [{"resource": document(name)} for name in ("1", "2", "3")],
    }
    answer = exchanged(client, EVALUATIONS, body)
    assert [each["decision"] for each in answer["evaluations"]] == [False] * count


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search(client: httpx.Client, name: str) -> None:
    """A search in each shape of the specification's examples is answered by a page, of nobody here."""
    path, body = SEARCHES[name]
    answer = exchanged(client, path, body)
    assert answer["results"] == []
    assert answer["page"]["next_token"] == ""


def test_a_request_without_authentication(served: Served) -> None:
    """The specification's example of a call without credentials is answered with 401 and a challenge."""
    response = httpx.post(f"{served.url}{EVALUATION}", json=MINIMAL)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "body", [{}, {"subject": USER}, {**MINIMAL, "action": {}}, {**MINIMAL, "subject": "maria"}]
)
def test_our_schema_refuses_what_the_specifications_does(client: httpx.Client, body: Json) -> None:
    """What the specification's shape of a request refuses, ours refuses, and so does the service."""
    for schema in (REQUEST, EVALUATION_SCHEMA):
        assert not jsonschema_rs.is_valid(schema, body)
    assert client.post(EVALUATION, json=body).status_code == 400
