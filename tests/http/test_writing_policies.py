"""Disclosures and policies over HTTP: what the service finds out before it records, or refuses."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from choice_ledger.content_store import CONTENT_BYTES_MAX
from choice_ledger.http.wordings import BODY_BYTES_MAX
from choice_ledger.recording import record
from events.instants import DAY, SECOND, format_instant, parse_instant
from events.streams import Position
from ledger.commands import Heard, PublishPolicy
from tests.http.serving import Served
from tests.http.writing_world import (
    event_of,
    events_of,
    faults,
    publish_example,
    receipt,
    serving_published,
)

EARLIER = "2026-05-20T00:00:00.000000Z"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with a policy in force, shared by the tests of this module: each uses ids of its own."""
    with serving_published(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """A client that may do everything."""
    with served.client() as every:
        yield every


def new_id() -> str:
    """An event id that no other test uses."""
    return str(uuid.uuid4())


DISCLOSED = {"recipient": "department_of_labor", "purpose": "hr.payroll", "data": ["name"]}


def test_a_permitted_disclosure_relies_on_its_answer(client: httpx.Client, served: Served) -> None:
    """A disclosure that is permitted is recorded with reason, position and evidence of that answer."""
    compelled = {"individual": "dora", "recipient": "department_of_labor", "legal_reference": "section 7"}
    cause = receipt(client.post("/v1/compelled-disclosures", json={**compelled, "from": EARLIER}))
    body = {"individual": "dora", **DISCLOSED, "event_id": new_id()}
    told = receipt(client.post("/v1/disclosures", json=body))
    event = event_of(served, told["event_id"])
    assert event["decision"]["reason"] == "required_by_law"
    assert event["decision"]["evidence"] == [cause["event_id"]]
    relied = Position.decode(event["decision"]["position"])
    assert relied.covers(Position.decode(cause["position"]))
    assert event["actor"] == {"kind": "service", "id": "tester"}
    assert parse_instant(event["recorded_at"]) - parse_instant(event["at"]) < 60 * SECOND


def test_a_denied_disclosure_is_refused_with_its_reason(client: httpx.Client, served: Served) -> None:
    """A disclosure that is denied is not recorded, and the problem names the reason."""
    count = len(events_of(served))
    response = client.post("/v1/disclosures", json={"individual": "nobody", **DISCLOSED})
    assert faults(response, "use_denied", 409) == {}
    assert response.json()["reason"] in {"not_told", "recipient_not_declared", "population_not_covered"}
    assert len(events_of(served)) == count


def test_what_happened_although_denied_is_recorded(client: httpx.Client, served: Served) -> None:
    """What was disclosed although it was denied is recorded as that; sent again it stays the same."""
    body = {"individual": "leaked", **DISCLOSED, "although_denied": True, "event_id": new_id()}
    first = receipt(client.post("/v1/disclosures", json=body))
    decision = event_of(served, first["event_id"])["decision"]
    assert decision["reason"] in {"not_told", "recipient_not_declared", "population_not_covered"}
    compelled = {"individual": "leaked", "recipient": "department_of_labor", "legal_reference": "section 7"}
    receipt(client.post("/v1/compelled-disclosures", json={**compelled, "from": EARLIER}))
    again = receipt(client.post("/v1/disclosures", json=body))
    assert again == {**first, "repeated": True}
    assert event_of(served, first["event_id"])["decision"] == decision


def test_a_disclosure_in_the_past_is_judged_by_then(client: httpx.Client, served: Served) -> None:
    """With `at` the answer is the one for that instant, which the event keeps."""
    body = {"individual": "dora", **DISCLOSED, "at": "2026-01-01T00:00:00Z"}
    entry = {**compelled_from("dora", EARLIER), "occurred_at": EARLIER}
    receipt(client.post("/v1/compelled-disclosures", json=entry))
    assert faults(client.post("/v1/disclosures", json=body), "use_denied", 409) == {}
    told = receipt(client.post("/v1/disclosures", json={**body, "at": EARLIER}))
    assert event_of(served, told["event_id"])["at"] == EARLIER


def compelled_from(individual: str, since: str) -> dict[str, str]:
    """A compelled disclosure of everything from an instant on."""
    return {
        "individual": individual,
        "recipient": "department_of_labor",
        "legal_reference": "section 7",
        "from": since,
    }


def test_a_disclosure_of_all_declared_data_names_none(client: httpx.Client, served: Served) -> None:
    """Without `data` the question is of all that the terms declare; the event's list is empty."""
    receipt(client.post("/v1/compelled-disclosures", json=compelled_from("whole", EARLIER)))
    body = {"individual": "whole", "recipient": "department_of_labor", "purpose": "hr.payroll"}
    told = receipt(client.post("/v1/disclosures", json=body))
    assert event_of(served, told["event_id"])["data"] == []


def version(policy_id: str, number: int, **changes: object) -> dict[str, Any]:
    """A version of a small policy of its own."""
    terms = {"key": f"{policy_id}.use", "mode": "opt_out"}
    return {"policy_id": policy_id, "version": number, "purposes": [terms], **changes}


def test_the_example_is_published_whole(served: Served, client: httpx.Client) -> None:
    """The example's policy, sent as JSON, stands in the log and names texts that are stored."""
    event = next(e for e in events_of(served) if e["type"] == "PolicyAmended" and e["policy_id"] == "privacy")
    assert len(event["purposes"]) > 3
    assert event["effective_at"] == event["recorded_at"]
    for digest in event["wording"].values():
        assert served.service.ledger.content.get(digest)
    with served.client(tenant="second") as second:
        assert publish_example(second)["outcome"] == "acknowledged"


def test_a_version_names_texts_that_are_stored(client: httpx.Client) -> None:
    """A wording whose text was not stored is refused by its locale; once it is, it is taken."""
    text = "We ask for your address and write to you. You may say no."
    absent, odd = "ab" * 32, "de/CH weird"
    body = version("worded", 2, wording={"en": absent, odd: absent}, title=7)
    told = faults(client.post("/v1/policies", json=body))
    assert set(told) == {"wording.en", "wording", "title", "version"}
    assert "weird" not in str(told)
    body = version("worded", 1, wording={"en": absent})
    assert set(faults(client.post("/v1/policies", json=body))) == {"wording.en"}
    digest = client.post("/v1/wordings", json={"text": text}).json()["sha256"]
    stored = receipt(client.post("/v1/policies", json=version("worded", 1, wording={"en": digest})))
    assert stored["outcome"] == "acknowledged"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": 3}, "version"),
        ({"version": 0}, "version"),
        ({"effective_at": "2020-01-01T00:00:00Z"}, "effective_at"),
        ({"purposes": [{"key": "a", "mode": "opt_out"}, {"key": "a", "mode": "opt_out"}]}, "purposes"),
        ({"purposes": [{"key": "website.surveys", "mode": "opt_out"}]}, "purposes"),
        ({"purposes": [{"key": "a", "mode": "necessary", "recipients": [{"name": "x"}]}]}, "purposes"),
    ],
)
def test_what_would_be_void_is_refused(client: httpx.Client, changes: dict[str, Any], field: str) -> None:
    """An amendment that would claim nothing, or hold before it is recorded, is refused by its field."""
    assert faults(client.post("/v1/policies", json=version("refused", 1, **changes))).keys() == {field}


def test_a_version_takes_effect_when_it_says(client: httpx.Client, served: Served) -> None:
    """With `effective_at` a version is in force from then on, and not from when it was recorded."""
    later = format_instant(served.service.ledger.clock() + DAY)
    event_id = receipt(client.post("/v1/policies", json=version("later", 1, effective_at=later)))["event_id"]
    event = event_of(served, event_id)
    assert event["effective_at"] == later
    assert event["recorded_at"] < later


def test_a_withdrawal_declares_nothing(client: httpx.Client, served: Served) -> None:
    """A withdrawal is the policy's next version, without purposes; a repetition is of that version."""
    receipt(client.post("/v1/policies", json=version("withdrawn", 1, title="Gone soon", contact="office")))
    body = {"event_id": new_id()}
    first = receipt(client.post("/v1/policies/withdrawn/withdrawal", json=body))
    event = event_of(served, first["event_id"])
    assert (event["version"], event["purposes"], event["title"]) == (2, [], "Gone soon")
    assert event["effective_at"] == event["recorded_at"]
    again = receipt(client.post("/v1/policies/withdrawn/withdrawal", json=body))
    assert again == {**first, "repeated": True}


def test_a_withdrawal_may_take_effect_later(client: httpx.Client, served: Served) -> None:
    """A withdrawal with `effective_at` is in force from then on; one in the past is refused."""
    receipt(client.post("/v1/policies", json=version("ending", 1)))
    past = client.post("/v1/policies/ending/withdrawal", json={"effective_at": "2020-01-01T00:00:00Z"})
    assert faults(past).keys() == {"effective_at"}
    later = format_instant(served.service.ledger.clock() + DAY)
    told = receipt(client.post("/v1/policies/ending/withdrawal", json={"effective_at": later}))
    assert event_of(served, told["event_id"])["effective_at"] == later


def test_an_unknown_policy_cannot_be_withdrawn(client: httpx.Client, served: Served) -> None:
    """A policy that is not published, or is another tenant's, is not there to be withdrawn."""
    assert faults(client.post("/v1/policies/nothing/withdrawal", json={}), "not_found", 404) == {}
    with served.client("publish", tenant="third") as third:
        assert faults(third.post("/v1/policies/privacy/withdrawal", json={}), "not_found", 404) == {}


def test_of_racing_publications_one_stands(client: httpx.Client, served: Served) -> None:
    """Of many who publish the same version at once exactly one is acknowledged; the others are refused, or
    recorded and told to be void, just as the catalogue has it.
    """
    writers = 6
    for round_ in range(8):
        policy_id, start = f"raced-{round_}", Barrier(writers)

        def publish(_: int, policy_id: str = policy_id, start: Barrier = start) -> httpx.Response:
            start.wait()
            return client.post("/v1/policies", json=version(policy_id, 1))

        with ThreadPoolExecutor(writers) as pool:
            responses = list(pool.map(publish, range(writers)))
        receipts = [response.json() for response in responses if response.status_code == 201]
        assert all(set(faults(r)) <= {"version", "purposes"} for r in responses if r.status_code != 201)
        (standing,) = [told for told in receipts if told["outcome"] == "acknowledged"]
        void = {told["event_id"]: told["void"] for told in receipts if told["outcome"] == "void"}
        policies = served.service.ledger.tenant("main")
        assert policies.standing[policy_id][0].event_id == standing["event_id"]
        assert {v.event_id: v.reason for v in policies.void if v.policy_id == policy_id} == void


# ------------------------------------------------------------------------------------------------- wordings


TEXTS = (
    "We write to you.",
    "  We write to you.\n",
    "Wir schreiben Ihnen \u00fcber \u2603 und \U0001f4e8.",
    "{}",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_stored_byte_for_byte(client: httpx.Client, served: Served, text: str) -> None:
    """A text, sent as JSON or by itself, is stored under the digest of its bytes; twice is no fault."""
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    answers = [
        client.post("/v1/wordings", json={"text": text}),
        client.post("/v1/wordings", content=text.encode(), headers=plain),
        client.post("/v1/wordings", content=text.encode(), headers={"Content-Type": "text/plain"}),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    (digest,) = {answer.json()["sha256"] for answer in answers}
    assert served.service.ledger.content.get(digest) == text.encode()


def test_a_text_of_another_tenant_is_not_there(client: httpx.Client, served: Served) -> None:
    """Who knows the digest of another tenant's text learns neither the text nor that it is stored."""
    kept = client.post("/v1/wordings", json={"text": "For our own people alone."}).json()["sha256"]
    version = {"policy_id": "nosy", "version": 1, "purposes": []}
    with served.client("publish", tenant="globex") as stranger:
        told = [
            stranger.post("/v1/policies", json={**version, "wording": {"en": digest}}).json()["errors"]
            for digest in (kept, "0" * 64)
        ]
        assert told[0] == told[1]
        assert [fault["field"] for fault in told[0]] == ["wording.en"]
        assert stranger.post("/v1/wordings", json={"text": "For our own people alone."}).status_code == 201
        own = stranger.post("/v1/policies", json={**version, "wording": {"en": kept}})
    assert own.status_code == 201


def test_a_version_may_name_a_text_of_the_one_before(client: httpx.Client, served: Served) -> None:
    """A text that a standing version of the tenant names need not be handed in again, whoever stored it."""
    digest = served.service.ledger.content.put(b"What was published from the command line.")
    version = {"policy_id": "kept", "version": 1, "wording": {"en": digest}}
    assert faults(client.post("/v1/policies", json=version)).keys() == {"wording.en"}
    command = PublishPolicy(policy_id="kept", version=1, wording={"en": digest})
    record(served.service.ledger, command, Heard(event_id=new_id(), tenant="main"))
    assert client.post("/v1/policies", json={**version, "version": 2}).status_code == 201


def test_a_text_has_a_greatest_size(client: httpx.Client) -> None:
    """A text of the greatest size is stored, wholly escaped in JSON too; one of a byte more is not."""
    plain = {"Content-Type": "text/plain"}
    whole = b"x" * CONTENT_BYTES_MAX
    assert client.post("/v1/wordings", content=whole, headers=plain).status_code == 201
    assert faults(client.post("/v1/wordings", content=whole + b"x", headers=plain)).keys() == {""}
    escaped = b'{"text": "' + b"\\u0041" * CONTENT_BYTES_MAX + b'"}'
    json_type = {"Content-Type": "application/json"}
    assert client.post("/v1/wordings", content=escaped, headers=json_type).status_code == 201
    longer = client.post("/v1/wordings", json={"text": "x" * (CONTENT_BYTES_MAX + 1)})
    assert faults(longer).keys() == {"text"}


@pytest.mark.parametrize("over", [0, 1])
def test_a_text_has_a_body_of_a_greatest_size(client: httpx.Client, over: int) -> None:
    """A body of as many bytes as are read is read, and one of a byte more is not."""
    body = b'{"text": "x"' + b" " * (BODY_BYTES_MAX + over - 13) + b"}"
    assert len(body) == BODY_BYTES_MAX + over
    response = client.post("/v1/wordings", content=body, headers={"Content-Type": "application/json"})
    if over:
        assert faults(response, "body_too_large", 413) == {}
    else:
        assert response.status_code == 201


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"text"}),
        ({"text": None}, {"text"}),
        ({"text": 7}, {"text"}),
        ({"text": ""}, {"text"}),
        ({"text": " \n\t"}, {"text"}),
        ({"text": "x", "locale": "en"}, {"locale"}),
        ({"text": 7, "locale": "en", "to ana@b": 1}, {"text", "locale", ""}),
        ([], {""}),
        ("text", {""}),
    ],
)
def test_what_is_no_text_is_refused(client: httpx.Client, body: object, fields: set[str]) -> None:
    """A text that is missing, empty or none, and every field beside it, is refused, all at once."""
    assert faults(client.post("/v1/wordings", json=body)).keys() == fields


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe", b"a\xc3"])
def test_a_plain_text_is_text(client: httpx.Client, content: bytes) -> None:
    """What is sent as plain text is not empty, and is UTF-8."""
    response = client.post("/v1/wordings", content=content, headers={"Content-Type": "text/plain"})
    assert faults(response).keys() == {""}


@pytest.mark.parametrize("media_type", ["text/html", "text/plain; charset=latin-1", "application/xml", ""])
def test_a_text_of_another_type_is_refused(client: httpx.Client, media_type: str) -> None:
    """A text is plain text in UTF-8, or JSON; nothing else is guessed at."""
    response = client.post("/v1/wordings", content=b"We write.", headers={"Content-Type": media_type})
    assert faults(response, "unsupported_media_type", 415) == {}


def test_plain_text_is_for_texts_alone(client: httpx.Client) -> None:
    """An endpoint that takes JSON takes no plain text."""
    response = client.post("/v1/choices", content=b"{}", headers={"Content-Type": "text/plain"})
    assert faults(response, "unsupported_media_type", 415) == {}
