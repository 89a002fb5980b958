"""The one connection of a process that writes to an embedded log: one transaction for each group of appends.

What a failed COMMIT came to cannot be told from its error: the frames of the transaction may lie whole in the
write-ahead log, and come alive when it is next recovered. So the same group is committed once more, which
writes over them: if that succeeds, everything is known again, because each event is found by its id or
stored anew. If it fails too, what would have been acknowledged is ``Unknown``. A failure before COMMIT
leaves nothing behind.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import apsw

from events.codec import UndecodableRecord, decode
from events.instants import Micros
from events.policy_events import LedgerBegun
from events.streams import INDIVIDUALS, POLICIES, Position, Stream, stream_of
from ledger.admission import admit, id_conflict
from ledger.dating import is_repetition
from ledger.group_commit import refused
from ledger.log import Acknowledged, LogFault, Outcome, Proposal, Rejected, Unknown
from ledger.sqlite_file import TABLES, CorruptLedger, log_fault, open_writer, storage_message

COMMIT_ATTEMPTS_MAX: Final = 2
"""How often a group is committed: the second time settles what a failed first time has come to."""

ROW_COLUMNS: Final = 5
"""Columns of both tables: offset, event id, key, stamp, value."""

ROWS_MAX: Final = 64
"""Rows of one statement. Each call of SQLite lets other threads in: one call for many rows keeps the lead."""

_FIND: Final = {
    stream: f"SELECT offset, value FROM {table} WHERE event_id = ? AND key = ?"  # noqa: S608 — our tables.
    for stream, table in TABLES.items()
}
# The stamp of a row is the last time that the ledger itself gave, also where the row's own is an import's.
_TAIL: Final = """
SELECT ifnull((SELECT max(offset) FROM individuals), -1) + 1,
       ifnull((SELECT max(offset) FROM policies), -1) + 1,
       max(ifnull((SELECT stamp FROM individuals ORDER BY offset DESC LIMIT 1), 0),
           ifnull((SELECT stamp FROM policies ORDER BY offset DESC LIMIT 1), 0))
"""
_BUSY: Final = "was refused, because another process wrote for too long; send it again later"
_UNTOLD: Final = "may be in the log or not, because its commit failed; send it again with the same event_id"
_UNREADABLE: Final = "has an id under which the log holds a record that cannot be read; see doctor"


class _CommitFailed(Exception):
    """A COMMIT ended with an error; ``outcomes`` are what they would be if it had succeeded."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


class SqliteWriter:
    """Stores proposals, a group at a time. Not for several threads at once: ``GroupCommit`` sees to that."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], Micros],
        begin: Callable[[], Proposal],
        vfs: str | None = None,
    ) -> None:
        """Open the file, or make it, with what ``begin`` gives as its first event. Raises LogFault."""
        self._path = path
        self._clock = clock
        self.generation = ""
        self._connection = open_writer(path, vfs, lambda new: self._begin(new, begin()))
        self.generation = self._first_event().generation

    def commit(self, proposals: Sequence[Proposal]) -> Sequence[Outcome]:
        """Store proposals in one transaction: an outcome for each, in order. Raises nothing of SQLite's."""
        promised: Sequence[Outcome] | None = None
        for _ in range(COMMIT_ATTEMPTS_MAX):
            try:
                return self._transaction(proposals)
            except _CommitFailed as failed:
                promised = failed.outcomes
            except apsw.Error as fault:
                if promised is None:
                    return _not_stored(proposals, fault)
                break
        return _unsettled(promised or ())

    def close(self) -> None:
        """Close the connection. Closing twice does no harm."""
        try:
            self._connection.close()
        except apsw.Error as fault:
            raise log_fault(self._path, fault) from fault

    def _begin(self, connection: apsw.Connection, proposal: Proposal) -> None:
        """Store the first event, inside the transaction that makes the tables."""
        self._connection = connection
        (outcome,) = self._store((proposal,))
        if not isinstance(outcome, Acknowledged):
            raise LogFault(f"{self._path} cannot begin: {outcome.message}")

    def _first_event(self) -> LedgerBegun:
        try:
            value = self._connection.execute("SELECT value FROM policies WHERE offset = 0").get
            begun = decode(value).event
        except apsw.Error as fault:
            raise log_fault(self._path, fault) from fault
        except UndecodableRecord:
            begun = None
        if not isinstance(begun, LedgerBegun):
            raise CorruptLedger(f"{self._path} has lost its first event; restore it from a copy")
        return begun

    def _transaction(self, proposals: Sequence[Proposal]) -> Sequence[Outcome]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = self._store(proposals)
        except BaseException:
            self._roll_back()
            raise
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as fault:
            self._roll_back()
            raise _CommitFailed(outcomes) from fault
        return outcomes

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after some errors, and says so.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _store(self, proposals: Sequence[Proposal]) -> Sequence[Outcome]:
        """Insert what can be stored, inside the transaction that is open."""
        tail: Any = self._connection.execute(_TAIL).fetchall()[0]
        ends = {stream: _End(stream, tail[at]) for at, stream in enumerate((INDIVIDUALS, POLICIES))}
        times = _Times(self._clock(), tail[2])
        outcomes: list[Outcome] = []
        for stream, run in groupby(proposals, key=_stream_of):
            together = list(run)
            for begin in range(0, len(together), ROWS_MAX):
                outcomes += self._insert(together[begin : begin + ROWS_MAX], ends[stream], times)
        return outcomes

    def _insert(self, proposals: Sequence[Proposal], end: "_End", times: "_Times") -> list[Outcome]:
        """Insert records of one stream by one statement; one by one where any id of them is there already."""
        before = times.last, end.offset
        outcomes, values = self._drafted(proposals, end, times)
        if not values:
            return outcomes
        try:
            self._connection.execute(_insert(end.stream, len(values) // ROW_COLUMNS), values)
        except apsw.ConstraintError:
            times.last, end.offset = before
            if len(proposals) == 1:
                return [self._repeated(proposals[0], end.stream, values)]
            return [outcome for one in proposals for outcome in self._insert((one,), end, times)]
        return outcomes

    def _drafted(
        self, proposals: Sequence[Proposal], end: "_End", times: "_Times"
    ) -> tuple[list[Outcome], list[bytes | int]]:
        """What will be said of the proposals once the values are inserted: a row's after the other's."""
        outcomes: list[Outcome] = []
        values: list[bytes | int] = []
        for proposal in proposals:
            admission = admit(proposal, max(times.now, times.last + 1))
            if isinstance(admission, Rejected):
                outcomes.append(admission)
                continue
            key, value, recorded, is_stamped = admission
            recorded_at = recorded.recorded_at
            if is_stamped:
                times.last = recorded_at
            event_id = proposal.event.event_id
            values += (end.offset, id_bytes(event_id), key, times.last, value)
            end.offset += 1
            outcomes.append(self._acknowledged(event_id, recorded_at, end.stream, end.offset))
        return outcomes, values

    def _repeated(self, proposal: Proposal, stream: Stream, values: Sequence[bytes | int]) -> Outcome:
        """What becomes of a proposal whose row met another one of the same key and id."""
        event_id = proposal.event.event_id
        found: Any = self._connection.execute(_FIND[stream], values[1:3]).fetchall()
        if not found:
            raise apsw.CorruptError("an offset is taken that should come next")
        offset, value = found[0]
        try:
            stored = decode(value)
        except UndecodableRecord:
            return Unknown(event_id, _UNREADABLE)
        if not is_repetition(proposal, stored.event):
            return id_conflict(event_id)
        return self._acknowledged(event_id, stored.recorded_at, stream, offset + 1, repeated=True)

    def _acknowledged(
        self, event_id: str, recorded_at: Micros, stream: Stream, end: int, *, repeated: bool = False
    ) -> Acknowledged:
        position = Position(self.generation, ((stream, 0, end),))
        return Acknowledged(event_id=event_id, recorded_at=recorded_at, position=position, repeated=repeated)


class _End:
    """Where the next record of a stream goes, as a transaction fills."""

    __slots__ = ("offset", "stream")

    def __init__(self, stream: Stream, offset: int) -> None:
        self.stream = stream
        self.offset = offset


class _Times:
    """The clock when a transaction began, and the last time that the ledger gave to any event."""

    __slots__ = ("last", "now")

    def __init__(self, now: Micros, last: Micros) -> None:
        self.now = now
        self.last = last


@cache
def _insert(stream: Stream, rows: int) -> str:
    """The statement that inserts so many rows at once."""
    row = f"({', '.join('?' * ROW_COLUMNS)})"
    return f"INSERT INTO {TABLES[stream]} VALUES {', '.join([row] * rows)}"  # noqa: S608 — our tables.


def id_bytes(event_id: str) -> bytes:
    """The sixteen bytes of an event id, as the tables hold it."""
    return bytes.fromhex(event_id.replace("-", ""))


def _stream_of(proposal: Proposal) -> Stream:
    return stream_of(proposal.event)


def _not_stored(proposals: Sequence[Proposal], fault: apsw.Error) -> Sequence[Outcome]:
    """The outcomes where nothing came as far as COMMIT."""
    if isinstance(fault, apsw.BusyError):
        return refused(proposals, _BUSY)
    message = storage_message(fault)
    return [
        Rejected(event_id=proposal.event.event_id, reason="storage", field="event", message=message)
        for proposal in proposals
    ]


def _unsettled(promised: Sequence[Outcome]) -> Sequence[Outcome]:
    """The outcomes where no COMMIT succeeded, and one may have taken effect: only a refusal is sure."""
    return [
        outcome if isinstance(outcome, Rejected) else Unknown(outcome.event_id, _UNTOLD)
        for outcome in promised
    ]
