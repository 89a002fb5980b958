"""As fresh as the caller asks, or no: what one client wrote, another reads after its receipt's position."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from choice_ledger.freshness import WAIT_MS_MAX
from events.streams import Position
from tests.http.serving import Served

READINGS = (
    "/v1/individuals/{individual}/permissions",
    "/v1/individuals/{individual}/history",
    "/v1/policies",
    "/v1/policies/fresh/versions",
    "/v1/policies/fresh/versions/1",
    "/v1/events",
)
"""Every endpoint that reads, those that explain and check aside."""


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """One client, who reads."""
    with served.client("audit", "check") as client:
        yield client


@pytest.fixture(scope="module")
def writer(served: Served) -> Iterator[httpx.Client]:
    """Another one, who writes; the policy that is read is published."""
    with served.client("record", "publish") as writer:
        body = {"policy_id": "fresh", "version": 1, "purposes": [{"key": "fresh.mail", "mode": "opt_out"}]}
        assert writer.post("/v1/policies", json=body).status_code == 201
        yield writer


def written(writer: httpx.Client, individual: str) -> str:
    """Record a notice and an opt-out; give the position of the latter's receipt."""
    notice = {
        "individual": individual,
        "notice_id": f"notice-{individual}",
        "policy_id": "fresh",
        "version": 1,
        "choice_offered": True,
        "at_collection": True,
    }
    assert writer.post("/v1/notices", json=notice).status_code == 201
    body = {"individual": individual, "decision": "opt_out", "purposes": ["fresh"]}
    receipt = writer.post("/v1/choices", json=body)
    assert receipt.status_code == 201
    return str(receipt.json()["position"])


def beyond(served: Served) -> str:
    """A position that nothing has reached."""
    end = served.service.ledger.source.end()
    return Position.of(end.generation, ((s, o + 1_000) for s, o in end.as_dict().items())).encode()


def test_what_was_written_is_read_after_its_receipt(writer: httpx.Client, client: httpx.Client) -> None:
    """However soon after the receipt, each reading `after` its position includes what was written."""
    for number in range(20):
        individual = f"quick-{number}"
        after = {"after": written(writer, individual)}
        asked = {"individual": individual, "purpose": "fresh.mail", **after}
        explained = client.post("/v1/why", json=asked).json()
        assert explained["decision"]["reason"] == "opted_out"
        (permission,) = client.get(READINGS[0].format(individual=individual), params=after).json()[
            "permissions"
        ]
        assert permission["decision"]["reason"] == "opted_out"
        history = client.get(READINGS[1].format(individual=individual), params=after).json()
        assert [event["type"] for event in history["events"]] == ["NoticeGiven", "ChoiceMade"]
        assert f'"individual":"{individual}"' in client.get("/v1/events", params=after).text


def test_an_answers_position_covers_what_was_asked_for(writer: httpx.Client, client: httpx.Client) -> None:
    """An answer's own position includes the individual's part of the one that it had to be after."""
    after = written(writer, "covered")
    for path in READINGS[:2]:
        told = client.get(path.format(individual="covered"), params={"after": after}).json()
        assert Position.decode(told["position"]).covers(Position.decode(after))


@pytest.mark.parametrize("path", READINGS)
def test_what_is_not_reached_in_time_is_stale(
    writer: httpx.Client, client: httpx.Client, served: Served, path: str
) -> None:
    """A position that is not reached within the caller's own wait ends as `stale`, and may be tried again."""
    params: dict[str, Any] = {"after": beyond(served), "wait_ms": 30}
    answer = client.get(path.format(individual="ana"), params=params)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/stale")
    assert answer.headers["retry-after"]
    assert answer.elapsed.total_seconds() < 10


@pytest.mark.parametrize("path", READINGS)
def test_a_position_of_another_ledger_is_told_apart(
    writer: httpx.Client, client: httpx.Client, served: Served, path: str
) -> None:
    """A position of another generation is never waited for: it cannot be reached."""
    end = served.service.ledger.source.end()
    foreign = Position("another-generation", end.offsets).encode()
    answer = client.get(path.format(individual="ana"), params={"after": foreign, "wait_ms": WAIT_MS_MAX})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong_generation")
    assert answer.elapsed.total_seconds() < 5


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (beyond, "stale"),
        (
            lambda served: Position("another", served.service.ledger.source.end().offsets).encode(),
            "wrong_generation",
        ),
    ],
)
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_an_explanation_is_then_of_a_denial(
    client: httpx.Client, served: Served, position: Callable[[Served], str], reason: str, language: str
) -> None:
    """Where a decision is explained, what cannot be determined is a denial with its own reason and words."""
    asked = {
        "individual": "ana",
        "purpose": "fresh.mail",
        "after": position(served),
        "wait_ms": 30,
        "language": language,
    }
    answer = client.post("/v1/why", json=asked)
    told = answer.json()
    assert answer.status_code == 200
    assert (told["decision"]["permitted"], told["decision"]["reason"]) == (False, reason)
    assert told["events"] == []
    assert told["because"]


@pytest.mark.parametrize("path", READINGS)
def test_instants_and_waits_are_checked_everywhere(client: httpx.Client, path: str) -> None:
    """Every reading takes the same four parameters, and names each that is wrong."""
    wrong: dict[str, str | int] = {
        "at": "x",
        "known_at": "2026-02-30T00:00:00Z",
        "after": "x",
        "wait_ms": WAIT_MS_MAX + 1,
    }
    refused = client.get(path.format(individual="ana"), params=wrong)
    assert refused.status_code == 400
    assert {fault["field"] for fault in refused.json()["errors"]} == set(wrong)


def test_a_wait_of_nothing_is_an_answer_at_once(
    writer: httpx.Client, client: httpx.Client, served: Served
) -> None:
    """With `wait_ms` zero, a position that is reached is answered, and one that is not is stale at once."""
    reached = served.service.ledger.folding.position.encode()
    assert client.get("/v1/policies", params={"after": reached, "wait_ms": 0}).status_code == 200
    assert client.get("/v1/policies", params={"after": beyond(served), "wait_ms": 0}).status_code == 503
