"""What the digest of a state tells apart, and what it does not look at."""

import pytest

from events.policy_events import FrameworkStatusChanged
from events.union import Recorded
from projections.digest import state_digest
from projections.memory_store import MemoryStore
from tests.contract.store_changes import bad, change, position
from tests.simulation.logs import log_of, projected
from tests.unit.people import amended, day, described, opted_out, recorded, told

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def digest_of_facts(facts: dict[str, bytes]) -> str:
    """The digest of a store with these facts."""
    store = MemoryStore()
    store.apply(change(None, position(1), facts=facts))
    return state_digest(store)


def digest_of(*events: Recorded) -> str:
    """The digest of a store into which these events were folded."""
    return state_digest(projected(log_of(events)))


def test_of_nothing_it_is_that_of_no_bytes() -> None:
    """An empty store, and a ledger in which nobody has said anything, have the digest of no bytes."""
    assert state_digest(MemoryStore()) == EMPTY
    assert digest_of() == EMPTY


@pytest.mark.parametrize(
    "other",
    [
        {"t/a": b"12", "t/b": b"4"},
        {"t/a": b"1", "t/b": b"234"},
        {"t/a1": b"", "t/b": b"34"},
        {"t/A": b"12", "t/b": b"34"},
        {"t/a": b"12"},
        {"t/a": b"12", "t/b": b"34", "t/c": b""},
    ],
)
def test_no_two_states_run_together(other: dict[str, bytes]) -> None:
    """Facts that differ, also only in where one part ends and the next begins, have another digest."""
    assert digest_of_facts(other) != digest_of_facts({"t/a": b"12", "t/b": b"34"})


def test_positions_and_quarantine_are_left_out() -> None:
    """Where the state stands, and what was set aside on the way, is no part of the digest."""
    one, other = MemoryStore(), MemoryStore()
    one.apply(change(None, position(1), facts={"t/a": b"1"}))
    other.apply(change(None, position(7, 8, 9), facts={"t/a": b"1"}, quarantined=[bad(3)]))
    assert state_digest(one) == state_digest(other)


def test_versions_void_ones_and_frameworks_count() -> None:
    """A version that stands, one that is void, and a framework's status each change the digest."""
    first, second, void = amended(day(1)), amended(day(2), 2), amended(day(3), 7)
    status = recorded(
        FrameworkStatusChanged(
            event_id="00000000-0000-4000-8000-0000000f0000",
            tenant="acme",
            occurred_at=day(3),
            framework="dpf",
            in_force=True,
            from_=day(3),
        )
    )
    histories = ([first], [first, second], [first, void], [first, status], [amended(day(1), tenant="b")])
    digests = {digest_of(*history) for history in histories}
    assert len(digests) == len(histories)


def test_the_ledgers_beginning_does_not_count() -> None:
    """A ledger of another generation that holds the same has the same digest."""
    events = [amended(day(1)), described(day(1)), told(day(1)), opted_out(day(2))]
    one, other = log_of(events), log_of(events, generation="22222222-2222-4222-8222-222222222222")
    assert one.generation != other.generation
    assert state_digest(projected(one)) == state_digest(projected(other))
