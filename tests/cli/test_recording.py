"""Each command that records: the event that it records, and the receipt."""

import shlex
from typing import Any

import pytest

from tests.cli.running import Cli

EVENT_ID = "0197f3a0-0000-7000-8000-000000000001"
OTHER_ID = "0197f3a0-0000-7000-8000-000000000002"
DIGEST = "ab" * 32

RECORDED: dict[str, tuple[str, dict[str, Any]]] = {
    "a notice of a whole version": (
        "notice record ana --policy privacy --version 1 --notice-id n1",
        {
            "type": "NoticeGiven",
            "individual": "ana",
            "notice_id": "n1",
            "policy_id": "privacy",
            "version": 1,
            "purposes": None,
            "choice_offered": False,
            "at_collection": False,
            "actor": {"kind": "officer", "id": None},
        },
    ),
    "a notice of one purpose with a choice": (
        (
            "notice record ana --policy privacy --version 1 --purpose website.surveys --choice-offered "
            "--at-collection --locale en --actor service:mailer"
        ),
        {
            "type": "NoticeGiven",
            "purposes": ["website.surveys"],
            "choice_offered": True,
            "at_collection": True,
            "locale": "en",
            "actor": {"kind": "service", "id": "mailer"},
        },
    ),
    "a notice that bounced": (
        "notice outcome ana n1 failed --detail 5.1.1",
        {"type": "NoticeOutcome", "notice_id": "n1", "outcome": "failed", "detail": "5.1.1"},
    ),
    "an opt-out of everything": (
        "choice record ana --opt-out '*'",
        {
            "type": "ChoiceMade",
            "decision": "opt_out",
            "purposes": ["*"],
            "recipients": None,
            "versions": None,
            "evidence": None,
            "actor": {"kind": "individual", "id": None},
            "medium": "api",
        },
    ),
    "an opt-in for a recipient, with a version and evidence": (
        (
            "choice record ana --opt-in website.surveys --opt-in website.promotions --recipient adco "
            f"--version privacy=1 --evidence {DIGEST}:scan --medium web"
        ),
        {
            "type": "ChoiceMade",
            "decision": "opt_in",
            "purposes": ["website.surveys", "website.promotions"],
            "recipients": ["adco"],
            "versions": {"privacy": 1},
            "evidence": {"sha256": DIGEST, "kind": "scan"},
            "medium": "web",
        },
    ),
    "a letter's date": (
        ("choice record ana --opt-out website --medium mail --occurred-at 2026-05-20T00:00:00Z"),
        {"type": "ChoiceMade", "occurred_at": "2026-05-20T00:00:00.000000Z", "medium": "mail"},
    ),
    "an officer's date": (
        ("choice record ana --opt-out website --actor officer --occurred-at 2026-05-20T00:00:00Z"),
        {"type": "ChoiceMade", "occurred_at": "2026-05-20T00:00:00.000000Z"},
    ),
    "a description": (
        ("individual describe ana --jurisdiction US --population visitor --population minor --locale en"),
        {
            "type": "IndividualDescribed",
            "jurisdiction": "US",
            "populations": ["visitor", "minor"],
            "locale": "en",
        },
    ),
    "a description of no population": (
        "individual describe ana --no-populations",
        {"type": "IndividualDescribed", "jurisdiction": None, "populations": [], "locale": None},
    ),
    "an erasure": (
        "individual erase ana --reason 'asked for' --yes",
        {"type": "IndividualErased", "reason": "asked for"},
    ),
    "a restriction": (
        "restriction record ana r1 --purpose website",
        {"type": "ProcessingRestricted", "restriction_id": "r1", "purposes": ["website"]},
    ),
    "a restriction of everything": (
        "restriction record ana r1",
        {"type": "ProcessingRestricted", "purposes": None},
    ),
    "a lifted restriction": (
        "restriction lift ana r1",
        {"type": "RestrictionLifted", "restriction_id": "r1"},
    ),
    "a compelled disclosure": (
        (
            "disclosure compel ana tax_office --legal-reference 's. 7' --purpose hr --data name --from "
            "2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z"
        ),
        {
            "type": "DisclosureCompelled",
            "recipient": "tax_office",
            "legal_reference": "s. 7",
            "purposes": ["hr"],
            "data": ["name"],
            "from": "2026-01-01T00:00:00.000000Z",
            "to": "2026-02-01T00:00:00.000000Z",
        },
    ),
    "a framework": (
        "framework set shield --not-in-force --from 2026-01-01T00:00:00Z",
        {
            "type": "FrameworkStatusChanged",
            "framework": "shield",
            "in_force": False,
            "from": "2026-01-01T00:00:00.000000Z",
        },
    ),
    "a disclosure that happened though it was denied": (
        (
            "disclosure record ana adco website.surveys --data name --although-denied --at "
            "2026-01-01T00:00:00Z"
        ),
        {
            "type": "DisclosureMade",
            "recipient": "adco",
            "purpose": "website.surveys",
            "data": ["name"],
            "at": "2026-01-01T00:00:00.000000Z",
        },
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
    assert event["tenant"] == "main"
    assert receipt["event_id"] == EVENT_ID
    assert (receipt["type"], receipt["recorded_at"]) == (event["type"], event["recorded_at"])
    assert (receipt["repeated"], receipt["void"], receipt["derived"]) == (False, None, [])


@pytest.mark.parametrize("what", RECORDED)
def test_a_repeated_command_is_one_event(what: str, published: Cli) -> None:
    """The same command with the same event id gives the receipt of the first, and adds nothing."""
    arguments = [*shlex.split(RECORDED[what][0]), "--event-id", EVENT_ID, "--json"]
    first = published.does(*arguments).json
    count = len(published.exported())
    second = published.does(*arguments).json
    assert second == {**first, "repeated": True}
    assert len(published.exported()) == count


@pytest.mark.parametrize(
    "arguments",
    [
        ("framework", "set", "shield", "--in-force"),
        ("policy", "withdraw", "privacy"),
        ("disclosure", "compel", "ana", "office", "--legal-reference", "order"),
        ("notice", "record", "ana", "--policy", "privacy", "--version", "1"),
        ("disclosure", "record", "ana", "adco", "website.surveys", "--although-denied"),
        ("individual", "link", "browser", "account"),
    ],
)
def test_what_is_filled_in_is_the_same_again(arguments: tuple[str, ...], published: Cli) -> None:
    """A command that fills in the clock, a version or an answer is one event too when it is sent again."""
    first = published.does(*arguments, "--event-id", EVENT_ID, "--json").json
    count = len(published.exported())
    published.does("choice", "record", "ana", "--opt-out", "website")
    assert published.does(*arguments, "--event-id", EVENT_ID, "--json").json["repeated"]
    assert len(published.exported()) == count + 1
    assert first["repeated"] is False


def test_what_the_ledger_hears_itself_happens_as_it_is_recorded(published: Cli) -> None:
    """Where no earlier date is given, `occurred_at` and `recorded_at` are the same instant."""
    published.does("choice", "record", "ana", "--opt-out", "website", "--medium", "web")
    event = published.last()
    assert event["occurred_at"] == event["recorded_at"]


def test_a_receipt_for_people_says_what_was_recorded(published: Cli) -> None:
    """Without `--json` the receipt names the event, its id and its position in words."""
    out = published.does("choice", "record", "ana", "--opt-out", "website", "--event-id", EVENT_ID).out
    assert out.startswith("ChoiceMade recorded at 2")
    assert f"event id  {EVENT_ID}" in out
    again = published.does("choice", "record", "ana", "--opt-out", "website", "--event-id", EVENT_ID).out
    assert again.startswith("ChoiceMade was recorded already at 2")


def test_a_misspelt_purpose_is_warned_of(published: Cli) -> None:
    """A choice about a purpose that no policy declares is recorded, with a warning on standard error."""
    done = published.does("choice", "record", "ana", "--opt-out", "website.surveyz")
    assert "warning: `purposes`" in done.err
    assert published.last()["purposes"] == ["website.surveyz"]
    assert published.does("choice", "record", "ana", "--opt-out", "website").err == ""


def test_an_opt_in_to_a_branch_is_warned_of(published: Cli) -> None:
    """An opt-in covers no branch, so one that names a branch is recorded with a warning."""
    done = published.does("choice", "record", "ana", "--opt-in", "website")
    assert "warning: `purposes`" in done.err
    assert "not a branch" in done.err
    assert published.does("choice", "record", "ana", "--opt-in", "website.surveys").err == ""


def test_an_erasure_asks_first(published: Cli) -> None:
    """Without `--yes` an erasure asks; a no records nothing."""
    before = published.exported()
    assert published("individual", "erase", "ana", stdin=b"n\n").code == 130
    assert published.exported() == before
    published.does("individual", "erase", "ana", stdin=b"y\n")
    assert published.last()["type"] == "IndividualErased"


def test_a_permitted_disclosure_is_recorded_with_its_answer(example: Cli) -> None:
    """A permitted disclosure is recorded with the reason, position and evidence that it relied on."""
    arguments = ("ivan", "department_of_labor", "hr.payroll", "--data", "name")
    example.does("disclosure", "record", *arguments, "--at", "2026-05-01T00:00:00Z")
    event = example.last()
    assert event["type"] == "DisclosureMade"
    assert event["decision"]["reason"] == "required_by_law"
    assert event["decision"]["position"]
    assert len(event["decision"]["evidence"]) == 1


def test_a_denied_disclosure_is_not_recorded(example: Cli) -> None:
    """A disclosure that is not permitted ends with the code of a denial, and nothing is recorded."""
    before = example.exported()
    done = example("disclosure", "record", "ana", "adco", "website.periodic_email")
    assert done.code == 3
    assert "opted_out" in done.err
    assert example.exported() == before


def test_a_withdrawal_declares_nothing(published: Cli) -> None:
    """A withdrawal is the next version, without purposes, and in force as it is recorded."""
    published.does("policy", "withdraw", "privacy")
    event = published.last()
    assert (event["type"], event["version"], event["purposes"]) == ("PolicyAmended", 2, [])
    assert event["effective_at"] == event["recorded_at"]
    assert published.does("policy", "list", "--json").json[1]["state"] == "withdrawn"


def test_linked_individuals_share_their_opt_outs(published: Cli) -> None:
    """What either opted out of before the link, and after it, is written for the other; opt-ins stay."""
    published.does("choice", "record", "browser", "--opt-out", "website.surveys")
    published.does("choice", "record", "account", "--opt-in", "website.promotions")
    receipt = published.does("individual", "link", "browser", "account", "--json").json
    derived = [event for event in published.exported() if event["medium"] == "link"]
    assert [event["event_id"] for event in derived] == receipt["derived"]
    (first,) = derived
    assert (first["individual"], first["purposes"]) == ("account", ["website.surveys"])
    assert first["caused_by"] == receipt["event_id"]
    published.does("choice", "record", "account", "--opt-out", "website.promotions")
    later = [event for event in published.exported() if event["medium"] == "link"][-1]
    cause = next(e for e in published.exported() if e["event_id"] == later["caused_by"])
    assert (later["individual"], later["purposes"]) == ("browser", ["website.promotions"])
    assert later["occurred_at"] == cause["occurred_at"]


def test_unlinked_individuals_do_not(published: Cli) -> None:
    """After the link is ended an opt-out stays where it is made."""
    published.does("individual", "link", "browser", "account")
    published.does("individual", "unlink", "browser", "account")
    receipt = published.does("choice", "record", "account", "--opt-out", "website", "--json").json
    assert receipt["derived"] == []


def test_a_derived_opt_out_goes_one_hop(published: Cli) -> None:
    """An opt-out that was written because of a link travels no further along another one."""
    published.does("individual", "link", "a", "b")
    published.does("individual", "link", "b", "c")
    published.does("choice", "record", "a", "--opt-out", "website")
    who = [event["individual"] for event in published.exported() if event["type"] == "ChoiceMade"]
    assert who == ["a", "b"]


def test_a_link_denies_what_the_other_side_opted_out_of(example: Cli) -> None:
    """A use that was permitted is denied once the individual is linked to one who opted out of it."""
    question = ("check", "ana", "website.surveys", "--json")
    assert example.does(*question).json["permitted"]
    example.does("choice", "record", "other", "--opt-out", "website.surveys")
    example.does("individual", "link", "other", "ana")
    assert example.does(*question).json["reason"] == "opted_out"
