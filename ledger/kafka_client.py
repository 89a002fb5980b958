"""The one place that touches kafka-python's producer: opened as the ledger needs it, and discarded for good.

What was measured of kafka-python 3.0.12 and is held here:

- ``acks``, ``retries`` or requests in flight that do not fit switch idempotence off with only a log line,
  unless ``enable_idempotence=True`` is said aloud; then they raise.
- Its ``delivery_timeout_ms`` may wedge it for ever, so it is far above any deadline of ours.
- It backs off up to 30 s before it connects again, as long as our whole deadline; here 1 s.
- ``close`` begins with a flush that raises while anything is pending, and then the client lives on and may
  still send. So a client is discarded by ending its sender directly, and waiting for that thread.
- When the constructor fails, its sockets stay open; they are closed here.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

import ledger.kafka_sockets  # noqa: F401 - closes what kafka-python leaves open.

RECONNECT_BACKOFF_MS: Final = 1_000
"""How long the client waits, at most, before it tries an unreachable broker again."""

BATCH_BYTES: Final = 65_536
"""Bytes of one batch of several records. Below what the topics take, so that no batch must be split."""

DISCARD_WITHIN_S: Final = 5.0
"""How long a discarded client's thread may take to end; it ends in milliseconds unless it is connecting."""

Header = tuple[str, bytes]


class ClientUnavailable(Exception):
    """No client could be had: no broker answers, or it does not know the topics. Trying again may help."""


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a producer's client is opened. Times in milliseconds."""

    brokers: str
    open_timeout_ms: int = 2_000
    request_timeout_ms: int = 10_000
    delivery_timeout_ms: int = 3_600_000
    request_bytes_max: int = 1_048_576
    security: tuple[tuple[str, str], ...] = ()
    """Further client options by kafka-python's names, such as ``security_protocol`` and ``ssl_cafile``."""


class Client:
    """An open kafka-python producer. It is used until its first fault and never mended."""

    def __init__(self, producer: Any) -> None:  # noqa: ANN401 - kafka-python's internals are untyped.
        self._producer = producer

    def send(
        self,
        topic: str,
        partition: int,
        record: tuple[bytes, bytes, list[Header]],
        on_ack: Callable[[int, int], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Hand one record (key, value, headers) over; exactly one of the callbacks may come later, or none.

        ``on_ack`` takes the offset (-1 if the broker did not tell it) and the broker's append time in
        milliseconds. Callbacks run on the client's thread. Raises KafkaError when nothing was handed over.
        """
        key, value, headers = record
        future = self._producer.send(topic, key=key, value=value, headers=headers, partition=partition)
        future._add_cb_eb(  # noqa: SLF001 - the public pair costs two locks for each record.
            lambda metadata: on_ack(metadata.offset, metadata.timestamp), on_error
        )

    def discard(self) -> bool:
        """End the client without sending what it still holds; true once its thread is surely gone.

        Bytes that the network already took may still reach the log: what was pending is *unknown*.
        """
        sender = self._producer._sender  # noqa: SLF001 - see the module: the public close leaves it alive.
        sender.force_close()
        sender.join(DISCARD_WITHIN_S)
        if sender.is_alive():
            return False
        self._producer.close(timeout=0)
        return True


def open_client(settings: ClientSettings, topics: dict[str, int]) -> Client:
    """Open a client and warm it: every topic must be known, with as many partitions as the ledger counts on.

    Blocks for up to ``open_timeout_ms`` for the connection, and again for each topic. Raises
    ClientUnavailable, with nothing left open.
    """
    opened: list[Any] = []

    def network(**options: object) -> object:
        opened.append(KafkaNetClient(**options))
        return opened[-1]

    make: Any = KafkaProducer
    try:
        producer = make(kafka_client=network, **_options(settings))
    except KafkaError as fault:
        for half_open in opened:
            half_open.close()
        raise ClientUnavailable(f"no broker answers at {settings.brokers}: {fault}") from fault
    client = Client(producer)
    try:
        _warm(producer, topics)
    except (KafkaError, ClientUnavailable) as fault:
        client.discard()
        raise ClientUnavailable(str(fault)) from fault
    return client


def _options(settings: ClientSettings) -> dict[str, object]:
    return {
        "bootstrap_servers": settings.brokers.split(","),
        "enable_idempotence": True,
        "acks": "all",
        "delivery_timeout_ms": settings.delivery_timeout_ms,
        "request_timeout_ms": settings.request_timeout_ms,
        "bootstrap_timeout_ms": settings.open_timeout_ms,
        "max_block_ms": settings.open_timeout_ms,
        "max_request_size": settings.request_bytes_max,
        "batch_size": BATCH_BYTES,
        "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MS,
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
        **dict(settings.security),
    }


def _warm(producer: Any, topics: dict[str, int]) -> None:  # noqa: ANN401 - see Client.
    for topic, partitions in topics.items():
        known = producer.partitions_for(topic)
        if len(known) != partitions:
            message = f"topic {topic} has {len(known)} partitions, not {partitions}: they are fixed for ever"
            raise ClientUnavailable(message)
