"""The calendar of a random world, whole days from one start, and the events that stand on it."""

import random
import uuid
from datetime import UTC, datetime, timedelta

from tests.simulation.amendments import Line

DAY = 86_400_000_000
"""One day in microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_START = (datetime(2026, 3, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_INSTANT_FIELDS = ("occurred_at", "recorded_at", "effective_at", "from", "to", "at", "known_at", "due_at")


def day(number: int) -> int:
    """The instant at which a day of the world begins."""
    return _START + number * DAY


def text_of(micros: int) -> str:
    """An instant as the line format writes it."""
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_text(event: Line) -> Line:
    """The same fields with every instant as text."""
    is_instant = {field for field in _INSTANT_FIELDS if isinstance(event.get(field), int)}
    return {field: text_of(value) if field in is_instant else value for field, value in event.items()}


def new_id(rng: random.Random) -> str:
    """An event id."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def event_of(rng: random.Random, tenant: str, event_type: str, recorded_at: int, fields: Line) -> Line:
    """An event of any type, with what every event carries."""
    return {
        "type": event_type,
        "event_id": new_id(rng),
        "tenant": tenant,
        "occurred_at": recorded_at,
        "recorded_at": recorded_at,
        "actor": None,
        "medium": "api",
        "caused_by": None,
    } | fields
