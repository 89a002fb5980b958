"""The ports that projections need: ``EventSource`` to read from, and ``StateStore`` to keep state in.

Source: ``architecture.md``, *The parts* and *Projections*. Adapters pass one contract suite each.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol, TypeAlias

from events.envelope import LEDGER_TENANT
from events.instants import Micros
from events.streams import READ_RECORDS_MAX, LogRecord, Position, Slice


class StoreConflict(Exception):
    """The checkpoint is not where this projector left it: another one has gone on. Start again from it."""


class StoreFault(Exception):
    """The store cannot be used as it stands; the message says what to do next."""


class EventSource(Protocol):
    """Where a projection reads events from.

    1. ``read`` must give records of each slice in order, without a gap, from the position's next offset on.
    2. It must give at most ``limit`` records, none where nothing follows, and never an uncommitted one.
    3. A position of another generation, or behind what the log still holds, or beyond its end, must raise
       ``events.streams.PositionUnavailable``; nothing is skipped silently.
    4. ``end`` must cover every event acknowledged before the call.
    5. ``slice_of`` must name the slice in which every event of that individual's key stands.
    6. ``read`` must give every slice its turn: a long slice must not starve another.
    """

    @property
    def generation(self) -> str:
        """The random id of this ledger, from its first event."""
        ...

    def start(self) -> Position:
        """The position before the first event, naming every slice."""
        ...

    def end(self) -> Position:
        """The position after the last event that is in the log now, naming every slice."""
        ...

    def slice_of(self, key: bytes) -> Slice:
        """The slice of the individuals' stream in which events of this key stand."""
        ...

    def read(
        self, position: Position, limit: int = READ_RECORDS_MAX, wait_ms: int = 0
    ) -> Sequence[LogRecord]:
        """Records that follow a position; wait up to ``wait_ms`` for the first where there is none."""
        ...


class HistoryEntry(NamedTuple):
    """One event of an individual, as the log holds it, in the order in which it was folded."""

    event_id: str
    recorded_at: Micros
    slice: Slice
    offset: int
    value: bytes


QuarantineScope: TypeAlias = Literal["individual", "tenant", "partition", "ledger"]
"""Whom an unreadable record denies: one individual, a tenant, all keys of its slice, or everybody."""


class QuarantineEntry(NamedTuple):
    """An unreadable record, and one of those whom it denies.

    ``subject`` is ``tenant/individual`` for an individual, the tenant for a tenant, ``stream/partition`` for
    a partition, and empty for the ledger.
    """

    place: str
    slice: Slice
    offset: int
    scope: QuarantineScope
    subject: str
    reason: str
    value: bytes

    @property
    def tenant(self) -> str:
        """The tenant that is denied, in whole or in part; empty where it is not one alone."""
        return self.subject.partition("/")[0] if self.scope in {"individual", "tenant"} else ""


class Resolution(NamedTuple):
    """A tenant's operator settled the unreadable record at ``place``."""

    place: str
    by: str


def settles(resolution: Resolution, entry: QuarantineEntry) -> bool:
    """Whether a resolution is for that entry to heed.

    ``architecture.md``, promise 8: "One tenant learns and changes nothing of another". So a tenant settles
    what denies that tenant alone, and ``LEDGER_TENANT``, which no controller has, settles everything.
    """
    return resolution.place == entry.place and resolution.by in {LEDGER_TENANT, entry.tenant}


class ReachEntry(NamedTuple):
    """The version of a policy of which an individual was last told (``key`` is ``tenant/individual``).

    In a change, a version of none says that no notice of that policy counts any more.
    """

    key: str
    policy_id: str
    version: int | None


class Change(NamedTuple):
    """All that one batch changes, to be saved in one transaction, with the checkpoint it leads to.

    ``latest`` holds the last record of each slice that the batch has any of.
    """

    expected: Position | None
    reached: Position
    facts: Mapping[str, bytes]
    reach: Sequence[ReachEntry]
    history: Sequence[tuple[str, HistoryEntry]]
    policies: Sequence[LogRecord]
    quarantined: Sequence[QuarantineEntry]
    resolved: Sequence[Resolution]
    latest: Sequence[LogRecord] = ()


class StateReads(Protocol):
    """What can be read of a projection's state."""

    def checkpoint(self) -> Position | None:
        """The position that the state includes; none in a fresh store."""
        ...

    def latest(self) -> Sequence[LogRecord]:
        """The last record of each slice that the state includes, by slice: what it was made from."""
        ...

    def facts(self, keys: Collection[str]) -> dict[str, bytes]:
        """The facts of those individuals that the store knows, by key."""
        ...

    def known_ids(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs (key, event id) whose event is in the history."""
        ...

    def history(self, key: str) -> Sequence[HistoryEntry]:
        """Every event of one individual, in the order in which it was folded."""
        ...

    def policies(self) -> Iterator[LogRecord]:
        """Every record of the policies' stream that was folded, in log order."""
        ...

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Every individual's key and facts, in the order of the key's bytes."""
        ...

    def individuals(self, tenant: str, after: str, limit: int) -> Sequence[str]:
        """The first ``limit`` ids of a tenant's individuals that have facts and come after the id ``after``
        (empty: from the first), in the order of their bytes.
        """
        ...

    def reach(self, tenant: str, policy_id: str) -> Iterator[ReachEntry]:
        """Who was last told which version of a policy, in the order of the key's bytes."""
        ...

    def open_quarantine(
        self, denying: Collection[tuple[QuarantineScope, str]] | None = None
    ) -> Sequence[QuarantineEntry]:
        """The unreadable records that nobody has resolved yet, by slice and offset.

        With ``denying``, those alone whose scope and subject are among the given pairs.
        """
        ...


class StateStore(StateReads, Protocol):
    """Where a projection keeps its state.

    1. ``apply`` must save everything in a change, checkpoint included, or nothing.
    2. ``apply`` must raise ``StoreConflict``, having saved nothing, unless the checkpoint is ``expected``.
    3. What was applied must survive the process; after a power cut the store may be older, never torn.
    4. Keys must be told apart byte by byte (``Ana``/``ana``, ``é``/its decomposed form) and ``scan`` must go
       in the order of their UTF-8 bytes.
    5. ``scan``, ``policies``, ``history`` and ``reach`` must read a single moment of the store; those that
       answer an iterator must do so in flat memory.
    6. A ``history`` entry must never be replaced: (key, event id) is unique, and ``apply`` with a pair that
       is there already must raise ``StoreConflict``.
    7. ``known_ids`` must find exactly those pairs (key, event id) that history holds.
    8. A reader must never see part of a change, and a reader must not block the writer for long.
    9. A quarantine entry must count as open unless a resolution ``settles`` it, in whichever order the two
       came; a place may be quarantined for several subjects.
    10. Whatever is read within one ``view`` must be of one single moment, though the store goes on meanwhile.
    11. Reads must be safe from many threads, also while another one applies.
    12. What keeps the store from reading or saving must be raised as ``StoreFault``, having saved nothing.
    13. ``latest`` must give back of each slice the record that was last applied as ``latest``, byte for byte.
    14. ``individuals`` must name one tenant's alone, each once and none left out when it is asked again after
        its last, and must do the work of about ``limit`` of them, however many the store holds.
    """

    def view(self) -> AbstractContextManager[StateReads]:
        """Reads of one moment, until the context ends. Hold it briefly: it keeps old pages from reuse."""
        ...

    def apply(self, change: Change) -> None:
        """Save a change in one transaction."""
        ...

    def close(self) -> None:
        """Give back what the store holds."""
        ...
