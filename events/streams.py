"""Streams, their slices, positions in them, and a record as a log hands it out.

Source: ``events.md`` ("Two streams hold everything") and ``architecture.md`` ("A **position** is opaque").
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from events.union import POLICY_EVENT_TYPES, Event

Stream: TypeAlias = Literal["individuals", "policies"]
"""The two streams by their short names; an adapter maps them to topics or tables."""

INDIVIDUALS: Final[Stream] = "individuals"
POLICIES: Final[Stream] = "policies"

RECORD_BYTES_MAX: Final = 65_536
"""``events.md``: "A record is at most 64 KiB". Bytes of the value, without key and headers."""

POSITION_TEXT_MAX: Final = 65_536
"""Characters of a position's text: enough for a thousand partitions."""


def stream_of(event: Event) -> Stream:
    """The stream that an event belongs to."""
    return POLICIES if type(event) in POLICY_EVENT_TYPES else INDIVIDUALS


class Slice(NamedTuple):
    """One ordered sequence of records: a partition of a stream."""

    stream: Stream
    partition: int


class LogRecord(NamedTuple):
    """One record as it lies in a log. ``offset`` counts within its slice; gaps are allowed."""

    slice: Slice
    offset: int
    key: bytes
    value: bytes

    @property
    def place(self) -> str:
        """``stream/partition/offset``: how an operator names this record."""
        return f"{self.slice.stream}/{self.slice.partition}/{self.offset}"


READ_RECORDS_MAX: Final = 10_000
"""Records of one read of a log, and so of one transaction of a projection's store."""


class PositionUnavailable(Exception):
    """The log does not hold what follows this position (another generation, or a hole).

    Nothing may be skipped silently: rebuild the projection from the first event. It stands here because
    the port that raises it (``EventSource``) is the projections' and its adapters are the ledger's.
    """


class InvalidPosition(ValueError):
    """A text that is no position. Take one from a receipt or an answer, unchanged."""


class Position(msgspec.Struct, frozen=True):
    """How far into a ledger something reaches: for each slice, the next offset that is *not* included.

    A position says nothing of slices it does not name. ``offsets`` is sorted by slice.
    """

    generation: str
    offsets: tuple[tuple[Stream, int, int], ...] = ()

    @classmethod
    def of(cls, generation: str, offsets: Iterable[tuple[Slice, int]]) -> "Position":
        """A position from slices and next offsets, in any order."""
        return cls(generation, tuple(sorted((s.stream, s.partition, offset) for s, offset in offsets)))

    def as_dict(self) -> dict[Slice, int]:
        """The next offset of each slice that this position names."""
        return {Slice(stream, partition): offset for stream, partition, offset in self.offsets}

    def covers(self, other: "Position") -> bool:
        """Whether all that ``other`` includes is included here; never across generations."""
        mine = self.as_dict()
        return self.generation == other.generation and all(
            mine.get(slice_, 0) >= offset for slice_, offset in other.as_dict().items()
        )

    def joined(self, other: "Position") -> "Position":
        """The least position that covers both. Raises InvalidPosition across generations."""
        if self.generation != other.generation:
            raise InvalidPosition("the positions belong to two generations of the ledger")
        merged = self.as_dict()
        for slice_, offset in other.as_dict().items():
            merged[slice_] = max(offset, merged.get(slice_, 0))
        return Position.of(self.generation, merged.items())

    def encode(self) -> str:
        """The opaque text: URL-safe, without padding."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()

    @staticmethod
    def decode(text: str) -> "Position":
        """Read such a text back. Raises InvalidPosition for anything else."""
        if len(text) > POSITION_TEXT_MAX:
            raise InvalidPosition(f"a position has at most {POSITION_TEXT_MAX} characters")
        padded = text.encode("ascii", "replace") + b"=" * (-len(text) % 4)
        try:
            raw = base64.b64decode(padded, altchars=b"-_", validate=True)
            return msgspec.msgpack.decode(raw, type=Position)
        except (binascii.Error, msgspec.DecodeError) as fault:
            raise InvalidPosition("this is no position; take one from a receipt or an answer") from fault
