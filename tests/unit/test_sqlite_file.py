"""What may be wrong with the file of an embedded log when it is opened, and what its opener is told."""

import random
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from events.instants import INSTANT_MAX
from ledger import sqlite_file
from ledger.log import LogFault
from ledger.sqlite_file import (
    APPLICATION_ID,
    BUSY_S_MAX,
    FILE_MODE,
    SCHEMA_VERSION,
    BusyLedger,
    BusyWait,
    CorruptLedger,
    NewerLedger,
    NotALedger,
    StorageFull,
    UnusablePath,
    log_fault,
    storage_message,
)
from ledger.sqlite_log import SqliteLog
from tests.contract.sample_events import choice, new_id
from tests.simulation.disks import BreakableDisk, watched_disk
from tests.simulation.embedded_trial import LOG_FILE, append, now, open_log


def foreign_file(path: Path, statements: str) -> bytes:
    """A SQLite file that is not ours; its bytes."""
    connection = apsw.Connection(str(path))
    connection.execute(statements)
    connection.close()
    return path.read_bytes()


def test_nobody_else_may_read_a_ledger(tmp_path: Path) -> None:
    """The file and its side files are readable and writable by their owner alone, whatever the umask lets."""
    log = open_log(tmp_path)
    append(log, (choice(now()),))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    log.close()
    assert modes == {LOG_FILE: FILE_MODE, f"{LOG_FILE}-wal": FILE_MODE, f"{LOG_FILE}-shm": FILE_MODE}


def test_a_ledger_is_known_by_its_header(tmp_path: Path) -> None:
    """The file bears our application id and format, and is synced in full at each commit."""
    log = open_log(tmp_path)
    connection = log._writer._connection
    assert connection.pragma("application_id") == APPLICATION_ID
    assert connection.pragma("user_version") == SCHEMA_VERSION
    assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)
    log.close()


def test_many_may_begin_one_ledger(tmp_path: Path) -> None:
    """Sixteen threads that open the same new file at once begin one ledger, with one generation."""
    with ThreadPoolExecutor(16) as pool:
        logs = list(pool.map(lambda _: open_log(tmp_path), range(16)))
    assert len({log.generation for log in logs}) == 1
    assert [end for _, _, end in logs[0].end().offsets] == [0, 1]
    for log in logs:
        log.close()


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    """A file without a byte in it is taken for a new ledger."""
    (tmp_path / LOG_FILE).touch()
    open_log(tmp_path).close()
    assert (tmp_path / LOG_FILE).stat().st_size > 0


@pytest.mark.parametrize("content", [b"not a database at all", random.Random(1).randbytes(8_192)])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file of another kind is NotALedger, and keeps every byte."""
    path = tmp_path / LOG_FILE
    path.write_bytes(content)
    with pytest.raises(NotALedger, match="another path"):
        open_log(tmp_path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statements", ["CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"]
)
def test_a_database_of_another_program_is_refused(tmp_path: Path, statements: str) -> None:
    """A database that somebody else made is NotALedger, and keeps every byte."""
    path = tmp_path / LOG_FILE
    content = foreign_file(path, statements)
    with pytest.raises(NotALedger, match="not changed"):
        open_log(tmp_path)
    assert path.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOG_FILE]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A ledger of the format after ours is NewerLedger: an older program must not write to it."""
    open_log(tmp_path).close()
    foreign_file(tmp_path / LOG_FILE, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(NewerLedger, match="newer choice-ledger"):
        open_log(tmp_path)


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    """A ledger whose pages are overwritten is CorruptLedger when it is opened."""
    open_log(tmp_path).close()
    path = tmp_path / LOG_FILE
    content = path.read_bytes()
    path.write_bytes(content[:4_096] + random.Random(2).randbytes(len(content) - 4_096))
    with pytest.raises(CorruptLedger, match="restore"):
        open_log(tmp_path)


@pytest.mark.parametrize("statement", ["DELETE FROM policies", "UPDATE policies SET value = x'c301'"])
def test_a_ledger_without_its_beginning_is_damaged(tmp_path: Path, statement: str) -> None:
    """Where the first event is gone or unreadable, no generation is known: CorruptLedger."""
    open_log(tmp_path).close()
    foreign_file(tmp_path / LOG_FILE, statement)
    with pytest.raises(CorruptLedger, match="first event"):
        open_log(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is UnusablePath, with what to do."""
    with pytest.raises(UnusablePath, match="make that folder"):
        open_log(tmp_path / "nowhere")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder in the place of the file is UnusablePath."""
    (tmp_path / LOG_FILE).mkdir()
    with pytest.raises(UnusablePath, match="directory"):
        open_log(tmp_path)


def test_a_disk_without_shared_memory_is_refused(tmp_path: Path) -> None:
    """Where no write-ahead log can be kept, as on some network disks, the log is UnusablePath."""
    with pytest.raises(UnusablePath, match="local disk"):
        open_log(tmp_path, "unix-dotfile")


def test_a_full_disk_leaves_no_half_ledger(tmp_path: Path) -> None:
    """A disk that fills up while a ledger is made is StorageFull; with room again, the same path works."""
    breakable = BreakableDisk()
    with watched_disk("full", breakable) as disk:
        breakable.fault = apsw.FullError("no room")
        with pytest.raises(StorageFull, match="free space"):
            open_log(tmp_path, disk.name)
    log = open_log(tmp_path)
    assert [end for _, _, end in log.end().offsets] == [0, 1]
    log.close()


def test_a_clock_without_an_instant_begins_no_ledger(tmp_path: Path) -> None:
    """A clock beyond the year 9999 dates no first event: LogFault; with the clock set, the same path
    works.
    """
    with pytest.raises(LogFault, match="set the clock"):
        SqliteLog(tmp_path / LOG_FILE, lambda: INSTANT_MAX + 1, new_id)
    open_log(tmp_path).close()


def test_a_ledger_held_by_another_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another process holds the file for longer than the patience, opening ends in BusyLedger."""
    monkeypatch.setattr(sqlite_file, "BusyWait", lambda: BusyWait(0.05))
    holder = apsw.Connection(str(tmp_path / LOG_FILE))
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyLedger, match="end that one"):
        open_log(tmp_path)
    holder.close()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (apsw.NotADBError(), NotALedger),
        (apsw.CorruptError(), CorruptLedger),
        (apsw.FullError(), StorageFull),
        (apsw.ReadOnlyError(), UnusablePath),
        (apsw.CantOpenError(), UnusablePath),
        (apsw.PermissionsError(), UnusablePath),
        (apsw.BusyError(), BusyLedger),
        (apsw.LockedError(), BusyLedger),
        (apsw.IOError(), UnusablePath),
        (apsw.NoMemError(), LogFault),
    ],
)
def test_every_error_says_what_to_do(fault: apsw.Error, kind: type[LogFault]) -> None:
    """Each error of SQLite has its own LogFault that names the path, and a message for outcomes that does
    not.
    """
    told = log_fault(Path("somewhere.sqlite"), fault)
    assert type(told) is kind
    assert str(told).startswith("somewhere.sqlite ")
    assert "could not be stored" in storage_message(fault)
    assert "somewhere" not in storage_message(fault)


@pytest.mark.parametrize(("waited_s", "goes_on"), [(BUSY_S_MAX - 0.001, True), (BUSY_S_MAX, False)])
def test_patience_has_a_limit(waited_s: float, goes_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short of ``BUSY_S_MAX`` seconds a connection goes on waiting; at them it gives up."""
    seconds = [0.0]
    monkeypatch.setattr("ledger.sqlite_file.time.monotonic", lambda: seconds[0])
    wait = BusyWait()
    assert wait(0)
    seconds[0] = waited_s
    assert wait(1) is goes_on


def test_patience_ends() -> None:
    """Waiting for another process goes on until the patience has ended, and begins anew for each
    statement.
    """
    patient = BusyWait(0.05)
    waits = 0
    while patient(waits):
        waits += 1
    assert waits > 3
    assert patient(0)
