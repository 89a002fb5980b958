"""What a projection of a million individuals takes: `python -m benchmarks.size`.

Each individual is described and shown a notice, and every third of them opts out of something: the least that
a ledger knows of somebody. The records are folded into a store as a rebuild folds them, without a log.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.generate import SEED, Generator, named
from benchmarks.rebuild import peak_memory_mib, peek
from events.catalogue import Catalogue
from events.codec import encode
from events.streams import INDIVIDUALS, LogRecord, Position, Slice
from events.union import Event, Recorded
from projections.batch import fold_batch
from projections.sqlite_build_store import SqliteBuildStore

INDIVIDUALS_COUNT: Final = 1_000_000
BATCH: Final = 10_000
SLICE: Final = Slice(INDIVIDUALS, 0)


def newcomers(count: int) -> Iterator[Event]:
    """What is recorded of so many individuals, one after the other."""
    generator = Generator(3 * count, SEED)
    generator.version = 1
    for number in range(1, count + 1):
        tenant, individual = named(SEED, number)
        yield generator.described(tenant, individual)
        yield generator.notice(tenant, individual, at_collection=True)
        if number % 3 == 0:
            yield generator.opt_out(tenant, individual)


def fold(path: Path, count: int) -> int:
    """Fold the events of so many individuals into a fresh store; how many events they are."""
    store, position = SqliteBuildStore(path), Position.of("size", [(SLICE, 0)])
    saved: Position | None = None
    events, offset = newcomers(count), 0
    while batch := list(islice(events, BATCH)):
        records = [
            LogRecord(SLICE, offset + place, event.key.encode(), encode(Recorded(event, event.occurred_at)))
            for place, event in enumerate(batch)
        ]
        with store.view() as reads:
            change, _ = fold_batch(reads, Catalogue(), saved, position, records)
        store.apply(change)
        saved = position = change.reached
        offset += len(batch)
    store.close()
    return offset


def main() -> None:
    """Print the size of the store, by individual and by event, and the memory that folding took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.size", description=__doc__)
    parser.add_argument("--individuals", type=int, default=INDIVIDUALS_COUNT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "state.sqlite"
        began = time.perf_counter()
        events = fold(path, options.individuals)
        seconds = time.perf_counter() - began
        report = {"benchmark": "size of a projection", "events": events, "seconds": round(seconds)}
        report |= peek(path)
    print(json.dumps(report | {"peak_memory_mib": peak_memory_mib()}, indent=1))


if __name__ == "__main__":
    main()
