"""Events for the tests of logs: small ones in any number, and one of any wished size."""

import uuid

from events.codec import RecordTooLarge, encode
from events.individual_events import ChoiceMade, IndividualDescribed
from events.instants import Micros
from events.policy_events import PolicyAmended, SafeguardWaived
from events.union import Event, Recorded

TENANT = "acme"
POPULATION_BYTES = 60
"""Bytes of each name that fills an event: with its length, Avro spends one byte more on it."""


def new_id() -> str:
    """A fresh event id."""
    return str(uuid.uuid4())


def choice(
    at: Micros, individual: str = "ana", purpose: str = "website.email", event_id: str | None = None
) -> ChoiceMade:
    """An opt-out, heard from the individual at that instant."""
    return ChoiceMade(
        event_id=event_id or new_id(),
        tenant=TENANT,
        individual=individual,
        occurred_at=at,
        decision="opt_out",
        purposes=(purpose,),
    )


def waiver(at: Micros, why: str = "a drill", event_id: str | None = None) -> SafeguardWaived:
    """An event of the policies' stream."""
    return SafeguardWaived(
        event_id=event_id or new_id(), tenant=TENANT, occurred_at=at, what="min.insync.replicas", why=why
    )


def amendment(at: Micros, effective_at: Micros) -> PolicyAmended:
    """A first version of a policy, with nothing in it."""
    return PolicyAmended(
        event_id=new_id(),
        tenant=TENANT,
        occurred_at=at,
        policy_id="website",
        version=1,
        effective_at=effective_at,
    )


def event_of_size(at: Micros, size_bytes: int) -> IndividualDescribed:
    """An event whose record value has exactly this many bytes, whenever it is recorded in our time."""
    # What remains is for the last name, which may have 64 to 128 bytes, and for two lengths of two bytes.
    count = (size_bytes - size_of(described(at, ())) - 70) // (POPULATION_BYTES + 1)
    short = size_of(described(at, (*filling(count), "x" * 64)))
    event = described(at, (*filling(count), "x" * (64 + size_bytes - short)))
    assert size_of(event) == size_bytes
    return event


def size_of(event: Event) -> int:
    """Bytes of the event's record value, also of one that no log takes."""
    try:
        return len(encode(Recorded(event, event.occurred_at)))
    except RecordTooLarge as fault:
        return fault.size


def filling(count: int) -> tuple[str, ...]:
    """So many names of populations, all of the same length."""
    return tuple(f"{number:0{POPULATION_BYTES}d}" for number in range(count))


def described(at: Micros, populations: tuple[str, ...]) -> IndividualDescribed:
    """An event that is as long as its populations make it."""
    return IndividualDescribed(
        event_id="00000000-0000-4000-8000-000000000001",
        tenant=TENANT,
        individual="ana",
        occurred_at=at,
        populations=populations,
    )
