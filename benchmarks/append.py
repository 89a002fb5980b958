"""Acknowledged appends on the embedded log, beside bare apsw: `python -m benchmarks.append`.

Each writer is a thread that appends one event after the other and waits for each acknowledgement. Three
floors insert the same records, encoded beforehand, into the same tables with the same settings:

- *shared*: as many writers hand their records to one bare loop of apsw, which commits whatever waits and
  wakes whom it served: the same batching and the same waiting, and nothing of ours. The target is measured
  by this one.
- *unshared*: as many writers on one connection, a transaction for each record: without group commit.
- *batched*: one thread inserts alone, as many records a transaction as there would be writers. Nobody waits
  for anything: what SQLite could take if threads cost nothing.

The runs of a round follow each other, so that what else the machine does falls on all of them alike.
"""

import json
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

import apsw

from benchmarks.spread import Pair, summary
from events.codec import encode
from events.individual_events import ChoiceMade
from events.union import Recorded
from ledger.log import Acknowledged, Proposal
from ledger.sqlite_log import SqliteLog
from ledger.sqlite_writer import id_bytes

WRITERS_AND_EVENTS = ((1, 1_500), (16, 8_000), (64, 16_000))
ROUNDS = 7
UNSHARED_EVENTS_MAX = 1_500
"""A sync for each takes long; a rate needs no more of them."""

TARGET_RATIO = 0.5

INSERT = "INSERT INTO individuals (offset, event_id, key, stamp, value) VALUES (?, ?, ?, ?, ?)"
TARGET_FLOOR = "shared"

Row = tuple[bytes, bytes, int, bytes]


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """An id of the kind that the program gives to events: sorted by time."""
    stamp = time.time_ns() // 1_000_000 << 80
    return str(uuid.UUID(int=stamp | 7 << 76 | uuid.uuid4().int & (1 << 76) - 1))


def choices(count: int) -> list[ChoiceMade]:
    """So many opt-outs of as many individuals."""
    at = now()
    return [
        ChoiceMade(
            event_id=new_id(),
            tenant="acme",
            individual=f"person-{number}",
            occurred_at=at,
            decision="opt_out",
            purposes=("website.email",),
        )
        for number in range(count)
    ]


def rows(events: Sequence[ChoiceMade]) -> list[Row]:
    """What the log's tables hold of those events."""
    at = now()
    return [
        (id_bytes(event.event_id), event.key.encode(), at, encode(Recorded(event, at))) for event in events
    ]


def together(writers: int, work: Callable[[int], None]) -> float:
    """Seconds that so many threads take, each with the work of its number."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def ours(folder: Path, writers: int, events: Sequence[ChoiceMade]) -> float:
    """Acknowledged appends a second by so many threads."""
    log = SqliteLog(folder / "ours.sqlite", now, new_id)

    def work(number: int) -> None:
        for event in events[number::writers]:
            (outcome,) = log.append((Proposal(event),))
            if not isinstance(outcome, Acknowledged):
                raise TypeError(outcome)

    seconds = together(writers, work) if writers > 1 else timed(lambda: work(0))
    log.close()
    return len(events) / seconds


def timed(work: Callable[[], None]) -> float:
    """Seconds that something takes in this thread."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bare(folder: Path, name: str) -> apsw.Connection:
    """A connection with the log's own tables and settings, and nothing else of it."""
    path = folder / f"{name}.sqlite"
    SqliteLog(path, now, new_id).close()
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16384"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def batched(folder: Path, writers: int, records: Sequence[Row], name: str = "batched") -> float:
    """Inserts a second of one thread, with as many in each transaction as there would be writers."""
    connection = bare(folder, name)

    def work() -> None:
        for begin in range(0, len(records), writers):
            connection.execute("BEGIN IMMEDIATE")
            for offset, row in enumerate(records[begin : begin + writers], begin):
                connection.execute(INSERT, (offset, *row))
            connection.execute("COMMIT")

    seconds = timed(work)
    connection.close()
    return len(records) / seconds


def shared(folder: Path, writers: int, records: Sequence[Row]) -> float:
    """Inserts a second of one loop, to which so many threads hand one record each and wait."""
    if writers == 1:
        return batched(folder, 1, records, "alone")
    connection, waiting = bare(folder, "shared"), SimpleQueue[tuple[int, threading.Lock] | None]()

    def loop() -> None:
        while (first := waiting.get()) is not None:
            group = [first, *(waiting.get() for _ in range(waiting.qsize()))]
            connection.execute("BEGIN IMMEDIATE")
            for offset, _ in (handed for handed in group if handed is not None):
                connection.execute(INSERT, (offset, *records[offset]))
            connection.execute("COMMIT")
            for _, waking in (handed for handed in group if handed is not None):
                waking.release()

    def work(number: int) -> None:
        waking = threading.Lock()
        waking.acquire()
        for offset in range(number, len(records), writers):
            waiting.put((offset, waking))
            waking.acquire()

    looping = threading.Thread(target=loop)
    looping.start()
    seconds = together(writers, work)
    waiting.put(None)
    looping.join()
    connection.close()
    return len(records) / seconds


def unshared(folder: Path, writers: int, records: Sequence[Row]) -> float:
    """Inserts a second of so many threads that take turns, with a transaction for each."""
    connection, lock = bare(folder, "unshared"), threading.Lock()

    def work(number: int) -> None:
        for offset in range(number, len(records), writers):
            with lock:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(INSERT, (offset, *records[offset]))
                connection.execute("COMMIT")

    seconds = together(writers, work)
    connection.close()
    return len(records) / seconds


def one_round(writers: int, count: int) -> dict[str, Pair]:
    """One run of each floor, and one of ours."""
    events = choices(count)
    records = rows(events)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floors = {
            "batched": batched(folder, writers, records),
            "unshared": unshared(folder, writers, records[:UNSHARED_EVENTS_MAX]),
            "shared": shared(folder, writers, records),
        }
        rate = ours(folder, writers, events)
    return {floor: Pair(bare_rate, rate) for floor, bare_rate in floors.items()}


def main() -> int:
    """Print, for each number of writers and each floor, both rates and their ratio."""
    report: dict[str, object] = {"benchmark": "acknowledged appends, embedded log beside bare apsw"}
    reached = True
    for writers, count in WRITERS_AND_EVENTS:
        rounds = [one_round(writers, count) for _ in range(ROUNDS)]
        for floor in rounds[0]:
            result = summary([pairs[floor] for pairs in rounds])
            report[f"{writers} writers, {floor}"] = result._asdict()
            reached &= floor != TARGET_FLOOR or result.ratio["median"] >= TARGET_RATIO
    print(json.dumps(report | {"target_ratio": TARGET_RATIO}, indent=1))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
