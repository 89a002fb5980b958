"""Policies as people and programs see them: which version is in force, and what a file publishes."""

from typing import Any

import pytest

from choice_ledger.exits import ExitCode, Failure
from choice_ledger.policy_file import PolicyFile
from choice_ledger.policy_publishing import publication, withdrawal
from choice_ledger.policy_tables import list_rows, policy_json, state_of, terms_rows
from events.catalogue import Catalogue, TenantPolicies
from events.instants import DAY, Micros, format_instant
from events.policy_events import PolicyAmended, SafeguardWaived
from events.terms import Recipient, Terms
from events.union import Recorded
from tests.strategies import uuid_of

TENANT = "acme"
T0: Micros = 1_777_798_800_000_000
EMAIL = Terms(key="website.email", mode="opt_out")


def amended(version: int, effective_at: Micros, *purposes: Terms, title: str = "Privacy") -> Recorded:
    """A version of the website's policy, recorded a day before it takes effect."""
    event = PolicyAmended(
        event_id=uuid_of(version),
        tenant=TENANT,
        occurred_at=effective_at - DAY,
        policy_id="website",
        version=version,
        effective_at=effective_at,
        title=title,
        contact="privacy office",
        purposes=purposes,
    )
    return Recorded(event, effective_at - DAY)


def published(*amendments: Recorded) -> TenantPolicies:
    """The tenant's policies, after these."""
    catalogue = Catalogue()
    for amendment in amendments:
        catalogue = catalogue.after(amendment)
    return catalogue.tenant(TENANT)


def states(policies: TenantPolicies, now: Micros) -> list[str]:
    """The state of each standing version of the website's policy, the first one first."""
    return [state_of(policies, version, now) for version in policies.standing["website"]]


def test_a_version_is_to_come_then_in_force_then_superseded() -> None:
    """The state turns at the very instant at which a version takes effect, not a microsecond before."""
    policies = published(amended(1, T0, EMAIL), amended(2, T0 + 10 * DAY, EMAIL))
    assert states(policies, T0 - 1) == ["to come", "to come"]
    assert states(policies, T0) == ["in force", "to come"]
    assert states(policies, T0 + 10 * DAY - 1) == ["in force", "to come"]
    assert states(policies, T0 + 10 * DAY) == ["superseded", "in force"]


def test_a_version_that_is_overtaken_is_never_to_come() -> None:
    """Where a later version takes effect first, the one before it is superseded, its day still ahead."""
    policies = published(
        amended(1, T0, EMAIL), amended(2, T0 + 10 * DAY, EMAIL), amended(3, T0 + 5 * DAY, EMAIL)
    )
    assert states(policies, T0) == ["in force", "superseded", "to come"]
    assert states(policies, T0 + 10 * DAY) == ["superseded", "superseded", "in force"]


def test_a_version_without_purposes_is_a_withdrawal() -> None:
    """From a version with no purposes on, the policy is withdrawn, and not in force."""
    policies = published(amended(1, T0, EMAIL), amended(2, T0 + DAY))
    assert states(policies, T0 + DAY) == ["superseded", "withdrawn"]


def test_a_later_version_that_takes_effect_earlier_passes_over_its_predecessor() -> None:
    """A predecessor that a later version overtook was never in force."""
    policies = published(amended(1, T0, EMAIL), amended(2, T0 + 9 * DAY, EMAIL), amended(3, T0 + DAY, EMAIL))
    assert states(policies, T0 + 20 * DAY) == ["superseded", "superseded", "in force"]


def test_void_versions_are_shown_as_void() -> None:
    """A version that does not stand has a row of its own, with the reason and nothing that it claimed."""
    policies = published(amended(1, T0, EMAIL), amended(3, T0 + DAY, EMAIL, title="Claimed"))
    (first, void) = list_rows(policies, T0)
    assert first == (
        *("website", "1", format_instant(T0), format_instant(T0 - DAY)),
        *("1", "in force", "Privacy"),
    )
    assert void[:3] == ("website", "3", "")
    assert void[5] == "void: version_not_next"
    assert "Claimed" not in void


def test_programs_see_what_people_see() -> None:
    """The values for programs are the rows of the table, each cell under its name."""
    policies = published(amended(1, T0, EMAIL), amended(3, T0, EMAIL))
    assert [tuple(each.values()) for each in policy_json(policies, T0)] == list_rows(policies, T0)
    assert {tuple(each) for each in policy_json(policies, T0)} == {
        ("policy", "version", "effective_at", "recorded_at", "purposes", "state", "title")
    }


@pytest.mark.parametrize(
    ("fields", "cells"),
    [
        ({}, ("website.email", "opt_out", "", "", "everyone", "", "1")),
        ({"populations": ()}, ("website.email", "opt_out", "", "", "", "", "1")),
        (
            {"populations": ("visitor", "minor"), "data": ("name", "email"), "meaning": 3},
            ("website.email", "opt_out", "", "name, email", "visitor, minor", "", "3"),
        ),
        ({"choice_period": 30 * DAY}, ("website.email", "opt_out", "", "", "everyone", "P30D", "1")),
        (
            {"recipients": (Recipient(name="a"), Recipient(name="b", role="agent", mode="opt_in"))},
            (
                *("website.email", "opt_out", "a (third_party, opt_out), b (agent, opt_in)"),
                *("", "everyone", "", "1"),
            ),
        ),
    ],
)
def test_terms_are_shown_as_they_hold(fields: dict[str, Any], cells: tuple[str, ...]) -> None:
    """Null populations are everyone, an empty list nobody; without a mode a recipient has the purpose's."""
    assert terms_rows([Terms(key="website.email", mode="opt_out", **fields)]) == [cells]


def file_of(**amendment: Any) -> PolicyFile:
    """A policy file that says this."""
    fields: dict[str, Any] = {"policy_id": "website", "version": 1, "effective_at": "2026-05-01T00:00:00Z"}
    return PolicyFile(amendment={**fields, **amendment}, wording={}, documentation={})


def test_a_file_takes_effect_when_it_says() -> None:
    """Without more, the file's instant holds; one that is given holds instead; at once leaves it open."""
    file = file_of()
    said = publication(file, None, at_once=False).effective_at
    assert said is not None
    assert format_instant(said) == "2026-05-01T00:00:00.000000Z"
    assert publication(file, T0, at_once=False).effective_at == T0
    assert publication(file, T0, at_once=True).effective_at is None


def test_a_file_carries_its_terms() -> None:
    """What the file declares is what the command publishes."""
    terms = {"key": "website.email", "mode": "opt_in", "valid_for": "P1D", "recipients": [{"name": "adco"}]}
    command = publication(file_of(title="Privacy", purposes=[terms]), None, at_once=False)
    assert (command.policy_id, command.version, command.title) == ("website", 1, "Privacy")
    (declared,) = command.purposes
    assert (declared.mode, declared.valid_for, declared.recipients) == (
        "opt_in",
        DAY,
        (Recipient(name="adco"),),
    )


@pytest.mark.parametrize(
    ("amendment", "field"),
    [
        ({"policy_id": ""}, "policy_id"),
        ({"version": 2**31}, "version"),
        ({"gpc_purposes": ["a b"]}, "gpc_purposes"),
        ({"purposes": [{"key": "a b", "mode": "opt_in"}]}, "key"),
    ],
)
def test_a_file_that_is_no_amendment_is_refused(amendment: dict[str, Any], field: str) -> None:
    """What no event may hold is refused by its field before anything is recorded."""
    with pytest.raises(Failure) as caught:
        publication(file_of(**amendment), None, at_once=False)
    assert caught.value.code is ExitCode.REFUSED
    assert field in caught.value.field


def test_a_withdrawal_is_the_next_version_with_nothing_in_it() -> None:
    """A withdrawal keeps the title and the contact, so that people can still ask, and declares nothing."""
    policies = published(amended(1, T0, EMAIL), amended(2, T0 + DAY, EMAIL))
    command = withdrawal(policies, "website", T0 + 2 * DAY)
    assert command is not None
    assert (command.version, command.purposes, command.effective_at) == (3, (), T0 + 2 * DAY)
    assert (command.title, command.contact) == ("Privacy", "privacy office")


def test_what_was_never_published_cannot_be_withdrawn() -> None:
    """There is no withdrawal of a policy that does not stand."""
    assert withdrawal(published(), "website", None) is None
    assert withdrawal(published(amended(2, T0, EMAIL)), "website", None) is None


def test_a_repeated_withdrawal_is_of_the_same_version() -> None:
    """Sent again under its event id, a withdrawal names the version that it named, and not a further one."""
    held = amended(2, T0 + DAY)
    policies = published(amended(1, T0, EMAIL), held)
    command = withdrawal(policies, "website", None, held)
    assert command is not None
    assert command.version == 2


def test_an_id_of_another_event_makes_no_repetition() -> None:
    """Where the event id is that of something else, the next version is named, and the log refuses the id."""
    waived = SafeguardWaived(event_id=uuid_of(9), tenant=TENANT, occurred_at=T0, what="x", why="a drill")
    command = withdrawal(published(amended(1, T0, EMAIL)), "website", None, Recorded(waived, T0))
    assert command is not None
    assert command.version == 2
