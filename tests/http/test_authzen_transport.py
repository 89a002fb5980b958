"""What holds for all of AuthZEN's calls: how they are made, answered and refused (sections 10 and 11)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from choice_ledger.http.authzen import AUTHZEN
from choice_ledger.http.authzen_metadata import PATHS
from choice_ledger.http.bodies import BODY_BYTES_MAX, NESTING_MAX
from choice_ledger.http.gate import REQUEST_ID_LENGTH_MAX
from tests.http.authzen_world import (
    ACTIONS,
    ALICE,
    DENIED,
    EVALUATION,
    EVALUATIONS,
    PERMITTED,
    READ,
    RECORD_1,
    RESOURCES,
    SUBJECTS,
    ask,
    authzen_world,
)
from tests.http.serving import Served

BODIES: dict[str, dict[str, Any]] = {
    EVALUATION: PERMITTED,
    EVALUATIONS: {**PERMITTED, "evaluations": [{}]},
    SUBJECTS: {"subject": {"type": "recipient"}, "action": READ, "resource": RECORD_1},
    RESOURCES: {"subject": ALICE, "action": READ, "resource": {"type": "individual"}},
    ACTIONS: {"subject": ALICE, "resource": RECORD_1},
}
every_path = pytest.mark.parametrize("path", BODIES)


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


@every_path
def test_a_good_call_is_200_and_json(client: httpx.Client, path: str) -> None:
    """§10.1, states: success is "a status code of `200` and a `Content-Type` of `application/json`"."""
    assert isinstance(ask(client, path, BODIES[path]), dict)


def test_the_binding_is_whole() -> None:
    """§10, MUST: the HTTPS binding with JSON "MUST be implemented by a compliant PDP": five endpoints."""
    rows = {row.path: row for row in AUTHZEN if row.method == "POST"}
    assert set(rows) == set(BODIES) == set(PATHS.values())
    assert {row.body_media_type for row in rows.values()} == {"application/json"}


@every_path
def test_calls_are_made_by_post(client: httpx.Client, path: str) -> None:
    """§10.1, states: requests are made "via an HTTPS `POST` request": no other method is answered."""
    assert client.get(path).status_code == 405


@every_path
@pytest.mark.parametrize("body", ["[]", '"x"', "1", "null", "true"])
def test_the_top_is_an_object(client: httpx.Client, path: str, body: str) -> None:
    """§10.1.1, MUST: the top of every body "MUST be a JSON object"; another document is 400."""
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400, response.text


@every_path
def test_an_omitted_attribute_is_400(client: httpx.Client, path: str) -> None:
    """§10.1.1, MUST: a required attribute omitted: "the server MUST return a "Bad Request" error"."""
    for name in BODIES[path]:
        if name != "evaluations":
            body = {other: value for other, value in BODIES[path].items() if other != name}
            response = client.post(path, json=body | ({"evaluations": []} if path == EVALUATIONS else {}))
            assert response.status_code == 400, (name, response.text)


@every_path
def test_unknown_fields_are_ignored(client: httpx.Client, path: str) -> None:
    """§10.1.1, MUST: "receivers MUST ignore unknown fields present in request": at every level."""
    body = json.loads(json.dumps(BODIES[path]))
    expected = ask(client, path, body)
    for part in ("subject", "action", "resource"):
        if part in body:
            body[part] |= {"foo": "bar", "nested": {"future": [1]}}
    body |= {"foo": "bar", "futureField": {"nested": True}, "options": {"later": 1}, "page": {"sort": "x"}}
    assert ask(client, path, body) == expected


@every_path
def test_the_order_of_members_means_nothing(client: httpx.Client, path: str) -> None:
    """§10.1.1, MUST NOT: "assume a particular ordering of JSON object members"."""
    turned = json.dumps(BODIES[path], sort_keys=True)
    backwards = json.dumps(dict(reversed(list(BODIES[path].items()))))
    headers = {"content-type": "application/json"}
    answers = [client.post(path, content=text, headers=headers).json() for text in (turned, backwards)]
    assert answers == [ask(client, path, BODIES[path])] * 2


@every_path
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/json; charset=latin-1", ""]
)
def test_another_content_type_is_400(client: httpx.Client, path: str, content_type: str) -> None:
    """§10.1, MUST: requests have a `Content-Type` with "the value `application/json`"; another is 400."""
    response = client.post(path, content=json.dumps(BODIES[path]), headers={"content-type": content_type})
    assert response.status_code == 400, response.text
    assert response.json()["errors"][0]["field"] == "content-type"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_a_charset_beside_the_content_type_is_taken(client: httpx.Client, content_type: str) -> None:
    """A media type in other letters, or with UTF-8 named beside it, is still `application/json`."""
    response = client.post(EVALUATION, content=json.dumps(PERMITTED), headers={"content-type": content_type})
    assert response.json()["decision"] is True


@every_path
def test_errors_have_a_status_and_a_message(served: Served, path: str) -> None:
    """§10.1.2, states: 400, 401 and 403 come with "An error message string", which a problem's detail is."""
    with served.client("record") as not_allowed, served.client("check") as allowed:
        answers = {
            400: allowed.post(path, json={}),
            401: httpx.post(f"{served.url}{path}", json=BODIES[path]),
            403: not_allowed.post(path, json=BODIES[path]),
        }
    for status, response in answers.items():
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]


@every_path
@pytest.mark.parametrize(
    "request_id",
    [
        "bfe9eb29-ab87-4ca3-be83-a1d5d8305716",
        "0af7651916cd43dd8448eb211c80319c",
        "any text: with (signs), spaces; and=more",
        "x",
        "ümläut",
        "x" * REQUEST_ID_LENGTH_MAX,
    ],
)
def test_the_request_id_comes_back(client: httpx.Client, path: str, request_id: str) -> None:
    """§10.1.3, MUST: "the PDP MUST include the same identifier in the response": good and bad calls alike."""
    headers = {b"x-request-id": request_id.encode("latin-1"), b"content-type": b"application/json"}
    for body in (json.dumps(BODIES[path]), "{}", "{"):
        response = client.post(path, content=body, headers=headers)
        assert response.headers.multi_items().count(("x-request-id", request_id)) == 1


def test_a_call_without_a_request_id_gets_one(client: httpx.Client) -> None:
    """§10.1.3, MAY: a request has an identifier or not: without one the call does not fail."""
    response = client.post(EVALUATION, json=PERMITTED)
    assert response.status_code == 200
    assert response.headers["x-request-id"]


def test_a_request_id_past_the_limit(client: httpx.Client) -> None:
    """An identifier past the limit is not sent back, and the call is answered all the same."""
    headers = {"x-request-id": "x" * (REQUEST_ID_LENGTH_MAX + 1)}
    response = client.post(EVALUATION, json=PERMITTED, headers=headers)
    assert response.status_code == 200
    assert response.headers["x-request-id"] != headers["x-request-id"]


@every_path
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic eDp5", "Bearer"])
def test_without_good_credentials_the_call_is_401(
    served: Served, path: str, authorization: str | None
) -> None:
    """§11.3, MUST: it "MUST respond with a 401 HTTP status code", and says how to authenticate."""
    headers = {} if authorization is None else {"authorization": authorization}
    response = httpx.post(f"{served.url}{path}", json=BODIES[path], headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@every_path
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"subject": "\\ud800"}',
        b'{"subject": "\xff"}',
        b'{"subject": {}, "subject": {}}',
        b'{"context": ' * (NESTING_MAX + 1) + b"1" + b"}" * (NESTING_MAX + 1),
    ],
    ids=["empty", "cut", "no JSON", "lone surrogate", "not UTF-8", "a name twice", "nested"],
)
def test_json_that_could_be_read_in_two_ways_is_400(client: httpx.Client, path: str, body: bytes) -> None:
    """§11.5, SHOULD: bodies as I-JSON has them: UTF-8, no "unpaired surrogates", names that "are unique"."""
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400, response.text


@every_path
def test_a_body_past_the_limit_is_refused(client: httpx.Client, path: str) -> None:
    """§11.7, SHOULD: protection from attacks by "request payload size": a body has a limit."""
    body = json.dumps(BODIES[path])
    headers = {"content-type": "application/json"}
    for size, status in ((BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)):
        assert client.post(path, content=body.ljust(size), headers=headers).status_code == status


def test_nothing_is_null(client: httpx.Client) -> None:
    """§11.5, SHOULD: "properties with a value of null SHOULD be omitted": no answer holds one."""
    for body in (PERMITTED, DENIED, {**PERMITTED, "subject": {"type": "user", "id": "x"}}):
        assert None not in ask(client, EVALUATION, body)["context"].values()


def test_the_same_request_has_the_same_answer(client: httpx.Client) -> None:
    """The same request, again and again, has the same decision: asking changes nothing."""
    answers = [ask(client, EVALUATION, PERMITTED) for _ in range(5)]
    assert answers == [answers[0]] * 5


@every_path
def test_a_refusal_repeats_nothing_of_the_request(client: httpx.Client, path: str) -> None:
    """A problem names what is wrong, and repeats no value, which may be personal data in a wrong place."""
    canary = "ana.canary@example.com"
    body = {
        "subject": {"type": 1, "id": canary},
        "action": canary,
        "resource": [canary],
        "context": {"at": canary, "data": canary, "after": canary},
        "page": {"token": canary, "limit": canary},
        "options": {"evaluations_semantic": canary},
        "evaluations": {canary: 1},
    }
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert "canary" not in response.text
