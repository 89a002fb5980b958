"""What the log on Kafka owes beyond the contract: its beginning, clock, headers and foreign records."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from cloudevents.v1.conversion import to_dict
from cloudevents.v1.kafka import KafkaMessage, from_binary
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from msgspec.structs import replace

from events.codec import decode
from events.instants import SECOND, Micros
from events.policy_events import LedgerBegun
from events.streams import INDIVIDUALS, POLICIES, READ_RECORDS_MAX, Position, PositionUnavailable, Slice
from ledger.kafka_clock import CLOCK_TOLERANCE, quorum_time_ms
from ledger.kafka_log import KafkaLog, KafkaLogSettings, open_kafka_log
from ledger.kafka_reader import AHEAD_RECORDS_MAX
from ledger.kafka_topics import TopicPlan, administration, create_topics, verify_topics
from ledger.log import LogFault, Proposal
from tests.broker.test_kafka_log import plan_for
from tests.broker_fixtures import no_broker
from tests.contract.log_workshop import acknowledged, append, batches, events_of, read_all, rejected
from tests.contract.sample_events import choice, event_of_size

pytestmark = pytest.mark.broker

MARGIN: Micros = SECOND // 2
"""How near the tolerance a real clock is held: a machine under load is this imprecise."""


def now() -> Micros:
    """The real clock."""
    return time.time_ns() // 1_000


@pytest.fixture
def plan(kafka_brokers: str, topic_prefix: str) -> TopicPlan:
    """New topics of two partitions."""
    plan = plan_for(topic_prefix, 2)
    create_topics(kafka_brokers, plan)
    return plan


@contextmanager
def opened(brokers: str, plan: TopicPlan, clock: Callable[[], Micros] = now) -> Iterator[KafkaLog]:
    """The log of these topics, closed at the end."""
    log = open_kafka_log(KafkaLogSettings(brokers=brokers, plan=plan), clock)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def foreign_producer(brokers: str, **options: object) -> Iterator[Any]:
    """A client that is none of ours, and writes what it likes."""
    make: Any = KafkaProducer
    producer = make(bootstrap_servers=brokers, **options)
    try:
        yield producer
    finally:
        producer.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the brokers do in their own time."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.05)


# ------------------------------------------------------------------------------------------- the beginning


def test_processes_that_begin_one_log_at_once_begin_one(kafka_brokers: str, plan: TopicPlan) -> None:
    """Six writers that open a new log at the same moment agree on its generation and its first event."""
    barrier = threading.Barrier(6)

    def begin(number: int) -> str:
        barrier.wait()
        with opened(kafka_brokers, plan) as log:
            acknowledged(append(log, choice(now(), f"person-{number}"))[0])
            return log.generation

    with ThreadPoolExecutor(6) as pool:
        generations = set(pool.map(begin, range(6)))
    assert len(generations) == 1
    with opened(kafka_brokers, plan) as log:
        policies = [decode(r.value).event for r in read_all(log) if r.slice.stream == POLICIES]
        assert {type(event) for event in policies} == {LedgerBegun}
        assert len({event.event_id for event in policies}) == 1
        assert len(events_of(read_all(log))) == 6


def test_topics_made_anew_begin_another_generation(kafka_brokers: str, plan: TopicPlan) -> None:
    """After the topics were deleted and made again, positions of the former ledger are unavailable."""
    with opened(kafka_brokers, plan) as log:
        former = log.end()
    with administration(kafka_brokers) as admin:
        admin.delete_topics([plan.individuals, plan.policies])
    gone = lambda: {d.found for d in verify_topics(kafka_brokers, plan)} == {"missing"}  # noqa: E731 - read once.
    wait_until(gone, "the topics are deleted")
    create_topics(kafka_brokers, plan)
    with opened(kafka_brokers, plan) as log:
        assert log.generation != former.generation
        with pytest.raises(PositionUnavailable, match="another generation"):
            log.read(former)


def test_half_a_ledger_is_not_begun_again(kafka_brokers: str, topic_prefix: str) -> None:
    """Individuals' events without the policies' topic they belong to are refused: that is a lost topic."""
    whole, other = plan_for(topic_prefix, 1), f"{topic_prefix}another"
    create_topics(kafka_brokers, whole)
    with opened(kafka_brokers, whole) as log:
        acknowledged(append(log, choice(now()))[0])
    half = replace(whole, policies=other)
    create_topics(kafka_brokers, half)
    with pytest.raises(LogFault, match="no whole ledger"), opened(kafka_brokers, half):
        pass


@pytest.mark.parametrize("value", [b"", b"not an event", b"\xc3\x01"])
def test_topics_of_others_are_not_opened(kafka_brokers: str, plan: TopicPlan, value: bytes) -> None:
    """A policies' topic that begins with somebody else's record is refused, and left as it is."""
    with foreign_producer(kafka_brokers) as producer:
        producer.send(plan.policies, key=b"k", value=value).get(10)
    for _ in range(2):
        with pytest.raises(LogFault, match="is no event"), opened(kafka_brokers, plan):
            pass


def test_deleted_records_are_a_hole(kafka_brokers: str, plan: TopicPlan) -> None:
    """Records deleted at the beginning of a slice make reading from there, and opening, a fault."""
    with opened(kafka_brokers, plan) as log:
        outcomes = append(log, *(choice(now(), "ana") for _ in range(4)))
        ((slice_, end),) = acknowledged(outcomes[-1]).position.as_dict().items()
        with administration(kafka_brokers) as admin:
            admin.delete_records({TopicPartition(plan.individuals, slice_.partition): 2})
        with pytest.raises(PositionUnavailable):
            log.read(log.start())
        rest = log.read(Position.of(log.generation, {**log.end().as_dict(), slice_: 2}.items()))
        assert [record.offset for record in rest] == list(range(2, end))
        with administration(kafka_brokers) as admin:
            admin.delete_records({TopicPartition(plan.policies, 0): 1})
    with pytest.raises(LogFault, match="were deleted"), opened(kafka_brokers, plan):
        pass


# ------------------------------------------------------------------------------------------------ the clock


@pytest.mark.parametrize("off", [CLOCK_TOLERANCE + MARGIN, -CLOCK_TOLERANCE - MARGIN])
def test_a_writer_whose_clock_is_off_does_not_write(kafka_brokers: str, plan: TopicPlan, off: Micros) -> None:
    """More than 2 s ahead or behind, nothing is written, not even the beginning; within 2 s it is."""
    with pytest.raises(LogFault, match="clock"), opened(kafka_brokers, plan, lambda: now() + off):
        pass
    with opened(
        kafka_brokers, plan, lambda: now() + (off - 2 * MARGIN if off > 0 else off + 2 * MARGIN)
    ) as log:
        assert len(read_all(log)) == 1


def test_a_clock_that_is_set_wrong_meanwhile_is_found_out(kafka_brokers: str, plan: TopicPlan) -> None:
    """A clock set 10 s ahead stops the writer before its next event; set right, it goes on after a moment."""
    off: list[Micros] = [0]
    with opened(kafka_brokers, plan, lambda: now() + off[0]) as log:
        acknowledged(append(log, choice(now() - SECOND))[0])
        off[0] = 10 * SECOND
        time.sleep(1.1)
        outcome = rejected(append(log, choice(now() - SECOND))[0])
        assert (outcome.reason, outcome.field) == ("clock", "recorded_at")
        assert "ahead of the brokers" in outcome.message
        off[0] = 0
        time.sleep(1.1)
        acknowledged(append(log, choice(now() - SECOND))[0])
        assert len(events_of(read_all(log))) == 2


def test_the_brokers_tell_their_time(kafka_brokers: str) -> None:
    """The metadata quorum's leader tells the present, on this machine the same as our own clock."""
    before = now() // 1_000
    told = quorum_time_ms(kafka_brokers)
    assert before - 2_000 <= told <= now() // 1_000 + 2_000


# -------------------------------------------------------------------------------------- what others see


def consumed(brokers: str, topic: str) -> list[Any]:
    """Every record of a topic, by a plain consumer."""
    make: Any = KafkaConsumer
    consumer = make(
        topic,
        bootstrap_servers=brokers,
        auto_offset_reset="earliest",
        consumer_timeout_ms=1_000,
        group_id=None,
    )
    try:
        return list(consumer)
    finally:
        consumer.close()


def test_records_are_cloud_events(kafka_brokers: str, plan: TopicPlan) -> None:
    """The public CloudEvents library reads a record's headers: id, type, time and source, and no person."""
    event = choice(now() - SECOND, "ana")
    with opened(kafka_brokers, plan) as log:
        acknowledged(append(log, event)[0])
    (record,) = consumed(kafka_brokers, plan.individuals)
    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    attributes = to_dict(from_binary(message, data_unmarshaller=lambda data: data))
    assert attributes["id"] == event.event_id
    assert attributes["type"] == "org.choiceledger.events.ChoiceMade"
    assert attributes["source"] == "/choice-ledger/individuals/acme"
    assert attributes["specversion"] == "1.0"
    assert attributes["dataschema"].removeprefix("urn:choice-ledger:schema:") == record.value[2:10].hex()
    assert b"ana" not in b"".join(value for _, value in record.headers)


def test_records_of_others_are_handed_on_as_they_are(kafka_brokers: str, plan: TopicPlan) -> None:
    """Records without key or value, and the gaps that transactions leave, are read past, none left out."""
    with opened(kafka_brokers, plan) as log:
        place = Slice(INDIVIDUALS, 0)
        with foreign_producer(kafka_brokers) as producer:
            producer.send(plan.individuals, value=b"no key", partition=0).get(10)
            producer.send(plan.individuals, key=b"no value", partition=0).get(10)
        with foreign_producer(kafka_brokers, transactional_id=plan.individuals) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(plan.individuals, key=b"in a transaction", value=b"v", partition=0).get(10)
            producer.commit_transaction()
        wait_until(lambda: log.end().as_dict()[place] == 4, "the transaction left its marker")
        last = next(
            e
            for e in (choice(now() - SECOND, f"p-{n}") for n in range(99))
            if log.slice_of(e.key.encode()) == place
        )
        acknowledged(append(log, last)[0])
        records = [record for record in log.read(log.start()) if record.slice == place]
        assert [(r.key, r.value) for r in records[:3]] == [
            (b"", b"no key"),
            (b"no value", b""),
            (b"in a transaction", b"v"),
        ]
        assert decode(records[3].value).event == last
        assert [r.offset for r in records] == [0, 1, 2, 4]


def test_reads_from_two_places_at_once_agree(kafka_brokers: str, plan: TopicPlan) -> None:
    """Threads that read one log from different positions each get exactly what follows theirs."""
    with opened(kafka_brokers, plan) as log:
        append(log, *(choice(now() - SECOND, f"person-{number}") for number in range(300)))
        everything = {(r.slice, r.offset): r for r in read_all(log)}

        def read(begin: int) -> int:
            wanted = {place: r for place, r in everything.items() if place[1] >= begin}
            ends = log.end().as_dict()
            position = Position.of(log.generation, {s: min(begin, end) for s, end in ends.items()}.items())
            found: dict[tuple[Slice, int], object] = {}
            while len(found) < len(wanted):
                records = log.read(position, 40, 500)
                found |= {(r.slice, r.offset): r for r in records}
                offsets = position.as_dict() | {r.slice: r.offset + 1 for r in records}
                position = Position.of(log.generation, offsets.items())
            assert found == wanted
            return len(found)

        with ThreadPoolExecutor(4) as pool:
            assert min(pool.map(read, (0, 30, 60, 90))) > 0


def test_a_reader_keeps_no_more_ahead_than_it_may(
    kafka_brokers: str, plan: TopicPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With little room to keep records ahead a read gives fewer than asked for, and leaves none out."""
    assert AHEAD_RECORDS_MAX >= READ_RECORDS_MAX, "a full read always fits"
    monkeypatch.setattr("ledger.kafka_reader.AHEAD_RECORDS_MAX", 20)
    with opened(kafka_brokers, plan) as log:
        # So large that one fetch cannot bring them all.
        append(log, *[event_of_size(now() - SECOND, 60_000)] * 150)
        sizes = [len(records) for records in batches(log, log.start(), 151)]
        assert max(sizes) < 150
        assert sum(sizes) == 151


def test_imports_keep_their_time_on_an_old_topic(kafka_brokers: str, plan: TopicPlan) -> None:
    """An event recorded ten years ago is imported with its time; the broker dates the record itself today."""
    long_ago = now() - 3_650 * 24 * 3_600 * SECOND
    with opened(kafka_brokers, plan) as log:
        outcome = acknowledged(log.append([Proposal(choice(long_ago), long_ago)])[0])
        assert outcome.recorded_at == long_ago
    (record,) = consumed(kafka_brokers, plan.individuals)
    assert abs(record.timestamp - now() // 1_000) < 60_000


@pytest.mark.parametrize("in_ci", [True, False])
def test_no_broker_is_a_failure_in_ci_and_a_skip_elsewhere(
    in_ci: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no broker can be had, CI fails and a laptop skips, both with what is missing."""
    monkeypatch.setitem(os.environ, "CI", "true" if in_ci else "")
    expected = pytest.fail.Exception if in_ci else pytest.skip.Exception
    with pytest.raises(expected, match="no Kafka broker: java is missing"):
        no_broker("java is missing")
