"""Import: events from lines into a log, batch by batch, in flat memory.

Source: ``events.md``, *Lines*: "An import keeps `event_id` and `recorded_at`, takes an event that the ledger
already holds as done, and answers a bad line with its number and what is wrong, having recorded nothing of
that line". It refuses what is malformed, not what the semantics can judge.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias, assert_never

from choice_ledger.reading_lines import NumberedLine
from events.instants import INSTANT_MAX, Micros
from events.lines import InvalidLine, Line, parse_line
from events.policy_events import LedgerBegun
from ledger.log import BATCH_EVENTS_MAX, Acknowledged, EventLog, Outcome, Proposal, Rejected, Unknown

BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of the lines of one batch, so that long lines make short batches."""

UNSTORED_LINES_MAX: Final = 100
"""Lines in a row of which the log stores none, from which on a batch of them ends the import."""

Ending: TypeAlias = Literal["recorded", "already_held", "noted", "refused", "unknown"]
"""How a line ended. ``noted``: the beginning of another ledger, which has no place in this one."""


class LineFault(NamedTuple):
    """A line that is not recorded, or of which that is unknown: its number, the field, what to do."""

    number: int
    field: str
    message: str


Answer: TypeAlias = Literal["held"] | tuple[str, str] | None
"""Of an event: it is held already; or it must not be appended, by its field and what is wrong; or neither."""


class Held(Protocol):
    """Tells which of some events are held already, and what is said against taking the others.

    1. It must answer ``"held"`` only where the log holds an event of that id and the same content.
    2. It must answer a fault for an event that must not be appended, and None for one that may be.
    """

    def __call__(self, lines: Sequence[Line]) -> Sequence[Answer]:
        """One answer for each line, in order."""
        ...


class Import(NamedTuple):
    """What an import needs: the log, what is held already (none: the log itself knows), and who hears of
    faults.
    """

    log: EventLog
    held: Held | None
    tell_fault: Callable[[LineFault], None]
    now: Micros = INSTANT_MAX


class Imported(NamedTuple):
    """How the lines ended, after which line it gave up because the log stores nothing any more, and how many
    bear a ``recorded_at`` after ``Import.now``: until then they outlast every choice that comes later.
    """

    counts: Counter[Ending]
    stopped_after: int | None = None
    ahead: int = 0


class _Parsed(NamedTuple):
    number: int
    line: Line


def import_lines(task: Import, batches: Iterable[Sequence[NumberedLine]]) -> Imported:
    """Record every good line, in order; count how the lines ended.

    Where the log stores nothing of batches of so many lines, as on a full disk, nothing further is tried. A
    few may be at fault themselves: a record of theirs may be in the log and unreadable.
    """
    counts: Counter[Ending] = Counter()
    unstored = ahead = 0
    for batch in _parsed_batches(task, batches, counts):
        remaining = batch if task.held is None else _unheld(task, task.held, batch, counts)
        if remaining:
            ahead += sum((parsed.line.recorded_at or 0) > task.now for parsed in remaining)
            proposals = [Proposal(parsed.line.event, parsed.line.recorded_at) for parsed in remaining]
            outcomes = task.log.append(proposals)
            for parsed, outcome in zip(remaining, outcomes, strict=True):
                counts[_ending(task, parsed.number, outcome)] += 1
            unstored = unstored + len(outcomes) if all(map(_is_unstored, outcomes)) else 0
            if unstored >= UNSTORED_LINES_MAX:
                return Imported(counts, batch[-1].number, ahead)
    return Imported(counts, None, ahead)


def _is_unstored(outcome: Outcome) -> bool:
    """Whether it may be the log that is at fault, so that the next event would fare no better."""
    return isinstance(outcome, Unknown) or (isinstance(outcome, Rejected) and outcome.reason == "storage")


def _parsed_batches(
    task: Import, batches: Iterable[Sequence[NumberedLine]], counts: Counter[Ending]
) -> Iterator[list[_Parsed]]:
    """Parsed lines, as many at once as an append takes."""
    batch: list[_Parsed] = []
    size = 0
    for lines in batches:
        for line in lines:
            if (parsed := _parsed(task, line, counts)) is not None:
                batch.append(parsed)
                size += len(line.content)
            if len(batch) >= BATCH_EVENTS_MAX or size >= BATCH_BYTES_MAX:
                yield batch
                batch, size = [], 0
    yield batch


def _parsed(task: Import, line: NumberedLine, counts: Counter[Ending]) -> _Parsed | None:
    try:
        parsed = parse_line(line.content)  # One that is too long was cut one byte past the limit.
    except InvalidLine as fault:
        counts["refused"] += 1
        task.tell_fault(LineFault(line.number, fault.field, fault.message))
        return None
    if isinstance(parsed.event, LedgerBegun):
        counts["noted"] += 1  # This ledger has a beginning of its own.
        return None
    return _Parsed(line.number, parsed)


def _unheld(task: Import, held: Held, batch: list[_Parsed], counts: Counter[Ending]) -> list[_Parsed]:
    """The lines that are still to be appended."""
    remaining: list[_Parsed] = []
    for parsed, answer in zip(batch, held([parsed.line for parsed in batch]), strict=True):
        if answer is None:
            remaining.append(parsed)
        elif answer == "held":
            counts["already_held"] += 1
        else:
            counts["refused"] += 1
            task.tell_fault(LineFault(parsed.number, *answer))
    return remaining


def _ending(task: Import, number: int, outcome: Outcome) -> Ending:
    match outcome:
        case Acknowledged():
            return "already_held" if outcome.repeated else "recorded"
        case Rejected():
            task.tell_fault(LineFault(number, outcome.field, outcome.message))
            return "refused"
        case Unknown():
            task.tell_fault(
                LineFault(number, "", f"may be recorded or not: {outcome.message}; import it again")
            )
            return "unknown"
        case _:
            assert_never(outcome)
