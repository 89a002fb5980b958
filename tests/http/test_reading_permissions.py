"""All permissions of an individual: every use, each as the reader decides it, for one instant."""

import json
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from events.instants import parse_instant
from projections import permissions
from projections.reader import Enquiry
from tests.cli.running import EXAMPLES, TENANT
from tests.http.reading_world import PEOPLE, decided, example_client, fields_of, reader, serving_example
from tests.http.serving import Served

INSTANTS = ("2026-03-01T00:00:00Z", "2026-05-10T00:00:00Z", "2026-06-05T00:00:00Z", "2027-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on the example's ledger."""
    with serving_example(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def client(example: Served) -> Iterator[httpx.Client]:
    """A client that may check."""
    with example_client(example, "check") as client:
        yield client


def line_of(decision: dict[str, object]) -> bytes:
    """The line of a decision that was told, without what stands beside."""
    five = {name: decision[name] for name in ("permitted", "reason", "policy", "evidence", "until")}
    return msgspec.json.encode(five)


@pytest.mark.parametrize("at", INSTANTS)
@pytest.mark.parametrize("known_at", [None, "2026-05-10T00:00:00Z"])
def test_each_permission_is_what_the_reader_decides(
    client: httpx.Client, example: Served, at: str, known_at: str | None
) -> None:
    """Whatever the instants, each use has the decision that the same question has without HTTP."""
    for individual in PEOPLE:
        params = {"at": at} if known_at is None else {"at": at, "known_at": known_at}
        told = client.get(f"/v1/individuals/{individual}/permissions", params=params).json()
        assert told["permissions"]
        for permission in told["permissions"]:
            enquiry = Enquiry(
                tenant=TENANT,
                individual=individual,
                purpose=permission["purpose"],
                recipient=permission["recipient"],
                at=parse_instant(told["at"]),
                known_at=None if told["known_at"] is None else parse_instant(told["known_at"]),
            )
            assert line_of(permission["decision"]) == decided(example, enquiry)


def test_every_question_of_the_example_is_in_the_list(client: httpx.Client) -> None:
    """Each declared use that the example asks about, if it narrows no data, is listed with its answer."""
    answers = (EXAMPLES / "answers.ndjson").read_text(encoding="utf-8").splitlines()
    questions = (EXAMPLES / "questions.ndjson").read_text(encoding="utf-8").splitlines()
    found = 0
    for asked, answer in zip(map(json.loads, questions), map(json.loads, answers), strict=True):
        if asked.get("data"):
            continue
        params = {name: asked[name] for name in ("at", "known_at") if asked.get(name)}
        told = client.get(f"/v1/individuals/{asked['individual']}/permissions", params=params).json()
        use = (asked["purpose"], asked.get("recipient"))
        listed = [p["decision"] for p in told["permissions"] if (p["purpose"], p["recipient"]) == use]
        if listed:
            found += 1
            assert {name: listed[0][name] for name in answer} == answer
    assert found > 20


def test_uses_are_in_order_and_none_is_twice(client: httpx.Client) -> None:
    """Purposes stand in order, own use before the recipients, and each use once."""
    told = client.get("/v1/individuals/ana/permissions").json()["permissions"]
    uses = [(p["purpose"], p["recipient"] or "") for p in told]
    assert uses == sorted(set(uses))
    assert {recipient for _, recipient in uses} > {""}


def test_a_branch_of_the_purposes(client: httpx.Client) -> None:
    """`purpose` narrows the list to a purpose or a branch, and changes no decision in it."""
    at = {"at": INSTANTS[2]}
    everything = client.get("/v1/individuals/ana/permissions", params=at).json()["permissions"]
    branch = client.get("/v1/individuals/ana/permissions", params={**at, "purpose": "hr"}).json()
    assert branch["permissions"] == [p for p in everything if p["purpose"].startswith("hr.")]
    assert branch["permissions"]
    nothing = client.get("/v1/individuals/ana/permissions", params={**at, "purpose": "nowhere"}).json()
    assert nothing["permissions"] == []


def test_the_answer_says_its_instant_and_position(client: httpx.Client, example: Served) -> None:
    """Without `at` the answer says for which instant it is; the position is that of the reader's answers."""
    told = client.get("/v1/individuals/ana/permissions").json()
    enquiry = Enquiry(tenant=TENANT, individual="ana", purpose="website.surveys")
    position = reader(example).answer(enquiry).position
    assert position is not None
    assert told["position"] == position.encode()
    assert told["at"] > "2026-06-10"
    assert told["known_at"] is None


def test_another_tenant_has_none_of_them(example: Served) -> None:
    """The tenant is the token's: another one's policies are not spoken of."""
    with example_client(example, "check", tenant="globex") as other:
        assert other.get("/v1/individuals/ana/permissions").json()["permissions"] == []


def test_more_uses_than_may_be_listed_are_refused(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the bound all are listed; past it the caller is told to narrow the question."""
    count = len(client.get("/v1/individuals/ana/permissions").json()["permissions"])
    monkeypatch.setattr(permissions, "USES_MAX", count)
    assert client.get("/v1/individuals/ana/permissions").status_code == 200
    monkeypatch.setattr(permissions, "USES_MAX", count - 1)
    refused = client.get("/v1/individuals/ana/permissions")
    assert (refused.status_code, fields_of(refused)) == (400, ["purpose"])
    assert client.get("/v1/individuals/ana/permissions", params={"purpose": "hr"}).status_code == 200


def test_all_that_is_wrong_is_told_at_once(client: httpx.Client) -> None:
    """Each parameter that is wrong is named, and none of their values is repeated."""
    wrong = {"purpose": "a b", "at": "yesterday", "known_at": "9", "after": "!", "wait_ms": "30001"}
    refused = client.get("/v1/individuals/a@b/permissions", params=wrong)
    assert refused.status_code == 400
    assert set(fields_of(refused)) == {"individual", *wrong}
    assert "yesterday" not in refused.text
    longest = {"wait_ms": "30000"}
    assert client.get("/v1/individuals/ana/permissions", params=longest).status_code == 200
