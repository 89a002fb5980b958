"""The commands that record what no decision reads: the event that each records, and what it refuses."""

import base64
import shlex
from pathlib import Path
from typing import Any

import pytest

from events.record_events import CIPHERTEXT_BYTES_MAX
from tests.cli.running import Cli

EVENT_ID = "0197f3a0-0000-7000-8000-000000000001"
INTENT_ID = "0197f3a0-0000-7000-8000-0000000000aa"
DIGEST = "ab" * 32

RECORDED: dict[str, tuple[str, dict[str, Any]]] = {
    "a draft": (
        f"policy draft privacy 2 {DIGEST}",
        {"type": "PolicyDrafted", "policy_id": "privacy", "version": 2, "draft_sha256": DIGEST},
    ),
    "a review": (
        f"policy review privacy 2 {DIGEST} rejected --comment 'too vague'",
        {"type": "PolicyReviewed", "draft_sha256": DIGEST, "verdict": "rejected", "comment": "too vague"},
    ),
    "a waiver": (
        "safeguard waive topics --why 'one broker'",
        {"type": "SafeguardWaived", "what": "topics", "why": "one broker"},
    ),
    "an applied choice": (
        "choice applied ana mailer 1.2.3",
        {
            "type": "ChoiceApplied",
            "individual": "ana",
            "service": "mailer",
            "applied": "1.2.3",
            "actor": {"kind": "service", "id": None},
        },
    ),
    "a planned delivery": (
        f"delivery plan ana --policy privacy --version 1 --channel paper --intent-id {INTENT_ID}",
        {
            "type": "DeliveryPlanned",
            "intent_id": INTENT_ID,
            "policy_id": "privacy",
            "version": 1,
            "channel": "paper",
        },
    ),
    "a planned delivery named by its event": (
        "delivery plan ana --policy privacy --version 1 --channel email",
        {"type": "DeliveryPlanned", "intent_id": EVENT_ID},
    ),
    "an attempted delivery": (
        f"delivery attempt ana {INTENT_ID} ambiguous --policy privacy --version 1 --channel email",
        {"type": "DeliveryAttempted", "intent_id": INTENT_ID, "channel": "email", "result": "ambiguous"},
    ),
    "a request": (
        "request open ana r1 deletion --stage received --due-at 2027-01-01T00:00:00Z",
        {
            "type": "RequestOpened",
            "request_id": "r1",
            "kind": "deletion",
            "stage": "received",
            "due_at": "2027-01-01T00:00:00.000000Z",
            "actor": {"kind": "officer", "id": None},
        },
    ),
    "a request that went on": (
        "request advance ana r1 deletion --stage answered",
        {"type": "RequestAdvanced", "stage": "answered", "due_at": None},
    ),
    "a complaint": (
        "complaint open ana c1 --stage received --about marketing --actor guardian:g1",
        {
            "type": "ComplaintOpened",
            "complaint_id": "c1",
            "stage": "received",
            "about": "marketing",
            "actor": {"kind": "guardian", "id": "g1"},
        },
    ),
    "a complaint that went on": (
        "complaint advance ana c1 --stage arbitration --due-at 2027-01-01T00:00:00Z",
        {
            "type": "ComplaintAdvanced",
            "stage": "arbitration",
            "due_at": "2027-01-01T00:00:00.000000Z",
            "about": "",
        },
    ),
    "a mandate": (
        "mandate give ana m1 agent-7 agent",
        {"type": "MandateGiven", "mandate_id": "m1", "holder": "agent-7", "kind": "agent"},
    ),
    "the end of a mandate": (
        "mandate end ana m1 agent-7 guardian",
        {"type": "MandateEnded", "mandate_id": "m1", "holder": "agent-7", "kind": "guardian"},
    ),
    "a reading of personal data": (
        "personal-data read ana address delivery",
        {"type": "PersonalDataRead", "field": "address", "purpose": "delivery"},
    ),
}


@pytest.mark.parametrize("what", RECORDED)
def test_a_command_records_its_event(what: str, published: Cli) -> None:
    """A recording command appends exactly one event, with the given fields, and tells its receipt."""
    arguments, fields = RECORDED[what]
    before = len(published.exported())
    receipt = published.does(*shlex.split(arguments), "--event-id", EVENT_ID, "--json").json
    events = published.exported()
    event = next(e for e in events if e["event_id"] == EVENT_ID)
    assert len(events) == before + 1
    assert {name: event[name] for name in fields} == fields
    assert (receipt["type"], receipt["recorded_at"]) == (event["type"], event["recorded_at"])


@pytest.mark.parametrize("what", RECORDED)
def test_a_repeated_command_is_one_event(what: str, published: Cli) -> None:
    """The same command with the same event id gives the receipt of the first, and adds nothing."""
    arguments = [*shlex.split(RECORDED[what][0]), "--event-id", EVENT_ID, "--json"]
    first = published.does(*arguments).json
    count = len(published.exported())
    assert published.does(*arguments).json == {**first, "repeated": True}
    assert len(published.exported()) == count


def test_a_ciphertext_is_stored_as_it_is(published: Cli, tmp_path: Path) -> None:
    """A ciphertext of the greatest size is stored byte for byte; one byte more is refused by its field."""
    file = tmp_path / "address.enc"
    ciphertext = bytes(range(256)) * (CIPHERTEXT_BYTES_MAX // 256)
    file.write_bytes(ciphertext)
    published.does("personal-data", "store", "ana", "address", str(file))
    event = published.last()
    assert (event["type"], event["field"]) == ("PersonalDataStored", "address")
    assert base64.b64decode(event["ciphertext"]) == ciphertext
    file.write_bytes(ciphertext + b"\0")
    done = published("personal-data", "store", "ana", "address", str(file))
    assert done.code == 1
    assert "`ciphertext` must be at most 32768 bytes" in done.err
    assert published.last() == event


def test_nothing_is_planned_of_what_is_not_published(published: Cli) -> None:
    """A delivery of a version, or of a policy, that is not published is refused by that field."""
    for policy, version, field in (("privacy", "2", "version"), ("staff", "1", "policy_id")):
        done = published(
            "delivery", "plan", "ana", "--policy", policy, "--version", version, "--channel", "web"
        )
        assert done.code == 1
        assert f"`{field}`" in done.err
    assert published.last()["type"] == "PolicyAmended"
