"""Whose facts may have changed: too many perhaps, too few never."""

import pytest

from events.envelope import LEDGER_TENANT
from events.individual_events import QuarantineResolved
from events.streams import POLICIES, Slice
from projections.changed_keys import RECORDS_READ_MAX, keys_between, keys_of_change, keys_of_records
from projections.memory_store import MemoryStore
from projections.ports import Change
from projections.projector import Projector
from tests.simulation.logs import GENERATION, RawLog, log_of
from tests.unit.people import amended, day, new_id, opted_out, recorded, told

ANA = Slice("individuals", 0)


def change_of(log: RawLog) -> Change:
    """The change that folding the whole log makes."""
    changes: list[Change] = []
    Projector(log, MemoryStore(), changes.append).catch_up()
    (change,) = changes
    return change


def both_ways(log: RawLog) -> list[frozenset[str] | None]:
    """The keys, known from the change, and read from the log."""
    return [keys_of_change(change_of(log)), keys_between(log, log.start(), log.end())]


def test_whoever_has_an_event_is_named() -> None:
    """Each individual of an event is named once; a version of a policy names nobody."""
    log = log_of([amended(day(1)), told(day(2)), opted_out(day(3)), told(day(3), "bo")], partitions=3)
    assert both_ways(log) == [frozenset({"acme/ana", "acme/bo"})] * 2


def test_whoever_an_unreadable_record_denies_is_named() -> None:
    """A record that cannot be read changes the answers about whom its key names."""
    log = log_of([amended(day(1))])
    log.put(ANA, b"acme/ana", b"?")
    assert both_ways(log) == [frozenset({"acme/ana"})] * 2


def test_both_of_whom_a_misplaced_record_may_be_are_named() -> None:
    """A readable event under another key changes the answers about both."""
    log = log_of([amended(day(1)), told(day(2), "bo")])
    value = log.shared.slices[ANA].pop().value
    log.put(ANA, b"acme/ana", value)
    assert both_ways(log) == [frozenset({"acme/ana", "acme/bo"})] * 2


@pytest.mark.parametrize(
    ("where", "key"), [(ANA, b"?"), (Slice(POLICIES, 0), b"acme"), (Slice(POLICIES, 0), b"?")]
)
def test_more_than_single_individuals_is_everybody(where: Slice, key: bytes) -> None:
    """What denies a partition, a tenant or the ledger may change the answers about anybody."""
    log = log_of([amended(day(1)), told(day(2))])
    log.put(where, key, b"?")
    assert both_ways(log) == [None, None]


def test_whatever_is_settled_is_about_everybody() -> None:
    """A resolution may end the denial of others than it is about."""
    settled = QuarantineResolved(
        event_id=new_id(),
        tenant=LEDGER_TENANT,
        individual="operator",
        occurred_at=day(4),
        position=f"{GENERATION}/individuals/0/0",
        how="looked at",
    )
    log = log_of([amended(day(1)), recorded(settled)])
    assert both_ways(log) == [None, None]
    assert keys_of_records([]) == frozenset()


@pytest.mark.parametrize(("records", "is_known"), [(RECORDS_READ_MAX - 1, True), (RECORDS_READ_MAX, False)])
def test_no_more_is_read_than_the_limit(records: int, is_known: bool) -> None:
    """One record less than the limit is read; from the limit on everybody may have changed."""
    log = log_of([])
    start = log.end()
    event = told(day(2))
    for _ in range(records):
        log.put_event(event)
    assert keys_between(log, start, log.end()) == (frozenset({"acme/ana"}) if is_known else None)


def test_what_lies_beyond_does_not_end_the_reading() -> None:
    """Records after the position asked for may be named too; the one before it is never left out."""
    log = log_of([amended(day(1)), told(day(2))])
    end = log.end()
    log.put_event(told(day(2), "bo"))
    keys = keys_between(log, log.start(), end)
    assert keys is not None
    assert "acme/ana" in keys
    assert keys_between(log, end, end) == frozenset()
