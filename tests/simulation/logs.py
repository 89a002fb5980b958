"""Logs in memory that hold what a test puts in them, unreadable records included."""

import random
from collections.abc import Iterable

from events.codec import encode
from events.instants import DAY, Micros
from events.streams import INDIVIDUALS, POLICIES, LogRecord, Slice, stream_of
from events.union import Recorded
from ledger.memory_log import MemoryLog, MemoryRecords
from ledger.partitioning import partition_of
from projections.facts import encode_facts
from projections.fold import live_facts
from projections.memory_store import MemoryStore
from projections.ports import StateStore
from projections.projector import Projector
from tests.simulation.histories import generate
from tests.simulation.worlds import recorded_of

BEGUN_AT: Micros = 1_700_000_000_000_000
A_DAY_LATER: Micros = BEGUN_AT + DAY
GENERATION = "99999999-9999-4999-8999-999999999999"


class RawLog(MemoryLog):
    """A memory log that takes records as they are, as an operator's tool or a faulty writer leaves them."""

    def __init__(self, partitions: int = 1, generation: str = GENERATION) -> None:
        self.shared = MemoryRecords(partitions, deduplicates=False)
        super().__init__(lambda: BEGUN_AT, lambda: generation, self.shared)

    def put(self, slice_: Slice, key: bytes, value: bytes) -> LogRecord:
        """Add one record."""
        held = self.shared.slices[slice_]
        held.append(LogRecord(slice_, len(held), key, value))
        return held[-1]

    def put_event(self, recorded: Recorded) -> LogRecord:
        """Add an event where it belongs."""
        key = recorded.event.key.encode()
        return self.put(self.place_of(key, recorded), key, encode(recorded))

    def place_of(self, key: bytes, recorded: Recorded) -> Slice:
        """Where an event belongs."""
        if stream_of(recorded.event) == POLICIES:
            return Slice(POLICIES, 0)
        return Slice(INDIVIDUALS, partition_of(key, self.shared.partitions))


def log_of(events: Iterable[Recorded], partitions: int = 1, generation: str = GENERATION) -> RawLog:
    """A log that holds these events, in this order."""
    log = RawLog(partitions, generation)
    for recorded in events:
        log.put_event(recorded)
    return log


def world_events(seed: int) -> list[Recorded]:
    """The events of a random world, in log order."""
    lines, _ = generate(random.Random(seed))
    return [recorded_of(line) for line in lines]


def interleaved_again(events: list[Recorded], dice: random.Random) -> list[Recorded]:
    """The same events in which each key keeps its order, and the keys are mixed anew."""
    queues: dict[tuple[str, str], list[Recorded]] = {}
    for recorded in events:
        # The policies' stream is one sequence; of individuals each is one of its own.
        stream = stream_of(recorded.event)
        queues.setdefault((stream, "" if stream == POLICIES else recorded.event.key), []).append(recorded)
    waiting = [queue[::-1] for queue in queues.values()]
    mixed: list[Recorded] = []
    while waiting:
        queue = dice.choice(waiting)
        mixed.append(queue.pop())
        waiting = [queue for queue in waiting if queue]
    return mixed


def unrepeated(events: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """By individual the first event of each id, in log order: what a projection has to hold."""
    first: dict[tuple[str, str], Recorded] = {}
    for recorded in events:
        if stream_of(recorded.event) == INDIVIDUALS:
            first.setdefault((recorded.event.key, recorded.event.event_id), recorded)
    kept: dict[str, list[Recorded]] = {}
    for (key, _), recorded in first.items():
        kept.setdefault(key, []).append(recorded)
    return kept


def plain_facts(events: Iterable[Recorded]) -> dict[str, bytes]:
    """Every individual's facts, each made at once from the whole of their events."""
    return {key: encode_facts(live_facts(history)) for key, history in unrepeated(events).items()}


def projected(log: MemoryLog, limit: int = 10_000, store: StateStore | None = None) -> StateStore:
    """A store into which the whole log was folded, in batches of that size."""
    kept = MemoryStore() if store is None else store
    Projector(log, kept).catch_up(limit=limit)
    return kept
