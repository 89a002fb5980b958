"""Rebuilding a projection, beside reading and decoding alone: `python -m benchmarks.rebuild`.

The events of `benchmarks.generate` are imported into an embedded log. Then both go through it together, batch
by batch: the floor reads a batch and decodes every record with verification; ours reads the same batch,
decodes it, and folds facts, history and reach into a fresh store. So whatever else the machine does falls on
both alike. The spread is that of the tenths of the log: the store grows, and its share with it.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count as from_
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.generate import EVENTS, SEED, event_lines
from benchmarks.spread import Pair, summary
from events.codec import decode_verified
from events.lines import parse_line
from events.streams import Position
from ledger.log import Acknowledged, Proposal
from ledger.sqlite_log import SqliteLog
from projections.batch import reached_by
from projections.digest import state_digest
from projections.ports import EventSource
from projections.projector import Projector
from projections.sqlite_build_store import SqliteBuildStore
from projections.sqlite_store import SqliteStore

TENTHS: Final = 10
TARGET_RATIO: Final = 0.3
IMPORT_EVENTS: Final = 5_000


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1_000


def new_ids() -> Iterator[str]:
    """Ids for what the log itself begins with."""
    return (f"00000000-0000-4000-8000-{number:012x}" for number in from_(1))


def open_log(path: Path) -> SqliteLog:
    """The embedded log of a file."""
    ids = new_ids()
    return SqliteLog(path, now, lambda: next(ids))


def import_events(path: Path, count: int) -> None:
    """Put the generated events into a log."""
    log, lines = open_log(path), event_lines(count, SEED)
    while batch := list(islice(lines, IMPORT_EVENTS)):
        parsed = [parse_line(raw) for raw in batch]
        outcomes = log.append([Proposal(line.event, line.recorded_at) for line in parsed])
        if not all(isinstance(outcome, Acknowledged) for outcome in outcomes):
            raise TypeError(outcomes)
    log.close()


def decoding(source: EventSource, position: Position) -> tuple[float, Position, int]:
    """Seconds of reading and decoding one batch, where it ends, and its events."""
    began = time.perf_counter()
    records = source.read(position)
    for record in records:
        decode_verified(record.value)
    return time.perf_counter() - began, reached_by(position, records), len(records)


def rebuilding(floor: EventSource, source: EventSource, path: Path) -> list[Pair]:
    """Events a second of the floor and of ours, for each tenth of the log."""
    store = SqliteBuildStore(path)
    projector = Projector(source, store)
    goal = source.end()
    tenth = max(1, sum(goal.as_dict().values()) // TENTHS)
    pairs: list[Pair] = []
    bare = ours = 0.0
    events, position = 0, floor.start()
    while not position.covers(goal):
        seconds, position, count = decoding(floor, position)
        bare, events = bare + seconds, events + count
        ours += timed(projector.step)
        if events >= tenth or position.covers(goal):
            if position.covers(goal):
                ours += timed(projector.catch_up) + timed(store.close)
            pairs.append(Pair(bare=events / bare, ours=events / ours))
            bare = ours = 0.0
            events = 0
    return pairs


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peek(path: Path) -> dict[str, object]:
    """What a rebuilt store comes to: its digest, and its bytes by individual."""
    store = SqliteStore(path)
    individuals = facts = 0
    with store.view() as reads:
        for _, each in reads.scan():
            individuals += 1
            facts += len(each)
    began = time.perf_counter()
    digest = state_digest(store)
    seconds = time.perf_counter() - began
    store.close()
    return {
        "digest": digest,
        "digest_seconds": round(seconds, 1),
        "individuals": individuals,
        "store_bytes_per_individual": round(path.stat().st_size / individuals),
        "facts_bytes_per_individual": round(facts / individuals),
    }


def peak_memory_mib() -> int:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1_024


def main() -> int:
    """Print both rates, their ratio and the size of the store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__)
    parser.add_argument("--count", type=int, default=EVENTS)
    parser.add_argument("--log", type=Path, help="keep the log here, and use it again where it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log_path = options.log or folder / "log.sqlite"
        if not log_path.exists():
            import_events(log_path, options.count)
        # Two handles: each gives the slices their turns, so both hand out the same batches.
        floor, log = open_log(log_path), open_log(log_path)
        result = summary(rebuilding(floor, log, folder / "state.sqlite"))
        report = {"benchmark": "rebuild with facts, history and reach, beside read-and-decode"}
        report |= result._asdict() | peek(folder / "state.sqlite")
        log.close()
        floor.close()
    print(json.dumps(report | {"peak_memory_mib": peak_memory_mib(), "target_ratio": TARGET_RATIO}, indent=1))
    return 0 if result.ratio["median"] >= TARGET_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
