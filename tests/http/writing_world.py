"""A service to record on: with the example's first version published through its own endpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from choice_ledger.access import Scope
from choice_ledger.exporting import exported
from choice_ledger.http.writes import DISCLOSURE, WITHDRAWAL, WRITES, Write
from choice_ledger.policy_file import PolicyFile, read_policy_file
from events.envelope import LEDGER_TENANT
from events.lines import format_line
from events.union import Recorded
from tests.cli.running import EXAMPLES
from tests.http.serving import Served, serving

ROWS = (*WRITES, DISCLOSURE, WITHDRAWAL)
POLICY_FILE = EXAMPLES / "telemate" / "website-and-services.v1.yaml"
EVENT_ID = "0197f3a0-0000-7000-8000-0000000000e1"


def example_policy() -> PolicyFile:
    """The example's first version, as its file has it."""
    policy = read_policy_file(POLICY_FILE)
    assert isinstance(policy, PolicyFile)
    return policy


def publish_example(client: httpx.Client) -> dict[str, Any]:
    """Store the example's texts and publish its first version, in force at once; the receipt."""
    policy = example_policy()
    for text in policy.wording.values():
        assert client.post("/v1/wordings", json={"text": text.decode()}).status_code == 201
    amendment = {name: value for name, value in policy.amendment.items() if name != "effective_at"}
    return receipt(client.post("/v1/policies", json=amendment))


@contextmanager
def serving_published(home: Path) -> Iterator[Served]:
    """A service on a ledger with a policy in force, for as many calls as a test makes."""
    with serving(home, rate_per_s=100_000, rate_burst=100_000) as served:
        with served.client() as client:
            publish_example(client)
        yield served


def receipt(response: httpx.Response) -> dict[str, Any]:
    """The receipt that an answer tells, which has to be one."""
    assert response.status_code in {200, 201}, response.text
    told: dict[str, Any] = response.json()
    assert told["repeated"] is (response.status_code == 200)
    return told


def faults(response: httpx.Response, kind: str = "refused", status: int = 422) -> dict[str, str]:
    """What a refusal names as wrong, by the field."""
    told = response.json()
    assert (response.status_code, told["type"]) == (status, f"/problems/{kind}"), response.text
    return {fault["field"]: fault["message"] for fault in told.get("errors", ())}


def events_of(served: Served) -> list[dict[str, Any]]:
    """Every event of the log but what is the ledger's own, as lines."""
    source = served.service.ledger.source
    recorded = [head for head in exported(source) if isinstance(head, Recorded)]
    lines = [head for head in recorded if head.event.tenant != LEDGER_TENANT]
    return [msgspec.json.decode(format_line(line)) for line in lines]


def event_of(served: Served, event_id: str) -> dict[str, Any]:
    """The one event of the log that has this id."""
    (event,) = [event for event in events_of(served) if event["event_id"] == event_id]
    return event


def address_of(row: Write) -> str:
    """Where a row is posted to, for the policy that is published."""
    return row.path.replace("{policy_id}", "privacy")


def scopes_of(row: Write) -> tuple[Scope, ...]:
    """The scopes of a row in a fixed order."""
    return tuple(sorted(row.scopes))
