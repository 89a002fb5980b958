"""The supervised producer, under the conditions that wedge and poison the bare client, and at its limits."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from events.streams import INDIVIDUALS, POLICIES
from ledger.kafka_client import ClientSettings, ClientUnavailable, open_client
from ledger.kafka_producer import PENDING_BYTES_MAX, PENDING_MAX, ProducerSettings, SupervisedProducer
from ledger.kafka_reader import OffsetReader, ReaderSettings, RecordReader
from ledger.kafka_shipment import Delivered, Fate, Outgoing, Refused, Undetermined, record_bytes
from ledger.kafka_topics import RECORD_BYTES_ON_TOPIC, administration
from tests.broker.jvm_broker import JvmBroker, free_port

pytestmark = pytest.mark.broker

WEDGING_FREEZE_S = 4.0
SMALL_RECORD_BYTES = 2_000


def wedging(bootstrap: str) -> ClientSettings:
    """The conditions of test_bare_client_faults: ``WEDGING_FREEZE_S`` wedges a bare client for ever."""
    return ClientSettings(brokers=bootstrap, request_timeout_ms=1_000, delivery_timeout_ms=2_500)


def unchecked(bootstrap: str) -> ClientSettings:
    """A client that would send a record far above what the topic takes, and be poisoned by it."""
    return ClientSettings(brokers=bootstrap, request_bytes_max=10**7)


class Bench:
    """Two topics on a broker: ``roomy`` takes the ledger's records, ``narrow`` small ones alone."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.roomy, self.narrow = f"{prefix}roomy", f"{prefix}narrow"
        limits = {self.roomy: RECORD_BYTES_ON_TOPIC, self.narrow: SMALL_RECORD_BYTES}
        with administration(bootstrap) as admin:
            for topic, limit in limits.items():
                configs = {"max.message.bytes": str(limit), "message.timestamp.type": "LogAppendTime"}
                admin.create_topics(
                    {topic: {"num_partitions": 1, "replication_factor": 1, "configs": configs}}
                )
            admin.wait_for_topics(list(limits))

    @contextmanager
    def producer(
        self, deadline_ms: int = 20_000, client: ClientSettings | None = None
    ) -> Iterator[SupervisedProducer]:
        """A supervised producer whose client may be opened with timeouts that wedge it."""
        settings = ProducerSettings(
            client=client or ClientSettings(brokers=self.bootstrap),
            topics={self.roomy: 1, self.narrow: 1},
            deadline_ms=deadline_ms,
        )
        producer = SupervisedProducer(settings)
        try:
            yield producer
        finally:
            producer.close()

    def record(self, name: str, topic: str | None = None, size: int = 10) -> Outgoing:
        """A record whose value has that size, named in its key."""
        return Outgoing(
            name=name, topic=topic or self.roomy, partition=0, key=name.encode(), value=b"v" * size
        )

    def names_in(self, topic: str) -> list[str]:
        """The names of the records in a topic, in order."""
        other = self.narrow if topic == self.roomy else self.roomy
        reading = ReaderSettings(
            brokers=self.bootstrap,
            topics={INDIVIDUALS: topic, POLICIES: other},
            partitions={INDIVIDUALS: 1, POLICIES: 1},
        )
        offsets = OffsetReader(reading)
        records = RecordReader(reading, offsets)
        try:
            ends, names = offsets.ends(), list[str]()
            place, end = next((slice_, end) for slice_, end in ends.items() if slice_.stream == INDIVIDUALS)
            reached = 0
            while reached < end:
                for record in records.read({**ends, place: reached}, 10_000, 0):
                    names.append(record.key.decode())
                    reached = record.offset + 1
            return names
        finally:
            records.close()
            offsets.close()


@pytest.fixture
def bench(kafka_brokers: str, topic_prefix: str) -> Bench:
    """Topics on the shared broker, which nobody disturbs."""
    return Bench(kafka_brokers, topic_prefix)


@pytest.fixture
def faulty_bench(faulty_broker: JvmBroker, topic_prefix: str) -> Bench:
    """Topics on a broker that the test may freeze and kill."""
    return Bench(faulty_broker.bootstrap, topic_prefix)


def kinds(fates: Sequence[Fate]) -> set[type[Fate]]:
    """Which fates there are."""
    return {type(fate) for fate in fates}


def once(names: Sequence[str]) -> list[str]:
    """Names by their first appearance."""
    return list(dict.fromkeys(names))


def test_the_wedge_is_outlived(faulty_broker: JvmBroker, faulty_bench: Bench) -> None:
    """Through a freeze that wedges the bare client, every record is delivered, in order, on every topic."""
    bench = faulty_bench
    with bench.producer(client=wedging(bench.bootstrap)) as producer:
        assert kinds(producer.deliver([bench.record("before"), bench.record("before", bench.narrow)])) == {
            Delivered
        }
        faulty_broker.freeze()
        thaw = threading.Timer(WEDGING_FREEZE_S, faulty_broker.thaw)
        thaw.start()
        during = [bench.record(f"during-{number}") for number in range(20)]
        fates = producer.deliver([*during, bench.record("during", bench.narrow)])
        thaw.join()
        assert kinds(fates) == {Delivered}
        assert kinds(producer.deliver([bench.record("after"), bench.record("after", bench.narrow)])) == {
            Delivered
        }
        assert producer.clients_discarded >= 1
    names = ["before", *(record.name for record in during), "after"]
    assert once(bench.names_in(bench.roomy)) == names
    assert once(bench.names_in(bench.narrow)) == ["before", "during", "after"]


def test_a_silent_client_is_replaced(faulty_broker: JvmBroker, faulty_bench: Bench) -> None:
    """A client that says nothing for a while is discarded, though none of its own timeouts has passed."""
    bench = faulty_bench
    settings = ProducerSettings(
        client=ClientSettings(brokers=bench.bootstrap, request_timeout_ms=15_000),
        topics={bench.roomy: 1},
        deadline_ms=15_000,
        silence_ms=1_000,
    )
    producer = SupervisedProducer(settings)
    try:
        assert kinds(producer.deliver([bench.record("before")])) == {Delivered}
        faulty_broker.freeze()
        threading.Timer(2.0, faulty_broker.thaw).start()
        assert kinds(producer.deliver([bench.record("during")])) == {Delivered}
        assert producer.clients_discarded == 1
    finally:
        producer.close()
    assert once(bench.names_in(bench.roomy)) == ["before", "during"]


def test_one_bad_record_costs_no_other(bench: Bench) -> None:
    """A record that the broker refuses is told as undetermined, soon; all others are delivered, in order."""
    with bench.producer(client=unchecked(bench.bootstrap)) as producer:
        good = [bench.record(f"good-{number}") for number in range(500)]
        bad = bench.record("bad", bench.narrow, SMALL_RECORD_BYTES + 1)
        fits = bench.record("fits", bench.narrow)
        begun = time.monotonic()
        fates = producer.deliver([*good[:250], bad, fits, *good[250:]])
        assert time.monotonic() - begun < 10
        assert isinstance(fates[250], Undetermined)
        assert "MessageSizeTooLarge" in fates[250].message
        assert kinds([*fates[:250], *fates[251:]]) == {Delivered}
        assert kinds(producer.deliver([bench.record("later")])) == {Delivered}
    assert once(bench.names_in(bench.roomy)) == [*(record.name for record in good), "later"]
    assert bench.names_in(bench.narrow) == ["fits"]


def test_many_bad_records_are_found_one_by_one(bench: Bench) -> None:
    """Several records that the broker refuses are told apart from the good ones between them."""
    with bench.producer(client=unchecked(bench.bootstrap)) as producer:
        records = [
            bench.record(f"r-{number}", bench.narrow, SMALL_RECORD_BYTES + 1 if number % 10 == 5 else 10)
            for number in range(30)
        ]
        fates = producer.deliver(records)
    refused = {number for number, fate in enumerate(fates) if not isinstance(fate, Delivered)}
    assert refused == {5, 15, 25}
    assert once(bench.names_in(bench.narrow)) == [r.name for n, r in enumerate(records) if n not in refused]


def test_threads_beside_a_bad_record_lose_nothing(bench: Bench) -> None:
    """While one thread sends what poisons the client, the records of seven others are delivered in order."""
    fates: dict[int, list[Fate]] = {number: [] for number in range(8)}
    with bench.producer(client=unchecked(bench.bootstrap)) as producer:

        def write(number: int) -> None:
            for step in range(30):
                bad = number == 0 and step % 10 == 0
                topic, size = (bench.narrow, SMALL_RECORD_BYTES + 1) if bad else (bench.roomy, 10)
                fates[number] += producer.deliver([bench.record(f"{number}/{step}", topic, size)])

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    names = once(bench.names_in(bench.roomy))
    for number in range(1, 8):
        assert kinds(fates[number]) == {Delivered}
        assert [n for n in names if n.startswith(f"{number}/")] == [f"{number}/{step}" for step in range(30)]


def test_the_largest_record_passes_and_poisons_nothing(bench: Bench) -> None:
    """At the topic's limit a record is delivered; one byte more is refused before any client has it."""
    overhead = record_bytes(bench.record("at", size=0))
    at = bench.record("at", size=RECORD_BYTES_ON_TOPIC - overhead)
    past = bench.record("ov", size=RECORD_BYTES_ON_TOPIC - overhead + 1)
    with bench.producer() as producer:
        delivered, refused, after = producer.deliver([at, past, bench.record("after")])
        assert isinstance(delivered, Delivered)
        assert isinstance(after, Delivered)
        assert isinstance(refused, Refused)
        assert (refused.reason, producer.clients_discarded) == ("too_large", 0)
    assert bench.names_in(bench.roomy) == ["at", "after"]


def test_headers_count_towards_the_size(bench: Bench) -> None:
    """A record whose headers alone make it too large is refused here."""
    record = Outgoing(
        name="h",
        topic=bench.roomy,
        partition=0,
        key=b"h",
        value=b"",
        headers=(("h", b"v" * RECORD_BYTES_ON_TOPIC),),
    )
    with bench.producer() as producer:
        (fate,) = producer.deliver([record])
    assert isinstance(fate, Refused)


@pytest.mark.parametrize(
    ("key", "partition", "topic", "reason"),
    [
        (b"", 0, "roomy", "invalid_key"),
        (b"k", 1, "roomy", "invalid_partition"),
        (b"k", -1, "roomy", "invalid_partition"),
        (b"k", 0, "another", "invalid_partition"),
    ],
)
def test_what_would_poison_the_client_is_refused(
    bench: Bench, key: bytes, partition: int, topic: str, reason: str
) -> None:
    """A record without a key, or for a place that is none of ours, is refused before any client has it."""
    named = bench.roomy if topic == "roomy" else topic
    with bench.producer() as producer:
        (fate,) = producer.deliver(
            [Outgoing(name="r", topic=named, partition=partition, key=key, value=b"v")]
        )
        assert isinstance(fate, Refused)
        assert (fate.reason, producer.clients_discarded) == (reason, 0)


def test_a_deadline_ends_undetermined_and_ends_the_client(
    faulty_broker: JvmBroker, faulty_bench: Bench
) -> None:
    """A record that is not acknowledged in time is undetermined, and the client that held it is gone."""
    bench = faulty_bench
    with bench.producer(deadline_ms=2_000) as producer:
        assert kinds(producer.deliver([bench.record("before")])) == {Delivered}
        faulty_broker.freeze()
        begun = time.monotonic()
        fates = producer.deliver([bench.record("during")])
        took = time.monotonic() - begun
        faulty_broker.thaw()
        assert kinds(fates) == {Undetermined}
        assert 1.9 < took < 7
        assert producer.clients_discarded == 1
        assert kinds(producer.deliver([bench.record("after")])) == {Delivered}


@pytest.mark.parametrize(("size", "room"), [(1, PENDING_MAX), (80_000, -(-PENDING_BYTES_MAX // 80_000))])
def test_memory_is_bounded_while_no_broker_answers(size: int, room: int) -> None:
    """Above so many records or bytes a caller waits until its deadline; what had no room is not sent."""
    settings = ProducerSettings(
        client=ClientSettings(brokers=f"127.0.0.1:{free_port()}", open_timeout_ms=500),
        topics={"roomy": 1},
        deadline_ms=2_000,
    )
    producer = SupervisedProducer(settings)
    try:
        record = Outgoing(name="r", topic="roomy", partition=0, key=b"k", value=b"v" * size)
        fates = producer.deliver([record] * (room + 10))
    finally:
        producer.close()
    messages = [fate.message for fate in fates if isinstance(fate, Undetermined)]
    assert len(messages) == room + 10
    assert sum(message.startswith("not sent") for message in messages) == 10


def test_closing_ends_what_is_under_way(bench: Bench) -> None:
    """`close` waits for the fates of what was submitted, and may be called twice; then nothing is sent."""
    with bench.producer() as producer:
        shipment = producer.submit([bench.record(f"r-{n}") for n in range(1_000)], time.monotonic() + 20)
        producer.close()
        assert kinds(shipment.fates()) == {Delivered}
        assert kinds(producer.deliver([bench.record("late")])) == {Undetermined}
    assert len(bench.names_in(bench.roomy)) == 1_000


def test_a_client_is_not_opened_on_other_partitions(bench: Bench) -> None:
    """A topic with another number of partitions than the ledger counts on is refused: keys would move."""
    settings = ClientSettings(brokers=bench.bootstrap)
    with pytest.raises(ClientUnavailable, match="1 partitions, not 2"):
        open_client(settings, {bench.roomy: 2})
    with pytest.raises(ClientUnavailable):
        open_client(settings, {f"{bench.roomy}-of-another-name": 1})
