"""Lines of a file or a pipe as bytes: as they come, and in flat memory whatever the file holds."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

CHUNK_BYTES: Final = 1024 * 1024
"""Bytes read at once, at most; a pipe gives what is there."""


class ByteStream(Protocol):
    """What lines are read from: an open file, or standard input."""

    def read1(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, as many as are at hand, waiting only for the first; none at the end."""
        ...


class NumberedLine(NamedTuple):
    """A line with its number from 1, without its end."""

    number: int
    content: bytes


def line_batches(
    stream: ByteStream, bytes_max: int, tell_read: Callable[[int], None] | None = None
) -> Iterator[list[NumberedLine]]:
    """Every line that is not blank, in batches: those that were at hand together.

    A line longer than ``bytes_max`` is cut one byte after that, so that whoever reads it refuses it.
    ``tell_read`` hears how many bytes were read more.
    """
    number, rest = 0, b""
    while chunk := stream.read1(CHUNK_BYTES):
        whole = (rest + chunk).split(b"\n")
        rest = whole.pop()[: bytes_max + 1]
        yield _numbered(whole, number, bytes_max)
        number += len(whole)
        if tell_read is not None:
            tell_read(len(chunk))
    yield _numbered([rest], number, bytes_max)


def _numbered(whole: list[bytes], before: int, bytes_max: int) -> list[NumberedLine]:
    return [
        NumberedLine(number, line.removesuffix(b"\r")[: bytes_max + 1])
        for number, line in enumerate(whole, start=before + 1)
        if line and not line.isspace()
    ]
