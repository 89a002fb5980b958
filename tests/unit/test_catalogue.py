"""The policy catalogue: what stands, what is void, what was known when, and what was in force."""

import pytest

from events.catalogue import VIEWS_MAX, Catalogue, TenantPolicies, VoidReason
from events.instants import DAY, Micros
from events.policy_events import FrameworkStatusChanged, LedgerBegun, PolicyAmended, SafeguardWaived
from events.terms import Mode, Recipient, Terms
from events.union import Event, Recorded

GENERATION = "11111111-1111-4111-8111-111111111111"


def event_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def amended(
    number: int,
    version: int,
    *terms: Terms,
    effective_at: Micros = 0,
    policy_id: str = "website",
    recorded_at: Micros | None = None,
) -> Recorded:
    event = PolicyAmended(
        event_id=event_id(number),
        tenant="t",
        occurred_at=0,
        policy_id=policy_id,
        version=version,
        effective_at=effective_at,
        purposes=terms,
    )
    return Recorded(event, number if recorded_at is None else recorded_at)


def email(mode: Mode = "opt_out", *recipients: Recipient) -> Terms:
    return Terms(key="website.email", mode=mode, recipients=recipients)


def folded(*events: Recorded) -> Catalogue:
    catalogue = Catalogue()
    for recorded in events:
        catalogue = catalogue.after(recorded)
    return catalogue


def reasons(policies: TenantPolicies) -> list[VoidReason]:
    return [void.reason for void in policies.void]


def test_the_first_event_names_the_generation() -> None:
    """A ledger's generation is that of its first `LedgerBegun`; another one changes nothing of it."""
    begun = [
        LedgerBegun(event_id=event_id(n), tenant="ledger", occurred_at=0, generation=generation)
        for n, generation in ((1, GENERATION), (2, GENERATION.replace("1", "2")))
    ]
    assert folded(*(Recorded(event, 1) for event in begun)).generation == GENERATION


def test_a_repeated_id_changes_nothing() -> None:
    """A repeated event id is the same event: the first in log order stands."""
    once = folded(amended(1, 1, email()))
    again = once.after(amended(1, 2))
    assert again is once
    assert once.tenant("t").holds(event_id(1))
    assert not once.tenant("t").holds(event_id(2))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (amended(2, 1, email()), "version_not_next"),
        (amended(2, 3, email()), "version_not_next"),
        (amended(2, 0, email()), "version_not_next"),
        (amended(2, 1, email(), policy_id="rival"), "key_of_another_policy"),
        (amended(2, 2, email("necessary", Recipient(name="adco"))), "necessary_third_party"),
        (amended(2, 2, email("opt_in", Recipient(name="adco", mode="necessary"))), "necessary_third_party"),
        (amended(2, 2, email(), email()), "key_named_twice"),
        (amended(2, 2, email("opt_in", Recipient(name="a"), Recipient(name="a"))), "recipient_named_twice"),
        (
            amended(2, 2, email("opt_in", Recipient(name="a"), Recipient(name="a", mode="necessary"))),
            "necessary_third_party",
        ),
    ],
)
def test_a_void_amendment_claims_nothing(event: Recorded, reason: VoidReason) -> None:
    """What breaks a rule of its stream is void, and what follows is judged as if it had not been said."""
    policies = folded(amended(1, 1, email()), event).tenant("t")
    assert reasons(policies) == [reason]
    following = folded(amended(1, 1, email()), event, amended(3, 2, email())).tenant("t")
    assert [version.version for version in following.standing["website"]] == [1, 2]
    assert "rival" not in following.standing


def test_an_agent_may_be_necessary() -> None:
    """Only a third party is never necessary."""
    agent = Recipient(name="mailco", role="agent", mode="necessary")
    assert reasons(folded(amended(1, 1, email("opt_in", agent))).tenant("t")) == []


def test_a_key_stays_with_the_policy_that_declared_it_first() -> None:
    """A key that a standing version once declared is claimed for ever, a withdrawn one too."""
    policies = folded(
        amended(1, 1, email()), amended(2, 2), amended(3, 1, email(), policy_id="rival")
    ).tenant("t")
    assert reasons(policies) == ["key_of_another_policy"]


def test_another_tenant_claims_keys_of_its_own() -> None:
    """Nothing that one tenant publishes touches another."""
    catalogue = folded(amended(1, 1, email()))
    assert catalogue.tenant("other").known_at(None).lines == {}


def test_a_later_version_that_takes_effect_earlier_leaves_its_predecessor_never_in_force() -> None:
    """The version in force at t is the highest one with `effective_at ≤ t`."""
    policies = folded(
        amended(1, 1, email(), effective_at=10),
        amended(2, 2, email(), effective_at=30),
        amended(3, 3, email(), effective_at=20),
    ).tenant("t")
    line = policies.known_at(None).lines["website"]
    versions = [version.version if (version := line.at(at)) else None for at in (9, 10, 19, 20, 30, 99)]
    assert versions == [None, 1, 1, 3, 3, 3]


def test_a_view_knows_what_was_recorded_by_then() -> None:
    """An event recorded after k does not exist for k, and void is void whatever k."""
    policies = folded(amended(5, 1, email()), amended(9, 2, email())).tenant("t")
    known = [sorted(policies.known_at(k).lines["website"].versions) for k in (5, 8, 9, None)]
    assert known == [[1], [1], [1, 2], [1, 2]]
    assert policies.known_at(4).lines == {}


def test_views_are_kept_up_to_their_limit() -> None:
    """At `VIEWS_MAX` views all are at hand; one more begins the memory anew, and answers the same."""
    policies = folded(amended(1, 1, email()), amended(10**6, 2, email())).tenant("t")
    first = policies.known_at(1)
    views = [policies.known_at(k) for k in range(1, VIEWS_MAX + 1)]
    assert policies.known_at(1) is first is views[0]
    policies.known_at(VIEWS_MAX + 1)
    assert policies.known_at(1) is not first
    assert sorted(policies.known_at(1).lines["website"].versions) == [1]


def status(number: int, since: Micros, in_force: bool) -> Recorded:
    event: Event = FrameworkStatusChanged(
        event_id=event_id(number), tenant="t", occurred_at=0, framework="f", in_force=in_force, from_=since
    )
    return Recorded(event, number)


def test_the_status_of_a_framework_is_the_one_that_began_last() -> None:
    """Of equal beginnings the one not in force holds; before the first there is none."""
    view = folded(status(1, DAY, True), status(2, 5 * DAY, False), status(3, 5 * DAY, True)).tenant("t")
    found = [view.known_at(None).status("f", at) for at in (DAY - 1, DAY, 5 * DAY - 1, 5 * DAY)]
    assert [known.in_force if known else None for known in found] == [None, True, True, False]
    assert view.known_at(None).status("g", DAY) is None


def test_what_is_no_amendment_moves_only_the_newest_instant() -> None:
    """A waived safeguard is remembered by id and time, and changes no policy."""
    waived = SafeguardWaived(event_id=event_id(7), tenant="t", occurred_at=0, what="import", why="a test")
    policies = folded(amended(1, 1, email()), Recorded(waived, 50), amended(9, 2, email())).tenant("t")
    assert policies.newest_recorded_at == 50
    assert len(policies.standing["website"]) == 2
