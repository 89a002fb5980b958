"""What every ``StateStore`` must do, each numbered requirement of the port by one test or more.

A module of tests for an adapter subclasses ``StateStoreContract`` (``DurableStateStoreContract`` for one that
outlives its process) and gives the fixture ``open_store``: called once it opens a fresh store, called
again it opens the same one again.
"""

import threading
from collections.abc import Iterator

import pytest

from events.envelope import LEDGER_TENANT
from events.streams import LogRecord, Position
from projections.ports import ReachEntry, Resolution, StateStore, StoreConflict, StoreFault
from tests.contract.store_changes import (
    GENERATION,
    KEYS_ALIKE,
    ONE,
    POLICY_SLICE,
    START,
    ZERO,
    OpenStore,
    bad,
    change,
    entry,
    event_id,
    full_change,
    position,
    state_of,
)


class StateStoreContract:
    """The tests of the port's requirements."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """The adapter's tests say how a store is opened."""
        raise AssertionError("a contract is run through the tests of an adapter, which give this fixture")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Iterator[StateStore]:
        """A fresh store, closed when the test is over."""
        store = open_store()
        yield store
        store.close()

    def test_a_fresh_store_is_empty(self, store: StateStore) -> None:
        """A fresh store has no checkpoint and knows nobody."""
        assert state_of(store) == (None, [], [], [], [], [], [])
        assert store.facts(["t/ana"]) == {}
        assert store.history("t/ana") in ((), [])

    def test_1_everything_is_saved(self, store: StateStore) -> None:
        """1: All that a change holds can be read afterwards, and the checkpoint with it."""
        made = full_change(None, 1)
        store.apply(made)
        assert store.checkpoint() == made.reached
        assert store.facts(["t/person-1", "t/unknown"]) == {"t/person-1": b"facts"}
        assert list(store.history("t/person-1")) == [entry(1)]
        assert list(store.policies()) == list(made.policies)
        assert list(store.reach("t", "website")) == list(made.reach)
        assert list(store.open_quarantine()) == list(made.quarantined)

    def test_1_nothing_is_saved_of_a_change_that_fails(self, store: StateStore) -> None:
        """1: A change that fails at its last history entry leaves everything as it was."""
        store.apply(full_change(None, 1))
        before = state_of(store)
        torn = full_change(position(1, policies=1), 2)
        with pytest.raises(StoreConflict):
            store.apply(torn._replace(history=[("t/new", entry(7)), ("t/person-1", entry(1))]))
        assert state_of(store) == before

    def test_1_a_change_may_move_the_checkpoint_alone(self, store: StateStore) -> None:
        """1: A change without contents saves its checkpoint, slices that stand still included."""
        store.apply(change(None, START))
        store.apply(change(START, position(5)))
        assert store.checkpoint() == position(5)

    def test_1_facts_are_replaced_and_history_grows(self, store: StateStore) -> None:
        """1: Later facts take the place of earlier ones; later events stand after earlier ones."""
        store.apply(change(None, position(1), facts={"t/ana": b"one"}, history=[("t/ana", entry(9))]))
        later = [("t/ana", entry(3)), ("t/bo", entry(4)), ("t/ana", entry(1))]
        store.apply(change(position(1), position(2), facts={"t/ana": b"two", "t/bo": b"x"}, history=later))
        assert dict(store.scan()) == {"t/ana": b"two", "t/bo": b"x"}
        assert list(store.history("t/ana")) == [entry(9), entry(3), entry(1)]

    def test_1_an_individual_without_facts_has_history(self, store: StateStore) -> None:
        """1: History may be saved of an individual of whom no facts are; no facts are made up."""
        store.apply(change(None, position(1), history=[("t/ana", entry(1))]))
        assert list(store.history("t/ana")) == [entry(1)]
        assert store.facts(["t/ana"]) == {}
        assert list(store.scan()) == []

    def test_1_reach_is_replaced_and_taken_back(self, store: StateStore) -> None:
        """1: A later version takes the place of an earlier one, and none takes the entry away."""
        told = [ReachEntry("t/a", "website", 1), ReachEntry("t/b", "website", 1), ReachEntry("t/a", "hr", 0)]
        store.apply(change(None, position(1), reach=told))
        later = [ReachEntry("t/a", "website", 2), ReachEntry("t/b", "website", None)]
        store.apply(change(position(1), position(2), reach=later))
        assert list(store.reach("t", "website")) == [ReachEntry("t/a", "website", 2)]
        assert list(store.reach("t", "hr")) == [ReachEntry("t/a", "hr", 0)]
        assert list(store.reach("t", "unknown")) == []

    def test_1_reach_keeps_tenants_apart(self, store: StateStore) -> None:
        """1: ``reach`` answers for one tenant, also where names begin alike, in the order of key bytes."""
        keys = ["t/z", "t-1/a", "t0/a", "t/é", "t/~", "s/a", "u/a", "t/Z"]
        store.apply(change(None, position(1), reach=[ReachEntry(key, "website", 1) for key in keys]))
        assert [told.key for told in store.reach("t", "website")] == ["t/Z", "t/z", "t/~", "t/é"]

    def test_1_policy_records_stay_in_log_order(self, store: StateStore) -> None:
        """1: The records of the policies' stream come back in the order of their offsets, byte for byte."""
        records = [LogRecord(POLICY_SLICE, offset, b"k\xff", bytes([offset])) for offset in range(12)]
        store.apply(change(None, position(0, policies=5), policies=records[:5]))
        store.apply(change(position(0, policies=5), position(0, policies=12), policies=records[5:]))
        assert list(store.policies()) == records

    @pytest.mark.parametrize(
        "expected",
        [
            None,
            position(0),
            position(2),
            position(1, one=1),
            Position.of(GENERATION, [(ZERO, 1), (ONE, 0)]),
            Position.of("22222222-2222-4222-8222-222222222222", position(1).as_dict().items()),
        ],
        ids=["none", "behind", "ahead", "other slice", "slice missing", "other generation"],
    )
    def test_2_another_checkpoint_is_a_conflict(self, store: StateStore, expected: Position | None) -> None:
        """2: Unless the checkpoint is exactly the expected one, nothing is saved and it is a conflict."""
        store.apply(change(None, position(1)))
        with pytest.raises(StoreConflict):
            store.apply(change(expected, position(9), facts={"t/ana": b"facts"}))
        assert store.checkpoint() == position(1)
        assert list(store.scan()) == []

    def test_2_a_fresh_store_expects_nothing(self, store: StateStore) -> None:
        """2: In a fresh store a change that expects a checkpoint is a conflict."""
        with pytest.raises(StoreConflict):
            store.apply(change(START, position(1)))
        assert store.checkpoint() is None

    def test_2_of_two_projectors_one_wins(self, store: StateStore) -> None:
        """2: Of many threads that apply from the same checkpoint, one succeeds and all others conflict."""
        store.apply(change(None, START))
        outcomes: list[str] = []
        barrier = threading.Barrier(8)

        def race(number: int) -> None:
            barrier.wait()
            try:
                store.apply(change(START, position(number), history=[("t/ana", entry(number))]))
                outcomes.append("applied")
            except StoreConflict:
                outcomes.append("conflict")

        run_together([threading.Thread(target=race, args=(number,)) for number in range(1, 9)])
        assert sorted(outcomes) == ["applied"] + ["conflict"] * 7
        assert len(store.history("t/ana")) == 1

    def test_4_keys_are_told_apart_byte_by_byte(self, store: StateStore) -> None:
        """4: Keys that a careless collation holds for equal each have facts, history and reach."""
        facts = {key: key.encode() for key in KEYS_ALIKE}
        history = [(key, entry(number)) for number, key in enumerate(KEYS_ALIKE)]
        told = [ReachEntry(key, "website", number) for number, key in enumerate(KEYS_ALIKE, start=1)]
        store.apply(change(None, position(1), facts=facts, history=history, reach=told))
        assert store.facts(KEYS_ALIKE) == facts
        for number, key in enumerate(KEYS_ALIKE):
            assert list(store.history(key)) == [entry(number)]
            assert store.known_ids([(key, event_id(n)) for n in range(99)]) == {(key, event_id(number))}
        assert {t.key: t.version for t in store.reach("t", "website")} == {
            told_.key: told_.version for told_ in told if told_.key.startswith("t/")
        }

    def test_4_scan_goes_in_the_order_of_bytes(self, store: StateStore) -> None:
        """4: ``scan`` goes in the order of the keys' UTF-8 bytes, whatever the order of arrival."""
        keys = [*KEYS_ALIKE, "t/\U0001f600", "t/\uffee", "t-/x", "t0/x"]
        for number, key in enumerate(keys):
            expected = position(number) if number else None
            store.apply(change(expected, position(number + 1), facts={key: b"f"}))
        assert [key.encode() for key, _ in store.scan()] == sorted(key.encode() for key in keys)

    def test_5_a_scan_reads_one_moment(self, store: StateStore) -> None:
        """5: A scan that has begun does not see what is applied while it goes on, nor does it block it."""
        keys = [f"t/{number:04d}" for number in range(1_000)]
        store.apply(change(None, position(1), facts=dict.fromkeys(keys, b"old")))
        scan = store.scan()
        seen = [next(scan)]
        store.apply(change(position(1), position(2), facts={**dict.fromkeys(keys, b"new"), "t/9999": b"new"}))
        seen.extend(scan)
        assert seen == [(key, b"old") for key in keys]
        assert {facts for _, facts in store.scan()} == {b"new"}

    def test_5_reach_and_policies_read_one_moment(self, store: StateStore) -> None:
        """5: So it is with ``reach`` and ``policies``."""
        keys = [f"t/{number:04d}" for number in range(1_000)]
        records = [LogRecord(POLICY_SLICE, offset, b"t", b"x" * 99) for offset in range(1_000)]
        told = [ReachEntry(key, "website", 1) for key in keys]
        store.apply(change(None, position(1), reach=told, policies=records))
        reach, policies = store.reach("t", "website"), store.policies()
        first, record = next(reach), next(policies)
        later = [ReachEntry(key, "website", 2) for key in keys]
        more = [LogRecord(POLICY_SLICE, 5_000, b"t", b"y")]
        store.apply(change(position(1), position(2), reach=later, policies=more))
        assert [first, *reach] == told
        assert [record, *policies] == records

    def test_5_an_abandoned_scan_is_let_go(self, store: StateStore) -> None:
        """5: A scan that nobody reads to its end does not freeze the moment of later reads."""
        store.apply(change(None, position(1), facts={f"t/{n:04d}": b"old" for n in range(1_000)}))
        for number in range(1, 30):
            next(store.scan())
            with store.view() as view:
                next(view.scan())
            store.apply(change(position(number), position(number + 1), facts={"t/0000": b"%d" % number}))
            assert store.facts(["t/0000"]) == {"t/0000": b"%d" % number}

    def test_6_history_is_never_replaced(self, store: StateStore) -> None:
        """6: An event id that the individual has already is a conflict, whatever its content."""
        store.apply(change(None, position(1), history=[("t/ana", entry(1, b"first"))]))
        for value in (b"first", b"second"):
            with pytest.raises(StoreConflict):
                store.apply(change(position(1), position(2), history=[("t/ana", entry(1, value))]))
        assert list(store.history("t/ana")) == [entry(1, b"first")]
        assert store.checkpoint() == position(1)

    def test_6_an_event_id_is_unique_within_an_individual_alone(self, store: StateStore) -> None:
        """6: Another individual may have an event of the same id; twice in one change is a conflict."""
        store.apply(change(None, position(1), history=[("t/ana", entry(1)), ("u/ana", entry(1))]))
        twice = [("t/bo", entry(2)), ("t/bo", entry(2))]
        with pytest.raises(StoreConflict):
            store.apply(change(position(1), position(2), history=twice))
        assert list(store.history("t/bo")) == []

    def test_7_known_ids_are_exactly_those_of_history(self, store: StateStore) -> None:
        """7: Of many pairs asked at once, those that history holds come back and no other."""
        held = {(f"t/{n % 7}", event_id(n)) for n in range(200)}
        history = [(f"t/{n % 7}", entry(n)) for n in range(200)]
        store.apply(change(None, position(1), history=history, facts={"t/99": b"no events"}))
        asked = {(f"t/{k}", event_id(n)) for k in (*range(9), 99) for n in range(220)}
        assert store.known_ids(asked) == held
        assert store.known_ids([]) == set()

    def test_8_a_reader_sees_whole_changes(self, store: StateStore) -> None:
        """8: A reader never sees one half of a change: two individuals that move together never differ."""
        store.apply(change(None, position(1), facts={"t/a": b"0", "t/b": b"0"}))
        halves: list[dict[str, bytes]] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                seen = store.facts(["t/a", "t/b"])
                if len(set(seen.values())) != 1:
                    halves.append(seen)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(1, 150):
            value = b"%d" % number
            store.apply(change(position(number), position(number + 1), facts={"t/a": value, "t/b": value}))
        done.set()
        for reader in readers:
            reader.join()
        assert halves == []

    def test_8_a_reader_does_not_block_the_writer(self, store: StateStore) -> None:
        """8: While views and scans are open, changes go on being applied."""
        store.apply(change(None, position(1), facts={"t/a": b"0", "t/b": b"0"}))
        with store.view() as view:
            scan = view.scan()
            next(scan)
            for number in range(1, 20):
                store.apply(change(position(number), position(number + 1), facts={"t/a": b"1"}))
            assert next(scan) == ("t/b", b"0")
        assert store.checkpoint() == position(20)

    def test_9_a_resolution_after_its_record(self, store: StateStore) -> None:
        """9: A resolution closes the entry of its place, and of no other."""
        store.apply(change(None, position(1), quarantined=[bad(10), bad(11)]))
        store.apply(change(position(1), position(2), resolved=[Resolution("individuals/0/10", "t")]))
        assert list(store.open_quarantine()) == [bad(11)]

    def test_9_a_resolution_before_its_record(self, store: StateStore) -> None:
        """9: A resolution that is folded first closes the entry that comes later."""
        store.apply(change(None, position(1), resolved=[Resolution("individuals/0/10", "t")]))
        store.apply(change(position(1), position(2), quarantined=[bad(10), bad(11)]))
        assert list(store.open_quarantine()) == [bad(11)]

    def test_9_both_in_one_change(self, store: StateStore) -> None:
        """9: So it is where the two come in one change, and a repeated resolution does no harm."""
        resolved = [Resolution("individuals/0/10", "t"), Resolution("individuals/0/10", "t")]
        store.apply(change(None, position(1), quarantined=[bad(10), bad(11)], resolved=resolved))
        store.apply(change(position(1), position(2), resolved=resolved))
        assert list(store.open_quarantine()) == [bad(11)]

    def test_9_another_tenant_settles_nothing(self, store: StateStore) -> None:
        """9: A tenant's resolution leaves open what denies another tenant, a partition or the ledger."""
        entries = [
            bad(10, "u/ana"),
            bad(11, "u", "tenant", POLICY_SLICE),
            bad(12, "individuals/0", "partition"),
            bad(13, "", "ledger", POLICY_SLICE),
        ]
        by_another = [Resolution(entry_.place, "t") for entry_ in entries]
        store.apply(change(None, position(1), quarantined=entries, resolved=by_another))
        assert sorted(store.open_quarantine()) == sorted(entries)
        by_ledger = [Resolution(entry_.place, LEDGER_TENANT) for entry_ in entries]
        store.apply(change(position(1), position(2), resolved=by_ledger))
        assert list(store.open_quarantine()) == []

    def test_9_a_place_may_deny_several(self, store: StateStore) -> None:
        """9: One place may be quarantined for several subjects; each is settled by those whom it concerns."""
        entries = [bad(10, "t/ana"), bad(10, "u/ana")]
        store.apply(change(None, position(1), quarantined=entries))
        store.apply(change(position(1), position(2), resolved=[Resolution("individuals/0/10", "t")]))
        assert list(store.open_quarantine()) == [bad(10, "u/ana")]

    def test_9_open_entries_can_be_asked_by_subject(self, store: StateStore) -> None:
        """9: With ``denying``, those entries come whose scope *and* subject are asked for, in log order."""
        entries = [
            bad(3, "t/ana"),
            bad(1, "t/ana", slice_=ONE),
            bad(2, "t/Ana"),
            bad(5, "individuals/0", "partition"),
            bad(6, "individuals/0"),
        ]
        store.apply(change(None, position(1), quarantined=entries))
        assert list(store.open_quarantine([("individual", "t/ana"), ("tenant", "t")])) == entries[:2]
        assert list(store.open_quarantine([("partition", "individuals/0")])) == [entries[3]]
        assert list(store.open_quarantine([])) == []

    def test_10_a_view_is_of_one_moment(self, store: StateStore) -> None:
        """10: Everything read within a view is as it was when the view began."""
        store.apply(full_change(None, 1))
        with store.view() as view:
            store.apply(full_change(position(1, policies=1), 2))
            assert view.checkpoint() == position(1, policies=1)
            assert view.facts(["t/person-1", "t/person-2"]) == {"t/person-1": b"facts"}
            assert view.known_ids([("t/person-2", event_id(2))]) == set()
            assert list(view.history("t/person-2")) == []
            assert [record.offset for record in view.policies()] == [1]
            assert [key for key, _ in view.scan()] == ["t/person-1"]
            assert list(view.individuals("t", "", 9)) == ["person-1"]
            assert [told.key for told in view.reach("t", "website")] == ["t/person-1"]
            assert [open_.offset for open_ in view.open_quarantine()] == [1]
        assert store.checkpoint() == position(2, policies=2)

    def test_10_views_nest(self, store: StateStore) -> None:
        """10: A view within a view, on the same thread, is of its own, later moment."""
        store.apply(full_change(None, 1))
        with store.view() as outer:
            store.apply(full_change(position(1, policies=1), 2))
            with store.view() as inner:
                assert inner.checkpoint() == position(2, policies=2)
            assert outer.checkpoint() == position(1, policies=1)

    def test_10_a_view_ends_with_a_fault(self, store: StateStore) -> None:
        """10: A fault within a view passes through it, and the store goes on."""
        store.apply(full_change(None, 1))
        with pytest.raises(StopIteration), store.view() as view:
            next(view.reach("t", "unknown"))
        assert store.checkpoint() == position(1, policies=1)

    def test_11_many_threads_read_while_one_applies(self, store: StateStore) -> None:
        """11: Threads that read everything while another applies meet no fault and no torn moment."""
        store.apply(full_change(None, 1))
        torn: list[object] = []
        done = threading.Event()

        def read() -> None:
            try:
                while not done.is_set():
                    with store.view() as view:
                        reached = view.checkpoint()
                        count = sum(1 for _ in view.scan())
                        if reached is None or reached.as_dict()[ZERO] != count:
                            torn.append((reached, count))
            except Exception as fault:  # noqa: BLE001 - whatever a thread meets must reach the test.
                torn.append(fault)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for number in range(2, 80):
            store.apply(full_change(position(number - 1, policies=number - 1), number))
        done.set()
        for reader in readers:
            reader.join()
        assert torn == []

    def test_12_a_closed_store_is_a_fault(self, store: StateStore) -> None:
        """12: A store that was closed says so, for reads and for changes."""
        store.close()
        for use in (store.checkpoint, lambda: list(store.scan()), lambda: store.apply(change(None, START))):
            with pytest.raises(StoreFault):
                use()

    def test_13_the_latest_record_of_each_slice(self, store: StateStore) -> None:
        """13: Of each slice the record that came last is given back, byte for byte, by slice."""
        policy, one = LogRecord(POLICY_SLICE, 4, b"t", b"\x00"), LogRecord(ONE, 7, b"\xff", b"")
        store.apply(change(None, position(5), latest=[policy, LogRecord(ZERO, 4, b"t/a", b"old")]))
        store.apply(change(position(5), position(9, 8), latest=[one, LogRecord(ZERO, 8, b"t/b", b"new")]))
        assert list(store.latest()) == [LogRecord(ZERO, 8, b"t/b", b"new"), one, policy]

    def test_14_individuals_are_one_tenants_alone(self, store: StateStore) -> None:
        """14: ``individuals`` names those of one tenant that have facts, in the order of the ids' bytes."""
        ids = [key.partition("/")[2] for key in KEYS_ALIKE if key.startswith("t/")]
        ids += ["\U0001f600", "\uffee", "~"]
        others = ["t-/x", "t0/x", "s/a", "u/a", "t-1/a"]
        facts = dict.fromkeys([*(f"t/{each}" for each in ids), *others], b"f")
        store.apply(change(None, position(1), facts=facts, history=[("t/no-facts", entry(1))]))
        assert list(store.individuals("t", "", 99)) == sorted(ids, key=str.encode)
        assert list(store.individuals("t-1", "", 99)) == ["a"]
        assert list(store.individuals("unknown", "", 99)) == []

    @pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
    def test_14_individuals_come_once_each_in_parts(self, store: StateStore, limit: int) -> None:
        """14: Asked again after its last, ``individuals`` goes on to the end without gap or repetition."""
        ids = [f"{number:04d}" for number in range(0, 200, 2)]
        store.apply(change(None, position(1), facts={f"t/{each}": b"f" for each in ids}))
        seen: list[str] = []
        while part := store.individuals("t", seen[-1] if seen else "", limit):
            assert len(part) <= limit
            seen.extend(part)
        assert seen == ids
        assert list(store.individuals("t", "0101", 2)) == ["0102", "0104"]
        assert list(store.individuals("t", "", 0)) == []


class DurableStateStoreContract(StateStoreContract):
    """The further tests of a store that outlives its process."""

    def test_3_what_was_applied_survives(self, open_store: OpenStore) -> None:
        """3: A store that is opened again holds exactly what was applied, and takes the next change."""
        store = open_store()
        store.apply(full_change(None, 1))
        store.apply(full_change(position(1, policies=1), 2))
        before = state_of(store)
        store.close()
        again = open_store()
        assert state_of(again) == before
        again.apply(full_change(position(2, policies=2), 3))
        assert again.checkpoint() == position(3, policies=3)
        again.close()

    def test_3_two_stores_on_one_place_see_each_other(self, open_store: OpenStore) -> None:
        """3: What one store has applied another on the same place reads, and conflicts where it is behind."""
        one, other = open_store(), open_store()
        one.apply(full_change(None, 1))
        assert state_of(other) == state_of(one)
        other.apply(full_change(position(1, policies=1), 2))
        with pytest.raises(StoreConflict):
            one.apply(full_change(position(1, policies=1), 2))
        assert state_of(other) == state_of(one)
        one.close()
        other.close()


def run_together(threads: list[threading.Thread]) -> None:
    """Start threads and wait for all of them."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
