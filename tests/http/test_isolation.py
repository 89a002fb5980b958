"""One tenant learns and changes nothing of another: all that one recorded, tried by another's token."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest

from choice_ledger.http.endpoints import Call, Endpoint, Reply
from choice_ledger.http.table import ENDPOINTS
from tests.cli.running import EXAMPLES, Cli
from tests.http.isolation import (
    CONTROL,
    KNOWN,
    OWNER,
    STRANGER,
    UNKNOWN,
    all_of,
    calls_of,
    isolation_findings,
    said_to,
)
from tests.http.matrix import MAY, name_of
from tests.http.serving import Served, serving


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A ledger in which the example policy is in force for three tenants."""
    home = tmp_path / "home"
    for tenant in (OWNER, STRANGER, CONTROL):
        policy = str(EXAMPLES / "telemate" / "website-and-services.v1.yaml")
        Cli(home).with_tenant(tenant).does("policy", "publish", policy, "--now")
    return home


@pytest.fixture
def running(home: Path) -> Iterator[Served]:
    """A service on it."""
    with serving(home) as served:
        yield served


def test_a_stranger_is_told_of_known_ids_what_it_is_told_of_unknown_ones(running: Served) -> None:
    """Whatever is asked with another tenant's ids is answered as with nobody's, and changes nothing."""
    assert isolation_findings(running, ENDPOINTS) == []


def test_every_endpoint_with_a_tenant_is_tried(running: Served) -> None:
    """None is left out but those that know of no tenant, and each example does what it is an example of."""
    tried = {name_of(row) for row, _ in calls_of(ENDPOINTS, KNOWN)}
    assert tried == {name for name, who in MAY.items() if who != "-"} - {"GET /metrics"}
    said = said_to(running, OWNER, ENDPOINTS, KNOWN)
    assert [(name, text) for name, status, text in said if status >= 300] == []


def test_the_ids_that_are_tried_are_those_that_the_owner_used(running: Served) -> None:
    """The ids do stand in what the owner recorded: a matrix of ids that nobody has would prove nothing."""
    said_to(running, OWNER, ENDPOINTS, KNOWN)
    told = all_of(running, OWNER)
    for field in ("individual", "notice_id", "restriction_id", "request_id", "complaint_id", "mandate_id"):
        assert f'"{field}":"{KNOWN.side}-' in told.replace('\\"', '"'), field
    assert UNKNOWN.side not in told


def test_the_same_event_id_is_an_event_of_each_tenant(running: Served) -> None:
    """Two tenants may give their events the same id: both are recorded, each as its own."""
    said_to(running, OWNER, ENDPOINTS, KNOWN)
    said_to(running, STRANGER, ENDPOINTS, KNOWN)
    events = {}
    for tenant in (OWNER, STRANGER):
        with running.client("audit", tenant=tenant) as client:
            lines = [msgspec.json.decode(line) for line in client.get("/v1/events").text.splitlines()]
        events[tenant] = {line["event"]["event_id"]: line["event"] for line in lines if "event" in line}
        assert {event["tenant"] for event in events[tenant].values()} == {tenant}
    assert len(events[OWNER].keys() & events[STRANGER].keys()) > 20


def test_the_same_idempotency_key_is_each_tenants_own(running: Served) -> None:
    """A key that one tenant used is free for another, with another body."""
    receipts = []
    for tenant, individual in ((OWNER, "ana"), (STRANGER, "bob")):
        with running.client("record", tenant=tenant) as client:
            body = {"individual": individual, "decision": "opt_out", "purposes": ["website.surveys"]}
            answer = client.post("/v1/choices", json=body, headers={"Idempotency-Key": '"one"'})
            assert answer.status_code == 201
            receipts.append(answer.json()["event_id"])
    assert receipts[0] != receipts[1]


@pytest.mark.parametrize("address", ["/v1/events", f"/v1/individuals/{KNOWN.side}-ana/history"])
def test_a_cursor_is_good_for_its_tenant_alone(running: Served, address: str) -> None:
    """A cursor that another tenant was given shows nothing of that tenant's."""
    said_to(running, OWNER, ENDPOINTS, KNOWN)
    with running.client("audit", tenant=OWNER) as client:
        page = client.get(address, params={"limit": 1}).text
    cursor = msgspec.json.decode(page.splitlines()[0]).get("cursor") or msgspec.json.decode(page)["next"]
    with running.client("audit", tenant=STRANGER) as client:
        answer = client.get(address, params={"cursor": cursor})
    assert answer.status_code == 400 or (OWNER not in answer.text and KNOWN.side not in answer.text)


def test_a_text_that_another_tenant_stored_is_not_read_by_its_number(running: Served) -> None:
    """A version that only one tenant published is not found by another, and neither is its wording."""
    with running.client("publish", tenant=OWNER) as client:
        digest = client.post("/v1/wordings", json={"text": "only the owner's"}).json()["sha256"]
        (row,) = (row for row in ENDPOINTS if row.operation == "publish_policy")
        assert isinstance(row.example, dict)
        version = {**row.example, "wording": {"en": digest}}
        assert client.post("/v1/policies", json=version).status_code == 201
        address = f"/v1/policies/{version['policy_id']}/versions/1"
        assert client.get(f"{address}/wordings/en").text == "only the owner's"
    with running.client("publish", tenant=STRANGER) as client:
        for path in (address, f"{address}/wordings/en"):
            answer, nobody = client.get(path), client.get(path.replace(version["policy_id"], "no-policy"))
            assert (answer.status_code, answer.json()["title"]) == (404, nobody.json()["title"])


def tenant_of(call: Call, tenant: str) -> Call:
    """The call as one of another tenant."""
    return replace(call, who=msgspec.structs.replace(call.caller, tenant=tenant))


def from_body(call: Call) -> Call:
    body = dict(call.body)
    tenant = body.pop("tenant", call.caller.tenant)
    return tenant_of(replace(call, body=body, raw=msgspec.json.encode(body)), tenant)


def from_path(call: Call) -> Call:
    """Whose individual it is, is looked up by its id."""
    is_owners = call.path["individual"].startswith(KNOWN.side)
    return tenant_of(call, OWNER) if is_owners else call


def from_header(call: Call) -> Call:
    return tenant_of(call, call.headers.get("x-tenant", call.caller.tenant))


PLANTED: dict[str, tuple[str, Callable[[Call], Call]]] = {
    "the body names the tenant of a choice": ("record_choice", from_body),
    "the body names the tenant of an erasure": ("erase_individual", from_body),
    "the path decides whose history is read": ("history", from_path),
    "the path decides whose permissions are read": ("permissions", from_path),
    "a header names the tenant of the log": ("events", from_header),
}


def planted(operation: str, wrong: Callable[[Call], Call]) -> tuple[Endpoint, ...]:
    """The table with an endpoint that is wrong about the tenant."""

    def planted_in(row: Endpoint) -> Endpoint:
        handler = row.handler
        assert handler is not None

        async def handle(call: Call) -> Reply:
            return await handler(wrong(call))

        return replace(row, handler=handle)

    return tuple(planted_in(row) if row.operation == operation else row for row in ENDPOINTS)


@pytest.mark.parametrize(("operation", "wrong"), PLANTED.values(), ids=PLANTED)
def test_a_tenant_that_is_taken_from_the_call_is_found(
    home: Path, operation: str, wrong: Callable[[Call], Call]
) -> None:
    """Where an endpoint takes the tenant from anything but the token, the same check finds it."""
    with serving(home, endpoints=planted(operation, wrong)) as served:
        findings = isolation_findings(served, planted(operation, wrong))
    (row,) = (row for row in ENDPOINTS if row.operation == operation)
    assert [finding for finding in findings if finding.startswith(name_of(row))]


def test_nobody_may_have_a_token_of_the_ledgers_own_tenant(running: Served) -> None:
    """What concerns the ledger itself is read and written with no token."""
    with httpx.Client(base_url=running.url) as client:
        assert client.get("/v1/events", headers={"X-Tenant": "ledger"}).status_code == 401
    with pytest.raises(ValueError, match="ledger"):
        running.token(tenant="ledger")
