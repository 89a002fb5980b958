"""The calendar of a random world: whole days from one start, as microseconds and as text."""

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
