"""How a write ends, said truly: unknown, void, denied because nothing can be told; and how it is counted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from choice_ledger.freshness import Freshness
from choice_ledger.http.service import Service
from choice_ledger.http.writes import WRITES
from events.policy_events import PolicyAmended
from ledger.log import EventLog, Outcome, Proposal, Unknown
from tests.http.serving import Served, serving
from tests.http.writing_world import EVENT_ID, event_of, faults, receipt
from tests.strategies import uuid_of

OPT_OUT = {"individual": "ana", "decision": "opt_out", "purposes": ["website"]}
DISCLOSED = {"individual": "ana", "recipient": "adco", "purpose": "website.surveys"}


class Beside:
    """A log that does as another does, but for what a test plants."""

    def __init__(self, log: EventLog) -> None:
        self.log = log

    @property
    def deduplicates(self) -> bool:
        return self.log.deduplicates

    @property
    def generation(self) -> str:
        return self.log.generation

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        return self.log.append(proposals)

    def close(self) -> None:
        self.log.close()


class Unheard(Beside):
    """A log that stores what it is given, and whose first answer gets lost."""

    def __init__(self, log: EventLog) -> None:
        super().__init__(log)
        self.lost = False

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        outcomes = super().append(proposals)
        if self.lost:
            return outcomes
        self.lost = True
        return tuple(Unknown(proposal.event.event_id, "no answer in 30 s") for proposal in proposals)


class Rivalled(Beside):
    """A log to which another writer appends the same version of a policy, just before."""

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        for proposal in proposals:
            if isinstance(proposal.event, PolicyAmended):
                rival = msgspec.structs.replace(proposal.event, event_id=uuid_of(7), title="the rival's")
                self.log.append([msgspec.structs.replace(proposal, event=rival)])
        return super().append(proposals)


def with_log(kind: Callable[[EventLog], EventLog]) -> Callable[[Service], Service]:
    """A change that puts a service on another log."""
    return lambda service: replace(service, ledger=replace(service.ledger, log=kind(service.ledger.log)))


def without_freshness(service: Service) -> Service:
    """A service that never knows its state to be fresh."""
    following: Any = service.ledger.folding
    return replace(service, freshness=Freshness(following, -1))


def counted(served: Served) -> str:
    """The counts of writes, as they are told."""
    with served.client("admin") as client:
        text = client.get("/metrics").text
    return "\n".join(line for line in text.splitlines() if line.startswith("choice_ledger_writes_total"))


@pytest.mark.parametrize("by_key", [False, True])
def test_an_unknown_outcome_names_the_id_to_send_again(tmp_path: Path, by_key: bool) -> None:
    """What may be recorded or not is 503 with the event's id; the same call again is answered with a receipt,
    and the event is in the log once.
    """
    with serving(tmp_path, altered=with_log(Unheard)) as served, served.client() as client:
        body = OPT_OUT if by_key else {**OPT_OUT, "event_id": EVENT_ID}
        headers = {"Idempotency-Key": "a-call-of-mine"} if by_key else {}
        lost = client.post("/v1/choices", json=body, headers=headers)
        assert faults(lost, "unknown", 503) == {}
        assert lost.headers["retry-after"]
        told = receipt(client.post("/v1/choices", json=body, headers=headers))
        assert told["repeated"] is True
        assert told["event_id"] == lost.json()["event_id"]
        assert event_of(served, told["event_id"])["recorded_at"] == told["recorded_at"]
        assert 'outcome="unknown"} 1.0' in counted(served)
        assert 'outcome="repeated"} 1.0' in counted(served)


def test_an_unknown_link_is_sent_again_as_a_whole(tmp_path: Path) -> None:
    """A link whose outcome is unknown names its own id; sent again, both sides stand."""
    with serving(tmp_path, altered=with_log(Unheard)) as served, served.client() as client:
        body = {"individual": "phone", "other": "desk", "event_id": EVENT_ID}
        lost = client.post("/v1/links", json=body)
        assert faults(lost, "unknown", 503) == {}
        assert lost.json()["event_id"] == EVENT_ID
        assert receipt(client.post("/v1/links", json=body))["event_id"] == EVENT_ID
        for individual in ("phone", "desk"):
            assert len(served.service.ledger.history(f"main/{individual}")) == 1


def test_who_was_overtaken_is_told_that_it_is_void(tmp_path: Path) -> None:
    """Where another writer's version came first the amendment is recorded, and its receipt says: void."""
    row = next(row for row in WRITES if row.operation == "publish_policy")
    with serving(tmp_path, altered=with_log(Rivalled)) as served, served.client() as client:
        body = {**row.example, "event_id": EVENT_ID}
        told = receipt(client.post(row.path, json=body))
        assert (told["outcome"], told["void"]) == ("void", "version_not_next")
        (standing,) = served.service.ledger.tenant("main").standing["newsletter"]
        assert (standing.event_id, standing.event.title) == (uuid_of(7), "the rival's")
        assert event_of(served, EVENT_ID)["version"] == 1
        assert 'outcome="void"} 1.0' in counted(served)


@pytest.fixture
def stale(tmp_path: Path) -> Any:
    """A client of a service whose state is never known to be fresh, and the service."""
    with serving(tmp_path, altered=without_freshness) as served, served.client() as client:
        yield client, served


def test_nothing_is_disclosed_on_a_stale_answer(stale: tuple[httpx.Client, Served]) -> None:
    """Where the state is not known to be fresh a disclosure is denied, `stale`; what happened all the same is
    recorded with that reason.
    """
    client, served = stale
    refused = client.post("/v1/disclosures", json=DISCLOSED)
    assert faults(refused, "use_denied", 409) == {}
    assert refused.json()["reason"] == "stale"
    told = receipt(client.post("/v1/disclosures", json={**DISCLOSED, "although_denied": True}))
    assert event_of(served, told["event_id"])["decision"]["reason"] == "stale"


def test_a_choice_is_recorded_however_stale_the_state(stale: tuple[httpx.Client, Served]) -> None:
    """What an individual says is taken whether or not anything could be answered now."""
    client, served = stale
    assert receipt(client.post("/v1/choices", json=OPT_OUT))["outcome"] == "acknowledged"
    assert 'outcome="acknowledged"} 1.0' in counted(served)


def test_refusals_are_counted_by_their_kind(tmp_path: Path) -> None:
    """Each write that is refused is counted by the kind of its problem, beside those that were recorded."""
    with serving(tmp_path) as served, served.client() as client:
        faults(client.post("/v1/choices", json={}))
        faults(client.post("/v1/notices", json={**WRITES[6].example}))
        faults(client.post("/v1/disclosures", json=DISCLOSED), "use_denied", 409)
        faults(client.post("/v1/policies/none/withdrawal", json={}), "not_found", 404)
        body = {**OPT_OUT, "event_id": EVENT_ID}
        receipt(client.post("/v1/choices", json=body))
        faults(client.post("/v1/choices", json={**body, "decision": "opt_in"}), "event_id_taken", 409)
        counts = counted(served)
    expected = {"refused": 2, "use_denied": 1, "not_found": 1, "acknowledged": 1, "event_id_taken": 1}
    for outcome, number in expected.items():
        assert f'outcome="{outcome}"}} {number}.0' in counts
