"""Every store does what the simplest one does, whatever it is given: the port means the same to all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.envelope import LEDGER_TENANT
from events.streams import LogRecord, Position, Slice
from projections.memory_store import MemoryStore
from projections.ports import (
    Change,
    HistoryEntry,
    QuarantineEntry,
    QuarantineScope,
    ReachEntry,
    Resolution,
    StateReads,
    StateStore,
    StoreConflict,
)
from projections.sqlite_build_store import SqliteBuildStore
from projections.sqlite_store import SqliteStore
from tests.contract.store_changes import GENERATION, KEYS_ALIKE, event_id

pytestmark = pytest.mark.timeout(1_800)  # A long run applies thousands of changes.

PEOPLE = (Slice("individuals", 0), Slice("individuals", 7))
RULES = Slice("policies", 0)
POLICY_IDS = ("website", "Website", "staff")
TENANTS = ("t", "u", LEDGER_TENANT)

keys = st.sampled_from(KEYS_ALIKE)
blobs = st.binary(max_size=40)
entries = st.builds(
    HistoryEntry,
    event_id=st.integers(0, 400).map(event_id),
    recorded_at=st.integers(-(2**53), 2**53),
    slice=st.sampled_from(PEOPLE),
    offset=st.integers(0, 2**62),
    value=blobs,
)
told = st.builds(
    ReachEntry,
    key=keys,
    policy_id=st.sampled_from(POLICY_IDS),
    version=st.none() | st.integers(-(2**31), 2**31),
)
places = st.tuples(st.sampled_from((*PEOPLE, RULES)), st.integers(0, 5))
denials: st.SearchStrategy[tuple[QuarantineScope, str]] = st.sampled_from(
    (
        ("individual", "t/ana"),
        ("individual", "t/Ana"),
        ("tenant", "t"),
        ("partition", "t/ana"),
        ("ledger", ""),
    )
)


@st.composite
def quarantined(draw: st.DrawFn) -> QuarantineEntry:
    """An unreadable record at one of a few places."""
    (slice_, offset), (scope, subject) = draw(places), draw(denials)
    place = LogRecord(slice_, offset, b"", b"").place
    return QuarantineEntry(place, slice_, offset, scope, subject, "not_canonical", draw(blobs))


resolutions = st.builds(
    Resolution,
    place=places.map(lambda at: LogRecord(at[0], at[1], b"", b"").place) | st.just("no place at all"),
    by=st.sampled_from(TENANTS),
)


@st.composite
def contents(draw: st.DrawFn) -> Change:
    """A change of any content; its checkpoint is set when it is applied."""
    nowhere = Position(GENERATION)
    entry_lists = draw(st.lists(st.tuples(keys, entries), max_size=8))
    set_aside = draw(st.lists(quarantined(), max_size=3, unique_by=lambda e: (e.place, e.scope, e.subject)))
    return Change(
        expected=None,
        reached=nowhere,
        facts=draw(st.dictionaries(keys, blobs, max_size=6)),
        reach=draw(st.lists(told, max_size=6)),
        history=entry_lists,
        policies=(),
        quarantined=set_aside,
        resolved=draw(st.lists(resolutions, max_size=3)),
    )


def numbered(changes: list[Change]) -> Iterator[Change]:
    """The changes, each following the one before it, with a policy record of its own.

    A place is quarantined once: the projector reads it once.
    """
    before: Position | None = None
    seen: set[tuple[str, str, str]] = set()
    for number, change in enumerate(changes, start=1):
        reached = Position.of(GENERATION, [(slice_, number) for slice_ in (*PEOPLE, RULES)])
        fresh = [e for e in change.quarantined if (e.place, e.scope, e.subject) not in seen]
        seen |= {(e.place, e.scope, e.subject) for e in fresh}
        record = LogRecord(RULES, number, b"t", b"%d" % number)
        yield change._replace(
            expected=before, reached=reached, quarantined=fresh, policies=[record], latest=[record]
        )
        before = reached


def everything(reads: StateReads) -> list[object]:
    """All that can be read."""
    asked = [(key, event_id(number)) for key in KEYS_ALIKE for number in range(0, 401, 7)]
    return [
        reads.checkpoint(),
        list(reads.latest()),
        reads.facts(KEYS_ALIKE),
        [list(reads.history(key)) for key in KEYS_ALIKE],
        reads.known_ids(asked),
        list(reads.policies()),
        list(reads.scan()),
        [list(reads.reach(tenant, policy)) for tenant in TENANTS for policy in POLICY_IDS],
        list(reads.open_quarantine()),
        list(reads.open_quarantine([("individual", "t/ana"), ("partition", "t/ana")])),
    ]


@contextmanager
def sqlite_store() -> Iterator[SqliteStore]:
    """A fresh store in a file."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "state.sqlite")
        try:
            yield store
        finally:
            store.close()


def applied(store: StateStore, change: Change) -> bool:
    """Whether the store took the change, or found a conflict in it."""
    try:
        store.apply(change)
    except StoreConflict:
        return False
    return True


@given(st.lists(contents(), max_size=6))
@settings(max_examples=60)
def test_sqlite_does_what_memory_does(changes: list[Change]) -> None:
    """Given the same changes, both take the same of them, and whatever is read of them is equal."""
    simple = MemoryStore()
    with sqlite_store() as store:
        taken: list[Change] = []
        for change in changes:
            following = list(numbered([*taken, change]))[-1]
            outcomes = {applied(simple, following), applied(store, following)}
            assert len(outcomes) == 1
            taken += [change] if outcomes == {True} else []
            assert everything(store) == everything(simple)


@given(st.lists(contents(), max_size=4), contents())
@settings(max_examples=30)
def test_a_view_stays_what_it_was(changes: list[Change], later: Change) -> None:
    """What is read within a view, before and after another change, is what it was when the view began."""
    simple = MemoryStore()
    with sqlite_store() as store:
        for store_ in (simple, store):
            for change in numbered(changes):
                if not applied(store_, change):
                    break
        with store.view() as view, simple.view() as simple_view:
            before = everything(view)
            saved = store.checkpoint()
            reached = Position.of(GENERATION, [(RULES, 99)])
            moved = later._replace(expected=saved, reached=reached, quarantined=())
            assert applied(store, moved) == applied(simple, moved)
            assert everything(view) == before == everything(simple_view)


@given(st.lists(contents(), max_size=4))
@settings(max_examples=30)
def test_a_build_becomes_what_memory_holds(changes: list[Change]) -> None:
    """A build that took every change is, once it is closed and opened as a store, equal to one in memory."""
    simple = MemoryStore()
    taken = [
        change
        for change in numbered(changes)
        if applied(simple, change._replace(expected=simple.checkpoint()))
    ]
    with tempfile.TemporaryDirectory() as folder:
        build = SqliteBuildStore(path := Path(folder) / "state.sqlite")
        for change in taken:
            build.apply(change._replace(expected=build.checkpoint()))
        assert everything(build) == everything(simple)
        build.close()
        store = SqliteStore(path)
        assert everything(store) == everything(simple)
        store.close()
