"""A policy and the events of people, for tests of what is folded and asked."""

from itertools import count

from events.individual_events import ChoiceMade, IndividualDescribed, NoticeGiven, NoticeOutcome
from events.instants import DAY, Micros
from events.policy_events import LedgerBegun, PolicyAmended
from events.terms import Terms
from events.union import Event, Recorded
from tests.simulation.logs import BEGUN_AT

TENANT = "acme"
_numbers = count(1)


def new_id() -> str:
    """An event id that no other call gives."""
    return f"00000000-0000-4000-8000-{next(_numbers):012x}"


def day(number: int) -> Micros:
    """The instant so many days after the ledger began."""
    return BEGUN_AT + number * DAY


def recorded(event: Event) -> Recorded:
    """The event, recorded as it happened."""
    return Recorded(event, event.occurred_at)


def amended(at: Micros, version: int = 1, tenant: str = TENANT) -> Recorded:
    """A version of the policy: one purpose, from which people can opt out."""
    return recorded(
        PolicyAmended(
            event_id=new_id(),
            tenant=tenant,
            occurred_at=at,
            policy_id="website",
            version=version,
            effective_at=at,
            purposes=(Terms(key="website.email", mode="opt_out", data=("email_address",)),),
        )
    )


def begun(at: Micros, generation: str) -> Recorded:
    """The beginning of a ledger."""
    return recorded(LedgerBegun(event_id=new_id(), tenant="ledger", occurred_at=at, generation=generation))


def told(at: Micros, individual: str = "ana", version: int = 1) -> Recorded:
    """The individual is shown the policy where it gives its data, with a choice."""
    return recorded(
        NoticeGiven(
            event_id=new_id(),
            tenant=TENANT,
            individual=individual,
            occurred_at=at,
            notice_id=f"n{version}",
            policy_id="website",
            version=version,
            choice_offered=True,
            at_collection=True,
        )
    )


def failed(at: Micros, individual: str = "ana", version: int = 1) -> Recorded:
    """That notice did not arrive."""
    return recorded(
        NoticeOutcome(
            event_id=new_id(),
            tenant=TENANT,
            individual=individual,
            occurred_at=at,
            notice_id=f"n{version}",
            outcome="failed",
        )
    )


def opted_out(at: Micros, individual: str = "ana") -> Recorded:
    """The individual opts out of everything."""
    return recorded(
        ChoiceMade(
            event_id=new_id(),
            tenant=TENANT,
            individual=individual,
            occurred_at=at,
            decision="opt_out",
            purposes=("*",),
        )
    )


def described(at: Micros, individual: str = "ana") -> Recorded:
    """The individual is a customer's user."""
    return recorded(
        IndividualDescribed(
            event_id=new_id(),
            tenant=TENANT,
            individual=individual,
            occurred_at=at,
            populations=("customer_user",),
        )
    )
