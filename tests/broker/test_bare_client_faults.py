"""The faults of the bare kafka-python producer that the supervised producer is built around.

When one fails with a new version of the client, that fault is gone: read ``ledger/kafka_producer.py`` again
before removing what guards against it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from tests.broker.jvm_broker import JvmBroker

pytestmark = pytest.mark.broker

ACK_WITHIN_S = 10.0
#: How long a healthy producer is given to deliver after the broker is back: some hundred times what it needs.
SILENT_FOR_S = 5.0
MESSAGE_BYTES_MAX = 2_000
#: How often a race is run that the fault does not always win.
TRIES = 5


@contextmanager
def _topics(bootstrap: str, *names: str) -> Iterator[None]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        configs = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
        one = {"num_partitions": 1, "replication_factor": 1, "configs": configs}
        admin.create_topics(dict.fromkeys(names, one), wait_for_metadata=True)
        yield
        admin.delete_topics(list(names))
    finally:
        admin.close()


@contextmanager
def _producer(bootstrap: str, **settings: int) -> Iterator[Any]:
    make: Any = KafkaProducer
    producer = make(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, **settings)
    try:
        yield producer
    finally:
        # A wedged producer never flushes, and close() waits for that first; so the sender is ended directly.
        producer._sender.force_close()
        producer._sender.join(10)
        producer._closed = True
        producer._unregister_cleanup()


def _values(bootstrap: str, topic: str) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        found: list[bytes] = []
        while (consumer.position(partition) or 0) < end:
            for records in consumer.poll(timeout_ms=500).values():
                found.extend(record.value for record in records)
        return found
    finally:
        consumer.close()


def test_a_batch_past_its_delivery_timeout_wedges_the_producer_for_ever(
    faulty_broker: JvmBroker, topic_prefix: str
) -> None:
    """After a batch that was sent expires, nothing is sent again on any partition, and no future resolves."""
    wedged, other = f"{topic_prefix}wedged", f"{topic_prefix}other"
    timeouts = {"request_timeout_ms": 1000, "delivery_timeout_ms": 2500, "reconnect_backoff_max_ms": 200}
    with (
        _topics(faulty_broker.bootstrap, wedged, other),
        _producer(faulty_broker.bootstrap, **timeouts) as producer,
    ):
        for topic in (wedged, other):
            producer.send(topic, b"before").get(ACK_WITHIN_S)
        faulty_broker.freeze()
        try:
            sent_once = producer.send(wedged, b"sent once")
            with pytest.raises(KafkaTimeoutError):
                sent_once.get(ACK_WITHIN_S)
        finally:
            faulty_broker.thaw()

        after = [producer.send(topic, b"after") for topic in (wedged, other)]
        time.sleep(SILENT_FOR_S)

        assert timeouts["delivery_timeout_ms"] < SILENT_FOR_S * 1000
        assert not any(future.is_done for future in after), "not even the delivery timeout resolves them"
        assert b"after" not in _values(faulty_broker.bootstrap, wedged)
        assert _values(faulty_broker.bootstrap, other) == [b"before"]
        with pytest.raises(KafkaTimeoutError):
            producer.flush(timeout=1)


def test_the_error_of_an_expired_batch_does_not_say_that_it_is_absent(
    faulty_broker: JvmBroker, topic_prefix: str
) -> None:
    """A future may fail for a record that is in the log: a failed future is no proof of absence."""
    # A broker frozen for longer than its session may lose the lead before it reads what waits for it.
    tries = (_expires_and_is_there(faulty_broker, f"{topic_prefix}late-{number}") for number in range(TRIES))
    assert any(tries)


def _expires_and_is_there(broker: JvmBroker, topic: str) -> bool:
    """Whether a record whose future has failed turns up in the log."""
    timeouts = {"request_timeout_ms": 1000, "delivery_timeout_ms": 2500}
    with _topics(broker.bootstrap, topic), _producer(broker.bootstrap, **timeouts) as producer:
        producer.send(topic, b"before").get(ACK_WITHIN_S)
        broker.freeze()
        try:
            # The frozen broker's kernel takes the bytes; the broker reads them when it is let go.
            late = producer.send(topic, b"late")
            with pytest.raises(KafkaTimeoutError):
                late.get(ACK_WITHIN_S)
        finally:
            broker.thaw()

        deadline = time.monotonic() + SILENT_FOR_S
        while (values := _values(broker.bootstrap, topic)) == [b"before"] and time.monotonic() < deadline:
            time.sleep(0.2)
        assert values in ([b"before"], [b"before", b"late"])
        return b"late" in values


def test_one_bad_record_makes_every_later_send_fail(kafka_brokers: str, topic_prefix: str) -> None:
    """A record above the topic's limit poisons the producer: later good ones fail with its error, unsent."""
    poisoned, innocent = f"{topic_prefix}poisoned", f"{topic_prefix}innocent"
    with (
        _topics(kafka_brokers, poisoned, innocent),
        _producer(kafka_brokers, max_request_size=10**7) as producer,
    ):
        producer.send(innocent, b"before").get(ACK_WITHIN_S)
        with pytest.raises(MessageSizeTooLargeError):
            producer.send(poisoned, b"x" * (MESSAGE_BYTES_MAX + 1)).get(ACK_WITHIN_S)

        for _ in range(5):
            with pytest.raises(KafkaError) as told:
                producer.send(innocent, b"good and small").get(ACK_WITHIN_S)
            assert isinstance(told.value, MessageSizeTooLargeError), "the error of the first bad record"
        assert _values(kafka_brokers, innocent) == [b"before"]
