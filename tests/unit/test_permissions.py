"""Which uses can be asked: those of every version that is known, and those that the law compels."""

from typing import Any

import pytest

from events.catalogue import TenantPolicies
from events.individual_events import DisclosureCompelled
from events.policy_events import PolicyAmended
from events.terms import Recipient, Terms
from events.union import Recorded
from projections.facts import NO_FACTS, Facts
from projections.fold import facts_known_at
from projections.permissions import USES_MAX, TooManyUses, Use, uses
from tests.unit.people import TENANT, day, new_id, recorded


def policies(*versions: tuple[int, tuple[Terms, ...]], policy_id: str = "website") -> TenantPolicies:
    """Versions of one policy, each in force from the day of its number."""
    after = TenantPolicies()
    for version, terms in versions:
        after = after.after(
            recorded(
                PolicyAmended(
                    event_id=new_id(),
                    tenant=TENANT,
                    occurred_at=day(version),
                    policy_id=policy_id,
                    version=version,
                    effective_at=day(version),
                    purposes=terms,
                )
            )
        )
    return after


def terms(key: str, *recipients: str) -> Terms:
    """Terms from which people can opt out, that name recipients."""
    return Terms(key=key, mode="opt_out", recipients=tuple(Recipient(name=name) for name in recipients))


def compelled(**fields: Any) -> Facts:
    """The facts of somebody about whom the law compels a disclosure to the court, from day 1 to day 5."""
    event = DisclosureCompelled(
        **{
            "event_id": new_id(),
            "tenant": TENANT,
            "individual": "ana",
            "occurred_at": day(1),
            "recipient": "court",
            "legal_reference": "order 7",
            "from_": day(2),
            "to": day(5),
            **fields,
        }
    )
    return facts_known_at([Recorded(event, event.occurred_at)], None)


ONE = policies((1, (terms("b", "y", "x"), terms("a.c"))))


def test_own_use_and_every_recipient_in_order() -> None:
    """Each purpose has its own use, then its recipients by name."""
    assert uses(ONE, at=day(9)) == (Use("a.c", None), Use("b", None), Use("b", "x"), Use("b", "y"))


def test_nothing_is_declared_nothing_is_asked() -> None:
    """A tenant without policies has no uses."""
    assert uses(TenantPolicies(), at=day(9)) == ()


def test_what_was_once_declared_is_still_asked_about() -> None:
    """What the version in force does not name any more is enumerated all the same."""
    two = policies((1, (terms("b", "x"),)), (2, (terms("c"),)))
    assert uses(two, at=day(9)) == (Use("b", None), Use("b", "x"), Use("c", None))


def test_what_will_be_declared_is_asked_about_already() -> None:
    """So are those of a version that is not in force yet: the answer says from when on."""
    assert Use("c", None) in uses(policies((1, (terms("b"),)), (2, (terms("c"),))), at=day(1))


def test_what_was_not_known_is_not_asked_about() -> None:
    """A version that was recorded after `known_at` is not spoken of."""
    two = policies((1, (terms("b"),)), (2, (terms("c"),)))
    assert uses(two, at=day(9), known_at=day(1)) == (Use("b", None),)


def test_a_void_version_is_not_asked_about() -> None:
    """What claims nothing declares nothing."""
    assert uses(policies((1, (terms("b"),)), (3, (terms("c"),))), at=day(9)) == (Use("b", None),)


def test_selectors_choose_purposes() -> None:
    """A branch selects what is under it, and a star everything."""
    assert uses(ONE, at=day(9), selectors=("a",)) == (Use("a.c", None),)
    assert uses(ONE, at=day(9), selectors=("*",)) == uses(ONE, at=day(9))
    assert uses(ONE, at=day(9), selectors=()) == ()


@pytest.mark.parametrize(("at", "asked"), [(1, False), (2, True), (4, True), (5, False)])
def test_whom_the_law_compels_is_asked_about_while_it_does(at: int, asked: bool) -> None:
    """From its beginning up to its end, an order has its recipient enumerated for what it covers."""
    found = uses(ONE, compelled(), at=day(at))
    assert (Use("a.c", "court") in found) is asked
    assert (Use("b", "court") in found) is asked


def test_a_compelled_disclosure_without_an_end() -> None:
    """One that has no end is asked about for ever, but not before it happened."""
    endless = compelled(to=None)
    assert Use("b", "court") in uses(ONE, endless, at=day(900))
    assert Use("b", "court") not in uses(ONE, compelled(occurred_at=day(3), to=None), at=day(2))


def test_the_law_may_name_what_no_policy_does() -> None:
    """A purpose that only the order names is enumerated, with the order's recipient and own use."""
    found = uses(ONE, compelled(purposes=("evidence", "a")), at=day(3))
    assert Use("evidence", None) in found
    assert Use("evidence", "court") in found
    assert Use("a.c", "court") in found
    assert Use("a", "court") not in found
    assert Use("b", "court") not in found


def test_selectors_choose_what_the_law_compels_too() -> None:
    """What an order names is enumerated where the selectors cover it, and not where they do not."""
    facts = compelled(purposes=("evidence",))
    assert uses(ONE, facts, at=day(3), selectors=("a",)) == (Use("a.c", None),)
    assert Use("evidence", "court") in uses(ONE, facts, at=day(3), selectors=("evidence",))


def test_an_order_about_everything_names_no_purpose_of_its_own() -> None:
    """Where no policy declares anything, an order about everything enumerates nothing."""
    assert uses(TenantPolicies(), compelled(purposes=("*",)), at=day(3)) == ()
    assert uses(TenantPolicies(), compelled(), at=day(3)) == ()


def test_there_are_at_most_so_many_uses() -> None:
    """At the limit all are enumerated; one more is refused, and a branch of them is not."""
    many = tuple(terms(f"p.{number}") for number in range(USES_MAX - 1))
    full = policies((1, (*many, terms("q"))))
    assert len(uses(full, NO_FACTS, at=day(9))) == USES_MAX
    over = policies((1, (*many, terms("q", "x"))))
    with pytest.raises(TooManyUses, match="select a branch"):
        uses(over, at=day(9))
    assert len(uses(over, at=day(9), selectors=("q",))) == 2
