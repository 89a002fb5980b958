"""Rebuilding a projection, beside reading and decoding alone: `python -m benchmarks.rebuild`.

The events of `benchmarks.generate` are imported into an embedded log. Then, in turn, the floor reads the
whole log and decodes every record with verification, and ours does the same and folds facts, history and
reach into a fresh store. Both end at the same position. The size of the store is told by individual, and the
digest of every rebuilt store must be the same.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count as from_
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.generate import EVENTS, SEED, event_lines
from benchmarks.spread import Pair, summary
from events.codec import decode_verified
from events.lines import parse_line
from ledger.log import Acknowledged, Proposal
from ledger.sqlite_log import SqliteLog
from projections.batch import reached_by
from projections.digest import state_digest
from projections.ports import EventSource
from projections.replay import rebuild
from projections.sqlite_store import SqliteStore

ROUNDS: Final = 3
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


def decoding(source: EventSource) -> float:
    """Events a second that are read and decoded, and nothing else."""
    position, goal, events = source.start(), source.end(), 0
    began = time.perf_counter()
    while not position.covers(goal):
        records = source.read(position)
        for record in records:
            decode_verified(record.value)
        events += len(records)
        position = reached_by(position, records)
    return events / (time.perf_counter() - began)


def rebuilding(source: EventSource, path: Path) -> float:
    """Events a second that are read, decoded, folded and saved in a fresh store."""
    store = SqliteStore(path)
    events = sum(source.end().as_dict().values())
    began = time.perf_counter()
    rebuild(source, store)
    seconds = time.perf_counter() - began
    store.close()
    return events / seconds


def peek(path: Path) -> dict[str, object]:
    """What a rebuilt store comes to: its digest, and its bytes by individual."""
    store = SqliteStore(path)
    individuals = facts = history = 0
    with store.view() as reads:
        for _, each in reads.scan():
            individuals += 1
            facts += len(each)
    digest = state_digest(store)
    store.close()
    history = path.stat().st_size
    return {
        "digest": digest,
        "individuals": individuals,
        "store_bytes_per_individual": round(history / individuals),
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
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--log", type=Path, help="keep the log here, and use it again where it is")
    options = parser.parse_args()
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log_path = options.log or folder / "log.sqlite"
        if not log_path.exists():
            import_events(log_path, options.count)
        log = open_log(log_path)
        looks = []
        for number in range(options.rounds):
            path = folder / f"state-{number}.sqlite"
            pairs.append(Pair(bare=decoding(log), ours=rebuilding(log, path)))
            looks.append(peek(path))
            path.unlink()
        log.close()
    result = summary(pairs)
    report = {"benchmark": "rebuild with facts, history and reach, beside read-and-decode"}
    report |= result._asdict() | looks[0]
    print(json.dumps(report | {"peak_memory_mib": peak_memory_mib(), "target_ratio": TARGET_RATIO}, indent=1))
    reached = result.ratio["median"] >= TARGET_RATIO and all(look == looks[0] for look in looks)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
