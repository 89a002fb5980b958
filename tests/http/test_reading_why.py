"""`why` over HTTP: the decision of a check, explained in the language that the caller asks for."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from choice_ledger.http.problems import FAULTS_TOLD_MAX
from choice_ledger.http.questions import DATA_MAX
from choice_ledger.http.why import LANGUAGE_LENGTH_MAX
from events.instants import parse_instant
from projections.reader import Enquiry
from tests.cli.running import EXAMPLES, TENANT, run_process
from tests.http.reading_world import decided, example_client, fields_of, reader, serving_example
from tests.http.serving import Served

ADCO = {
    "individual": "ana",
    "purpose": "website.periodic_email",
    "recipient": "adco",
    "at": "2026-06-05T00:00:00Z",
}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on the example's ledger."""
    with serving_example(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def client(example: Served) -> Iterator[httpx.Client]:
    """A client that may audit and check."""
    with example_client(example, "audit", "check") as client:
        yield client


def why(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """The explanation of a question about Ana and the advertiser, with these fields of it."""
    answer = client.post("/v1/why", json={**ADCO, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def questions() -> list[dict[str, Any]]:
    """The example's questions."""
    text = (EXAMPLES / "questions.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_decision_is_the_readers_and_the_checks(client: httpx.Client, example: Served) -> None:
    """For each question of the example, the decision explained is that of the reader, and of `/v1/check`."""
    for asked in questions():
        asked.pop("tenant", None)
        told = client.post("/v1/why", json=asked).json()
        decision = told["decision"]
        five = {name: decision[name] for name in ("permitted", "reason", "policy", "evidence", "until")}
        assert msgspec.json.encode(five) == decided(example, _enquiry(asked))
        checked = client.post("/v1/check", json=asked).json()
        assert {name: checked[name] for name in five} == five


def test_it_is_what_the_command_line_says(client: httpx.Client, example: Served, tmp_path: Any) -> None:
    """The sentences are those of `choice-ledger why`, in each language."""
    files = (str(EXAMPLES / file) for file in ("telemate/policies.ndjson", "people.ndjson"))
    assert run_process(tmp_path / "home", "import", *files).code == 0
    question = ("ana", ADCO["purpose"], "--recipient", "adco", "--at", ADCO["at"], "--tenant", TENANT)
    for language in ("en", "de", "fr"):
        words = ("why", *question, "--language", language, "--json")
        explained = run_process(tmp_path / "home", *words).json["explanation"]
        told = why(client, language=language)
        assert {name: told[name] for name in explained} == explained


def test_the_sentences_and_the_data_agree(client: httpx.Client) -> None:
    """There is a sentence for each event of the evidence, and the reason's code is in the answer."""
    told = why(client)
    assert len(told["events"]) == len(told["decision"]["evidence"]) == 3
    for event_id, sentence in zip(told["decision"]["evidence"], told["events"], strict=True):
        assert event_id in sentence
    assert told["decision"]["reason"] in told["answer"]
    assert told["decision"]["position"]
    assert "`" not in told["would_change"]


def test_a_frameworks_status_is_found_too(client: httpx.Client, example: Served) -> None:
    """Evidence that is neither the individual's nor a version is found in the policies' stream."""
    found = []
    for asked in questions():
        if reader(example).answer(_enquiry(asked)).decision.reason == "transfer_basis_lapsed":
            asked.pop("tenant", None)
            found.append(client.post("/v1/why", json=asked).json())
    assert found
    assert all(not sentence.startswith("event ") for told in found for sentence in told["events"])


def _enquiry(asked: dict[str, Any]) -> Enquiry:
    return Enquiry(
        tenant=TENANT,
        individual=asked["individual"],
        purpose=asked["purpose"],
        recipient=asked.get("recipient"),
        data=tuple(asked.get("data") or ()),
        at=None if asked.get("at") is None else parse_instant(asked["at"]),
        known_at=None if asked.get("known_at") is None else parse_instant(asked["known_at"]),
    )


@pytest.mark.parametrize(
    ("named", "accepted", "spoken"),
    [
        (None, None, "en"),
        ("de", None, "de"),
        ("fr-CA", None, "fr"),
        ("DE-ch", "fr", "de"),
        ("tlh", "de", "en"),
        (None, "fr", "fr"),
        (None, "it, de-AT;q=0.8, fr;q=0.4", "de"),
        (None, "it", "en"),
        (None, "*", "en"),
        (None, "de;q=0, fr;q=0.1", "fr"),
    ],
)
def test_the_caller_chooses_the_language(
    client: httpx.Client, named: str | None, accepted: str | None, spoken: str
) -> None:
    """The body goes before the header; what is not spoken is answered in English, and the answer says so."""
    headers = {} if accepted is None else {"Accept-Language": accepted}
    body = {**ADCO} if named is None else {**ADCO, "language": named}
    answer = client.post("/v1/why", json=body, headers=headers)
    assert answer.headers["content-language"] == spoken
    assert answer.json()["language"] == spoken
    opening = {"en": "May ", "de": "Darf ", "fr": f"{TENANT} peut-il "}
    assert answer.json()["question"].startswith(opening[spoken])


def test_all_that_is_wrong_is_told_at_once(client: httpx.Client) -> None:
    """Each member that is wrong is named by its path, and none of their values is repeated."""
    body = {
        "individual": "ana@example.com",
        "purpose": "a b",
        "recipient": "",
        "data": ["fine", "", 7],
        "at": "yesterday",
        "known_at": 5,
        "after": "!",
        "wait_ms": -1,
        "language": "",
    }
    refused = client.post("/v1/why", json=body)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/refused")
    assert fields_of(refused) == [
        "individual",
        "purpose",
        "recipient",
        "data[1]",
        "data[2]",
        "at",
        "known_at",
        "after",
        "wait_ms",
        "language",
    ]
    assert "example.com" not in refused.text


@pytest.mark.parametrize(
    "body", [[], "ana", 5, None, {}, {"individual": "ana"}, {**ADCO, "tenant": "globex"}]
)
def test_what_is_no_question_is_refused(client: httpx.Client, body: object) -> None:
    """A body that is no object, lacks a member, or has one too many, a tenant above all, is refused."""
    headers = {"Content-Type": "application/json"}
    assert client.post("/v1/why", content=json.dumps(body), headers=headers).status_code == 422


def test_limits_hold(client: httpx.Client) -> None:
    """At each limit a question is answered; past it, it is refused."""
    for field, good, bad in (
        ("data", ["x"] * DATA_MAX, ["x"] * (DATA_MAX + 1)),
        ("language", "x" * LANGUAGE_LENGTH_MAX, "x" * (LANGUAGE_LENGTH_MAX + 1)),
        ("wait_ms", 30_000, 30_001),
    ):
        assert client.post("/v1/why", json={**ADCO, field: good}).status_code == 200
        assert fields_of(client.post("/v1/why", json={**ADCO, field: bad})) == [field]
    many = client.post("/v1/why", json={**ADCO, "data": [""] * DATA_MAX})
    assert len(fields_of(many)) == FAULTS_TOLD_MAX
