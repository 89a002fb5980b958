"""The supervised producer: every record that is handed to it ends with a fate that is true.

kafka-python's idempotent producer can fall silent for ever, and one bad record makes every later send fail
(``tests/broker/test_bare_client_faults.py`` shows both). So no fault of it is mended: at the first one, at
silence, and at a deadline passed, the client is discarded, another is opened, and what is still pending is
sent again in the same order. A record may then stand twice in the log; its event id makes it one.

A fate is told by these rules alone:

- *delivered*: a broker's acknowledgement named the offset. Nothing else counts, ``flush`` least of all.
- *refused*: it was refused here, before any client had it.
- *undetermined*: everything else, and told only after the client that held the record is gone.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
import structlog
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    OutOfOrderSequenceNumberError,
    RetriableError,
    UnknownProducerIdError,
)

from ledger.kafka_client import Client, ClientSettings, ClientUnavailable, Header, open_client

PENDING_MAX: Final = 50_000
"""Records without a fate, of all callers together. Above it a caller waits for room until its deadline."""

PENDING_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of their values together, bounded in the same way."""

NARROWING: Final = 8
"""After a refusal an eighth as many records are sent at once, to find the one; after success eight times."""

RECORD_OVERHEAD_BYTES: Final = 96
"""Upper bound of what Kafka's format adds to a lone record: batch header 61, record 21, and spare."""

HEADER_OVERHEAD_BYTES: Final = 10
"""Upper bound of what it adds to each header: two lengths of up to five bytes."""

HAND_OVER_COUNT: Final = 64
"""Records handed to the client under one hold of the lock, so that acknowledgements get their turn."""

OPEN_PAUSE_S: Final = 0.2
"""Pause after a client could not be opened: a broker that refuses at once is not asked in a tight loop."""

GRACE_S: Final = 10.0
"""How much longer than its deadline a caller waits for the supervisor to tell fates."""

_SEQUENCE_ERRORS: Final = (OutOfOrderSequenceNumberError, UnknownProducerIdError, InvalidProducerEpochError)

_log: Final = structlog.get_logger(__name__)


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One record to deliver. ``name`` is for messages: an event id, never a key."""

    name: str
    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: tuple[Header, ...] = ()


class Delivered(msgspec.Struct, frozen=True):
    """The broker acknowledged the record: where it stands, and when the broker says it was appended."""

    offset: int
    appended_at_ms: int


class Refused(msgspec.Struct, frozen=True):
    """No client ever had the record, and none will by this call."""

    reason: str
    field: str
    message: str


class Undetermined(msgspec.Struct, frozen=True):
    """The record may be in the log or not."""

    message: str


Fate: TypeAlias = Delivered | Refused | Undetermined


class ProducerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the producer is supervised. ``topics`` maps each topic to its number of partitions."""

    client: ClientSettings
    topics: dict[str, int]
    deadline_ms: int = 30_000
    silence_ms: int = 10_000
    """A client that holds records and neither acknowledges nor fails one for this long is discarded."""
    record_bytes_max: int = 98_304
    """Bytes of a lone record as the topic counts them; a larger one would poison the client."""


def record_bytes(outgoing: Outgoing) -> int:
    """An upper bound of what the record takes in a batch of its own, as the topic's limit counts."""
    headers = sum(len(name.encode()) + len(value) + HEADER_OVERHEAD_BYTES for name, value in outgoing.headers)
    return len(outgoing.key) + len(outgoing.value) + headers + RECORD_OVERHEAD_BYTES


class _Delivery:
    """The records of one call, and how many of them have no fate yet."""

    __slots__ = ("done", "remaining")

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.done = threading.Event()


class _Pending:
    """One record without a fate, or with the fate that its caller has not read yet."""

    __slots__ = ("deadline", "delivery", "fate", "held_by", "number", "outgoing")

    def __init__(self, outgoing: Outgoing, deadline: float, delivery: _Delivery) -> None:
        self.outgoing = outgoing
        self.deadline = deadline
        self.delivery = delivery
        self.number = 0
        self.held_by = 0
        self.fate: Fate | None = None


class _Fault(msgspec.Struct, frozen=True):
    """Why a client must go. ``culprit`` is the one record that the broker can have meant, if it is known."""

    error: str
    is_verdict: bool = False
    held: int = 0
    culprit: _Pending | None = None


class Shipment:
    """Records on their way."""

    def __init__(self, entries: Sequence[_Pending], delivery: _Delivery, deadline: float) -> None:
        """Made by ``SupervisedProducer.submit`` alone."""
        self._entries = entries
        self._delivery = delivery
        self._deadline = deadline

    def fates(self) -> tuple[Fate, ...]:
        """The fate of each record, in order, told within the deadline and a few seconds."""
        if self._delivery.remaining:
            self._delivery.done.wait(max(0.0, self._deadline - time.monotonic()) + GRACE_S)
        return tuple(
            entry.fate or Undetermined("the supervisor told nothing in time") for entry in self._entries
        )


class SupervisedProducer:
    """Delivers records for many threads at once, through one client that is replaced whenever it fails.

    All state is guarded by one re-entrant lock: the client may call back from within ``send``. One daemon
    thread, the supervisor, opens and discards clients, and nobody else waits for them.
    """

    def __init__(self, settings: ProducerSettings) -> None:
        """Start the supervisor, which opens the first client at once."""
        self._settings = settings
        self._changed = threading.Condition(threading.RLock())
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._unsent: deque[_Pending] = deque()
        self._client: Client | None = None
        self._epoch = 0
        self._pending_bytes = 0
        self._held = 0
        self._window = PENDING_MAX
        self._last_sign = 0.0
        self._fault: _Fault | None = None
        self._last_error = "no broker has answered yet"
        self._numbers = 0
        self._closing = False
        self._clients_discarded = 0
        self._supervisor = threading.Thread(target=self._supervise, name="kafka-producer", daemon=True)
        self._supervisor.start()

    @property
    def clients_discarded(self) -> int:
        """How many clients were given up since the start: a figure for operators and tests."""
        return self._clients_discarded

    def deliver(self, records: Sequence[Outgoing]) -> tuple[Fate, ...]:
        """Submit records with the deadline of the settings, and wait for the fate of each."""
        return self.submit(records, time.monotonic() + self._settings.deadline_ms / 1000).fates()

    def submit(self, records: Sequence[Outgoing], deadline: float) -> Shipment:
        """Line records up for the client; ``deadline`` is by the monotonic clock.

        Records of one partition reach the log in the order of the calls, and within each call in theirs.
        Waits while too much is pending. Safe from any number of threads.
        """
        refusals = [self._refusal(outgoing) for outgoing in records]
        delivery = _Delivery(refusals.count(None))
        entries = [_Pending(outgoing, deadline, delivery) for outgoing in records]
        for entry, refusal in zip(entries, refusals, strict=True):
            entry.fate = refusal
        self._enqueue([entry for entry in entries if entry.fate is None], deadline)
        self._hand_over()
        return Shipment(entries, delivery, deadline)

    def close(self) -> None:
        """Wait until what is pending has its fate, and discard the client. A second call does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._supervisor.join()

    # ------------------------------------------------------------------------------------ callers' threads

    def _refusal(self, outgoing: Outgoing) -> Refused | None:
        """Refuse what would poison the client: too large, without a key, or for no partition of ours."""
        limit = self._settings.record_bytes_max
        size = record_bytes(outgoing)
        if size > limit:
            message = f"the record takes {size} bytes and the topic {limit}; store long texts by digest"
            return Refused("too_large", "event", message)
        if not outgoing.key:
            return Refused("invalid_key", "key", "a record without a key belongs to nobody")
        if not 0 <= outgoing.partition < self._settings.topics.get(outgoing.topic, 0):
            return Refused("invalid_partition", "partition", f"topic {outgoing.topic} has no such partition")
        return None

    def _enqueue(self, entries: Sequence[_Pending], deadline: float) -> None:
        with self._changed:
            for done, entry in enumerate(entries):
                if not self._has_room(deadline):
                    # The rest must not overtake this one, so none of it is sent either.
                    for unsent in entries[done:]:
                        self._settle(
                            unsent, Undetermined(f"not sent before the deadline: {self._last_error}")
                        )
                    return
                self._numbers += 1
                entry.number = self._numbers
                self._pending[entry.number] = entry
                self._pending_bytes += len(entry.outgoing.value)
                self._unsent.append(entry)
            if self._client is None:
                self._changed.notify_all()

    def _has_room(self, deadline: float) -> bool:
        while self._is_full() and not self._closing:
            self._hand_over()
            if not self._changed.wait(timeout=max(0.0, deadline - time.monotonic())):
                return False
        return not self._closing

    def _is_full(self) -> bool:
        return len(self._pending) >= PENDING_MAX or self._pending_bytes >= PENDING_BYTES_MAX

    def _hand_over(self) -> None:
        """Hand what is unsent to the client, in order, as far as the window reaches."""
        handed = True
        while handed:
            with self._changed:
                for _ in range(HAND_OVER_COUNT):
                    handed = self._hand_one()
                    if not handed:
                        break

    def _hand_one(self) -> bool:
        if self._client is None or self._fault is not None or not self._unsent or self._held >= self._window:
            return False
        entry = self._unsent.popleft()
        if entry.fate is not None:
            return True
        if self._held == 0:
            self._last_sign = time.monotonic()
        entry.held_by = epoch = self._epoch
        self._held += 1
        outgoing = entry.outgoing
        try:
            self._client.send(
                outgoing.topic,
                outgoing.partition,
                (outgoing.key, outgoing.value, list(outgoing.headers)),
                lambda offset, appended_at_ms: self._on_ack(entry, epoch, offset, appended_at_ms),
                lambda error: self._on_error(entry, epoch, error),
            )
        except (KafkaError, ValueError, TypeError) as fault:
            self._on_error(entry, epoch, fault)
        return True

    # --------------------------------------------------------------------------------- the client's thread

    def _on_ack(self, entry: _Pending, epoch: int, offset: int, appended_at_ms: int) -> None:
        with self._changed:
            current = epoch == self._epoch and self._client is not None
            if current:
                self._held -= 1
                self._last_sign = time.monotonic()
            if offset >= 0:
                # An acknowledgement is true whichever client it came through, discarded ones included.
                self._settle(entry, Delivered(offset, appended_at_ms))
            elif current:
                # In the log, but where? Sent again, it gets a place; its event id makes the two one.
                self._give_up(_Fault("an acknowledgement did not name the offset"))
            if current and self._held == 0 and self._window < PENDING_MAX:
                self._window = min(PENDING_MAX, self._window * NARROWING)
                self._changed.notify_all()

    def _on_error(self, entry: _Pending, epoch: int, error: Exception) -> None:
        with self._changed:
            if epoch != self._epoch or self._client is None:
                return
            held, self._held = self._held, self._held - 1
            culprit = entry if held == 1 else None
            self._give_up(_Fault(repr(error), is_verdict(error), held, culprit))

    def _give_up(self, fault: _Fault) -> None:
        # Only the first error says what happened: the client fails everything else with it too.
        if self._fault is None:
            self._fault = fault
            self._changed.notify_all()

    def _settle(self, entry: _Pending, fate: Fate) -> None:
        if entry.fate is not None:
            return
        entry.fate = fate
        was_full = self._is_full()
        if self._pending.pop(entry.number, None) is not None:
            self._pending_bytes -= len(entry.outgoing.value)
        entry.delivery.remaining -= 1
        if entry.delivery.remaining == 0:
            entry.delivery.done.set()
        if was_full or (self._closing and not self._pending):
            self._changed.notify_all()

    # ------------------------------------------------------------------------------ the supervisor's thread

    def _supervise(self) -> None:
        self._open()
        while self._wait_for_work():
            fault = self._replace_if_due()
            self._tell_undetermined(fault)
            if self._client is None and self._pending:
                self._open()
            self._hand_over()
        self._replace(_Fault("closed"))

    def _wait_for_work(self) -> bool:
        """Wait until something must be done; false once the producer is closing and nothing is pending."""
        with self._changed:
            if not self._pending and self._closing:
                return False
            if not self._is_work_waiting():
                self._changed.wait(timeout=self._seconds_to_next_check())
            return True

    def _is_work_waiting(self) -> bool:
        if self._client is None:
            return bool(self._pending)
        return self._fault is not None or bool(self._unsent and self._held < self._window)

    def _seconds_to_next_check(self) -> float | None:
        now = time.monotonic()
        checks = [entry.deadline - now for entry in self._first_pending()]
        if self._held:
            checks.append(self._last_sign + self._settings.silence_ms / 1000 - now)
        return max(0.0, min(checks)) if checks else None

    def _first_pending(self) -> list[_Pending]:
        """The oldest pending record, whose deadline is the earliest, or nothing."""
        return [next(iter(self._pending.values()))] if self._pending else []

    def _replace_if_due(self) -> _Fault | None:
        with self._changed:
            fault = self._fault or self._silence() or self._missed_deadline()
        if fault is not None:
            self._replace(fault)
        return fault

    def _silence(self) -> _Fault | None:
        silent_for = time.monotonic() - self._last_sign
        if self._held and silent_for >= self._settings.silence_ms / 1000:
            return _Fault(f"the client was silent for {silent_for:.1f} s")
        return None

    def _missed_deadline(self) -> _Fault | None:
        now = time.monotonic()
        held = any(entry.deadline <= now and entry.held_by == self._epoch for entry in self._first_pending())
        return _Fault("a record was not acknowledged before its deadline") if held and self._held else None

    def _replace(self, fault: _Fault) -> None:
        """Take the client away and end it. What it acknowledges until it is gone still counts."""
        with self._changed:
            client, self._client = self._client, None
            self._fault = None
            self._held = 0
            self._last_error = fault.error
            if fault.is_verdict and fault.culprit is None:
                self._window = max(1, fault.held // NARROWING)
        if client is None:
            return
        ended = client.discard()
        self._clients_discarded += 1
        _log.warning("kafka_client_discarded", error=fault.error, ended=ended, pending=len(self._pending))

    def _tell_undetermined(self, fault: _Fault | None) -> None:
        """Tell the fate of what was refused and of what is past its deadline; no client holds it now."""
        with self._changed:
            if fault is not None and fault.is_verdict and fault.culprit is not None:
                self._settle(fault.culprit, Undetermined(f"the broker refused the record: {fault.error}"))
            now = time.monotonic()
            while self._first_pending():
                entry = self._first_pending()[0]
                if entry.deadline > now or (self._client is not None and entry.held_by == self._epoch):
                    break
                self._settle(entry, Undetermined(f"not acknowledged before the deadline: {self._last_error}"))

    def _open(self) -> None:
        """Open the next client and line up everything pending for it, oldest first."""
        try:
            client = open_client(self._settings.client, self._settings.topics)
        except ClientUnavailable as fault:
            _log.warning("kafka_client_unavailable", error=str(fault), pending=len(self._pending))
            self._last_error = str(fault)
            time.sleep(OPEN_PAUSE_S)
            return
        with self._changed:
            self._client = client
            self._epoch += 1
            self._held = 0
            self._fault = None
            self._unsent = deque(self._pending.values())


def is_verdict(error: Exception) -> bool:
    """Whether an error speaks of a record, so that sending that one again would fail again.

    What speaks of the client (a timeout, a lost connection, a broken sequence) is mended by a new client.
    """
    return not isinstance(error, (RetriableError, *_SEQUENCE_ERRORS))
