"""What AuthZEN's tests ask about: a policy of four purposes, a few individuals, and two tenants' services."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from choice_ledger.http.authzen_metadata import PATHS
from choice_ledger.settings import Settings
from choice_ledger.wiring import new_id, now, service_file
from events.individual_events import ChoiceMade, DisclosureCompelled, NoticeGiven
from events.instants import DAY, Micros
from events.policy_events import PolicyAmended
from events.streams import Position
from events.terms import Recipient, Terms
from events.union import Event
from ledger.log import Acknowledged, Proposal
from tests.http.serving import Served, serving

EVALUATION = PATHS["access_evaluation_endpoint"]
EVALUATIONS = PATHS["access_evaluations_endpoint"]
SUBJECTS = PATHS["search_subject_endpoint"]
RESOURCES = PATHS["search_resource_endpoint"]
ACTIONS = PATHS["search_action_endpoint"]
METADATA = "/.well-known/authzen-configuration"

ALICE = {"type": "recipient", "id": "alice"}
BOB = {"type": "recipient", "id": "bob"}
CRM = {"type": "service", "id": "crm"}
READ = {"name": "read"}
WRITE = {"name": "write"}
MAIL = {"name": "mail"}
RECORD_1 = {"type": "individual", "id": "record-1"}
RECORD_2 = {"type": "individual", "id": "record-2"}
PERMITTED = {"subject": ALICE, "action": READ, "resource": RECORD_1}
DENIED = {"subject": BOB, "action": WRITE, "resource": RECORD_1}
"""``bob`` may read what ``alice`` may read and write; nobody was told of ``record-3``'s data being used."""

TOLD = ("record-1", "record-2", "opted-out", "compelled")

Json = Mapping[str, Any]


def amended(at: Micros, tenant: str = "main") -> PolicyAmended:
    """The one version of the policy: what each recipient may do."""
    alice, bob = Recipient(name="alice", role="agent"), Recipient(name="bob", role="agent")
    return PolicyAmended(
        event_id=new_id(),
        tenant=tenant,
        occurred_at=at,
        policy_id="records",
        version=1,
        effective_at=at,
        purposes=(
            Terms(key="read", mode="necessary", data=("name", "address"), recipients=(alice, bob)),
            Terms(key="write", mode="necessary", data=("name",), recipients=(alice,)),
            Terms(key="mail", mode="opt_out", data=("email_address",), recipients=(alice,)),
            Terms(key="later", mode="opt_out", data=("name",), choice_period=30 * DAY),
        ),
    )


def told(at: Micros, individual: str, tenant: str = "main", *, at_collection: bool = True) -> NoticeGiven:
    """A notice of the policy, with a choice."""
    return NoticeGiven(
        event_id=new_id(),
        tenant=tenant,
        individual=individual,
        occurred_at=at,
        notice_id=f"notice-{individual}",
        policy_id="records",
        version=1,
        choice_offered=True,
        at_collection=at_collection,
    )


def opted_out(at: Micros, individual: str, purpose: str = "mail") -> ChoiceMade:
    """An opt-out, of mail unless told otherwise."""
    return ChoiceMade(
        event_id=new_id(),
        tenant="main",
        individual=individual,
        occurred_at=at,
        decision="opt_out",
        purposes=(purpose,),
    )


def compelled(at: Micros, individual: str, recipient: str = "court") -> DisclosureCompelled:
    """A disclosure of one undeclared purpose that the law compels."""
    return DisclosureCompelled(
        event_id=new_id(),
        tenant="main",
        individual=individual,
        occurred_at=at,
        recipient=recipient,
        legal_reference="a warrant",
        purposes=("inquiry",),
        from_=at,
    )


def record(served: Served, *events: Event) -> Position:
    """Append events and wait until they are folded; the position that includes them."""
    ledger = served.service.ledger
    reached: Position | None = None
    for outcome in ledger.log.append([Proposal(event) for event in events]):
        assert isinstance(outcome, Acknowledged), outcome
        reached = outcome.position if reached is None else reached.joined(outcome.position)
    assert reached is not None
    ledger.catch_up(reached)
    return reached


@contextmanager
def authzen_world(home: Path, **settings: Any) -> Iterator[Served]:
    """A running service whose ledger holds this world."""
    services = service_file(Settings(home=str(home)))
    for tenant, service_id in (("main", "crm"), ("main", "billing"), ("other", "their-crm")):
        services.add(tenant, service_id, now())
    # A running service may take a moment to see what is registered while it runs, so these come before.
    with serving(home, **settings) as served:
        at = now() - 10 * DAY
        record(served, amended(at), amended(at, "other"))
        record(
            served,
            *(told(at + DAY, individual) for individual in TOLD),
            told(at + DAY, "soon", at_collection=False),
            told(at + DAY, "theirs", "other"),
            opted_out(at + 2 * DAY, "opted-out"),
            compelled(at + 2 * DAY, "compelled"),
        )
        yield served


def ask(client: httpx.Client, path: str, body: Json, **headers: str) -> dict[str, Any]:
    """The JSON of a call that must be good."""
    response = client.post(path, json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer


def faults(client: httpx.Client, path: str, body: object) -> set[str]:
    """The fields with which a refused request is at fault."""
    response = client.post(path, json=body)
    assert response.status_code == 400, response.text
    problem = response.json()
    assert problem["type"] == "/problems/malformed_request"
    return {fault["field"] for fault in problem["errors"]}


def reason(answer: Json) -> str:
    """Why a decision is as it is."""
    found: str = answer["context"]["reason"]
    return found


def names(page: Json) -> list[str]:
    """The ids, or the actions' names, that a page of a search holds."""
    return [found.get("id", found.get("name")) for found in page["results"]]


def all_pages(client: httpx.Client, path: str, body: Json, **page: object) -> list[dict[str, Any]]:
    """Every page of a search, one after the other."""
    pages = [ask(client, path, {**body, "page": page})]
    while token := pages[-1]["page"]["next_token"]:
        assert len(pages) < 1_000
        pages.append(ask(client, path, {**body, "page": {**page, "token": token}}))
    return pages
