"""A store that is built in one go is the store that batches make, and is none before it is whole."""

from pathlib import Path

import pytest

from projections.digest import state_digest
from projections.ports import StoreConflict, StoreFault
from projections.projector import Projector
from projections.replay import Progress, rebuild
from projections.sqlite_build_store import SqliteBuildStore
from projections.sqlite_store import NotAStateStore, SqliteStore
from tests.contract.store_changes import change, entry, full_change, position, state_of
from tests.simulation.killed_projector import contents, made_log

SEED = 5


def built(path: Path) -> SqliteStore:
    """The store that a build of some worlds has become."""
    building = SqliteBuildStore(path)
    rebuild(made_log(SEED), building)
    building.close()
    return SqliteStore(path)


def test_a_build_becomes_the_store_that_batches_make(tmp_path: Path) -> None:
    """What is built in one transaction reads, to the byte, like what was saved batch by batch."""
    one, other = built(tmp_path / "one.sqlite"), SqliteStore(tmp_path / "other.sqlite")
    Projector(made_log(SEED), other).catch_up(limit=7)
    assert state_digest(one) == state_digest(other)
    assert contents(one) == contents(other)
    one.close()
    other.close()


def test_a_store_that_was_built_goes_on(tmp_path: Path) -> None:
    """The file takes further changes like any other, and conflicts where it should."""
    building = SqliteBuildStore(tmp_path / "state.sqlite")
    building.apply(full_change(None, 1))
    building.close()
    store = SqliteStore(tmp_path / "state.sqlite")
    store.apply(full_change(position(1, policies=1), 2))
    with pytest.raises(StoreConflict):
        store.apply(full_change(position(1, policies=1), 3))
    assert store.checkpoint() == position(2, policies=2)
    store.close()


def test_a_build_reads_what_it_holds(tmp_path: Path) -> None:
    """The projector that builds reads everything that it has applied, before anything is committed."""
    building = SqliteBuildStore(tmp_path / "state.sqlite")
    made = full_change(None, 1)
    building.apply(made)
    assert state_of(building) == (
        made.reached,
        [("t/person-1", b"facts")],
        [[entry(1)]],
        list(made.policies),
        list(made.reach),
        list(made.quarantined),
        list(made.latest),
    )
    assert building.known_ids([("t/person-1", entry(1).event_id)]) == {("t/person-1", entry(1).event_id)}
    assert building.facts(["t/person-1"]) == {"t/person-1": b"facts"}
    building.close()


def test_a_build_tells_how_far_it_is(tmp_path: Path) -> None:
    """A rebuild tells its progress after each batch, and ends with all of it."""
    told: list[Progress] = []
    log = made_log(SEED)
    building = SqliteBuildStore(tmp_path / "state.sqlite")
    reached = rebuild(log, building, told.append)
    building.close()
    total = sum(log.end().as_dict().values())
    assert reached == log.end()
    assert told[-1] == Progress(total, total)


def test_nothing_is_applied_while_a_build_is_read(tmp_path: Path) -> None:
    """A change within a view is refused, since the view would not stay of one moment; it goes on after."""
    building = SqliteBuildStore(tmp_path / "state.sqlite")
    with building.view() as view:
        assert view.checkpoint() is None
        with pytest.raises(StoreFault, match="view"):
            building.apply(full_change(None, 1))
    building.apply(full_change(None, 1))
    building.close()


def test_a_change_that_fails_spoils_the_build(tmp_path: Path) -> None:
    """After a change that could not be saved in whole nothing more is taken, and closing saves none of it."""
    building = SqliteBuildStore(tmp_path / "state.sqlite")
    building.apply(full_change(None, 1))
    with pytest.raises(StoreConflict):
        building.apply(full_change(position(1, policies=1), 2)._replace(history=[("t/person-1", entry(1))]))
    with pytest.raises(StoreFault, match="spoiled"):
        building.apply(change(position(1, policies=1), position(9)))
    building.close()
    building.close()
    store = SqliteStore(tmp_path / "state.sqlite")
    assert state_of(store)[:2] == (None, [])
    store.close()


def test_a_build_begins_with_a_fresh_file(tmp_path: Path) -> None:
    """A path where a file is, a store's own too, is refused and stays as it was."""
    path = tmp_path / "state.sqlite"
    SqliteStore(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreFault, match="fresh"):
        SqliteBuildStore(path)
    assert path.read_bytes() == before
    with pytest.raises(StoreFault):
        SqliteBuildStore(tmp_path / "missing" / "state.sqlite")


def test_a_build_that_was_cut_off_is_no_store(tmp_path: Path) -> None:
    """What a killed build leaves is refused as a store, however many of its pages were written."""
    path = tmp_path / "state.sqlite"
    built(path).close()
    whole = bytearray(path.read_bytes())
    whole[60:64] = whole[68:72] = bytes(4)  # Where SQLite keeps what ``close`` writes last.
    cut_off = tmp_path / "cut-off.sqlite"
    cut_off.write_bytes(whole)
    with pytest.raises(NotAStateStore):
        SqliteStore(cut_off)
