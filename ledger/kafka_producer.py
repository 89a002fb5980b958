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
from contextlib import suppress
from typing import Final

import msgspec
import structlog
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    OutOfOrderSequenceNumberError,
    RetriableError,
    UnknownProducerIdError,
)

from ledger.kafka_client import Client, ClientSettings, ClientUnavailable, open_client
from ledger.kafka_shipment import (
    Delivered,
    Fate,
    Outgoing,
    Pending,
    Refused,
    Shipment,
    Undetermined,
    record_bytes,
)

PENDING_MAX: Final = 50_000
"""Records without a fate, of all callers together. Above it a caller waits for room until its deadline."""

PENDING_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of their values together, bounded in the same way."""

NARROWING: Final = 8
"""After a refusal an eighth as many records are sent at once, to find the one; after success eight times."""

HAND_OVER_COUNT: Final = 64
"""Records handed to the client under one hold of the lock, so that acknowledgements get their turn."""

OPEN_PAUSE_S: Final = 0.2
"""Pause after a client could not be opened: a broker that refuses at once is not asked in a tight loop."""

_SEQUENCE_ERRORS: Final = (OutOfOrderSequenceNumberError, UnknownProducerIdError, InvalidProducerEpochError)

_log: Final = structlog.get_logger(__name__)


class ProducerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the producer is supervised. ``topics`` maps each topic to its number of partitions."""

    client: ClientSettings
    topics: dict[str, int]
    deadline_ms: int = 30_000
    silence_ms: int = 10_000
    """A client that holds records and neither acknowledges nor fails one for this long is discarded."""
    record_bytes_max: int = 98_304
    """Bytes of a lone record as the topic counts them; a larger one would poison the client."""


class _Hold:
    """A client and what it holds. ``handed`` grows under the lock, ``acked`` on the client's thread alone."""

    __slots__ = ("acked", "acked_bytes", "client", "handed", "handed_bytes", "last_sign")

    def __init__(self, client: Client) -> None:
        self.client = client
        self.handed = self.acked = self.handed_bytes = self.acked_bytes = 0
        self.last_sign = 0.0

    @property
    def count(self) -> int:
        """Records that the client has and has told nothing of."""
        return self.handed - self.acked


class _Fault(msgspec.Struct, frozen=True):
    """Why a client must go. ``culprit`` is the one record that the broker can have meant, if it is known."""

    error: str
    is_verdict: bool = False
    held: int = 0
    culprit: Pending | None = None


class SupervisedProducer:
    """Delivers records for many threads at once, through one client that is replaced whenever it fails.

    State is guarded by one re-entrant lock: the client may call back from within ``send``. Acknowledgements
    alone do without it: they take a record out of the pending ones, which is one step, and count on the
    client's own thread. A daemon thread, the supervisor, opens clients, discards them, and waits for both.
    """

    def __init__(self, settings: ProducerSettings) -> None:
        """Start the supervisor, which opens the first client at once."""
        self._settings = settings
        self._changed = threading.Condition(threading.RLock())
        self._pending: OrderedDict[int, Pending] = OrderedDict()
        self._unsent: deque[Pending] = deque()
        self._unsent_bytes = 0
        self._hold: _Hold | None = None
        self._window = PENDING_MAX
        self._has_widened = False
        self._waiting_for_room = 0
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
        """Load a new shipment; ``deadline`` is by the monotonic clock."""
        shipment = Shipment(deadline)
        self.load(shipment, records)
        return shipment

    def load(self, shipment: Shipment, records: Sequence[Outgoing]) -> None:
        """Line the records of a shipment up for the client. A shipment is loaded once.

        Records of one partition reach the log in the order of the calls, and within each call in theirs.
        Waits while too much is pending. Safe from any number of threads.
        """
        entries = [Pending(outgoing, shipment) for outgoing in records]
        shipment.hold(entries)
        accepted = [entry for entry in entries if not self._refuse(entry)]
        self._enqueue(accepted, shipment.deadline)
        self._hand_over()
        shipment.one_settled()

    def close(self) -> None:
        """Wait until what is pending has its fate, and discard the client. A second call does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._supervisor.join()

    # ------------------------------------------------------------------------------------ callers' threads

    def _refuse(self, entry: Pending) -> bool:
        """Refuse what would poison the client: too large, without a key, or for no partition of ours."""
        refusal = self._refusal(entry.outgoing)
        if refusal is None:
            return False
        entry.fate = refusal
        entry.shipment.one_settled()
        return True

    def _refusal(self, outgoing: Outgoing) -> Refused | None:
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

    def _enqueue(self, entries: Sequence[Pending], deadline: float) -> None:
        with self._changed:
            for done, entry in enumerate(entries):
                if not self._has_room(deadline):
                    # The rest must not overtake this one, so none of it is sent either.
                    for unsent in entries[done:]:
                        unsent.fate = Undetermined(f"not sent before the deadline: {self._last_error}")
                        unsent.shipment.one_settled()
                    return
                self._numbers += 1
                entry.number = self._numbers
                self._pending[entry.number] = entry
                self._unsent.append(entry)
                self._unsent_bytes += len(entry.outgoing.value)
            if self._hold is None:
                self._changed.notify_all()

    def _has_room(self, deadline: float) -> bool:
        if not self._is_full():
            return not self._closing
        # Counted before the next look, so that whoever makes room in between knows that somebody waits.
        self._waiting_for_room += 1
        try:
            while self._is_full() and not self._closing:
                self._hand_over()
                if not self._changed.wait(timeout=max(0.0, deadline - time.monotonic())):
                    return False
        finally:
            self._waiting_for_room -= 1
        return not self._closing

    def _is_full(self) -> bool:
        hold = self._hold
        held = 0 if hold is None else hold.handed_bytes - hold.acked_bytes
        return len(self._pending) >= PENDING_MAX or self._unsent_bytes + held >= PENDING_BYTES_MAX

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
        hold = self._hold
        if hold is None or self._fault is not None or not self._unsent or hold.count >= self._window:
            return False
        entry = self._unsent.popleft()
        outgoing = entry.outgoing
        self._unsent_bytes -= len(outgoing.value)
        if entry.fate is not None:
            return True
        if hold.count == 0:
            hold.last_sign = time.monotonic()
        entry.held_by = hold
        hold.handed += 1
        hold.handed_bytes += len(outgoing.value)
        try:
            hold.client.send(
                outgoing.topic,
                outgoing.partition,
                (outgoing.key, outgoing.value, list(outgoing.headers)),
                lambda offset, appended_at_ms: self._on_ack(entry, hold, offset, appended_at_ms),
                lambda error: self._on_error(entry, hold, error),
            )
        except (KafkaError, ValueError, TypeError) as fault:
            self._on_error(entry, hold, fault)
        return True

    # --------------------------------------------------------------------------------- the client's thread

    def _on_ack(self, entry: Pending, hold: _Hold, offset: int, appended_at_ms: int) -> None:
        """Note an acknowledgement, without the lock: it comes once for each record."""
        hold.acked += 1
        hold.acked_bytes += len(entry.outgoing.value)
        hold.last_sign = time.monotonic()
        if offset >= 0:
            # An acknowledgement is true whichever client it came through, discarded ones included.
            self._settle(entry, Delivered(offset, appended_at_ms))
        else:
            # In the log, but where? Sent again, it gets a place; its event id makes the two one.
            self._give_up(hold, _Fault("an acknowledgement did not name the offset"))
        if self._waiting_for_room or self._closing or self._window < PENDING_MAX:
            self._tell_of_room(hold)

    def _tell_of_room(self, hold: _Hold) -> None:
        with self._changed:
            if hold is self._hold and hold.count == 0:
                self._window = min(PENDING_MAX, self._window * NARROWING)
                self._has_widened = True
            self._changed.notify_all()

    def _on_error(self, entry: Pending, hold: _Hold, error: Exception) -> None:
        with self._changed:
            held = hold.count
            hold.handed -= 1
            culprit = entry if held == 1 else None
            self._give_up(hold, _Fault(repr(error), is_verdict(error), held, culprit))

    def _give_up(self, hold: _Hold, fault: _Fault) -> None:
        with self._changed:
            # Only the first error says what happened: the client fails everything else with it too.
            if hold is self._hold and self._fault is None:
                self._fault = fault
                self._changed.notify_all()

    def _settle(self, entry: Pending, fate: Fate) -> None:
        # Whoever takes the record out of the pending ones tells its fate: that is one step, for any thread.
        if self._pending.pop(entry.number, None) is not None:
            entry.fate = fate
            entry.shipment.one_settled()

    # ------------------------------------------------------------------------------ the supervisor's thread

    def _supervise(self) -> None:
        self._open()
        self._hand_over()
        while self._wait_for_work():
            fault = self._replace_if_due()
            self._tell_undetermined(fault)
            if self._hold is None and self._pending:
                self._open()
            self._has_widened = False
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
        if self._hold is None:
            return bool(self._pending)
        return self._fault is not None or self._has_widened

    def _seconds_to_next_check(self) -> float | None:
        now, first, hold = time.monotonic(), self._first_pending(), self._hold
        if first is None:
            return None
        until = first.shipment.deadline
        if hold is not None and hold.count:
            until = min(until, hold.last_sign + self._settings.silence_ms / 1000)
        return max(0.0, until - now)

    def _first_pending(self) -> Pending | None:
        """The oldest pending record, whose deadline is the earliest, or nothing."""
        while self._pending:
            # The client's thread takes records out meanwhile; then this looks again.
            with suppress(RuntimeError, StopIteration):
                return next(iter(self._pending.values()))
        return None

    def _replace_if_due(self) -> _Fault | None:
        with self._changed:
            fault = self._fault or self._silence() or self._missed_deadline()
        if fault is not None:
            self._replace(fault)
        return fault

    def _silence(self) -> _Fault | None:
        hold = self._hold
        if hold is None or not hold.count:
            return None
        silent_for = time.monotonic() - hold.last_sign
        if silent_for < self._settings.silence_ms / 1000:
            return None
        return _Fault(f"the client was silent for {silent_for:.1f} s")

    def _missed_deadline(self) -> _Fault | None:
        first = self._first_pending()
        if first is None or first.held_by is None or first.held_by is not self._hold:
            return None
        if first.shipment.deadline > time.monotonic():
            return None
        return _Fault("a record was not acknowledged before its deadline")

    def _replace(self, fault: _Fault) -> None:
        """Take the client away and end it. What it acknowledges until it is gone still counts."""
        with self._changed:
            hold, self._hold = self._hold, None
            self._fault = None
            self._last_error = fault.error
            if fault.is_verdict and fault.culprit is None:
                self._window = max(1, fault.held // NARROWING)
        if hold is None:
            return
        ended = hold.client.discard()
        self._clients_discarded += 1
        if not self._closing or self._pending:  # The last client of a log that is closed goes quietly.
            _log.warning("kafka_client_discarded", error=fault.error, ended=ended, pending=len(self._pending))

    def _tell_undetermined(self, fault: _Fault | None) -> None:
        """Tell the fate of what was refused and of what is past its deadline; no client holds it now."""
        with self._changed:
            if fault is not None and fault.is_verdict and fault.culprit is not None:
                message = f"the broker refused the record: {fault.error}"
                self._settle(fault.culprit, Undetermined(message))
            now = time.monotonic()
            while (entry := self._first_pending()) is not None:
                held = self._hold is not None and entry.held_by is self._hold
                if held or entry.shipment.deadline > now:
                    break
                self._settle(entry, Undetermined(f"not acknowledged before the deadline: {self._last_error}"))
            self._changed.notify_all()

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
            self._hold = _Hold(client)
            self._fault = None
            self._unsent = deque(self._pending.values())
            self._unsent_bytes = sum(len(entry.outgoing.value) for entry in self._unsent)


def is_verdict(error: Exception) -> bool:
    """Whether an error speaks of a record, so that sending that one again would fail again.

    What speaks of the client (a timeout, a lost connection, a broken sequence) is mended by a new client.
    """
    return not isinstance(error, (RetriableError, *_SEQUENCE_ERRORS))
