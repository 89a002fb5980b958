"""An individual's history: every event of theirs in the order in which they happened, in pages or as lines.

The first page settles up to where in the log the list reaches, and the cursor keeps that and the last event
given. So the pages together are one list, without a gap and without a repetition, whatever arrives meanwhile;
what arrived is on the first page of the next list.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from choice_ledger.http.cursors import CURSOR_LENGTH_MAX, InvalidCursor, opened, sealed
from choice_ledger.http.endpoints import JSON, NDJSON, Answered, Call, Endpoint, Reply
from choice_ledger.http.event_lines import EVENT, EVENT_DEFINITION, EVENT_SCHEMA
from choice_ledger.http.negotiation import media_type
from choice_ledger.http.parameters import (
    INDIVIDUAL,
    READING,
    Parameters,
    Reading,
    await_fresh,
    cursor_of,
    limit_up_to,
)
from choice_ledger.http.problems import Problem
from choice_ledger.ledger_at_hand import LedgerAtHand
from events.codec import decode
from events.instants import Micros
from events.lines import format_line
from events.streams import POLICIES, Position
from events.union import Recorded
from ledger.links import in_order

PAGE_EVENTS_MAX: Final = 1_000
"""Events of one page."""

PAGE_EVENTS: Final = 100
"""Events of one page, where the call does not say."""

LINES_AT_ONCE: Final = 250
"""Events that are written as lines at once, while a history is streamed."""

POSITION_HEADER: Final = "Choice-Ledger-Position"
"""The header in which an answer without JSON of its own says how fresh it is."""

_PARAMETERS: Final = (
    INDIVIDUAL,
    *READING,
    limit_up_to(PAGE_EVENTS_MAX, PAGE_EVENTS),
    cursor_of(CURSOR_LENGTH_MAX),
)


class Place(NamedTuple):
    """Where a list goes on: up to which offset of the individual's slice it reaches, and the last event."""

    reached: int
    occurred_at: Micros
    recorded_at: Micros
    event_id: str


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an individual's history. ``cursor`` null: these were the last."""

    individual: str
    events: tuple[msgspec.Raw, ...]
    cursor: str | None
    position: str | None


class History(NamedTuple):
    """The events that a call asks for, in order, with how far the list and the answer reach."""

    events: Sequence[Recorded]
    reached: int
    position: Position | None


async def _history(call: Call) -> Reply:
    parameters = Parameters(call)
    individual = parameters.individual()
    reading = parameters.reading()
    limit = parameters.number("limit", least=1, most=PAGE_EVENTS_MAX)
    asked = _asked(call, individual, reading)
    place = parameters.query("cursor", lambda text: _opened(text, asked))
    kind = media_type(call.headers.get("accept"), (JSON, NDJSON))
    if kind == NDJSON and (limit is not None or place is not None):
        parameters.refuse("", "`limit` and `cursor` are for pages; lines are streamed whole")
    parameters.checked()
    if kind is None:
        raise Problem("not_acceptable")
    await await_fresh(call, reading)
    key = f"{call.caller.tenant}/{individual}"
    found = await call.service.read(lambda: history_of(call.service.ledger, key, reading, place))
    if kind == NDJSON:
        return _streamed(call, found)
    page = found.events[: limit or PAGE_EVENTS]
    content = await call.service.read(
        lambda: HistoryPage(
            individual=individual,
            events=tuple(msgspec.Raw(format_line(recorded)) for recorded in page),
            cursor=_cursor(page[-1], found.reached, asked) if len(page) < len(found.events) else None,
            position=_text(found.position),
        )
    )
    return Reply(content=content)


def history_of(ledger: LedgerAtHand, key: str, reading: Reading, place: Place | None) -> History:
    """The events after a place (none: all), that happened by ``at`` and were known by ``known_at``.

    May block. Raises StoreFault.
    """
    with ledger.store.view() as reads:
        checkpoint, entries = reads.checkpoint(), reads.history(key)
    slice_ = ledger.source.slice_of(key.encode())
    offsets = {} if checkpoint is None else checkpoint.as_dict()
    reached = offsets.get(slice_, 0) if place is None else place.reached
    events = (decode(entry.value) for entry in entries if entry.offset < reached)
    after = None if place is None else place[1:]
    chosen = [
        recorded
        for recorded in in_order(events)
        if (reading.at is None or recorded.event.occurred_at <= reading.at)
        and (reading.known_at is None or recorded.recorded_at <= reading.known_at)
        and (after is None or _order(recorded) > after)
    ]
    included = {s: offset for s, offset in offsets.items() if s == slice_ or s.stream == POLICIES}
    position = None if checkpoint is None else Position.of(checkpoint.generation, included.items())
    return History(chosen, reached, position)


def _order(recorded: Recorded) -> tuple[Micros, Micros, str]:
    """``semantics.md``: "order is `(occurred_at, recorded_at, event_id as lower-case text)`"."""
    return recorded.event.occurred_at, recorded.recorded_at, recorded.event.event_id


def _asked(call: Call, individual: str, reading: Reading) -> list[Any]:
    """What a cursor of this list is bound to."""
    generation = call.service.ledger.source.generation
    return ["history", generation, call.caller.tenant, individual, reading.at, reading.known_at]


def _opened(text: str, asked: Sequence[object]) -> Place:
    try:
        return opened(text, asked, Place)
    except InvalidCursor as fault:
        raise ValueError(str(fault)) from None


def _cursor(last: Recorded, reached: int, asked: Sequence[object]) -> str:
    return sealed(Place(reached, *_order(last)), asked)


def _streamed(call: Call, found: History) -> Reply:
    headers = {} if found.position is None else {POSITION_HEADER: found.position.encode()}
    return Reply(lines=_lines(call, found.events), media_type=NDJSON, headers=headers)


async def _lines(call: Call, events: Sequence[Recorded]) -> AsyncIterator[bytes]:
    for start in range(0, len(events), LINES_AT_ONCE):
        chunk = events[start : start + LINES_AT_ONCE]
        yield await call.service.read(lambda some=chunk: _written(some))  # type: ignore[misc]  # mypy takes no defaults in a lambda for what they bind.


def _written(events: Sequence[Recorded]) -> bytes:
    return b"".join(format_line(recorded) + b"\n" for recorded in events)


def _text(position: Position | None) -> str | None:
    return None if position is None else position.encode()


_PAGE_SCHEMA: Final = {
    "type": "object",
    "required": ["individual", "events", "cursor", "position"],
    "additionalProperties": False,
    "properties": {
        "individual": {"type": "string"},
        "events": {"type": "array", "items": EVENT, "maxItems": PAGE_EVENTS_MAX},
        "cursor": {"type": ["string", "null"], "description": "Where to go on; null: these were the last."},
        "position": {"type": ["string", "null"], "description": "How fresh the answer is."},
    },
    **EVENT_DEFINITION,
}

HISTORY: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/v1/individuals/{individual}/history",
        operation="history",
        summary="Every event of an individual, in the order in which they happened",
        description="In pages of JSON; or, with `Accept: application/x-ndjson`, streamed whole, one event a "
        "line as `choice-ledger export` writes it. `known_at` leaves out what was recorded later, `at` what "
        "happened later. The pages of one list are of one moment: what arrives meanwhile is in the next.",
        tag="Read",
        scopes=frozenset({"audit", "officer"}),
        parameters=_PARAMETERS,
        answers=(
            Answered(
                status=200,
                description="A page of events, or all of them as lines.",
                content={JSON: _PAGE_SCHEMA, NDJSON: EVENT_SCHEMA},
            ),
        ),
        problems=("invalid_parameter", "not_acceptable", "stale", "wrong_generation"),
        handler=_history,
    ),
)
"""The rows of this part."""
