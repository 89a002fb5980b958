"""The worked example of the semantics, to the letter, over HTTP: recorded by clients and read by others."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from choice_ledger.wiring import new_id, token_file
from events.instants import DAY, format_instant
from tests.http.reading_world import SetClock, serving_at
from tests.http.serving import Served

PURPOSE = "website.periodic_email"
TERMS: dict[str, Any] = {"key": PURPOSE, "mode": "opt_out", "data": ["email_address"]}


class World:
    """The service, its clock, and one client that may do everything."""

    def __init__(self, served: Served, clock: SetClock) -> None:
        self.clock = clock
        token = token_file(served.settings).create(
            token_id=new_id(),
            name="officer-1",
            tenant="main",
            scopes=("record", "check", "officer", "publish", "audit"),
            now=clock(),
            expires_at=clock() + 1_000 * DAY,
        )
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=served.url, headers=headers, timeout=30)
        self.position = ""

    def record(self, path: str, body: dict[str, Any]) -> str:
        """Record an event; give its id, and keep the receipt's position for what is read next."""
        answer = self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["outcome"] == "acknowledged"
        self.position = answer.json()["position"]
        return str(answer.json()["event_id"])

    def check(self, recipient: str | None = None, **more: Any) -> dict[str, Any]:
        """The decision on Ana's e-mail, at least as fresh as what was recorded last."""
        body = {
            "individual": "ana",
            "purpose": PURPOSE,
            "recipient": recipient,
            "after": self.position,
            **more,
        }
        answer = self.client.post("/v1/check", json=body)
        assert answer.status_code == 200, answer.text
        explained = self.client.post("/v1/why", json=body).json()
        assert explained["decision"]["reason"] == answer.json()["reason"]
        assert explained["decision"]["evidence"] == answer.json()["evidence"]
        return dict(answer.json())

    def listed(self, recipient: str | None, **more: Any) -> dict[str, Any] | None:
        """The same decision as the list of all permissions has it."""
        answer = self.client.get(
            "/v1/individuals/ana/permissions", params={"after": self.position, **more}
        ).json()
        found = [p for p in answer["permissions"] if (p["purpose"], p["recipient"]) == (PURPOSE, recipient)]
        return found[0]["decision"] if found else None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service on 1 March 2026, at nine."""
    clock = SetClock("2026-03-01T09:00:00Z")
    with serving_at(tmp_path_factory.mktemp("home"), clock) as served:
        made = World(served, clock)
        with made.client:
            yield made


def without_position(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision as it stands among others, for all of which one position is told."""
    return {name: value for name, value in decision.items() if name != "position"}


def test_the_worked_example(world: World) -> None:
    """Each decision of the worked example is that of the semantics, with its reason, evidence and `until`."""
    first = world.record("/v1/policies", {"policy_id": "website", "version": 1, "purposes": [TERMS]})
    shown = world.record(
        "/v1/notices",
        {
            "individual": "ana",
            "notice_id": "notice-1",
            "policy_id": "website",
            "version": 1,
            "choice_offered": True,
            "at_collection": True,
        },
    )
    own = world.check()
    assert (own["permitted"], own["reason"], own["evidence"]) == (True, "not_opted_out", [first, shown])
    assert own["policy"] == {"id": "website", "version": 1}
    adco = world.check("adco")
    assert (adco["permitted"], adco["reason"]) == (False, "recipient_not_declared")

    world.clock.set("2026-04-30T12:00:00Z")
    second = world.record(
        "/v1/policies",
        {
            "policy_id": "website",
            "version": 2,
            "effective_at": "2026-05-01T00:00:00Z",
            "purposes": [{**TERMS, "recipients": [{"name": "adco"}], "choice_period": "P30D"}],
        },
    )
    assert world.check("adco")["until"] == "2026-05-01T00:00:00.000000Z"
    world.clock.set("2026-05-01T00:00:00Z")
    adco = world.check("adco")
    assert (adco["permitted"], adco["reason"], adco["evidence"]) == (
        False,
        "told_terms_differ",
        [second, shown],
    )
    assert world.check()["reason"] == "not_opted_out"
    assert world.listed("adco") == without_position(adco)

    world.clock.set("2026-05-03T09:00:00Z")
    sent = world.record(
        "/v1/notices",
        {
            "individual": "ana",
            "notice_id": "notice-2",
            "policy_id": "website",
            "version": 2,
            "choice_offered": True,
            "medium": "email",
        },
    )
    adco = world.check("adco")
    assert (adco["permitted"], adco["reason"]) == (False, "choice_period_running")
    assert adco["until"] == "2026-06-02T09:00:00.000000Z"
    last = world.check("adco", at="2026-06-02T08:59:59.999999Z")
    assert last["reason"] == "choice_period_running"
    begun = world.check("adco", at="2026-06-02T09:00:00Z")
    assert (begun["permitted"], begun["reason"], begun["evidence"]) == (
        True,
        "not_opted_out",
        [second, sent],
    )

    world.clock.set("2026-06-09T10:00:00Z")
    letter = world.record(
        "/v1/choices",
        {
            "individual": "ana",
            "decision": "opt_out",
            "purposes": [PURPOSE],
            "recipients": ["adco"],
            "occurred_at": "2026-05-20T00:00:00Z",
            "medium": "mail",
            "spoken_by": "individual",
        },
    )
    then = {"at": "2026-06-05T00:00:00Z", "known_at": "2026-06-05T00:00:00Z"}
    known_then = world.check("adco", **then)
    assert (known_then["permitted"], known_then["reason"]) == (True, "not_opted_out")
    audit = {"at": "2026-06-05T00:00:00Z", "known_at": "2026-06-10T00:00:00Z"}
    known_later = world.check("adco", **audit)
    assert (known_later["permitted"], known_later["reason"]) == (False, "opted_out")
    assert known_later["evidence"] == [second, sent, letter]
    assert world.listed("adco", **then) == without_position(known_then)
    assert world.listed("adco", **audit) == without_position(known_later)
    _explained(world, audit, letter)
    _history(world, letter)


def _explained(world: World, audit: dict[str, str], letter: str) -> None:
    body = {"individual": "ana", "purpose": PURPOSE, "recipient": "adco", **audit, "language": "de"}
    explained = world.client.post("/v1/why", json=body).json()
    assert (
        explained["because"] == "Die betroffene Person hat widersprochen und das später nicht zurückgenommen."
    )
    assert explained["events"][-1] == (
        f"Widerspruch gegen {PURPOSE}, soweit Weitergabe an adco, am 20. Mai 2026, 00:00 Uhr UTC, "
        f"erfasst am 9. Juni 2026, 10:00 Uhr UTC, durch die betroffene Person, per Brief ({letter})"
    )


def _history(world: World, letter: str) -> None:
    """The letter stands where it was postmarked, and is not there for what was known before it came."""
    events = world.client.get("/v1/individuals/ana/history").json()["events"]
    assert [event["type"] for event in events] == ["NoticeGiven", "NoticeGiven", "ChoiceMade"]
    assert events[-1]["event_id"] == letter
    assert events[-1]["occurred_at"] == "2026-05-20T00:00:00.000000Z"
    assert events[-1]["recorded_at"] == format_instant(world.clock())
    before = {"known_at": "2026-06-05T00:00:00Z"}
    known = world.client.get("/v1/individuals/ana/history", params=before).json()["events"]
    assert [event["type"] for event in known] == ["NoticeGiven", "NoticeGiven"]
    earlier = world.client.get("/v1/individuals/ana/history", params={"at": "2026-05-01T00:00:00Z"}).json()
    assert len(earlier["events"]) == 1
