"""Reads the ledger's topics slice by slice, from any offsets, skipping nothing.

kafka-python's defaults are wrong for a ledger: ``auto_offset_reset`` skips silently, and offsets are
committed in the background. Here every partition is assigned and sought by hand, checksums are on, and
nothing is ever committed: how far a projection has come stands in the projection's own store.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

import ledger.kafka_sockets  # noqa: F401 - closes what kafka-python leaves open.
from events.streams import LogRecord, PositionUnavailable, Slice, Stream
from ledger.kafka_client import RECONNECT_BACKOFF_MS
from ledger.log import LogFault

READ_TIMEOUT_S: Final = 30.0
"""How long records that are known to be there may take to come before the read is a fault."""

WORN_TIMEOUT_MS: Final = 3_000
"""How long a connection that was opened earlier may take to answer before a fresh one is tried."""

POLL_MS: Final = 500
"""How long one question to the brokers may stay open."""

POLL_RECORDS: Final = 500
"""Records asked for at once, however few the reader wants: the rest is kept for its next read."""

AHEAD_RECORDS_MAX: Final = 50_000
"""Records kept for later reads while a slow slice is waited for. Above it the slow one waits its turn."""

FETCH_BYTES: Final = 1024 * 1024
"""Bytes that one partition gives at once: larger for a rebuild, bounded for memory."""


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to read: the brokers, the topic of each stream and its number of partitions."""

    brokers: str
    topics: dict[Stream, str]
    partitions: dict[Stream, int]
    open_timeout_ms: int = 10_000
    request_timeout_ms: int = 10_000
    security: tuple[tuple[str, str], ...] = ()

    @property
    def slices(self) -> tuple[Slice, ...]:
        """Every slice of the ledger, sorted."""
        named = ((stream, number) for stream in self.topics for number in range(self.partitions[stream]))
        return tuple(sorted(Slice(stream, number) for stream, number in named))

    def topic_partition(self, slice_: Slice) -> TopicPartition:
        """The partition in Kafka that holds a slice."""
        return TopicPartition(self.topics[slice_.stream], slice_.partition)


class _Connection:
    """A consumer that is opened when it is first needed, and given up at its first error.

    One that was opened earlier may know leaders that are long gone, and not find the new ones in time: what
    fails with it is worth a second attempt with a fresh one (``is_worn`` says so before the use).
    """

    def __init__(self, settings: ReaderSettings) -> None:
        self._settings = settings
        self._consumer: Any = None

    @property
    def is_worn(self) -> bool:
        """Whether the next use is not the first of its consumer."""
        return self._consumer is not None

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The consumer. Raises PositionUnavailable where the log has a hole, LogFault for any other error."""
        try:
            if self._consumer is None:
                self._consumer = self._open()
            yield self._consumer
        except (OffsetOutOfRangeError, LogTruncationError) as fault:
            self.close()
            raise PositionUnavailable("the log does not hold what follows this position; rebuild") from fault
        except KafkaError as fault:
            self.close()
            message = (
                f"Kafka at {self._settings.brokers} cannot be read: {fault!r}; try again when it answers"
            )
            raise LogFault(message) from fault

    def close(self) -> None:
        """Give the consumer up; the next use opens another."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)

    def _open(self) -> Any:  # noqa: ANN401 - kafka-python is untyped here.
        make: Any = KafkaConsumer
        consumer = make(
            bootstrap_servers=self._settings.brokers.split(","),
            bootstrap_timeout_ms=self._settings.open_timeout_ms,
            request_timeout_ms=self._settings.request_timeout_ms,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            check_crcs=True,
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=POLL_MS,
            reconnect_backoff_max_ms=RECONNECT_BACKOFF_MS,
            metrics_enabled=False,
            **dict(self._settings.security),
        )
        consumer.assign([self._settings.topic_partition(slice_) for slice_ in self._settings.slices])
        return consumer


class OffsetReader:
    """Where each slice begins and ends now. Safe from many threads, which take turns."""

    def __init__(self, settings: ReaderSettings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._connection = _Connection(settings)
        self._lock = threading.Lock()

    def ends(self) -> dict[Slice, int]:
        """The offset after the last record of each slice that every in-sync replica holds."""
        return self._ask("end_offsets")

    def beginnings(self) -> dict[Slice, int]:
        """The offset of the first record that each slice still holds."""
        return self._ask("beginning_offsets")

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._connection.close()

    def _ask(self, question: str) -> dict[Slice, int]:
        with self._lock:
            if self._connection.is_worn:
                with suppress(LogFault):
                    return self._answer(question, WORN_TIMEOUT_MS)
            return self._answer(question, self._settings.request_timeout_ms)

    def _answer(self, question: str, timeout_ms: int) -> dict[Slice, int]:
        places = {self._settings.topic_partition(slice_): slice_ for slice_ in self._settings.slices}
        with self._connection.use() as consumer:
            offsets = getattr(consumer, question)(list(places), timeout_ms=timeout_ms)
            return {places[place]: offset for place, offset in offsets.items()}


class RecordReader:
    """Records from any offsets on, every slice in its turn. Safe from many threads, which take turns.

    Reads that go on where the last one ended are served from what was fetched ahead; any other begins anew.
    """

    def __init__(self, settings: ReaderSettings, offsets: OffsetReader) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._offsets = offsets
        self._connection = _Connection(settings)
        self._lock = threading.Lock()
        self._places = {settings.topic_partition(slice_): slice_ for slice_ in settings.slices}
        self._ahead: dict[Slice, deque[LogRecord]] = {slice_: deque() for slice_ in settings.slices}
        self._next: dict[Slice, int] = {}
        self._turns = deque(settings.slices)

    def read(self, offsets: Mapping[Slice, int], limit: int, wait_ms: int) -> Sequence[LogRecord]:
        """At most ``limit`` records from these offsets on; slices that are not named are read from 0.

        Waits up to ``wait_ms`` for the first where nothing follows. Raises PositionUnavailable, LogFault.
        """
        wanted = {slice_: offsets.get(slice_, 0) for slice_ in self._ahead}
        with self._lock:
            if self._connection.is_worn:
                with suppress(LogFault):
                    return self._attempt(wanted, limit, wait_ms, WORN_TIMEOUT_MS / 1000)
            return self._attempt(wanted, limit, wait_ms, READ_TIMEOUT_S)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._connection.close()
            self._forget()

    def _attempt(
        self, offsets: Mapping[Slice, int], limit: int, wait_ms: int, timeout_s: float
    ) -> list[LogRecord]:
        try:
            with self._connection.use() as consumer:
                self._fill(consumer, offsets, limit, timeout_s)
                if wait_ms and not any(self._ahead.values()):
                    self._poll(consumer, limit, wait_ms)
        except (PositionUnavailable, LogFault):
            self._connection.close()
            self._forget()
            raise
        return self._take(limit)

    def _forget(self) -> None:
        self._next.clear()
        for ahead in self._ahead.values():
            ahead.clear()

    def _go_to(self, consumer: Any, offsets: Mapping[Slice, int]) -> None:  # noqa: ANN401 - see _Connection.
        for slice_, offset in offsets.items():
            if self._next.get(slice_) != offset:
                self._ahead[slice_].clear()
                consumer.seek(self._settings.topic_partition(slice_), offset)
                self._next[slice_] = offset

    def _fill(
        self,
        consumer: Any,  # noqa: ANN401 - see _Connection.
        offsets: Mapping[Slice, int],
        limit: int,
        timeout_s: float,
    ) -> None:
        """Fetch until there is enough, and something of every slice that holds something."""
        if offsets == self._next and self._has_enough(limit) and all(self._ahead.values()):
            return
        ends = self._offsets.ends()
        _refuse_beyond(offsets, ends)
        self._go_to(consumer, offsets)
        deadline = time.monotonic() + timeout_s
        while behind := self._behind(consumer, ends):
            if self._has_enough(limit) and all(self._ahead[slice_] for slice_ in behind):
                return
            if self._has_enough(AHEAD_RECORDS_MAX):
                return
            if time.monotonic() > deadline:
                if any(self._ahead.values()):
                    return
                raise LogFault(f"records of {len(behind)} slices do not come; is a broker away?")
            self._poll(consumer, limit, POLL_MS)

    def _has_enough(self, limit: int) -> bool:
        return sum(map(len, self._ahead.values())) >= limit

    def _behind(self, consumer: Any, ends: Mapping[Slice, int]) -> list[Slice]:  # noqa: ANN401 - see above.
        """The slices of which something is in the log that was not fetched yet."""
        places = self._places.items()
        return [slice_ for place, slice_ in places if (consumer.position(place) or 0) < ends[slice_]]

    def _poll(self, consumer: Any, limit: int, timeout_ms: int) -> None:  # noqa: ANN401 - see above.
        # No slice is ever paused: what kafka-python parks for a paused partition may never come out again.
        count = max(limit, POLL_RECORDS)
        for place, records in consumer.poll(timeout_ms=timeout_ms, max_records=count).items():
            slice_ = self._places[place]
            self._ahead[slice_].extend(
                LogRecord(slice_, record.offset, record.key or b"", record.value or b"") for record in records
            )

    def _take(self, limit: int) -> list[LogRecord]:
        """What was fetched, shared out evenly among the slices that have something."""
        taken: list[LogRecord] = []
        while len(taken) < limit and (waiting := sum(map(bool, self._ahead.values()))):
            share = max(1, (limit - len(taken)) // waiting)
            for _ in self._ahead:
                # The slice that was served goes to the end, so that the next read begins with another.
                slice_ = self._turns[0]
                self._turns.rotate(-1)
                ahead = self._ahead[slice_]
                taken += [ahead.popleft() for _ in range(min(share, len(ahead), limit - len(taken)))]
                if len(taken) == limit:
                    break
        for record in taken:
            self._next[record.slice] = record.offset + 1
        return taken


def _refuse_beyond(offsets: Mapping[Slice, int], ends: Mapping[Slice, int]) -> None:
    for (stream, partition), offset in offsets.items():
        end = ends[Slice(stream, partition)]
        if offset > end:
            raise PositionUnavailable(f"{stream}/{partition} ends at {end}, before {offset}; rebuild")
