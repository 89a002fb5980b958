"""The log in memory: for tests and trials. It promises what its process does, and nothing beyond."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from events.codec import decode, encode
from events.envelope import LEDGER_TENANT, Actor
from events.instants import Micros
from events.policy_events import LedgerBegun
from events.streams import (
    INDIVIDUALS,
    POLICIES,
    READ_RECORDS_MAX,
    LogRecord,
    Position,
    PositionUnavailable,
    Slice,
    stream_of,
)
from events.union import Recorded
from ledger.admission import Admitted, admit, id_conflict
from ledger.dating import is_repetition
from ledger.log import BATCH_EVENTS_MAX, Acknowledged, LogFault, Outcome, Proposal
from ledger.partitioning import partition_of

WAIT_STEP_S: Final = 1.0
"""Seconds of one wait for records; the next step notices that the log was closed."""


class MemoryRecords:
    """What several handles on one memory log share: records, their index, the last time stamped."""

    def __init__(self, partitions: int = 1, *, deduplicates: bool = True) -> None:
        """So many partitions of the individuals' stream; without deduplication it behaves as a topic does."""
        self.deduplicates = deduplicates
        self.partitions = partitions
        self.generation = ""
        self.last_stamp: Micros = 0
        self.changed = threading.Condition()
        self.slices: dict[Slice, list[LogRecord]] = {
            **{Slice(INDIVIDUALS, number): [] for number in range(partitions)},
            Slice(POLICIES, 0): [],
        }
        self.index: dict[tuple[str, bytes, str], LogRecord] = {}

    def position(self) -> Position:
        """The position after everything that is here now."""
        return Position.of(self.generation, ((slice_, len(held)) for slice_, held in self.slices.items()))


class MemoryLog:
    """``EventLog`` and ``EventSource`` over lists. Handles that share ``MemoryRecords`` are one log."""

    def __init__(
        self,
        clock: Callable[[], Micros],
        new_id: Callable[[], str],
        records: MemoryRecords | None = None,
    ) -> None:
        """``new_id`` makes the generation of a new log, and the id of its first event."""
        self._clock = clock
        self._records = records or MemoryRecords()
        self._closed = False
        self._turn = 0
        with self._records.changed:
            if not self._records.generation:
                self._begin(new_id)

    @property
    def deduplicates(self) -> bool:
        """Whether a repeated event id never adds a second event to this log."""
        return self._records.deduplicates

    @property
    def generation(self) -> str:
        """The random id of this ledger, from its first event."""
        return self._records.generation

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append events; what is refused is told, and the others go on."""
        if len(proposals) > BATCH_EVENTS_MAX:
            raise LogFault(f"an append takes at most {BATCH_EVENTS_MAX} events; cut the sequence")
        with self._records.changed:
            self._check_open()
            outcomes = tuple(self._append(proposal) for proposal in proposals)
            self._records.changed.notify_all()
        return outcomes

    def start(self) -> Position:
        """The position before the first event, naming every slice."""
        return Position.of(self.generation, ((slice_, 0) for slice_ in self._records.slices))

    def end(self) -> Position:
        """The position after the last event, naming every slice."""
        with self._records.changed:
            return self._records.position()

    def slice_of(self, key: bytes) -> Slice:
        """The slice of the individuals' stream in which events of this key stand."""
        return Slice(INDIVIDUALS, partition_of(key, self._records.partitions))

    def read(
        self, position: Position, limit: int = READ_RECORDS_MAX, wait_ms: int = 0
    ) -> Sequence[LogRecord]:
        """Records that follow a position; wait up to ``wait_ms`` for the first where there is none."""
        deadline = time.monotonic() + wait_ms / 1_000
        with self._records.changed:
            offsets = self._offsets(position)
            while True:
                self._check_open()
                records = self._following(offsets, limit)
                left = deadline - time.monotonic()
                if records or left <= 0:
                    return records
                self._records.changed.wait(min(left, WAIT_STEP_S))

    def close(self) -> None:
        """Close this handle; the records stay with the others."""
        with self._records.changed:
            self._closed = True
            self._records.changed.notify_all()

    def _begin(self, new_id: Callable[[], str]) -> None:
        now = self._clock()
        generation = new_id()
        begun = LedgerBegun(
            event_id=new_id(),
            tenant=LEDGER_TENANT,
            occurred_at=now,
            actor=Actor(kind="service"),
            generation=generation,
        )
        self._records.generation, self._records.last_stamp = generation, now
        self._store(Slice(POLICIES, 0), begun.key.encode(), begun.event_id, encode(Recorded(begun, now)))

    def _check_open(self) -> None:
        if self._closed:
            raise LogFault("this log is closed; open it again")

    def _append(self, proposal: Proposal) -> Outcome:
        event, shared = proposal.event, self._records
        admission = admit(proposal, max(self._clock(), shared.last_stamp + 1))
        if not isinstance(admission, Admitted):
            return admission
        slice_ = Slice(POLICIES, 0) if stream_of(event) == POLICIES else self.slice_of(admission.key)
        first = shared.index.get((slice_.stream, admission.key, event.event_id))
        if first is not None and shared.deduplicates:
            return self._repeated(proposal, first)
        if admission.stamped:
            shared.last_stamp = admission.recorded.recorded_at
        record = self._store(slice_, admission.key, event.event_id, admission.value)
        recorded_at = admission.recorded.recorded_at
        return self._acknowledged(event.event_id, recorded_at, record, repeated=first is not None)

    def _repeated(self, proposal: Proposal, first: LogRecord) -> Outcome:
        stored, event_id = decode(first.value), proposal.event.event_id
        if not is_repetition(proposal, stored.event):
            return id_conflict(event_id)
        return self._acknowledged(event_id, stored.recorded_at, first, repeated=True)

    def _acknowledged(
        self, event_id: str, recorded_at: Micros, record: LogRecord, *, repeated: bool
    ) -> Acknowledged:
        position = Position.of(self.generation, [(record.slice, record.offset + 1)])
        return Acknowledged(event_id=event_id, recorded_at=recorded_at, position=position, repeated=repeated)

    def _store(self, slice_: Slice, key: bytes, event_id: str, value: bytes) -> LogRecord:
        held = self._records.slices[slice_]
        record = LogRecord(slice_, len(held), key, value)
        held.append(record)
        self._records.index.setdefault((slice_.stream, key, event_id), record)
        return record

    def _offsets(self, position: Position) -> dict[Slice, int]:
        wanted = position.as_dict()
        held = self._records.slices
        if position.generation != self.generation:
            raise PositionUnavailable("the position belongs to another ledger; rebuild from the first event")
        if any(
            slice_ not in held or not 0 <= offset <= len(held[slice_]) for slice_, offset in wanted.items()
        ):
            raise PositionUnavailable("the position is beyond the log; rebuild from the first event")
        return {slice_: wanted.get(slice_, 0) for slice_ in held}

    def _following(self, offsets: dict[Slice, int], limit: int) -> list[LogRecord]:
        # Each read begins with the next slice, and gives it an equal share first: so none is starved.
        slices = list(offsets)
        self._turn = (self._turn + 1) % len(slices)
        order = slices[self._turn :] + slices[: self._turn]
        records: list[LogRecord] = []
        for share in (max(1, limit // len(slices)), limit):
            for slice_ in order:
                room = max(0, min(share, limit - len(records)))
                more = self._records.slices[slice_][offsets[slice_] : offsets[slice_] + room]
                offsets[slice_] += len(more)
                records += more
        return records
