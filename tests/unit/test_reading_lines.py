"""Lines from a stream: every one with its number, however the bytes come."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.reading_lines import NumberedLine, line_batches

BYTES_MAX = 10


class Trickle:
    """A stream that gives few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes, step: int) -> None:
        """Give ``step`` bytes at most."""
        self._rest = content
        self._step = step

    def read1(self, size: int, /) -> bytes:
        """The next few bytes."""
        given, self._rest = self._rest[: min(size, self._step)], self._rest[min(size, self._step) :]
        return given


def lines_of(content: bytes, step: int = 1_000_000, bytes_max: int = BYTES_MAX) -> list[NumberedLine]:
    """All lines of a content that comes in steps."""
    return [line for batch in line_batches(Trickle(content, step), bytes_max) for line in batch]


def test_lines_are_numbered() -> None:
    """Lines are numbered from 1, blank ones too, and these are passed over."""
    assert lines_of(b"a\n\n  \nb\r\nc") == [
        NumberedLine(1, b"a"),
        NumberedLine(4, b"b"),
        NumberedLine(5, b"c"),
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n", b" \t\r\n"])
def test_nothing_is_no_line(content: bytes) -> None:
    """An empty or blank stream has no line."""
    assert lines_of(content) == []


def test_the_longest_line_is_whole_and_a_longer_one_cut() -> None:
    """A line of the limit comes whole; of a longer one a byte more than that, so that it is told."""
    longest, longer = b"x" * BYTES_MAX, b"y" * (BYTES_MAX * 50)
    assert lines_of(longest + b"\n" + longer + b"\nz") == [
        NumberedLine(1, longest),
        NumberedLine(2, longer[: BYTES_MAX + 1]),
        NumberedLine(3, b"z"),
    ]


def test_what_has_come_is_given_before_more_is_read() -> None:
    """Each reading's whole lines are a batch of their own."""
    batches = line_batches(Trickle(b"aa\nbb\ncc", 3), BYTES_MAX)
    assert next(batches) == [NumberedLine(1, b"aa")]
    assert next(batches) == [NumberedLine(2, b"bb")]


def test_readings_are_told() -> None:
    """Who shows the progress hears of every byte, blank and cut ones too."""
    told: list[int] = []
    list(line_batches(Trickle(b"a\n\n" + b"x" * 90, 7), BYTES_MAX, told.append))
    assert sum(told) == 93


def test_a_line_without_end_takes_no_more_memory_than_the_limit() -> None:
    """However long a line is, what is kept of it stays at the limit."""
    (line,) = lines_of(b"x" * 1_000_000, step=1_000)
    assert len(line.content) == BYTES_MAX + 1


@given(st.lists(st.binary(max_size=20)), st.integers(1, 30))
def test_steps_make_no_difference(lines: list[bytes], step: int) -> None:
    """However the bytes come, the lines and their numbers are the same as of the whole at once."""
    content = b"\n".join(lines)
    assert lines_of(content, step) == lines_of(content)


@given(st.lists(st.binary(min_size=1, max_size=BYTES_MAX)))
def test_a_file_gives_what_was_written(lines: list[bytes]) -> None:
    """Lines without an end in them come back as they are, with their place as their number."""
    written = [line.replace(b"\n", b".").replace(b"\r", b".") for line in lines]
    found = [line for b in line_batches(io.BytesIO(b"\n".join(written)), BYTES_MAX) for line in b]
    assert found == [
        NumberedLine(number, line)
        for number, line in enumerate(written, start=1)
        if line and not line.isspace()
    ]
