"""What the trials of the embedded log share: appending, and checking what a reopened file holds."""

import time
from collections.abc import Mapping
from pathlib import Path

import apsw

from events.codec import decode
from events.streams import LogRecord
from events.union import Event
from ledger.log import Acknowledged, Outcome, Proposal
from ledger.sqlite_log import SqliteLog
from tests.contract.sample_events import choice, new_id, waiver

LOG_FILE = "log.sqlite"


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1_000


def open_log(folder: Path, disk: str | None = None) -> SqliteLog:
    """The log of a trial."""
    return SqliteLog(folder / LOG_FILE, now, new_id, vfs=disk)


def workload(appends: int) -> list[tuple[Event, ...]]:
    """Appends of one to three events, of both streams and of several sizes."""
    return [
        tuple(
            waiver(now(), "why " * (number % 900)) if (number + at) % 5 == 0 else choice(now(), f"p-{number}")
            for at in range(1 + number % 3)
        )
        for number in range(appends)
    ]


def append(log: SqliteLog, events: tuple[Event, ...]) -> tuple[Outcome, ...]:
    """Append plain events."""
    return log.append([Proposal(event) for event in events])


def held(folder: Path) -> dict[str, tuple[Event, int]]:
    """Everything that a log holds when it is opened again: content and time by id. Its file must be sound.

    Reading raises for a hole, so that this proves contiguous offsets too.
    """
    log = open_log(folder)
    try:
        position, records = log.start(), list[LogRecord]()
        while batch := log.read(position, 1_000):
            records += batch
            offsets = position.as_dict() | {record.slice: record.offset + 1 for record in batch}
            position = position.of(position.generation, offsets.items())
        assert position == log.end()
    finally:
        log.close()
    connection = apsw.Connection(str(folder / LOG_FILE))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
    read = [decode(record.value) for record in records]
    assert len({recorded.event.event_id for recorded in read}) == len(read)
    return {recorded.event.event_id: (recorded.event, recorded.recorded_at) for recorded in read}


def lost(acknowledged: Mapping[str, int], folder: Path) -> set[str]:
    """Ids whose acknowledgement, with its time, is not borne out by the log."""
    found = held(folder)
    return {
        event_id
        for event_id, recorded_at in acknowledged.items()
        if event_id not in found or found[event_id][1] != recorded_at
    }


def told(outcome: Outcome) -> tuple[str, int]:
    """Id and time of an outcome, which must be an acknowledgement."""
    assert isinstance(outcome, Acknowledged), outcome
    return outcome.event_id, outcome.recorded_at
