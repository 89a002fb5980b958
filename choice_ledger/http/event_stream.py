"""The tenant's events as lines that are streamed from the log in flat memory, each slice in its order.

Each line bears the position after it. So a client that is cut off anywhere goes on from the last whole line
it has, without a gap and without a repetition. The last line of an answer bears no event, and says whether
there is more: an answer without one was cut off.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from choice_ledger.http.endpoints import NDJSON, Answered, Call, Endpoint, Parameter, Reply
from choice_ledger.http.event_lines import EVENT, EVENT_DEFINITION
from choice_ledger.http.negotiation import media_type
from choice_ledger.http.parameters import (
    POSITION_SCHEMA,
    READING,
    Parameters,
    Reading,
    await_fresh,
    limit_up_to,
)
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.questions import position_of
from events.lines import format_line
from events.streams import LogRecord, Position, PositionUnavailable, Slice
from projections.intake import Accepted, judge
from projections.ports import EventSource, QuarantineEntry

RECORDS_AT_ONCE: Final = 128
"""Records that are read at once and written as lines: at most 8 MiB, and most often 100 KiB."""

EVENTS_MAX: Final = 1_000_000
"""Events of one answer, where the call bounds them; without a limit it goes on to the log's end."""

_CURSOR: Final = Parameter(
    name="cursor",
    place="query",
    schema=POSITION_SCHEMA,
    description="Go on after this line: the `cursor` of the last line that was read, or a position.",
)
_PARAMETERS: Final = (*READING, limit_up_to(EVENTS_MAX, EVENTS_MAX), _CURSOR)


class Selection(NamedTuple):
    """Whose events are told, which of them, and where they end."""

    tenant: str
    reading: Reading
    end: Mapping[Slice, int]
    limit: int | None


class Chunk(NamedTuple):
    """Some lines, the position after them, how many events they hold, and whether more may follow."""

    lines: bytes
    position: Position
    events: int
    more: bool


class LastLine(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an answer. ``more``: the limit was reached, or the service stops; else the log ends here."""

    cursor: str
    more: bool


async def _events(call: Call) -> Reply:
    parameters = Parameters(call)
    reading = parameters.reading()
    limit = parameters.number("limit", least=1, most=EVENTS_MAX)
    cursor = parameters.query("cursor", position_of)
    parameters.checked()
    if media_type(call.headers.get("accept"), (NDJSON,)) is None:
        raise Problem("not_acceptable")
    await await_fresh(call, reading)
    source = call.service.ledger.source
    start = _from(source, cursor)
    tenant = call.caller.tenant

    def first() -> tuple[Selection, Chunk]:
        end = source.end().as_dict()
        selection = Selection(tenant, reading, end, limit)
        return selection, read_chunk(source, start, selection)

    try:
        selection, chunk = await call.service.read(first)
    except PositionUnavailable:
        raise _refused_cursor() from None
    return Reply(lines=stream(call, selection, chunk), media_type=NDJSON)


async def stream(call: Call, selection: Selection, chunk: Chunk) -> AsyncIterator[bytes]:
    """The lines of an answer, from its first chunk on. No more is read than has been sent."""
    left = selection.limit
    while True:
        left = None if left is None else left - chunk.events
        ends = not chunk.more or left == 0 or call.service.stopping()
        yield chunk.lines + (_last(chunk) if ends else b"")
        if ends:
            return
        following = selection._replace(limit=left)
        position = chunk.position
        chunk = await call.service.read(
            lambda at=position, some=following: read_chunk(call.service.ledger.source, at, some)  # type: ignore[misc]  # mypy takes no defaults in a lambda for what they bind.
        )


def read_chunk(source: EventSource, position: Position, selection: Selection) -> Chunk:
    """The lines of the next records. May block. Raises PositionUnavailable, LogFault.

    Where none of the records is the tenant's, one line without an event says how far it has come.
    """
    offsets = position.as_dict()
    lines: list[bytes] = []
    events = 0
    records = source.read(_unfinished(source, position, selection), RECORDS_AT_ONCE)
    for record in records:
        end = selection.end.get(record.slice, 0)
        if record.offset >= end:  # It was appended after the call began, and the next call tells it.
            offsets[record.slice] = max(end, offsets.get(record.slice, 0))
            continue
        offsets[record.slice] = record.offset + 1
        for told in _told(record, selection):
            cursor = Position.of(position.generation, offsets.items()).encode().encode()
            lines.append(b'{"cursor":"%b",%b}\n' % (cursor, told))
            events += 1
        if events == selection.limit:
            break
    reached = Position.of(position.generation, offsets.items())
    more = bool(records) and any(offsets.get(slice_, 0) < end for slice_, end in selection.end.items())
    if more and not lines:
        lines.append(b'{"cursor":"%b"}\n' % reached.encode().encode())
    return Chunk(b"".join(lines), reached, events, more)


def _unfinished(source: EventSource, position: Position, selection: Selection) -> Position:
    """The position from which only what is not told yet is read.

    Where a slice is told up to its end, what was appended to it since would else come in each read, and
    nothing but that where it is much.
    """
    now = source.end().as_dict()
    offsets = {
        slice_: offset if offset < selection.end.get(slice_, 0) else max(offset, now.get(slice_, 0))
        for slice_, offset in position.as_dict().items()
    }
    return Position.of(position.generation, offsets.items())


def _told(record: LogRecord, selection: Selection) -> Iterator[bytes]:
    """The member that tells a record: its event where it is the tenant's, or that it cannot be read."""
    judged = judge(record)
    if not isinstance(judged, Accepted):
        if any(_concerns(entry, selection.tenant) for entry in judged):
            told = {"place": record.place, "reason": judged[0].reason}
            yield b'"unreadable":' + msgspec.json.encode(told)
        return
    recorded, reading = judged.recorded, selection.reading
    if (
        recorded.event.tenant == selection.tenant
        and (reading.at is None or recorded.event.occurred_at <= reading.at)
        and (reading.known_at is None or recorded.recorded_at <= reading.known_at)
    ):
        yield b'"event":' + format_line(recorded)


def _concerns(entry: QuarantineEntry, tenant: str) -> bool:
    """Whether an unreadable record is the tenant's, or may be: then it denies others beside them."""
    return entry.scope in {"partition", "ledger"} or entry.tenant == tenant


def _last(chunk: Chunk) -> bytes:
    return msgspec.json.encode(LastLine(cursor=chunk.position.encode(), more=chunk.more)) + b"\n"


def _from(source: EventSource, cursor: Position | None) -> Position:
    """Where to begin: a slice that the cursor does not name begins at its first record."""
    start = source.start()
    if cursor is None:
        return start
    if cursor.generation != start.generation:
        raise Problem("wrong_generation")
    offsets, named = start.as_dict(), cursor.as_dict()
    if not named.keys() <= offsets.keys() or any(offset < 0 for offset in named.values()):
        raise _refused_cursor()
    return Position.of(cursor.generation, {**offsets, **named}.items())


def _refused_cursor() -> Problem:
    fault = Fault("cursor", "must be a cursor of this log, or a position from a receipt or an answer")
    return Problem("invalid_parameter", errors=[fault])


_LINE_SCHEMA: Final = {
    "type": "object",
    "description": "One line: an event, or what stands in the place of one; and where to go on after it.",
    "required": ["cursor"],
    "additionalProperties": False,
    "properties": {
        "cursor": {"type": "string", "description": "Where to go on after this line."},
        "event": EVENT,
        "unreadable": {
            "type": "object",
            "description": "A record that cannot be read, and concerns the tenant or may do so.",
            "required": ["place", "reason"],
            "properties": {"place": {"type": "string"}, "reason": {"type": "string"}},
        },
        "more": {
            "type": "boolean",
            "description": "On the last line alone: whether more follows. An answer without it was cut off.",
        },
    },
    **EVENT_DEFINITION,
}

EVENTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/v1/events",
        operation="events",
        summary="Every event of the tenant, in the order of each stream of the log, as lines",
        description="Each line bears an event and the `cursor` after it: who is cut off goes on from the "
        "last whole line. A line without an event says how far it has come; the last one has `more`, which "
        "is false at the end of the log. `known_at` leaves out what was recorded later, `at` what happened "
        "later. A service that stops ends the answer with `more` true.",
        tag="Read",
        scopes=frozenset({"audit"}),
        parameters=_PARAMETERS,
        answers=(Answered(status=200, description="The events.", content={NDJSON: _LINE_SCHEMA}),),
        problems=("invalid_parameter", "not_acceptable", "stale", "wrong_generation"),
        handler=_events,
    ),
)
"""The rows of this part."""
