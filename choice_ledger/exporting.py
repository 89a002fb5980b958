"""Export: every record of a log in one order, decoded and verified, in flat memory.

Within a slice the order is the log's; slices are merged by ``recorded_at``, policies first on ties, and the
ledger's beginning before everything.
"""

import heapq
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from choice_ledger.slice_reading import slice_records
from events.instants import INSTANT_MIN, Micros
from events.policy_events import LedgerBegun
from events.streams import POLICIES, Slice
from events.union import Recorded
from projections.intake import Accepted, judge
from projections.ports import EventSource


class Unreadable(NamedTuple):
    """A record that is quarantined, and so not exported: where it lies, and why."""

    place: str
    reason: str


_Head: TypeAlias = tuple[Slice, Recorded | Unreadable]
_Entry: TypeAlias = tuple[tuple[Micros, bool, int], int, Recorded]


def exported(source: EventSource) -> Iterator[Recorded | Unreadable]:
    """Every record that the log holds now, up to its end at the call."""
    readers = [_heads(source, slice_) for slice_ in source.end().as_dict()]
    heap: list[_Entry] = []
    for number, reader in enumerate(readers):
        yield from _push_next(heap, number, reader)
    while heap:
        _, number, recorded = heapq.heappop(heap)
        yield recorded
        yield from _push_next(heap, number, readers[number])


def _push_next(heap: list[_Entry], number: int, reader: Iterator[_Head]) -> Iterator[Unreadable]:
    """Put the next readable record of a slice on the heap; give the unreadable ones before it."""
    for slice_, head in reader:
        if isinstance(head, Unreadable):
            yield head
            continue
        # A ledger begins with its beginning, though what was imported into it was recorded before that.
        instant = INSTANT_MIN if isinstance(head.event, LedgerBegun) else head.recorded_at
        heapq.heappush(heap, ((instant, slice_.stream != POLICIES, slice_.partition), number, head))
        return


def _heads(source: EventSource, slice_: Slice) -> Iterator[_Head]:
    for record in slice_records(source, slice_):
        judged = judge(record)
        if isinstance(judged, Accepted):
            yield slice_, judged.recorded
        else:  # What the ledger does not fold must not be folded by whoever imports this.
            yield slice_, Unreadable(record.place, judged[0].reason)
