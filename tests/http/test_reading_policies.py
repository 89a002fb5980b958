"""Policies over HTTP: which are in force when, what was known of them, their terms and their texts."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cli.running import EXAMPLES
from tests.http.reading_world import example_client, fields_of, serving_example
from tests.http.serving import Served

VERSIONS = "/v1/policies/privacy/versions"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on the example's ledger."""
    with serving_example(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def client(example: Served) -> Iterator[httpx.Client]:
    """A client with a scope that has nothing to do with policies: any token may read them."""
    with example_client(example, "record") as client:
        yield client


def published() -> list[dict[str, Any]]:
    """The amendments of the example, in their order."""
    text = (EXAMPLES / "telemate" / "policies.ndjson").read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    return [event for event in events if event["type"] == "PolicyAmended"]


def test_a_version_is_told_as_it_was_published(client: httpx.Client) -> None:
    """Each version is there with its whole event, and stands in the list with the same dates."""
    listed = {v["version"]: v for v in client.get(VERSIONS).json()["versions"]}
    assert listed.keys() == {event["version"] for event in published()}
    for event in published():
        told = client.get(f"{VERSIONS}/{event['version']}").json()
        assert {name: told["event"][name] for name in event if name != "wording"}.keys() == event.keys() - {
            "wording"
        }
        assert told["event"]["event_id"] == event["event_id"]
        assert [terms["key"] for terms in told["event"]["purposes"]] == [
            terms["key"] for terms in event["purposes"]
        ]
        brief = {name: told[name] for name in listed[event["version"]]}
        assert brief == listed[event["version"]]
        assert told["effective_at"] == event["effective_at"]


@pytest.mark.parametrize("edge", [-1, 0])
def test_which_version_is_in_force(client: httpx.Client, edge: int) -> None:
    """The version in force changes at the very instant at which the next takes effect."""
    second = published()[1]["effective_at"]
    before = {"at": "2026-04-01T00:00:00Z"} if edge else {"at": second}
    (policy,) = client.get("/v1/policies", params=before).json()["policies"]
    assert policy["in_force"] == (1 if edge else 2)
    in_force = [
        v["version"] for v in client.get(VERSIONS, params=before).json()["versions"] if v["is_in_force"]
    ]
    assert in_force == [policy["in_force"]]


def test_what_was_not_known_is_not_told(client: httpx.Client) -> None:
    """Before a version was recorded nobody knew of it: it is not in the list, and not found."""
    first, second = published()[:2]
    known = {"known_at": first["recorded_at"]}
    assert second["recorded_at"] > first["recorded_at"]
    assert client.get("/v1/policies", params=known).json()["policies"][0]["versions"] == [1]
    assert [v["version"] for v in client.get(VERSIONS, params=known).json()["versions"]] == [1]
    assert client.get(f"{VERSIONS}/2", params=known).status_code == 404
    assert client.get(f"{VERSIONS}/1", params=known).status_code == 200
    earlier = {"known_at": "2000-01-01T00:00:00Z"}
    assert client.get("/v1/policies", params=earlier).json()["policies"] == []
    assert client.get(VERSIONS, params=earlier).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/policies/nowhere/versions",
        "/v1/policies/nowhere/versions/1",
        f"{VERSIONS}/99",
        f"{VERSIONS}/0",
        f"{VERSIONS}/99999999999999999999",
        f"{VERSIONS}/first",
        f"{VERSIONS}/1/wordings/xx",
        f"{VERSIONS}/99/wordings/en",
    ],
)
def test_what_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    """A policy, version or locale that there is not ends as a problem."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not_found")


def test_another_tenants_policies_are_not_there(example: Served) -> None:
    """One tenant learns nothing of another's policies, not even that they are there."""
    with example_client(example, "audit", tenant="globex") as other:
        assert other.get("/v1/policies").json()["policies"] == []
        assert other.get(VERSIONS).status_code == 404
        assert other.get(f"{VERSIONS}/1").status_code == 404


def test_a_wording_is_the_very_text(served: Served) -> None:
    """The text of a locale comes as it was stored, byte for byte; another locale is not there."""
    text = "Wir schreiben Ihnen einmal im Monat – nicht öfter.\n".encode()
    with served.client() as client:
        stored = client.post("/v1/wordings", content=text, headers={"Content-Type": "text/plain"})
        digest = stored.json()["sha256"]
        assert digest == hashlib.sha256(text).hexdigest()
        body = {
            "policy_id": "letters",
            "version": 1,
            "wording": {"de": digest},
            "purposes": [{"key": "letters.monthly", "mode": "opt_out"}],
        }
        receipt = client.post("/v1/policies", json=body)
        assert receipt.status_code == 201, receipt.text
        after = {"after": receipt.json()["position"]}
        told = client.get("/v1/policies/letters/versions/1/wordings/de", params=after)
        assert told.content == text
        assert told.headers["content-type"] == "text/plain; charset=utf-8"
        assert told.headers["content-language"] == "de"
        assert client.get("/v1/policies/letters/versions/1").json()["wordings"] == ["de"]
        assert client.get("/v1/policies/letters/versions/1/wordings/en").status_code == 404
        served.service.ledger.content._place(digest).write_bytes(b"something else")
        damaged = client.get("/v1/policies/letters/versions/1/wordings/de")
        assert (damaged.status_code, damaged.json()["type"]) == (500, "/problems/damaged")


def test_a_withdrawal_is_told(served: Served) -> None:
    """A withdrawn policy is one whose version in force declares nothing."""
    with served.client() as client:
        body = {"policy_id": "gone", "version": 1, "purposes": [{"key": "gone.purpose", "mode": "opt_out"}]}
        assert client.post("/v1/policies", json=body).status_code == 201
        receipt = client.post("/v1/policies/gone/withdrawal", json={})
        assert receipt.status_code == 201, receipt.text
        params = {"after": receipt.json()["position"]}
        (policy,) = [
            p for p in client.get("/v1/policies", params=params).json()["policies"] if p["id"] == "gone"
        ]
        assert (policy["in_force"], policy["is_withdrawn"]) == (2, True)
        versions = client.get("/v1/policies/gone/versions").json()["versions"]
        assert [v["is_withdrawal"] for v in versions] == [False, True]


def test_names_that_no_policy_can_have_are_refused(client: httpx.Client) -> None:
    """A name past its limit is refused as a parameter, one at the limit is looked for."""
    assert client.get(f"/v1/policies/{'x' * 128}/versions").status_code == 404
    refused = client.get(f"/v1/policies/{'x' * 129}/versions", params={"at": "x"})
    assert (refused.status_code, fields_of(refused)) == (400, ["policy_id", "at"])
