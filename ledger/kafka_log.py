"""The log on Kafka: both ports of a log (``EventLog`` and ``EventSource``) over two verified topics.

Source: ``architecture.md``, *The log*. What kafka-python cannot be trusted with is in the modules beside this
one: the producer is supervised (``kafka_producer``), the reader assigns and seeks (``kafka_reader``), the
clock is held against the brokers' (``kafka_clock``), and the topics are verified first (``kafka_topics``).
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from events.cloudevents import headers
from events.codec import UndecodableRecord, decode
from events.envelope import LEDGER_TENANT, Actor
from events.instants import SECOND, Micros
from events.policy_events import LedgerBegun
from events.streams import (
    INDIVIDUALS,
    POLICIES,
    READ_RECORDS_MAX,
    LogRecord,
    Position,
    PositionUnavailable,
    Slice,
    Stream,
    stream_of,
)
from events.union import Event
from ledger.admission import Admitted, admit
from ledger.kafka_client import ClientSettings
from ledger.kafka_clock import ClockGuard, quorum_time_ms
from ledger.kafka_producer import ProducerSettings, SupervisedProducer
from ledger.kafka_reader import OffsetReader, ReaderSettings, RecordReader
from ledger.kafka_shipment import NEVER_TOLD, Delivered, Fate, Outgoing, Refused, Shipment
from ledger.kafka_topics import (
    Security,
    TopicPlan,
    TopicsUnfit,
    administration,
    describe,
    deviations_from,
)
from ledger.log import (
    APPEND_DEADLINE,
    BATCH_EVENTS_MAX,
    Acknowledged,
    LogFault,
    Outcome,
    Proposal,
    Rejected,
    Unknown,
)
from ledger.partitioning import partition_of

POLICIES_SLICE: Final = Slice(POLICIES, 0)


class KafkaLogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log is, and how patiently it is written to.

    ``deadline`` ends an append. ``client`` replaces how kafka-python is opened, for tests of its faults.
    """

    brokers: str
    plan: TopicPlan = TopicPlan()
    security: Security = ()
    deadline: Micros = APPEND_DEADLINE
    client: ClientSettings | None = None

    def producer(self, partitions: dict[str, int]) -> ProducerSettings:
        """The settings of the supervised producer for topics of so many partitions."""
        client = self.client or ClientSettings(brokers=self.brokers, security=self.security)
        deadline_ms = self.deadline // 1_000
        return ProducerSettings(
            client=client, topics=partitions, deadline_ms=deadline_ms, silence_ms=max(1_000, deadline_ms // 3)
        )


class _Prepared(msgspec.Struct, frozen=True):
    """An event made ready to send."""

    event_id: str
    recorded_at: Micros
    slice: Slice
    outgoing: Outgoing


class _Request:
    """An append that waits for its events to be stamped and queued, by its own thread or by another."""

    __slots__ = ("begun", "entries", "fault", "proposals", "ready", "shipment")

    def __init__(self, proposals: Sequence[Proposal], deadline: float) -> None:
        self.proposals = proposals
        self.shipment = Shipment(deadline)
        self.begun: Micros = 0
        self.entries: list[_Prepared | Rejected] = []
        self.ready: list[_Prepared] = []
        self.fault: Exception | None = None


class KafkaLog:
    """The log of one ledger on Kafka. Open one with ``open_kafka_log``; it is safe from many threads."""

    def __init__(
        self, settings: KafkaLogSettings, partitions: dict[Stream, int], clock: Callable[[], Micros]
    ) -> None:
        """Connect to topics that were verified. The generation is settled by ``begin``."""
        names = settings.plan.names
        reading = ReaderSettings(
            brokers=settings.brokers, topics=names, partitions=partitions, security=settings.security
        )
        self._settings = settings
        self._partitions = partitions
        self._slices = frozenset(reading.slices)
        self._clock = clock
        self._guard = ClockGuard(clock, lambda: quorum_time_ms(settings.brokers, settings.security))
        self._producer = SupervisedProducer(
            settings.producer({names[stream]: count for stream, count in partitions.items()})
        )
        self._offsets = OffsetReader(reading)
        self._records = RecordReader(reading, self._offsets)
        self._requests: deque[_Request] = deque()
        self._writing = threading.Lock()
        self._last: Micros = 0
        self._closed = False
        self._generation = ""

    # ------------------------------------------------------------------------------------------- EventLog

    @property
    def deduplicates(self) -> bool:
        """False: a repeated event id may stand twice in a topic, and is one event in every fold."""
        return False

    @property
    def generation(self) -> str:
        """The random id of this ledger, from its first event."""
        return self._generation

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append events; answer when each is durable, refused, or past the deadline (see the port)."""
        self._refuse_if_closed()
        if len(proposals) > BATCH_EVENTS_MAX:
            raise LogFault(f"an append takes at most {BATCH_EVENTS_MAX} events; cut it into several")
        if not proposals:
            return ()
        refusal = self._guard.refusal()
        if refusal is not None:
            return tuple(_rejected(proposal.event, "clock", "recorded_at", refusal) for proposal in proposals)
        return self._append(proposals)

    def close(self) -> None:
        """Let appends under way end, and give every connection back. A second call does nothing."""
        self._closed = True
        self._producer.close()
        self._offsets.close()
        self._records.close()

    # ---------------------------------------------------------------------------------------- EventSource

    def start(self) -> Position:
        """The position before the first event, naming every slice."""
        return Position.of(self._generation, ((slice_, 0) for slice_ in self._slices))

    def end(self) -> Position:
        """The position after the last event that is in the log now, naming every slice. Raises LogFault."""
        self._refuse_if_closed()
        return Position.of(self._generation, self._offsets.ends().items())

    def slice_of(self, key: bytes) -> Slice:
        """The slice of the individuals' stream in which events of this key stand."""
        return Slice(INDIVIDUALS, partition_of(key, self._partitions[INDIVIDUALS]))

    def read(
        self, position: Position, limit: int = READ_RECORDS_MAX, wait_ms: int = 0
    ) -> Sequence[LogRecord]:
        """Records that follow a position (see the port). Raises PositionUnavailable, LogFault."""
        self._refuse_if_closed()
        offsets = position.as_dict()
        if position.generation != self._generation:
            raise PositionUnavailable("the position belongs to another generation of the ledger; rebuild")
        if not offsets.keys() <= self._slices or any(offset < 0 for offset in offsets.values()):
            raise PositionUnavailable("the position names what this log does not have; rebuild")
        return self._records.read(offsets, min(limit, READ_RECORDS_MAX), wait_ms)

    # ---------------------------------------------------------------------------------------- beginnings

    def begin(self, new_generation: str) -> None:
        """Learn the generation from the first event, writing that event if the log is new. Raises LogFault.

        Two processes that begin one log at once write the same event, by id and generation, so it is one.
        """
        if self._offsets.ends()[POLICIES_SLICE] == 0:
            self._begin_new(new_generation)
        self._generation = self._first_event().generation

    def _begin_new(self, generation: str) -> None:
        if any(self._offsets.ends().values()):
            topics = self._settings.plan
            raise LogFault(
                f"{topics.individuals} holds events and {topics.policies} none: this is no whole ledger;"
                " restore the missing topic, or name two new ones"
            )
        event = LedgerBegun(
            event_id=str(uuid.uuid5(uuid.UUID(generation), LedgerBegun.__name__)),
            tenant=LEDGER_TENANT,
            occurred_at=self._clock(),
            actor=Actor(kind="service"),
            generation=generation,
        )
        self._generation = generation
        (outcome,) = self.append([Proposal(event, heard_now=True)])
        if not isinstance(outcome, Acknowledged):
            raise LogFault(f"the ledger could not be begun: {outcome.message}")

    def _first_event(self) -> LedgerBegun:
        policies = self._settings.plan.policies
        if self._offsets.beginnings()[POLICIES_SLICE] != 0:
            raise LogFault(f"the first records of {policies} were deleted: restore the topic from a copy")
        others = self._offsets.ends()
        records = self._records.read({**others, POLICIES_SLICE: 0}, len(self._slices) + 1, 0)
        first = next(record for record in records if record.slice == POLICIES_SLICE)
        try:
            event = decode(first.value).event
        except UndecodableRecord as fault:
            raise LogFault(
                f"the first record of {policies} is no event: {fault}; name another topic"
            ) from fault
        if not isinstance(event, LedgerBegun):
            raise LogFault(f"{policies} does not begin as a ledger does; name another topic")
        return event

    # -------------------------------------------------------------------------------------------- appends

    def _append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        request = _Request(proposals, time.monotonic() + self._settings.deadline / SECOND)
        self._requests.append(request)
        # Whoever gets the lock serves all who wait, so that they need no turns of their own. A request that
        # comes after the last look is seen by its own caller, or by whoever holds the lock then.
        while self._requests and self._writing.acquire(blocking=False):
            try:
                self._serve()
            finally:
                self._writing.release()
        fates = request.shipment.fates()
        if request.fault is not None:
            raise request.fault
        if len(request.entries) != len(proposals) or len(fates) != len(request.ready):
            return tuple(Unknown(proposal.event.event_id, NEVER_TOLD) for proposal in proposals)
        self._observe(request.begun, fates)
        told = iter(zip(request.ready, fates, strict=True))
        return tuple(
            entry if isinstance(entry, Rejected) else self._outcome(*next(told)) for entry in request.entries
        )

    def _serve(self) -> None:
        """Stamp and queue what waits, in order: recorded_at grows in the order of the log."""
        while self._requests:
            request = self._requests.popleft()
            try:
                request.begun = self._clock()
                request.entries = [self._prepared(proposal) for proposal in request.proposals]
                request.ready = [entry for entry in request.entries if isinstance(entry, _Prepared)]
            except Exception as fault:  # noqa: BLE001 - it is the fault of that caller's call, and raised there.
                request.fault, request.ready = fault, []
            self._producer.load(request.shipment, [entry.outgoing for entry in request.ready])

    def _prepared(self, proposal: Proposal) -> _Prepared | Rejected:
        admission = admit(proposal, max(self._clock(), self._last + 1))
        if isinstance(admission, Rejected):
            return admission
        if admission.stamped:
            self._last = admission.recorded.recorded_at
        return self._addressed(admission)

    def _addressed(self, admitted: Admitted) -> _Prepared:
        recorded = admitted.recorded
        event = recorded.event
        slice_ = POLICIES_SLICE if stream_of(event) == POLICIES else self.slice_of(admitted.key)
        outgoing = Outgoing(
            name=event.event_id,
            topic=self._settings.plan.names[slice_.stream],
            partition=slice_.partition,
            key=admitted.key,
            value=admitted.value,
            headers=tuple(headers(recorded)),
        )
        return _Prepared(event.event_id, recorded.recorded_at, slice_, outgoing)

    def _outcome(self, entry: _Prepared, fate: Fate) -> Outcome:
        if isinstance(fate, Delivered):
            position = Position.of(self._generation, [(entry.slice, fate.offset + 1)])
            return Acknowledged(event_id=entry.event_id, recorded_at=entry.recorded_at, position=position)
        if isinstance(fate, Refused):
            return Rejected(
                event_id=entry.event_id, reason=fate.reason, field=fate.field, message=fate.message
            )
        return Unknown(entry.event_id, fate.message)

    def _observe(self, before: Micros, fates: Sequence[Fate]) -> None:
        """Hold the clock against the append times: each lies between the hand-over and this instant."""
        times = [fate.appended_at_ms for fate in fates if isinstance(fate, Delivered)]
        if times:
            after = self._clock()
            self._guard.observe(before, min(times), after)
            self._guard.observe(before, max(times), after)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise LogFault("the log is closed; open it again")


def open_kafka_log(settings: KafkaLogSettings, clock: Callable[[], Micros]) -> KafkaLog:
    """Open the log on topics that ``topics create`` made, and begin it if it is new.

    Raises TopicsUnfit if a topic is weaker than the plan, and LogFault if the log cannot be used.
    """
    with administration(settings.brokers, settings.security) as admin:
        facts = describe(admin, settings.plan)
    deviations = deviations_from(settings.plan, facts)
    if deviations:
        raise TopicsUnfit(deviations)
    partitions = {stream: facts[name].partitions for stream, name in settings.plan.names.items()}
    log = KafkaLog(settings, partitions, clock)
    try:
        # Kafka gives each topic a random id when it is made: all who begin this log at once agree on it.
        log.begin(facts[settings.plan.policies].topic_id)
    except BaseException:
        log.close()
        raise
    return log


def _rejected(event: Event, reason: str, field: str, message: str) -> Rejected:
    return Rejected(event_id=event.event_id, reason=reason, field=field, message=message)
