"""Writers that append all the while a broker is killed and frozen, and the judge of what they were told.

The judge reads the topics and compares. A run is judged by these sentences, each a kind of ``Finding``:

- what was told as acknowledged stands in the log, where its position says;
- what was told as rejected does not stand in the log;
- nothing stands there that nobody proposed, and whatever stands twice is the same bytes;
- what was acknowledged to one writer stands, where it first appears, in the order of that writer's calls;
- every append ended within its deadline and a few seconds.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec

from events.codec import decode
from events.instants import SECOND, Micros
from events.policy_events import LedgerBegun
from events.streams import LogRecord
from ledger.log import Acknowledged, Outcome, Proposal, Rejected, Unknown
from tests.contract.log_workshop import Log, read_all
from tests.contract.sample_events import choice

GRACE_S = 8.0
"""How much later than its deadline an append may end: the next client is being opened, on shared cores."""

FUTURE_EVERY = 17
"""Each so many proposals, one lies in the future and must be rejected."""

BATCH_SIZES = (1, 1, 3, 1, 8)


class Appender(Protocol):
    """What a run writes to: a log, or a log with a planted bug."""

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append, as ``EventLog`` does."""
        ...


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer proposed, what it was told, and how long the append took."""

    writer: str
    event_id: str
    outcome: Outcome
    seconds: float


class Finding(msgspec.Struct, frozen=True):
    """A sentence that the run broke, and where."""

    sentence: str
    event_id: str


class FaultRun:
    """Writers on one log, each with a key of its own, until they are told to stop."""

    def __init__(self, log: Appender, clock: Callable[[], Micros], writers: int) -> None:
        self._log = log
        self._clock = clock
        self._stop = threading.Event()
        self._told: list[list[Told]] = [[] for _ in range(writers)]
        self._faults: list[Exception] = []

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let the writers write within this context, and wait for their last appends at its end."""
        threads = [
            threading.Thread(target=self._write, args=(f"writer-{number}", told))
            for number, told in enumerate(self._told)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        assert not self._faults, self._faults

    @property
    def told(self) -> list[Told]:
        """Everything that was told so far, writer by writer, in the order of its calls."""
        return [told for writer in self._told for told in writer]

    def _write(self, writer: str, told: list[Told]) -> None:
        turn = 0
        try:
            while not self._stop.is_set():
                proposals = [
                    self._proposal(writer, turn + n) for n in range(BATCH_SIZES[turn % len(BATCH_SIZES)])
                ]
                turn += 1
                begun = time.monotonic()
                outcomes = self._log.append(proposals)
                seconds = time.monotonic() - begun
                for proposal, outcome in zip(proposals, outcomes, strict=True):
                    event_id = proposal.event.event_id
                    told.append(Told(writer=writer, event_id=event_id, outcome=outcome, seconds=seconds))
        except Exception as fault:  # noqa: BLE001 - whatever it is, the run has failed, and says so at its end.
            self._faults.append(fault)

    def _proposal(self, writer: str, number: int) -> Proposal:
        if number % FUTURE_EVERY == FUTURE_EVERY - 1:
            return Proposal(choice(self._clock() + 3_600 * SECOND, writer))
        return Proposal(choice(self._clock() - SECOND, writer))


def judge(told: Sequence[Told], log: Log, deadline: Micros) -> list[Finding]:
    """Every sentence that a run broke, by what stands in the log now."""
    records = [record for record in read_all(log, 10_000) if not _is_beginning(record)]
    found = [*_misplaced(told, records), *_unwanted(told, records), *_disordered(told, records)]
    late = deadline / SECOND + GRACE_S
    return found + [Finding("ended in time", t.event_id) for t in told if t.seconds > late]


def count(told: Sequence[Told], kind: type[Outcome]) -> int:
    """How many were told so."""
    return sum(isinstance(t.outcome, kind) for t in told)


def unknown_ids(told: Sequence[Told]) -> set[str]:
    """The events of which nobody was told whether they are in the log."""
    return {t.event_id for t in told if isinstance(t.outcome, Unknown)}


def ids_of(log: Log) -> set[str]:
    """The ids of all events that stand in the log."""
    return {_id(record) for record in read_all(log, 10_000) if not _is_beginning(record)}


def _misplaced(told: Sequence[Told], records: Sequence[LogRecord]) -> list[Finding]:
    places = {(record.slice, record.offset): _id(record) for record in records}
    found = []
    for t in told:
        if isinstance(t.outcome, Acknowledged):
            ((slice_, following),) = t.outcome.position.as_dict().items()
            if places.get((slice_, following - 1)) != t.event_id:
                found.append(Finding("acknowledged stands in its place", t.event_id))
    return found


def _unwanted(told: Sequence[Told], records: Sequence[LogRecord]) -> list[Finding]:
    rejected = {t.event_id for t in told if isinstance(t.outcome, Rejected)}
    proposed = {t.event_id for t in told}
    first: dict[str, bytes] = {}
    found = []
    for record in records:
        event_id = _id(record)
        if event_id in rejected:
            found.append(Finding("rejected is absent", event_id))
        if event_id not in proposed:
            found.append(Finding("only what was proposed", event_id))
        if first.setdefault(event_id, record.value) != record.value:
            found.append(Finding("the same bytes twice", event_id))
    return found


def _disordered(told: Sequence[Told], records: Sequence[LogRecord]) -> list[Finding]:
    first: dict[str, int] = {}
    for number, record in enumerate(records):
        first.setdefault(_id(record), number)
    found = []
    last: dict[str, int] = {}
    for t in told:
        if isinstance(t.outcome, Acknowledged) and t.event_id in first:
            if first[t.event_id] < last.get(t.writer, -1):
                found.append(Finding("in the writer's order", t.event_id))
            last[t.writer] = first[t.event_id]
    return found


def _id(record: LogRecord) -> str:
    return decode(record.value).event.event_id


def _is_beginning(record: LogRecord) -> bool:
    return isinstance(decode(record.value).event, LedgerBegun)
