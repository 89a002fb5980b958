"""Opening files that a command line names; ``-`` is standard input."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from choice_ledger.exits import ExitCode, Failure
from choice_ledger.reading_lines import ByteStream


@contextmanager
def opened_file(path: Path) -> Iterator[ByteStream]:
    """The bytes of a file, or of standard input, which is left open."""
    if str(path) == "-":
        yield cast("ByteStream", sys.stdin.buffer)
        return
    try:
        file = path.open("rb")
    except OSError as fault:
        raise Failure(ExitCode.USAGE, f"{path} cannot be read: {fault.strerror}") from None
    with file:
        yield file


def check_readable(path: Path) -> None:
    """Raise what ``opened_file`` would, as far as it can be told without opening: a pipe opens only once."""
    if str(path) == "-":
        return
    fault = None
    if not path.exists():
        fault = errno.ENOENT
    elif path.is_dir():
        fault = errno.EISDIR
    elif not os.access(path, os.R_OK):
        fault = errno.EACCES
    if fault is not None:
        raise Failure(ExitCode.USAGE, f"{path} cannot be read: {os.strerror(fault)}")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where that cannot be known."""
    return path.stat().st_size if path.is_file() else 0
