"""Instants and durations: whole microseconds inside, RFC 3339 and ISO 8601 text at the edges.

``semantics.md``, *The facts*: "Times are UTC, whole microseconds." Inside the ledger an instant is an
``int``, microseconds since 1970-01-01T00:00:00Z, and a duration is an ``int`` of microseconds: integers
compare exactly, sort, and cross every boundary (Avro, SQLite, msgpack) without a time zone to lose.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Micros: TypeAlias = int
"""An instant (since the Unix epoch, UTC) or a duration, in whole microseconds."""

SECOND: Final[Micros] = 1_000_000
MINUTE: Final[Micros] = 60 * SECOND
HOUR: Final[Micros] = 60 * MINUTE
DAY: Final[Micros] = 24 * HOUR
WEEK: Final[Micros] = 7 * DAY

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_MICROSECOND: Final = timedelta(microseconds=1)

INSTANT_MIN: Final[Micros] = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The earliest instant that RFC 3339 can write: the first microsecond of the year 1."""

INSTANT_MAX: Final[Micros] = (
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - _EPOCH
) // _MICROSECOND
"""The latest instant that RFC 3339 can write: the last microsecond of the year 9999."""

DURATION_MAX: Final[Micros] = 36_525 * DAY
"""The longest duration accepted: one hundred years."""

_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-]00:00)", re.ASCII
)
_DURATION: Final = re.compile(
    r"P(?:(?P<weeks>[0-9]{1,9})W|(?=[0-9T])(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,9})(?:\.(?P<fraction>[0-9]{1,6}))?S)?)?)",
    re.ASCII,
)
_UNITS: Final = (("weeks", WEEK), ("days", DAY), ("hours", HOUR), ("minutes", MINUTE), ("seconds", SECOND))


def parse_instant(text: str) -> Micros:
    """The instant that an RFC 3339 text in UTC names (``2026-05-03T09:00:00.000000Z``).

    Raises ValueError, without repeating the text, for another offset than zero, for more than six
    fractional digits, for a leap second, and for a date that does not exist.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError("must be an RFC 3339 instant in UTC, such as 2026-05-03T09:00:00.000000Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise ValueError("must be an instant that exists in the calendar") from fault
    return (moment - _EPOCH) // _MICROSECOND


def format_instant(instant: Micros) -> str:
    """The RFC 3339 text of an instant, always with six fractional digits and ``Z``."""
    moment = _NAIVE_EPOCH + timedelta(microseconds=instant)
    return moment.isoformat(timespec="microseconds") + "Z"


def parse_duration(text: str) -> Micros:
    """The length of an ISO 8601 duration in weeks, days, hours, minutes and seconds (``P30D``).

    ``events.md``: a month has no length, so years and months are refused. Raises ValueError for any
    other text and for a length above ``DURATION_MAX``.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("must be an ISO 8601 duration of weeks, days, hours, minutes, seconds, such as P30D")
    total = sum(int(match[unit] or 0) * length for unit, length in _UNITS)
    total += int((match["fraction"] or "0").ljust(6, "0"))
    if total > DURATION_MAX:
        raise ValueError("must be at most 100 years (P36525D)")
    return total


def format_duration(duration: Micros) -> str:
    """The shortest ISO 8601 text in days, hours, minutes and seconds; ``PT0S`` for no time at all."""
    days, rest = divmod(duration, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, micros = divmod(rest, SECOND)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    time = (
        (f"{hours}H" if hours else "")
        + (f"{minutes}M" if minutes else "")
        + (f"{seconds}{fraction}S" if seconds or micros else "")
    )
    text = "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")
    return text if text != "P" else "PT0S"
