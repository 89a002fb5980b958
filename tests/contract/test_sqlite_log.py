"""The embedded log, held to the contract of every log."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from events.codec import decode
from events.streams import Position, PositionUnavailable
from ledger.log import Acknowledged, LogFault, Rejected
from ledger.sqlite_log import OFFSET_MAX, SLICES, SqliteLog
from ledger.sqlite_writer import ROWS_MAX
from tests.contract.event_log_contract import LogContract
from tests.contract.log_workshop import Workshop, events_of, read_all
from tests.contract.sample_events import choice, event_of_size, new_id, waiver
from tests.simulation.disks import Step, watched_disk
from tests.simulation.embedded_trial import LOG_FILE, append, now, open_log, told


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """Handles on one file, as several processes would have them."""
    made = Workshop(lambda clock: SqliteLog(tmp_path / "log.sqlite", clock, new_id))
    yield made
    made.close()


class TestSqliteLog(LogContract):
    """``SqliteLog`` keeps every demand of ``EventLog`` and ``EventSource``."""


def test_sixty_four_threads_share_syncs(tmp_path: Path) -> None:
    """64 threads append 20 events each on one handle: none is lost or doubled, offsets have no hole, times
    grow with them, each thread keeps its order, and there are fewer syncs than events.
    """
    steps: list[Step] = []
    with watched_disk("counting", steps.append) as disk:
        log = open_log(tmp_path, disk.name)
        begun = len(steps)

        def work(number: int) -> list[tuple[str, int]]:
            return [told(append(log, (choice(now(), f"p-{number}"),))[0]) for _ in range(20)]

        with ThreadPoolExecutor(64) as pool:
            told_to = list(pool.map(work, range(64)))
        syncs = sum(step.kind == "sync" for step in steps[begun:])
        records = [r for r in read_all(log) if r.slice == SLICES[0]]
        log.close()
    assert [record.offset for record in records] == list(range(64 * 20))
    read = [
        (recorded.event.event_id, recorded.recorded_at) for recorded in (decode(r.value) for r in records)
    ]
    assert all(one[1] < following[1] for one, following in pairwise(read))
    order = {event_id: at for at, (event_id, _) in enumerate(read)}
    assert sorted(read) == sorted(one for thread in told_to for one in thread)
    for thread in told_to:
        assert [order[event_id] for event_id, _ in thread] == sorted(
            order[event_id] for event_id, _ in thread
        )
    assert syncs < 64 * 20 / 2


def test_offsets_begin_at_nought_and_have_no_gaps(tmp_path: Path) -> None:
    """Refused and repeated events take no offset: what is stored stands at 0, 1, 2, … of its stream."""
    log = open_log(tmp_path)
    first, second, third = choice(now()), choice(now(), "bob"), choice(now(), "cem")
    append(
        log, (first, choice(now() + 10**9), second, first, waiver(now()), event_of_size(now(), 70_000), third)
    )
    places = [record.place for record in sorted(read_all(log))]
    log.close()
    assert places == [f"individuals/0/{n}" for n in range(3)] + [f"policies/0/{n}" for n in range(2)]


@pytest.mark.parametrize("size", [ROWS_MAX - 1, ROWS_MAX, ROWS_MAX + 1, 3 * ROWS_MAX])
def test_repetitions_anywhere_in_a_long_append(tmp_path: Path, size: int) -> None:
    """In appends as long as one insert, shorter and longer, with repetitions, conflicts and refusals in
    them, each outcome is that of its own event.
    """
    log = open_log(tmp_path)
    old = [choice(now(), f"p-{number}") for number in range(0, size, 7)]
    known = {event.key: told(outcome) for event, outcome in zip(old, append(log, tuple(old)), strict=True)}
    events = [choice(now(), f"p-{number}") for number in range(size)]
    for at, event in zip(range(0, size, 7), old, strict=True):
        events[at] = event
    events[5] = choice(now() + 10**9)
    events[8] = replace(events[7], purposes=("hr",))
    outcomes = append(log, tuple(events))
    assert [outcome.event_id for outcome in outcomes] == [event.event_id for event in events]
    for at, outcome in enumerate(outcomes):
        if at in {5, 8}:
            assert isinstance(outcome, Rejected)
        else:
            assert told(outcome) == known.get(events[at].key, told(outcome))
            assert isinstance(outcome, Acknowledged)
            assert outcome.repeated == (at % 7 == 0)
    assert len(read_all(log)) == 1 + size - 2
    log.close()


def test_a_reader_does_not_block_the_writer(tmp_path: Path) -> None:
    """While somebody reads the file in one long transaction, appends go on."""
    log = open_log(tmp_path)
    append(log, (choice(now()),))
    reader = apsw.Connection(str(tmp_path / LOG_FILE))
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM individuals").get == 1
    assert isinstance(append(log, (choice(now()),))[0], Acknowledged)
    assert reader.execute("SELECT count(*) FROM individuals").get == 1
    reader.close()
    log.close()


def test_a_writer_does_not_block_the_readers(tmp_path: Path) -> None:
    """While another process is in the middle of a transaction, reads give what was committed before, and
    no more.
    """
    log = open_log(tmp_path)
    event = choice(now())
    append(log, (event,))
    writer = apsw.Connection(str(tmp_path / LOG_FILE))
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO individuals SELECT 1, x'00', key, stamp, value FROM individuals")
    assert events_of(read_all(log)) == [event]
    writer.close()
    log.close()


@pytest.mark.parametrize("offset", [OFFSET_MAX - 1, OFFSET_MAX, 2**70])
def test_an_offset_that_no_log_has_is_unavailable(tmp_path: Path, offset: int) -> None:
    """However large the offset in a position is, it is ``PositionUnavailable`` and nothing else."""
    log = open_log(tmp_path)
    with pytest.raises(PositionUnavailable):
        log.read(Position.of(log.generation, [(SLICES[0], offset)]))
    log.close()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_read_of_nothing_gives_nothing(tmp_path: Path, limit: int) -> None:
    """A limit of nought or less gives no record."""
    log = open_log(tmp_path)
    assert list(log.read(log.start(), limit)) == []
    log.close()


def test_an_append_wakes_who_waits_in_the_same_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that waits is woken by an append on its own handle, not only at its next look at the file."""
    monkeypatch.setattr("ledger.sqlite_log.WAIT_STEP_S", 30.0)
    log = open_log(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.read, log.end(), wait_ms=30_000)
        while not waiting.running():
            time.sleep(0.001)
        begun = time.monotonic()
        append(log, (choice(now()),))
        assert len(waiting.result()) == 1
        assert time.monotonic() - begun < 10
    log.close()


def test_a_closed_log_is_not_read(tmp_path: Path) -> None:
    """Reading from a closed handle is a LogFault, and a read that waits meanwhile ends with one too."""
    log = open_log(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.read, log.end(), 1, 60_000)
        time.sleep(0.05)
        log.close()
        with pytest.raises(LogFault, match="closed"):
            waiting.result(10)
    with pytest.raises(LogFault, match="closed"):
        log.end()
