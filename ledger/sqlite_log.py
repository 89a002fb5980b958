"""The embedded log: one SQLite file, many threads, several processes on one machine.

Source: ``architecture.md``, *The log*: "SQLite through apsw, WAL with `synchronous=FULL`, one writer
connection a process, group commit". Each stream is one slice, whose offsets have no gaps.

One limit is the operating system's: a disk that hangs inside a sync holds the caller that leads the group
for as long as it hangs. All others are told *unknown* in time.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Lock
from typing import Any, Final

import apsw

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
)
from ledger.group_commit import GroupCommit
from ledger.log import BATCH_EVENTS_MAX, LogFault, Outcome, Proposal
from ledger.sqlite_file import TABLES, log_fault, open_reader
from ledger.sqlite_writer import SqliteWriter

OFFSET_MAX: Final = 2**62
"""No log has so many records: a greater offset in a position is not worth a question to SQLite."""

WAIT_STEP_S: Final = 0.005
"""Seconds between two looks for records that another process may have appended."""

SLICES: Final = (Slice(INDIVIDUALS, 0), Slice(POLICIES, 0))
"""The slices of an embedded log."""

_FOLLOWING: Final = {
    slice_: f"SELECT offset, key, value FROM {table} WHERE offset >= ? ORDER BY offset LIMIT ?"  # noqa: S608 — our tables.
    for slice_ in SLICES
    for table in (TABLES[slice_.stream],)
}
_END: Final = """
SELECT ifnull((SELECT max(offset) FROM individuals), -1) + 1,
       ifnull((SELECT max(offset) FROM policies), -1) + 1
"""


class SqliteLog:
    """``EventLog`` and ``EventSource`` over one SQLite file."""

    deduplicates: Final = True

    def __init__(
        self,
        path: Path,
        clock: Callable[[], Micros],
        new_id: Callable[[], str],
        vfs: str | None = None,
    ) -> None:
        """Open the log at ``path``, or begin a new one there; ``new_id`` makes its generation and first id.

        ``vfs`` names another of SQLite's ways to the disk. Raises the LogFaults of ``ledger.sqlite_file``.
        """
        self._writer = SqliteWriter(path, clock, lambda: _begun(new_id), vfs)
        self._group = GroupCommit(self._writer.commit)
        self._readers = _Readers(path, vfs)
        self._turn = 0
        self._appended = Condition()
        self._appends = 0

    @property
    def generation(self) -> str:
        """The random id of this ledger, from its first event."""
        return self._writer.generation

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append events; answer when each is on the disk, refused, or past the deadline."""
        if len(proposals) > BATCH_EVENTS_MAX:
            raise LogFault(f"an append takes at most {BATCH_EVENTS_MAX} events; cut the sequence")
        outcomes = self._group.append(proposals)
        with self._appended:
            self._appends += 1
            self._appended.notify_all()
        return outcomes

    def start(self) -> Position:
        """The position before the first event, naming every slice."""
        return Position.of(self.generation, ((slice_, 0) for slice_ in SLICES))

    def end(self) -> Position:
        """The position after the last committed event, whoever committed it, naming every slice."""
        with self._readers.borrow() as connection:
            offsets: Any = connection.execute(_END).fetchall()[0]
        return Position.of(self.generation, zip(SLICES, offsets, strict=True))

    def slice_of(self, key: bytes) -> Slice:  # noqa: ARG002 — the port asks by key, and here all keys share a slice.
        """The slice of the individuals' stream in which events of this key stand: there is only one."""
        return SLICES[0]

    def read(
        self, position: Position, limit: int = READ_RECORDS_MAX, wait_ms: int = 0
    ) -> Sequence[LogRecord]:
        """Records that follow a position; wait up to ``wait_ms`` for the first where there is none."""
        deadline = time.monotonic() + wait_ms / 1_000
        offsets = self._offsets(position)
        while True:
            appends = self._appends  # Noted before the look: what is appended after it ends the wait.
            with self._readers.borrow() as connection:
                records = self._following(connection, offsets, limit)
            left = deadline - time.monotonic()
            if records or left <= 0:
                return records
            self._wait(appends, min(left, WAIT_STEP_S))

    def close(self) -> None:
        """Let appends under way end, then close the file."""
        self._group.close()
        self._readers.close()
        self._writer.close()

    def _wait(self, appends: int, wait_s: float) -> None:
        """Wait for an append of this process; those of others are seen at the next look."""
        with self._appended:
            self._appended.wait_for(lambda: self._appends != appends, wait_s)

    def _offsets(self, position: Position) -> dict[Slice, int]:
        wanted = position.as_dict()
        if position.generation != self.generation:
            raise PositionUnavailable("the position belongs to another ledger; rebuild from the first event")
        if any(slice_ not in SLICES or not 0 <= offset < OFFSET_MAX for slice_, offset in wanted.items()):
            raise PositionUnavailable(
                "the position names what this log never had; rebuild from the first event"
            )
        return {slice_: wanted.get(slice_, 0) for slice_ in SLICES}

    def _following(
        self, connection: apsw.Connection, offsets: dict[Slice, int], limit: int
    ) -> Sequence[LogRecord]:
        # The slice whose turn it is gives at most half, so that a long one never starves the other.
        self._turn = 1 - self._turn
        first, second = SLICES[self._turn], SLICES[1 - self._turn]
        records = _slice(connection, first, offsets[first], min(limit, max(1, limit // 2)))
        records += _slice(connection, second, offsets[second], limit - len(records))
        if records and records[-1].slice == first and len(records) < limit:
            records += _slice(connection, first, records[-1].offset + 1, limit - len(records))
        return records


class _Readers:
    """Connections that only read: as many as there were readers at one time, lent to one thread each."""

    def __init__(self, path: Path, vfs: str | None) -> None:
        self._path = path
        self._vfs = vfs
        self._lock = Lock()
        self._free: list[apsw.Connection] = []
        self._is_closed = False

    @contextmanager
    def borrow(self) -> Iterator[apsw.Connection]:
        """A connection for this thread alone. Raises LogFault for whatever SQLite finds wrong."""
        with self._lock:
            if self._is_closed:
                raise LogFault("this log is closed; open it again")
            connection = self._free.pop() if self._free else None
        if connection is None:
            connection = open_reader(self._path, self._vfs)
        try:
            yield connection
        except apsw.Error as fault:
            raise log_fault(self._path, fault) from fault
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close what is not lent now; the rest is closed when it is given back."""
        with self._lock:
            self._is_closed = True
            for connection in self._free:
                connection.close()
            self._free.clear()

    def _give_back(self, connection: apsw.Connection) -> None:
        with self._lock:
            if self._is_closed:
                connection.close()
            else:
                self._free.append(connection)


def _begun(new_id: Callable[[], str]) -> Proposal:
    """The first event of a new ledger; when it is stored, it is dated by the clock."""
    begun = LedgerBegun(
        event_id=new_id(),
        tenant=LEDGER_TENANT,
        occurred_at=0,
        actor=Actor(kind="service"),
        generation=new_id(),
    )
    return Proposal(begun, heard_now=True)


def _slice(connection: apsw.Connection, slice_: Slice, offset: int, limit: int) -> list[LogRecord]:
    """Records of one slice from an offset on. Raises PositionUnavailable for a hole, or beyond the end."""
    rows = connection.execute(_FOLLOWING[slice_], (offset, max(0, limit)))
    records = [LogRecord(slice_, *row) for row in rows]
    if records and records[-1].offset != offset + len(records) - 1:
        raise PositionUnavailable(f"{slice_.stream} has a hole after {offset}; restore the log from a copy")
    if not records and offset and not connection.execute(_FOLLOWING[slice_], (offset - 1, 1)).fetchall():
        raise PositionUnavailable("the position is beyond the log; rebuild from the first event")
    return records
