"""Export: every record of a log in one order, decoded and verified, in flat memory.

Within a slice the order is the log's; slices are merged by ``recorded_at``, policies first on ties.
"""

import heapq
from collections.abc import Iterator
from typing import Final, NamedTuple

from events.codec import UndecodableRecord, decode_verified
from events.streams import POLICIES, LogRecord, Position, Slice
from events.union import Recorded
from projections.ports import EventSource

CHUNK_RECORDS: Final = 2_000
"""Records read at once from one slice."""


class Unreadable(NamedTuple):
    """A record that cannot be exported, where it lies, and why."""

    place: str
    reason: str


def exported(source: EventSource) -> Iterator[Recorded | Unreadable]:
    """Every record that the log holds now, up to its end at the call."""
    start, end = source.start(), source.end()
    begun = start.as_dict()
    readers = [
        _slice_of(source, slice_, begun.get(slice_, 0), stop) for slice_, stop in end.as_dict().items()
    ]
    heap: list[tuple[tuple[int, bool, int], int, Recorded]] = []
    for number, reader in enumerate(readers):
        yield from _push_next(heap, number, reader)
    while heap:
        _, number, recorded = heapq.heappop(heap)
        yield recorded
        yield from _push_next(heap, number, readers[number])


_Head = tuple[Slice, Recorded | Unreadable]


def _push_next(
    heap: list[tuple[tuple[int, bool, int], int, Recorded]], number: int, reader: Iterator[_Head]
) -> Iterator[Unreadable]:
    """Put the next readable record of a slice on the heap; give the unreadable ones before it."""
    for slice_, head in reader:
        if isinstance(head, Unreadable):
            yield head
            continue
        order = (head.recorded_at, slice_.stream != POLICIES, slice_.partition)
        heapq.heappush(heap, (order, number, head))
        return


def _slice_of(source: EventSource, slice_: Slice, first: int, stop: int) -> Iterator[_Head]:
    """The records of one slice. The others stand at their end, so that a reading gives none of theirs but
    what was appended since.
    """
    following = first
    while following < stop:
        end = source.end()
        position = Position.of(end.generation, {**end.as_dict(), slice_: following}.items())
        records = source.read(position, CHUNK_RECORDS)
        if not records:
            return  # What is left below the end are gaps: offsets that no record bears.
        for record in records:
            if record.slice == slice_ and record.offset < stop:
                yield slice_, _decoded(record)
                following = record.offset + 1


def _decoded(record: LogRecord) -> Recorded | Unreadable:
    try:
        return decode_verified(record.value)
    except UndecodableRecord as fault:
        return Unreadable(record.place, fault.reason)
