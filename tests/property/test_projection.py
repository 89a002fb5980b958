"""The laws of the projection, on random worlds: each quotes the promise that it holds."""

import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.codec import encode
from events.envelope import LEDGER_TENANT
from events.individual_events import QuarantineResolved
from events.streams import (
    INDIVIDUALS,
    POLICIES,
    RECORD_BYTES_MAX,
    LogRecord,
    PositionUnavailable,
    Slice,
    stream_of,
)
from events.union import Recorded
from projections.decision import Question, outside
from projections.digest import state_digest
from projections.facts import decode_facts, told_versions
from projections.memory_store import MemoryStore
from projections.ports import QuarantineEntry, StateStore
from projections.projector import Projector
from projections.reader import Enquiry, ReadModel
from projections.sqlite_store import SqliteStore
from tests.simulation.histories import generate
from tests.simulation.logs import (
    A_DAY_LATER,
    GENERATION,
    RawLog,
    interleaved_again,
    log_of,
    plain_facts,
    projected,
    unrepeated,
    world_events,
)
from tests.simulation.worlds import World, question_of, recorded_of

pytestmark = pytest.mark.timeout(1_800)  # A long run looks at thousands of worlds.

seeds = st.integers(min_value=0, max_value=2**32)
limits = st.sampled_from((1, 2, 3, 5, 8, 13, 40, 10_000))


@given(seeds, limits, st.sampled_from((1, 2, 6)))
def test_facts_are_those_of_the_whole_history(seed: int, limit: int, partitions: int) -> None:
    """However the records come, facts, history and reach are those made at once from all events."""
    events = world_events(seed)
    log = log_of(events, partitions)
    store = projected(log, limit)
    assert dict(store.scan()) == plain_facts(events)
    for key, history in unrepeated(events).items():
        assert [entry.value for entry in store.history(key)] == [encode(recorded) for recorded in history]
        for entry in store.history(key):
            assert log.shared.slices[entry.slice][entry.offset].value == entry.value
    assert reach_of(store) == {
        (key, policy_id): version
        for key, facts in plain_facts(events).items()
        for policy_id, version in told_versions(decode_facts(facts)).items()
    }


def reach_of(store: StateStore) -> dict[tuple[str, str], int | None]:
    """Everybody's entry of every policy that the worlds have."""
    return {
        (told.key, told.policy_id): told.version
        for tenant in ("acme", "b-2")
        for policy_id in ("website", "staff", "club")
        for told in store.reach(tenant, policy_id)
    }


@given(seeds, limits, limits, st.integers(0, 60))
def test_the_digest_is_the_same_for_any_batches(seed: int, one: int, other: int, restart: int) -> None:
    """``architecture.md``: the same digest "for any batch size, restart point [...] and store"."""
    events = world_events(seed)
    log = log_of(events)
    expected = state_digest(projected(log))
    store = MemoryStore()
    first = Projector(log, store)
    for _ in range(restart):
        first.step(one)
    assert state_digest(projected(log, other, store)) == expected


@given(seeds, limits)
@settings(max_examples=20)
def test_the_digest_is_the_same_in_every_store(seed: int, limit: int) -> None:
    """A SQLite store that is closed and opened again after each batch has the digest of one in memory."""
    log = log_of(world_events(seed))
    with tempfile.TemporaryDirectory() as folder:
        while True:
            store = SqliteStore(Path(folder) / "state.sqlite")
            done = Projector(log, store).step(max(limit, 13)) == 0
            digest = state_digest(store)
            store.close()
            if done:
                break
    assert digest == state_digest(projected(log))


@given(seeds, limits, st.sampled_from((2, 3, 6)))
def test_the_digest_is_the_same_for_any_partitions_and_interleaving(
    seed: int, limit: int, partitions: int
) -> None:
    """``architecture.md``: "only `decide` joins the two streams, so their interleaving cannot matter"."""
    events = world_events(seed)
    expected = state_digest(projected(log_of(events)))
    mixed = interleaved_again(events, random.Random(seed))
    assert state_digest(projected(log_of(mixed, partitions), limit)) == expected


@given(seeds)
def test_repeated_records_change_nothing(seed: int) -> None:
    """Promise 3: "The same event id is one event": repetitions, with other content too, change nothing."""
    dice = random.Random(seed)
    events = world_events(seed)
    expected = state_digest(projected(log_of(events)))
    again = list(events)
    for recorded in dice.choices(events, k=12):
        place = dice.randint(events.index(recorded) + 1, len(again))
        later = msgspec.structs.replace(recorded.event, medium=dice.choice(("mail", "email")))
        repetition = dice.choice((recorded, Recorded(later, recorded.recorded_at + 5)))
        if place > again.index(recorded):
            again.insert(place, repetition)
    assert state_digest(projected(log_of(again), dice.choice((1, 7, 10_000)))) == expected


@given(seeds)
def test_another_state_has_another_digest(seed: int) -> None:
    """A log that lacks one event, not one that changes nothing, has another digest: it leaves nothing out."""
    events = world_events(seed)
    expected = state_digest(projected(log_of(events)))
    changing = [
        recorded
        for recorded in events
        if stream_of(recorded.event) == INDIVIDUALS
        and plain_facts(events) != plain_facts([other for other in events if other is not recorded])
    ]
    for recorded in changing[:3]:
        fewer = [other for other in events if other is not recorded]
        assert state_digest(projected(log_of(fewer))) != expected


@given(seeds, limits)
def test_the_read_model_answers_as_the_whole_history_does(seed: int, limit: int) -> None:
    """``architecture.md``: live facts and history "both give the same decision", alone and in a batch."""
    lines, questions = generate(random.Random(seed))
    world = World(lines)
    log = log_of([recorded_of(line) for line in lines], 2)
    model = ReadModel(projected(log, limit), log.slice_of, lambda: 0)
    asked = [question_of(each) for each in questions]
    enquiries = [enquiry_of(question) for question in asked]
    together = [answer.decision for answer in model.answer_many(enquiries)]
    assert together == [world.decide(question) for question in asked]
    assert [model.answer(enquiry).decision for enquiry in enquiries[:5]] == together[:5]


def enquiry_of(question: Question) -> Enquiry:
    """The same question, as it is asked."""
    return msgspec.convert(msgspec.structs.asdict(question), Enquiry)


# --- Records that cannot be read ---


def spoiled(log: RawLog, events: list[Recorded], dice: random.Random) -> LogRecord:
    """Put one unreadable record, of a kind that the dice choose, somewhere; the record."""
    recorded = dice.choice(events)
    key, value = recorded.event.key.encode(), encode(recorded)
    slice_ = log.place_of(key, recorded)
    other = Slice(POLICIES, 0) if slice_.stream == INDIVIDUALS else Slice(INDIVIDUALS, 0)
    kinds = (
        (slice_, key, b""),
        (slice_, key, value[:-1]),
        (slice_, key, value + b"\x00"),
        (slice_, key, b"\xc3\x01" + bytes(8) + value[10:]),
        (slice_, key, b"x" * (RECORD_BYTES_MAX + 1)),
        (slice_, b"\xff", value[:-1]),
        (slice_, b"", b""),
        (slice_, b"Not/a/key", value),
        (slice_, b"zoe/zoe" if slice_.stream == INDIVIDUALS else b"zoe", value),
        (other, key, value),
    )
    return log.put(*dice.choice(kinds))


@given(seeds, limits, st.sampled_from((1, 3)))
def test_a_bad_record_never_stops_the_rest(seed: int, limit: int, partitions: int) -> None:
    """``architecture.md``: "**A bad record never stops the rest**": the state is that without it."""
    dice = random.Random(seed)
    events = world_events(seed)
    log = RawLog(partitions)
    bad: list[LogRecord] = []
    for recorded in events:
        if dice.random() < 0.2:
            bad.append(spoiled(log, events, dice))
        log.put_event(recorded)
    store = projected(log, limit)
    assert state_digest(store) == state_digest(projected(log_of(events)))
    entries = store.open_quarantine()
    assert {entry.place for entry in entries} == {record.place for record in bad}
    assert {entry.place: entry.value for entry in entries} == {record.place: record.value for record in bad}


@given(seeds)
def test_whom_a_bad_record_denies(seed: int) -> None:
    """A bad record denies whom it may be about and nobody else, without evidence, until it is resolved."""
    dice = random.Random(seed)
    lines, fields = generate(dice)
    events = [recorded_of(line) for line in lines]
    world, questions = World(lines), [question_of(each) for each in fields[:15]]
    log = log_of(events, 3)
    bad = spoiled(log, events, dice)
    projector = Projector(log, store := MemoryStore())
    projector.catch_up(limit=dice.choice((1, 9, 10_000)))
    model = ReadModel(store, log.slice_of, lambda: 0)
    entries = store.open_quarantine()
    assert {entry.place for entry in entries} == {bad.place}
    for question in questions:
        decision = model.answer(enquiry_of(question)).decision
        if any(is_about(entry, question, log.slice_of(question.key.encode())) for entry in entries):
            assert decision == outside("quarantined")
        else:
            assert decision == world.decide(question)
    log.put_event(Recorded(resolving(bad.place), A_DAY_LATER))
    projector.catch_up()
    assert [model.answer(enquiry_of(question)).decision for question in questions] == [
        world.decide(question) for question in questions
    ]


def is_about(entry: QuarantineEntry, question: Question, slice_: Slice) -> bool:
    """Whether an entry denies the individual of a question."""
    return {
        "individual": entry.subject == question.key,
        "tenant": entry.subject == question.tenant,
        "partition": entry.subject == f"{slice_.stream}/{slice_.partition}",
        "ledger": entry.subject == "",
    }[entry.scope]


@given(seeds, limits)
def test_a_resolution_may_come_first(seed: int, limit: int) -> None:
    """A resolution that stands in another slice, and is folded before its record, settles it all the same."""
    dice = random.Random(seed)
    events = world_events(seed)
    log = log_of(events, 2)
    resolver = log.slice_of(resolving("").key.encode())
    slice_ = Slice(INDIVIDUALS, 1 - resolver.partition)
    place = LogRecord(slice_, len(log.shared.slices[slice_]), b"", b"").place
    log.put_event(Recorded(resolving(place), A_DAY_LATER))
    projector = Projector(log, store := MemoryStore())
    projector.catch_up(limit=limit)
    assert log.put(slice_, dice.choice((b"acme/ana", b"")), b"").place == place
    projector.catch_up(limit=limit)
    assert list(store.open_quarantine()) == []


def resolving(place: str, ledger: str = f"{GENERATION}/") -> QuarantineResolved:
    """An operator's word that a place of a ledger is settled."""
    return QuarantineResolved(
        event_id="00000000-0000-4000-8000-00000000abcd",
        tenant=LEDGER_TENANT,
        individual="operator",
        occurred_at=A_DAY_LATER,
        position=f"{ledger}{place}",
        how="read by hand: it repeats another record",
    )


@pytest.mark.parametrize(
    ("ledger", "still_open"),
    [(f"{GENERATION}/", 0), ("88888888-8888-4888-8888-888888888888/", 1), ("", 1), (GENERATION, 1)],
)
def test_a_resolution_settles_in_its_own_ledger_alone(ledger: str, still_open: int) -> None:
    """A resolution that came from another ledger, or names none, settles nothing at the same place here."""
    log = log_of([])
    bad = log.put(Slice(INDIVIDUALS, 0), b"acme/ana", b"unreadable")
    log.put_event(Recorded(resolving(bad.place, ledger), A_DAY_LATER))
    assert len(projected(log).open_quarantine()) == still_open


@pytest.mark.parametrize("partitions", [1, 6])
def test_a_log_that_lost_its_end_is_noticed(partitions: int) -> None:
    """A state that reaches beyond the log's end is refused, when it is opened and when it goes on: what is
    appended in the place of what was lost would never be folded.
    """
    events = world_events(7)
    log = log_of(events, partitions)
    store = projected(log)
    going = Projector(log, store)
    fullest = max(log.shared.slices.values(), key=len)
    lost = fullest.pop()
    with pytest.raises(PositionUnavailable, match="beyond the log's end"):
        Projector(log, store)
    with pytest.raises(PositionUnavailable, match="beyond the log's end"):
        going.catch_up()
    fullest.append(lost)
    assert Projector(log, store).catch_up() == log.end()


def test_a_state_of_another_ledger_is_noticed() -> None:
    """A state of another generation is refused when it is opened, though it asks for nothing yet."""
    store = projected(log_of(world_events(7)))
    other = log_of(world_events(7))
    other.shared.generation = "88888888-8888-4888-8888-888888888888"
    with pytest.raises(PositionUnavailable, match="another ledger"):
        Projector(other, store)


@pytest.mark.parametrize("partitions", [1, 6])
@pytest.mark.parametrize("later", [0, 40])
def test_a_state_of_a_copy_that_went_on_apart_is_noticed(partitions: int, later: int) -> None:
    """A state of another copy of the ledger, as long and of one generation, is refused for the one record
    that differs, in whichever slice, however much the log holds after it.
    """
    events = world_events(7)
    store = projected(log_of(events, partitions))
    for slice_, held in log_of(events, partitions).shared.slices.items():
        log = log_of(events, partitions)
        if held:
            log.shared.slices[slice_][-1] = held[-1]._replace(value=held[-1].value + b"x")
        for _ in range(later):
            log.put(Slice(INDIVIDUALS, 0), b"acme/ana", b"unreadable")
        if held:
            with pytest.raises(PositionUnavailable, match="other events"):
                Projector(log, store)
        else:
            Projector(log, store)


def test_a_state_is_believed_wherever_its_batches_ended() -> None:
    """A projector goes on from every moment of its state, also where the last record was set aside."""
    log = log_of(world_events(7), 3)
    log.put(Slice(INDIVIDUALS, 1), b"acme/ana", b"unreadable")
    store = MemoryStore()
    while Projector(log, store).step(1):
        pass
    assert store.checkpoint() == log.end()


@pytest.mark.parametrize("partitions", [1, 6])
def test_a_world_of_many_individuals(partitions: int) -> None:
    """A hundred worlds in one log, read in batches that cut them anywhere, fold as each does by itself."""
    events: list[Recorded] = []
    for seed in range(100):
        for recorded in world_events(seed):
            event = msgspec.structs.replace(recorded.event, tenant=f"{recorded.event.tenant}-{seed}")
            events.append(Recorded(event, recorded.recorded_at))
    store = projected(log_of(events, partitions), 97)
    assert dict(store.scan()) == plain_facts(events)
    assert len(list(store.policies())) > 100
