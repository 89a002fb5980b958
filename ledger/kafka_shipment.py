"""Records on their way to Kafka, what became of each, and who waits for them.

The fates, and what may be told when, are explained in ``kafka_producer``.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec

from ledger.kafka_client import Header

RECORD_OVERHEAD_BYTES: Final = 96
"""Upper bound of what Kafka's format adds to a lone record: batch header 61, record 21, and spare."""

HEADER_OVERHEAD_BYTES: Final = 10
"""Upper bound of what it adds to each header: two lengths of up to five bytes."""

NEVER_TOLD: Final = "the supervisor told nothing in time"

GRACE_S: Final = 10.0
"""How much longer than its deadline a caller waits for the supervisor to tell fates."""


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


def record_bytes(outgoing: Outgoing) -> int:
    """An upper bound of what the record takes in a batch of its own, as the topic's limit counts."""
    headers = sum(len(name.encode()) + len(value) + HEADER_OVERHEAD_BYTES for name, value in outgoing.headers)
    return len(outgoing.key) + len(outgoing.value) + headers + RECORD_OVERHEAD_BYTES


class Shipment:
    """The records of one call on their way, and who waits for them.

    Several threads settle records at once, without a lock: taking a token from the list is one step of the
    interpreter, and whoever finds it empty afterwards wakes the caller. One token stands for the loading.
    """

    __slots__ = ("_entries", "_tokens", "_wakes", "deadline")

    def __init__(self, deadline: float) -> None:
        """A shipment without records. ``deadline`` is by the monotonic clock."""
        self.deadline = deadline
        self._entries: list[Pending] = []
        self._tokens: list[None] = [None]
        self._wakes = threading.Lock()
        self._wakes.acquire()

    def hold(self, entries: Sequence["Pending"]) -> None:
        """Take the records in, before the first of them can be settled."""
        self._tokens.extend([None] * len(entries))
        self._entries.extend(entries)

    def one_settled(self) -> None:
        """One record has its fate, or the loading is over."""
        self._tokens.pop()
        if not self._tokens and self._wakes.locked():
            # Two threads may both find the list empty; one of them finds nobody asleep any more.
            with suppress(RuntimeError):
                self._wakes.release()

    def fates(self) -> tuple[Fate, ...]:
        """The fate of each record, in order, told within the deadline and a few seconds."""
        if self._tokens:
            self._wakes.acquire(timeout=max(0.0, self.deadline - time.monotonic()) + GRACE_S)
        return tuple(entry.fate or Undetermined(NEVER_TOLD) for entry in self._entries)


class Pending:
    """One record without a fate, or with the fate that its caller has not read yet."""

    __slots__ = ("fate", "held_by", "number", "outgoing", "shipment")

    def __init__(self, outgoing: Outgoing, shipment: Shipment) -> None:
        self.outgoing = outgoing
        self.shipment = shipment
        self.number = 0
        self.held_by: object = None
        self.fate: Fate | None = None
