"""Instants and durations: what is read, what is refused, and the one form that is written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.instants import (
    DAY,
    DURATION_MAX,
    HOUR,
    INSTANT_MAX,
    INSTANT_MIN,
    MINUTE,
    SECOND,
    WEEK,
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-05-03T09:00:00.000000Z", 1_777_798_800_000_000),
        ("2026-05-03T09:00:00+00:00", 1_777_798_800_000_000),
        ("2026-05-03T09:00:00-00:00", 1_777_798_800_000_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
        ("0001-01-01T00:00:00Z", INSTANT_MIN),
        ("9999-12-31T23:59:59.999999Z", INSTANT_MAX),
    ],
)
def test_instant_is_read(text: str, instant: int) -> None:
    """An RFC 3339 text in UTC is read to the microsecond, from the year 1 to the year 9999."""
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2031-05-03",
        "2031-05-03T09:00:00",
        "2031-05-03 09:00:00Z",
        "2031-05-03t09:00:00z",
        "2031-05-03T09:00:00+02:00",
        "2031-05-03T09:00:00.0000001Z",
        "2031-05-03T09:00:00.Z",
        "2031-05-03T09:00:00,5Z",
        "2031-05-03T09:00Z",
        "2031-05-03T09:00:00Z ",
        "2031-05-03T09:00:00Z\n",
        "٢٠٢٦-05-03T09:00:00Z",
        "+2031-05-03T09:00:00Z",
        "2031-W18-7T09:00:00Z",
        "2031-02-29T00:00:00Z",
        "2031-13-01T00:00:00Z",
        "2031-05-03T24:00:00Z",
        "2031-05-03T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
    ],
)
def test_other_instants_are_refused(text: str) -> None:
    """Any other text is refused, and the refusal does not repeat it."""
    with pytest.raises(ValueError, match=r"^must be an") as refusal:
        parse_instant(text)
    assert not text or text not in str(refusal.value)


@given(st.integers(INSTANT_MIN, INSTANT_MAX))
@example(INSTANT_MIN)
@example(INSTANT_MAX)
@example(-1)
def test_instant_round_trip(instant: int) -> None:
    """Every instant is written with six fractional digits and Z, and read back as it was."""
    text = format_instant(instant)
    assert len(text) == len("2026-05-03T09:00:00.000000Z")
    assert text.endswith("Z")
    assert parse_instant(text) == instant


@given(st.integers(INSTANT_MIN, INSTANT_MAX), st.integers(INSTANT_MIN, INSTANT_MAX))
def test_instants_sort_as_their_texts(left: int, right: int) -> None:
    """The texts of two instants sort as the instants do."""
    assert (left < right) == (format_instant(left) < format_instant(right))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT0S", 0),
        ("P0D", 0),
        ("P30D", 30 * DAY),
        ("P2W", 2 * WEEK),
        ("P1DT2H3M4S", DAY + 2 * HOUR + 3 * MINUTE + 4 * SECOND),
        ("PT0.000001S", 1),
        ("PT1.5S", 1_500_000),
        ("PT90M", 90 * MINUTE),
        ("P1DT1S", DAY + SECOND),
        ("P36525D", DURATION_MAX),
    ],
)
def test_duration_is_read(text: str, duration: int) -> None:
    """An ISO 8601 duration of weeks, or of days, hours, minutes and seconds, is read to the microsecond."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "P1Y",
        "P1M",
        "P1W1D",
        "P1WT1H",
        "-P1D",
        "P-1D",
        "P1.5D",
        "PT1.S",
        "PT.5S",
        "PT1.0000001S",
        "PT1,5S",
        "P1d",
        "P1D ",
        "P1D\n",
        "P1H",
        "PT1D",
        "P1234567890D",
        "P١D",
    ],
)
def test_other_durations_are_refused(text: str) -> None:
    """Months, years, signs and every other text are refused: a month has no length."""
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_duration(text)


def test_duration_is_at_most_a_hundred_years() -> None:
    """One microsecond above the limit is refused, and the limit itself is not."""
    assert parse_duration("P36525D") == DURATION_MAX
    with pytest.raises(ValueError, match="100 years"):
        parse_duration("P36525DT0.000001S")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "PT0S"),
        (1, "PT0.000001S"),
        (SECOND, "PT1S"),
        (MINUTE, "PT1M"),
        (HOUR, "PT1H"),
        (30 * DAY, "P30D"),
        (WEEK, "P7D"),
        (DAY + HOUR + MINUTE + SECOND + 500_000, "P1DT1H1M1.5S"),
    ],
)
def test_duration_is_written_shortest(duration: int, text: str) -> None:
    """A duration is written in days and smaller, without what is zero."""
    assert format_duration(duration) == text


@given(st.integers(0, DURATION_MAX))
def test_duration_round_trip(duration: int) -> None:
    """Every duration is read back from its text as it was."""
    assert parse_duration(format_duration(duration)) == duration
