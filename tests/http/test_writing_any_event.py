"""Any event over HTTP: whatever is valid is recorded precisely, as the line format has it."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from choice_ledger.http.write_bodies import SPEAKERS
from choice_ledger.http.writes import COMMAND_OF, WRITES, Write
from events.envelope import Actor
from events.individual_events import DisclosureCompelled, NoticeGiven
from events.instants import DAY, INSTANT_MAX, Micros
from events.line_fields import fields_of
from events.lines import format_line, parse_line
from events.policy_events import PolicyAmended
from events.record_events import DeliveryPlanned
from events.union import Event
from ledger.commands import LETTER_MEDIA, Heard, propose
from ledger.log import Proposal
from tests.http.serving import Served
from tests.http.writing_world import address_of, receipt, serving_published
from tests.strategies import events

EVENTS_OF_EACH = 10
EACH_ROW = pytest.mark.parametrize("row", WRITES, ids=[row.operation for row in WRITES])
MANY = settings(
    max_examples=EVENTS_OF_EACH,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with a policy in force, for the tenant `main`."""
    with serving_published(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """A client that may do everything, under a name of its own."""
    with served.client(name="officer-7") as every:
        yield every


def made_possible(row: Write, event: Event, served: Served) -> Event:
    """The event with what a client cannot say replaced: tenant, actor, medium, dates."""
    now = served.service.ledger.clock()
    changes: dict[str, Any] = {"tenant": "main", "actor": Actor(kind="officer", id="officer-7")}
    changes["event_id"] = str(uuid.uuid4())  # One id may be drawn again with other content.
    changes["occurred_at"] = min(event.occurred_at, now)
    changes["medium"] = "api" if event.medium == "link" else event.medium
    if row.form.spoken and event.actor.kind in SPEAKERS and event.medium in LETTER_MEDIA:
        changes["actor"] = Actor(kind=event.actor.kind)
    policies = served.service.ledger.tenant("main")
    if isinstance(event, NoticeGiven | DeliveryPlanned):
        changes |= {"policy_id": "privacy", "version": 1}
    if isinstance(event, NoticeGiven) and event.wording_sha256 is not None:
        changes["wording_sha256"] = policies.standing["privacy"][0].event.wording["en"]
    if isinstance(event, PolicyAmended):
        number = len(policies.standing.get(event.policy_id, ())) + 1
        effective_at = max(event.effective_at, now + DAY)
        changes |= {"version": number, "wording": {}, "effective_at": effective_at}
    if isinstance(event, DisclosureCompelled) and event.to is not None:
        changes["to"] = max(event.to, min(event.from_ + 1, INSTANT_MAX))
    return msgspec.structs.replace(event, **changes)


def body_of(row: Write, event: Event) -> dict[str, Any]:
    """The body by which a client says an event: its fields as a line has them, and how it was heard."""
    fields = fields_of(event)
    names = (*row.form.fields, "event_id", "medium", "occurred_at", "caused_by")
    said = {name: fields[name] for name in names}
    if event.actor.kind in SPEAKERS:
        said["spoken_by"] = event.actor.kind
    return said


def is_refused(event: Event, served: Served, now: Micros) -> bool:
    """Whether the ledger refuses the command for what it says, such as a version that would be void."""
    command = COMMAND_OF[type(event)]
    heard = Heard(
        event_id=event.event_id,
        tenant=event.tenant,
        actor=event.actor,
        medium=event.medium,
        occurred_at=event.occurred_at,
        caused_by=event.caused_by,
    )
    asked = command(**{name: getattr(event, name) for name in command.__struct_fields__})
    return not isinstance(propose(asked, heard, now, served.service.ledger.catalogue), Proposal)


@EACH_ROW
@MANY
@given(data=st.data())
def test_any_valid_event_is_recorded_precisely(
    row: Write, served: Served, client: httpx.Client, data: st.DataObject
) -> None:
    """Any event that the ledger would take is recorded by its endpoint as exactly that event."""
    event = made_possible(row, data.draw(events(row.form.kind)), served)
    assume(not is_refused(event, served, served.service.ledger.clock()))
    told = receipt(client.post(address_of(row), json=body_of(row, event)))
    stored = served.service.ledger.find(event)
    assert stored is not None
    assert stored.event == event
    assert told["event_id"] == event.event_id
    assert parse_line(format_line(stored)).event == event
