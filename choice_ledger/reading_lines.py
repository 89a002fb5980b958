"""Lines of a file or a pipe as bytes, in flat memory whatever the file holds."""

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

SKIP_BYTES: Final = 64 * 1024
"""Bytes read at once of a line that is too long to keep."""


class NumberedLine(NamedTuple):
    """A line with its number from 1, without its end. ``end`` counts the file's bytes up to its end."""

    number: int
    content: bytes
    end: int


def numbered_lines(file: BinaryIO, bytes_max: int) -> Iterator[NumberedLine]:
    """Every line that is not blank. One longer than ``bytes_max`` is cut one byte after that."""
    number = end = 0
    while content := file.readline(bytes_max + 2):
        number += 1
        end += len(content)
        line = content.rstrip(b"\r\n")
        if not content.endswith(b"\n") and len(line) > bytes_max:
            end += _skip_line(file)
        if line.strip():
            yield NumberedLine(number, line[: bytes_max + 1], end)


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while rest := file.readline(SKIP_BYTES):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped
