"""The SQLite store meets the contract of its port, and tells its own file from others."""

import threading
from pathlib import Path

import apsw
import pytest

from projections.ports import StoreFault
from projections.sqlite_store import (
    APPLICATION_ID,
    BUSY_STEP_MS,
    READERS_IDLE_MAX,
    SCHEMA_VERSION,
    NotAStateStore,
    OtherStoreVersion,
    SqliteStore,
    StoreReplaced,
)
from projections.sqlite_tables import NUMBERS_MAX, Reads
from tests.contract.state_store_contract import DurableStateStoreContract, run_together
from tests.contract.store_changes import OpenStore, change, entry, full_change, position, state_of


class TestSqliteStore(DurableStateStoreContract):
    """Every requirement of the port."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """The store of one file."""
        return lambda: SqliteStore(tmp_path / "state.sqlite")


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    """A fresh file bears the application's id and its layout's version, and is in WAL mode."""
    SqliteStore(tmp_path / "state.sqlite").close()
    with apsw.Connection(str(tmp_path / "state.sqlite")) as connection:
        assert connection.pragma("application_id") == APPLICATION_ID
        assert connection.pragma("user_version") == SCHEMA_VERSION
        assert connection.pragma("journal_mode") == "wal"


def test_a_file_that_was_replaced_is_not_read(tmp_path: Path) -> None:
    """A reader never opens another file than the writer's: after a rebuild has put a new one in its place,
    the store has to be opened again.
    """
    path, link = tmp_path / "state.sqlite", tmp_path / "link"
    path.symlink_to("one.sqlite")
    link.symlink_to("other.sqlite")
    SqliteStore(tmp_path / "other.sqlite").close()
    store = SqliteStore(path)
    store.apply(full_change(None, 1))
    with store.view():  # The only idle reader is lent, so that the next view opens another.
        link.replace(path)
        with pytest.raises(StoreReplaced, match="open it again"), store.view():
            raise AssertionError("the other file was read")
    store.close()
    assert SqliteStore(path).checkpoint() is None


def test_another_applications_file_is_refused(tmp_path: Path) -> None:
    """A file with another application's id is refused, and stays as it was, byte for byte."""
    path = tmp_path / "other.sqlite"
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE t (x); PRAGMA application_id = 7")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NotAStateStore):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_database_without_an_id_is_refused_unless_it_is_empty(tmp_path: Path) -> None:
    """A database that bears no id but has a table is somebody's: it is refused; an empty file is taken."""
    path = tmp_path / "other.sqlite"
    with apsw.Connection(str(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(NotAStateStore):
        SqliteStore(path)
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    SqliteStore(empty).close()
    assert empty.stat().st_size > 0


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of other bytes is refused and stays as it was."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database, but long enough to be read as one\n" * 99)
    before = path.read_bytes()
    with pytest.raises(NotAStateStore):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1])
def test_another_layout_is_refused(tmp_path: Path, version: int) -> None:
    """A store of another release's layout is refused: it is rebuilt, never guessed at."""
    path = tmp_path / "state.sqlite"
    SqliteStore(path).close()
    with apsw.Connection(str(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(OtherStoreVersion, match="rebuild"):
        SqliteStore(path)


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """A store in a folder that is not there is a fault of the store, not a crash of the library."""
    with pytest.raises(StoreFault):
        SqliteStore(tmp_path / "missing" / "state.sqlite")


def test_a_file_that_was_spoiled_is_a_fault_that_names_the_way_out(tmp_path: Path) -> None:
    """A store whose pages were overwritten raises a fault that says to rebuild, and saves nothing."""
    path = tmp_path / "state.sqlite"
    store = SqliteStore(path)
    store.apply(full_change(None, 1))
    store.close()
    spoiled = bytearray(path.read_bytes())
    spoiled[4096:] = b"\xa5" * (len(spoiled) - 4096)
    path.write_bytes(spoiled)
    again = SqliteStore(path)
    with pytest.raises(StoreFault, match="rebuild"):
        again.apply(full_change(position(1, policies=1), 2))
    again.close()


def test_readers_past_the_limit_are_closed(tmp_path: Path) -> None:
    """Any number of views may be open at once; when they end, no more connections stay than the limit."""
    store = SqliteStore(tmp_path / "state.sqlite")
    store.apply(full_change(None, 1))
    views = [store.view() for _ in range(READERS_IDLE_MAX + 3)]
    opened = [view.__enter__() for view in views]
    assert {view.checkpoint() for view in opened} == {position(1, policies=1)}
    for view in views:
        view.__exit__(None, None, None)
    assert len(store._idle) == READERS_IDLE_MAX
    assert state_of(store)[0] == position(1, policies=1)
    store.close()


@pytest.mark.parametrize("more", [0, 1])
def test_more_individuals_than_are_remembered(tmp_path: Path, more: int) -> None:
    """With as many individuals at once as are remembered, and with one more, every one is found and saved."""
    keys = [f"t/{number}" for number in range(NUMBERS_MAX + more)]
    store = SqliteStore(tmp_path / "state.sqlite")
    store.apply(change(None, position(1), facts=dict.fromkeys(keys, b"1")))
    assert len(store.facts(keys)) == len(keys)
    store.apply(
        change(position(1), position(2), facts=dict.fromkeys(keys, b"2"), history=[(keys[-1], entry(1))])
    )
    assert set(store.facts(keys).values()) == {b"2"}
    assert store.known_ids([(keys[0], entry(1).event_id), (keys[-1], entry(1).event_id)]) == {
        (keys[-1], entry(1).event_id)
    }
    assert sum(1 for _ in store.scan()) == len(keys)
    store.close()


def steps_of_individuals(path: Path, count: int) -> int:
    """The steps of SQLite's machine that ten individuals cost, in a store of that many."""
    store = SqliteStore(path)
    keys = [f"{tenant}/{number:06d}" for tenant in ("s", "t", "u") for number in range(count)]
    store.apply(change(None, position(1), facts=dict.fromkeys(keys, b"1")))
    steps = 0

    def count_step() -> bool:
        nonlocal steps
        steps += 1
        return False

    with store.view() as reads:
        assert isinstance(reads, Reads)
        reads._connection.set_progress_handler(count_step, 1)
        assert len(reads.individuals("t", "000010", 10)) == 10
        reads._connection.set_progress_handler(None)
    store.close()
    return steps


def test_14_a_part_of_the_individuals_costs_the_same_in_any_store(tmp_path: Path) -> None:
    """Ten individuals cost as much work in a store of sixty thousand as in one of three hundred."""
    few = steps_of_individuals(tmp_path / "few.sqlite", 100)
    assert 0 < few == steps_of_individuals(tmp_path / "many.sqlite", 20_000)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that waits for others no longer than a test can."""
    monkeypatch.setattr("projections.sqlite_store.BUSY_TIMEOUT_MS", 5 * BUSY_STEP_MS)


def test_a_file_that_another_process_holds_is_a_fault(tmp_path: Path, impatient: None) -> None:
    """While somebody else writes, a change ends as a fault, saves nothing, and can be repeated."""
    store = SqliteStore(tmp_path / "state.sqlite")
    other = apsw.Connection(str(tmp_path / "state.sqlite"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFault, match="another process"):
        store.apply(full_change(None, 1))
    other.execute("ROLLBACK")
    assert store.checkpoint() is None
    store.apply(full_change(None, 1))
    assert store.checkpoint() == position(1, policies=1)
    other.close()
    store.close()


def test_a_fresh_file_that_is_held_is_a_fault(tmp_path: Path, impatient: None) -> None:
    """A file that somebody holds before it is a store can be opened once they let go of it."""
    other = apsw.Connection(str(tmp_path / "state.sqlite"))
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreFault, match="another process"):
        SqliteStore(tmp_path / "state.sqlite")
    other.close()
    SqliteStore(tmp_path / "state.sqlite").close()


def test_a_reader_keeps_the_mode_from_being_set(tmp_path: Path, impatient: None) -> None:
    """While somebody reads a store that is not in WAL mode, opening it waits, and then is a fault."""
    path = tmp_path / "state.sqlite"
    SqliteStore(path).close()
    other = apsw.Connection(str(path))
    assert other.pragma("journal_mode", "delete") == "delete"
    other.execute("BEGIN; SELECT count(*) FROM individual")
    with pytest.raises(StoreFault, match="another process"):
        SqliteStore(path)
    other.close()
    SqliteStore(path).close()


def test_a_store_in_memory_has_no_write_ahead_log() -> None:
    """Where SQLite can keep no write-ahead log, the store is refused rather than run without."""
    with pytest.raises(StoreFault, match="write-ahead"):
        SqliteStore(Path(":memory:"))


def test_a_full_disk_is_a_fault(tmp_path: Path) -> None:
    """A change for which there is no room ends as a fault, saves nothing, and can be repeated."""
    store = SqliteStore(tmp_path / "state.sqlite")
    store.apply(full_change(None, 1))
    pages = store._writer.pragma("page_count")
    store._writer.pragma("max_page_count", pages + 1)
    before = state_of(store)
    large = full_change(position(1, policies=1), 2)._replace(facts={"t/person-2": bytes(100_000)})
    with pytest.raises(StoreFault, match="full"):
        store.apply(large)
    assert state_of(store) == before
    store._writer.pragma("max_page_count", pages + 1_000)
    store.apply(large)
    assert store.checkpoint() == position(2, policies=2)
    store.close()


def test_many_may_open_a_fresh_file_at_once(tmp_path: Path) -> None:
    """Of many who open the same fresh file at the same time one lays it out, and all can use it."""
    faults: list[Exception] = []
    for number in range(20):
        path = tmp_path / f"state-{number}.sqlite"
        barrier = threading.Barrier(4)

        def open_one(path: Path = path, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                SqliteStore(path).close()
            except StoreFault as fault:
                faults.append(fault)

        run_together([threading.Thread(target=open_one) for _ in range(4)])
    assert faults == []
