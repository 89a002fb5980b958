"""The one connection of a process that writes to an embedded log: one transaction for each group of appends.

What a failed COMMIT came to cannot be told from its error: the frames of the transaction may lie whole in the
write-ahead log, and come alive when it is next recovered. So the same group is committed once more, which
writes over them: if that succeeds, everything is known again, because each event is found by its id or
stored anew. If it fails too, what would have been acknowledged is ``Unknown``. A failure before COMMIT
leaves nothing behind.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

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

Row: TypeAlias = tuple[int, bytes, bytes, Micros, bytes]

_INSERT: Final = {
    stream: f"INSERT INTO {table} (offset, event_id, key, stamp, value) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 — our tables.
    for stream, table in TABLES.items()
}
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
        individuals, policies, last_stamp = tail
        filling = _Filling(self.generation, {INDIVIDUALS: individuals, POLICIES: policies}, last_stamp)
        now = self._clock()
        for stream, run in groupby(proposals, key=_stream_of):
            self._insert(filling, filling.rows(stream, run, now), stream)
        return filling.outcomes

    def _insert(self, filling: "_Filling", rows: Iterator[Row], stream: Stream) -> None:
        """Insert rows as they are made. Where an id is there already, settle that one and go on behind it."""
        while True:
            try:
                self._connection.executemany(_INSERT[stream], rows)
            except apsw.ConstraintError:
                found: Any = self._connection.execute(_FIND[stream], filling.row[1:3]).fetchall()
                if not found:
                    raise
                filling.settle(stream, *found[0])
            else:
                return


class _Filling:
    """One transaction as it fills: which offsets and times come next, and what came of each proposal."""

    __slots__ = ("_generation", "_last_stamp", "_next_offsets", "_proposal", "_settled", "outcomes", "row")

    def __init__(self, generation: str, next_offsets: dict[Stream, int], last_stamp: Micros) -> None:
        self.outcomes: list[Outcome] = []
        self.row: Row = (0, b"", b"", 0, b"")
        self._generation = generation
        self._next_offsets = next_offsets
        self._last_stamp = last_stamp
        self._proposal: Proposal | None = None
        self._settled: Outcome | None = None

    def rows(self, stream: Stream, run: Iterable[Proposal], now: Micros) -> Iterator[Row]:
        """The rows of proposals that can be stored. Asking for the next row says that one was inserted."""
        for proposal in run:
            admission = admit(proposal, max(now, self._last_stamp + 1))
            if isinstance(admission, Rejected):
                self.outcomes.append(admission)
                continue
            key, value, recorded_at, is_stamped = admission
            event_id, offset = proposal.event.event_id, self._next_offsets[stream]
            stamp = recorded_at if is_stamped else self._last_stamp
            self._proposal, self.row = proposal, (offset, id_bytes(event_id), key, stamp, value)
            yield self.row
            if self._settled is not None:
                self.outcomes.append(self._settled)
                self._settled = None
                continue
            self._last_stamp, self._next_offsets[stream] = stamp, offset + 1
            self.outcomes.append(self._acknowledged(stream, event_id, recorded_at, offset))

    def settle(self, stream: Stream, offset: int, value: bytes) -> None:
        """Say what becomes of the proposal whose row met the one at ``offset``, of the same key and id."""
        assert self._proposal is not None
        event_id = self._proposal.event.event_id
        try:
            stored = decode(value)
        except UndecodableRecord:
            self._settled = Unknown(event_id, _UNREADABLE)
            return
        if not is_repetition(self._proposal, stored.event):
            self._settled = id_conflict(event_id)
            return
        self._settled = self._acknowledged(stream, event_id, stored.recorded_at, offset, repeated=True)

    def _acknowledged(
        self, stream: Stream, event_id: str, recorded_at: Micros, offset: int, *, repeated: bool = False
    ) -> Acknowledged:
        position = Position(self._generation, ((stream, 0, offset + 1),))
        return Acknowledged(event_id=event_id, recorded_at=recorded_at, position=position, repeated=repeated)


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
