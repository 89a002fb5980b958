"""The file of the embedded log: what it looks like, how it is opened, and what may be wrong with it.

Only apsw opens it. A file that is not an embedded log of ours, or a newer one, is refused before anything
of it is changed.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from events.instants import SECOND
from events.streams import INDIVIDUALS, POLICIES, Stream
from ledger.log import APPEND_DEADLINE, LogFault

APPLICATION_ID: Final = 0x63684C67
"""``chLg``: by this, ``file`` and we know an embedded log."""

SCHEMA_VERSION: Final = 1
"""``user_version`` of the files that this code writes."""

FILE_MODE: Final = 0o600
"""Nobody but the owner reads a ledger; SQLite gives its side files the same mode."""

BUSY_S_MAX: Final = APPEND_DEADLINE / SECOND
"""Seconds to wait for another process that writes, before an append is refused."""

BUSY_STEP_S: Final = 0.000_3
"""Seconds between two tries. SQLite's own waits grow to a tenth of a second, and starve a writer beside a
busy one, which leaves the lock free for moments only."""

CACHE_KIB: Final = 16_384
"""KiB of pages that the writer keeps. Larger transactions spill into the write-ahead log, uncommitted."""

STATEMENTS_KEPT: Final = 200
"""Prepared statements that a connection keeps: an insert of each length, for each stream, and a few more."""

TABLES: Final[dict[Stream, str]] = {INDIVIDUALS: "individuals", POLICIES: "policies"}
"""The table of each stream."""

_WRITER_PRAGMAS: Final = (
    # FULL syncs the write-ahead log at each commit. NORMAL would lose acknowledged events at a power cut.
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    f"PRAGMA cache_size = -{CACHE_KIB}",
)
_READER_PRAGMAS: Final = (
    "PRAGMA query_only = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)

_SCHEMA: Final = """
CREATE TABLE {table} (
    offset INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL,
    key BLOB NOT NULL,
    stamp INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX {table}_by_id ON {table} (event_id, key);
"""


class NotALedger(LogFault):
    """The file holds something else. Name another path; this one was not changed."""


class NewerLedger(LogFault):
    """The file was made by a newer version of this program, which alone may write to it."""


class CorruptLedger(LogFault):
    """The file is damaged. Restore it, or export what can be read; nothing was changed."""


class UnusablePath(LogFault):
    """The file cannot be opened or written where it is: a missing folder, rights, or a read-only disk."""


class StorageFull(LogFault):
    """The disk is full. Free space, and try again."""


class BusyLedger(LogFault):
    """Another process held the file for too long. End it, and try again."""


_FAULTS: Final[tuple[tuple[type[apsw.Error], type[LogFault], str], ...]] = (
    (apsw.NotADBError, NotALedger, "is no embedded log; name another path (it was not changed)"),
    (apsw.CorruptError, CorruptLedger, "is damaged; restore it from a copy, or export what can be read"),
    (apsw.FullError, StorageFull, "cannot grow, because the disk is full; free space and try again"),
    (apsw.ReadOnlyError, UnusablePath, "cannot be written; see to the rights of the file and its folder"),
    (apsw.CantOpenError, UnusablePath, "cannot be opened; see to the folder and its rights"),
    (apsw.PermissionsError, UnusablePath, "cannot be opened; see to the rights of the file and its folder"),
    (apsw.BusyError, BusyLedger, "is held by another process; end that one and try again"),
    (apsw.LockedError, BusyLedger, "is held by another connection; end that one and try again"),
    (apsw.IOError, UnusablePath, "cannot be read or written (I/O error); see to the disk"),
)


def log_fault(path: Path, fault: apsw.Error) -> LogFault:
    """What an error of SQLite means for the log, and what to do next."""
    for kind, named, advice in _FAULTS:
        if isinstance(fault, kind):
            return named(f"{path} {advice}")
    return LogFault(f"{path} cannot be used ({type(fault).__name__}); see to the disk and the memory")


def storage_message(fault: BaseException) -> str:
    """Why an event was not stored, in words that hold neither the event nor the path."""
    for kind, _, advice in _FAULTS:
        if isinstance(fault, kind):
            return f"could not be stored: the log {advice}"
    return f"could not be stored ({type(fault).__name__}); see to the disk and the memory"


def open_writer(path: Path, vfs: str | None, begin: Callable[[apsw.Connection], None]) -> apsw.Connection:
    """The connection that writes; makes the file, and has ``begin`` write the first event, if there is none.

    Raises one of the faults above.
    """
    _make_private(path)
    try:
        connection = _connect(path, vfs)
    except apsw.Error as fault:
        raise log_fault(path, fault) from fault
    try:
        _prepare_in_turn(connection, path, begin)
    except apsw.Error as fault:
        connection.close(True)
        raise log_fault(path, fault) from fault
    except BaseException:
        connection.close(True)
        raise
    return connection


def open_reader(path: Path, vfs: str | None) -> apsw.Connection:
    """A connection that only reads, beside the writer and never blocking it. Raises LogFault."""
    try:
        connection = _connect(path, vfs)
        for pragma in _READER_PRAGMAS:
            connection.execute(pragma)
    except apsw.Error as fault:
        raise log_fault(path, fault) from fault
    return connection


class BusyWait:
    """What a connection does while another process writes: it tries again soon, until its patience ends."""

    __slots__ = ("_deadline", "_patience_s")

    def __init__(self, patience_s: float = BUSY_S_MAX) -> None:
        """So many seconds of patience for each statement."""
        self._patience_s = patience_s
        self._deadline = 0.0

    def __call__(self, waits: int) -> bool:
        """Whether to try again, after ``waits`` tries before; called by SQLite."""
        if waits == 0:
            self._deadline = time.monotonic() + self._patience_s
        time.sleep(BUSY_STEP_S)
        return time.monotonic() < self._deadline


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))
    except FileNotFoundError:
        raise UnusablePath(f"{path.parent} does not exist; make that folder first") from None
    except OSError as fault:
        raise UnusablePath(f"{path} cannot be opened for writing: {fault.strerror}") from None


def _connect(path: Path, vfs: str | None) -> apsw.Connection:
    connection = apsw.Connection(
        str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs, statementcachesize=STATEMENTS_KEPT
    )
    connection.set_busy_handler(BusyWait())
    return connection


def _prepare_in_turn(
    connection: apsw.Connection, path: Path, begin: Callable[[apsw.Connection], None]
) -> None:
    """Prepare the file, again and again while another process does: SQLite does not always wait for it."""
    wait, waits = BusyWait(), 0
    while True:
        try:
            _prepare(connection, path, begin)
        except apsw.BusyError:
            if not wait(waits):
                raise
            waits += 1
        else:
            return


def _prepare(connection: apsw.Connection, path: Path, begin: Callable[[apsw.Connection], None]) -> None:
    is_new = _is_new(connection, path)
    # Turning to a write-ahead log takes one commit by a rollback journal. EXTRA syncs its removal too: were
    # the journal to come back after a power cut, the whole ledger would be rolled back to an empty file.
    connection.execute("PRAGMA synchronous = EXTRA")
    if connection.pragma("journal_mode", "wal") != "wal":
        raise UnusablePath(f"{path} lies where no write-ahead log can be kept; use a local disk")
    for pragma in _WRITER_PRAGMAS:
        connection.execute(pragma)
    if is_new:
        _create(connection, path, begin)


def _is_new(connection: apsw.Connection, path: Path) -> bool:
    """Whether nothing is in the file yet. Raises if what is in it is not for us to write."""
    # One transaction reads all three: between two reads, another process could begin the ledger.
    with connection:
        application, version = connection.pragma("application_id"), connection.pragma("user_version")
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application == 0 and version == 0 and tables == 0:
        return True
    if application != APPLICATION_ID:
        raise NotALedger(f"{path} is no embedded log; name another path (it was not changed)")
    if version > SCHEMA_VERSION:
        raise NewerLedger(
            f"{path} has format {version}, and this version knows {SCHEMA_VERSION}: use a newer choice-ledger"
        )
    return False


def _create(connection: apsw.Connection, path: Path, begin: Callable[[apsw.Connection], None]) -> None:
    """Make the tables and the first event in one transaction, unless another process has just done so."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_new(connection, path):
            for table in TABLES.values():
                connection.execute(_SCHEMA.format(table=table))
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)
            begin(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
