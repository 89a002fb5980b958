"""The default ``StateStore``: one SQLite file, written by one connection and read by many.

WAL with ``synchronous=NORMAL``. A commit does not wait for the disk, so a power cut may take the last
changes back; it takes each whole, with its checkpoint, and the projector folds those records again. Nothing
acknowledged rests on this file. (The log is another matter: see ``ledger/sqlite_log.py``.)

The layout is for a million individuals. Each has a small integer in place of its key; ``history`` is
appended to and never rewritten; what has to be found by (individual, event id) is a narrow index; and each
batch is sorted before it is saved, so that neighbours are written together.
"""

import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from events.streams import LogRecord, Position
from projections.ports import (
    Change,
    HistoryEntry,
    QuarantineEntry,
    QuarantineScope,
    ReachEntry,
    StateReads,
    StoreConflict,
    StoreFault,
)
from projections.sqlite_tables import SCHEMA, Numbers, Reads, save

APPLICATION_ID: Final = 0x434C5053
"""``PRAGMA application_id`` of this file ("CLPS"): what tells it from the log's file and from others."""

SCHEMA_VERSION: Final = 2
"""``PRAGMA user_version``: a store of another layout is rebuilt from the log, never converted."""

BUSY_TIMEOUT_MS: Final = 5_000
"""How long a change waits for another process that is writing to the same file."""

BUSY_STEP_MS: Final = 20
"""How long one of our own waits is, where SQLite does not wait for others by itself."""

READERS_IDLE_MAX: Final = 8
"""Read connections that are kept open while nobody reads."""

WRITER_CACHE_KIB: Final = 65_536
"""Page cache of the writer: it holds the narrow indexes of a million individuals."""

CHECKPOINT_PAGES: Final = 16_000
"""Pages in the write-ahead log (62 MiB) from which SQLite moves them into the file: a few batches' worth, so
that a page that each batch changes is moved once."""


class NotAStateStore(StoreFault):
    """The file is something else. Name another path, or move the file away; it was not changed."""


class OtherStoreVersion(StoreFault):
    """The file has the layout of another release. Rebuild the projection into a fresh file."""


class StoreReplaced(StoreFault):
    """Another file took the place of this one. Open the store again, and go on from its checkpoint."""


_REPLACED: Final = "the store's file was replaced by another, as a rebuild does; open it again"


def sqlite_version() -> str:
    """The version of the SQLite that opens the files, as ``3.51.3``."""
    return apsw.sqlite_lib_version()


class SqliteStore:
    """A ``StateStore`` in one file. See the port for what it must do; safe from many threads."""

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        """Open the store, or make a fresh one where there is no file (its folder must be there).

        ``vfs`` names another of SQLite's ways to the disk. Raises NotAStateStore, OtherStoreVersion, and
        StoreFault where the file cannot be opened.
        """
        self._path = path
        self._vfs = vfs
        self._numbers = Numbers()
        self._writing = threading.Lock()
        self._idle: deque[apsw.Connection] = deque()
        self._closed = False
        before = _file_of(path, vfs)
        with told_as_port_says():
            self._writer = _opened(path, vfs)
        self._file = _file_of(path, vfs)
        if before is not None and before != self._file:
            self._writer.close()
            raise StoreReplaced(_REPLACED)

    @contextmanager
    def view(self) -> Iterator[StateReads]:
        """Reads of one moment: a read transaction of SQLite, which blocks no writer."""
        with told_as_port_says():
            connection = self._reader()
            try:
                # The transaction begins with the first read, so one is made at once.
                connection.execute("BEGIN; SELECT count(*) FROM ledger")
                yield Reads(connection, self._numbers)
            finally:
                self._give_back(connection)

    def checkpoint(self) -> Position | None:
        """The position that the state includes; none in a fresh store."""
        with self.view() as reads:
            return reads.checkpoint()

    def latest(self) -> Sequence[LogRecord]:
        """The last record of each slice that the state includes, by slice."""
        with self.view() as reads:
            return reads.latest()

    def facts(self, keys: Collection[str]) -> dict[str, bytes]:
        """The facts of those individuals that the store knows, by key."""
        with self.view() as reads:
            return reads.facts(keys)

    def known_ids(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs (key, event id) whose event is in the history."""
        with self.view() as reads:
            return reads.known_ids(pairs)

    def history(self, key: str) -> Sequence[HistoryEntry]:
        """Every event of one individual, in the order in which it was folded."""
        with self.view() as reads:
            return reads.history(key)

    def policies(self) -> Iterator[LogRecord]:
        """Every record of the policies' stream that was folded, in log order."""
        with self.view() as reads:
            yield from reads.policies()

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Every individual's key and facts, in the order of the key's bytes."""
        with self.view() as reads:
            yield from reads.scan()

    def individuals(self, tenant: str, after: str, limit: int) -> Sequence[str]:
        """The first ``limit`` ids of a tenant's individuals that come after ``after``."""
        with self.view() as reads:
            return reads.individuals(tenant, after, limit)

    def reach(self, tenant: str, policy_id: str) -> Iterator[ReachEntry]:
        """Who was last told which version of a policy, in the order of the key's bytes."""
        with self.view() as reads:
            yield from reads.reach(tenant, policy_id)

    def open_quarantine(
        self, denying: Collection[tuple[QuarantineScope, str]] | None = None
    ) -> Sequence[QuarantineEntry]:
        """The unreadable records that nobody has resolved yet; with ``denying``, those of these pairs."""
        with self.view() as reads:
            return reads.open_quarantine(denying)

    def apply(self, change: Change) -> None:
        """Save a change in one transaction. Raises StoreConflict, or StoreFault, having saved nothing."""
        with self._writing, told_as_port_says():
            if self._closed:
                raise StoreFault("the store is closed; open it again")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                save(self._writer, change, self._numbers)
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def close(self) -> None:
        """Close every connection. A view that is still open ends with its context."""
        with self._writing:
            self._closed = True
            self._writer.close()
            while self._idle:
                self._idle.pop().close()

    def _reader(self) -> apsw.Connection:
        if self._closed:
            raise StoreFault("the store is closed; open it again")
        try:
            return self._idle.pop()
        except IndexError:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=self._vfs)
            if _file_of(self._path, self._vfs) != self._file:
                connection.close()
                raise StoreReplaced(_REPLACED) from None
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # A reader that was left half read would hold its moment for ever; closing the connection ends it.
        is_idle = connection.txn_state() == apsw.SQLITE_TXN_NONE
        if is_idle and not self._closed and len(self._idle) < READERS_IDLE_MAX:
            self._idle.append(connection)
        else:
            connection.close()


_FAULTS: Final[tuple[tuple[tuple[type[apsw.Error], ...], str], ...]] = (
    ((apsw.BusyError, apsw.LockedError), "is held by another process; end that one, or wait for it to end"),
    ((apsw.FullError,), "cannot grow, because the disk is full; make room and start again"),
    (
        (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError),
        "cannot be opened or written; see to its folder and its rights",
    ),
    ((apsw.IOError,), "cannot be read or written (I/O error); see to the disk"),
    ((apsw.CorruptError, apsw.NotADBError), "is damaged; rebuild the projection into a fresh file"),
)


@contextmanager
def told_as_port_says() -> Iterator[None]:
    """Turn what SQLite says into what the port says."""
    try:
        yield
    except apsw.ConstraintError as fault:
        raise StoreConflict("the store holds this event already; start again from its checkpoint") from fault
    except apsw.Error as fault:
        advice = next((advice for kinds, advice in _FAULTS if isinstance(fault, kinds)), None)
        unnamed = f"cannot be used ({type(fault).__name__}); close it, or rebuild the projection"
        raise StoreFault(f"the store's file {advice or unnamed}") from fault


def _file_of(path: Path, vfs: str | None) -> tuple[int, int] | None:
    """Which file the path leads to now; none where there is none, or where another ``vfs`` keeps it.

    What is written to one file and read from another would be acknowledged, and never be seen.
    """
    if vfs is not None:
        return None
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _opened(path: Path, vfs: str | None) -> apsw.Connection:
    """The writer's connection to a file that is known to be a store of this layout."""
    connection = apsw.Connection(str(path), vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _check_or_create(connection)
        _enter_wal(connection)
        for pragma in (
            "synchronous = NORMAL",
            f"cache_size = -{WRITER_CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _enter_wal(connection: apsw.Connection) -> None:
    """Set the mode that lets readers read while one writes; the file keeps it, so this is done once.

    SQLite does not wait here for others that open the fresh file at the same time, so we do.
    """
    for left_ms in range(BUSY_TIMEOUT_MS, -1, -BUSY_STEP_MS):
        try:
            mode = connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if left_ms < BUSY_STEP_MS:
                raise
            threading.Event().wait(BUSY_STEP_MS / 1_000)
        else:
            if mode != "wal":
                raise StoreFault("the store lies where no write-ahead log can be kept; use a local disk")
            return


def _check_or_create(connection: apsw.Connection) -> None:
    try:
        connection.execute("BEGIN")  # Both numbers of one moment: another process may be at creating it.
        application_id = connection.pragma("application_id")
        version = connection.pragma("user_version")
        connection.execute("COMMIT")
    except apsw.NotADBError as fault:
        raise NotAStateStore("the file is no database; name another path for the store") from fault
    if application_id == 0 and version == 0:
        _create(connection)
    elif application_id != APPLICATION_ID:
        raise NotAStateStore("the file is another application's; name another path for the store")
    elif version != SCHEMA_VERSION:
        raise OtherStoreVersion(
            f"the store has layout {version}, this release has {SCHEMA_VERSION}; rebuild the projection"
        )


def _create(connection: apsw.Connection) -> None:
    """Lay out a fresh file, in one transaction, unless another process has done so meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.pragma("application_id") == 0:
            if connection.execute("SELECT count(*) FROM sqlite_schema").get:
                raise NotAStateStore("the file is another database; name another path for the store")
            connection.execute(SCHEMA)
            connection.execute(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
