"""What commands print: tables for people, JSON for programs, failures in one line on standard error."""

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

import msgspec

from choice_ledger.exits import Failure

Row = Sequence[str]

_GAP: Final = "  "
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def show_failure(failure: Failure, *, as_json: bool) -> None:
    """Say on standard error why a command ended early."""
    if as_json:
        fault = {"code": int(failure.code), "field": failure.field or None, "message": failure.message}
        sys.stderr.write(msgspec.json.encode({"error": fault}).decode() + "\n")
    else:
        sys.stderr.write(f"error: {safe(str(failure))}\n")


def warn(message: str) -> None:
    """Say on standard error what the caller should know, though the command goes on."""
    sys.stderr.write(f"warning: {safe(message)}\n")


def show_json(value: object) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def show_lines(lines: Iterable[str]) -> None:
    """Print lines of text, without what would steer a terminal."""
    for line in lines:
        sys.stdout.write(safe(line) + "\n")


def show_table(headings: Row, rows: Iterable[Row], out: TextIO | None = None) -> None:
    """Print a table: ruled on a terminal, in plain columns elsewhere, where nothing is cut or wrapped."""
    out = out or sys.stdout
    cells = [[safe(cell) for cell in row] for row in rows]
    if out.isatty():
        _show_ruled(headings, cells, out)
        return
    widths = [max(len(cell) for cell in column) for column in zip(headings, *cells, strict=True)]
    for row in ([heading.upper() for heading in headings], *cells):
        padded = _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        out.write(padded.rstrip() + "\n")


def safe(text: str) -> str:
    """The text with every control character replaced: a title must not steer the reader's terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _UNSAFE else c for c in text)


def _show_ruled(headings: Row, rows: Iterable[Row], out: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - a program that reads a pipe does without it
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(*headings)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=out).print(table)
