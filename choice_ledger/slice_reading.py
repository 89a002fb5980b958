"""Reading a log one slice at a time, to its end at the call."""

from collections.abc import Iterator
from typing import Final

from events.streams import LogRecord, Position, Slice
from projections.ports import EventSource

CHUNK_RECORDS: Final = 2_000
"""Records read at once from one slice."""


def slice_records(source: EventSource, slice_: Slice) -> Iterator[LogRecord]:
    """The records of one slice, in order, up to where it ends now."""
    following = source.start().as_dict().get(slice_, 0)
    stop = source.end().as_dict()[slice_]
    while following < stop:
        # The other slices stand at their end, so that nothing of theirs comes but what was appended since.
        end = source.end()
        position = Position.of(end.generation, {**end.as_dict(), slice_: following}.items())
        records = source.read(position, CHUNK_RECORDS)
        if not records:
            return  # What is left below the end are gaps: offsets that no record bears.
        for record in records:
            if record.slice == slice_ and record.offset < stop:
                yield record
                following = record.offset + 1
