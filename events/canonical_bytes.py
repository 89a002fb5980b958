"""Whether bytes are exactly what an Avro writer would write: the guard in front of the decoder.

``architecture.md``: "fastavro is no validator". Here the bytes are walked by the writer's
schema before the decoder sees them, and refused unless they are the one canonical encoding: the shortest form
of every number, one block for an array, 0 or 1 for a boolean, a symbol or branch that exists, nothing left
over. So what passes re-encodes to itself, and an array can have no more items than the input has bytes.
Text is not looked at: the decoder refuses what is not UTF-8.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

VARINT_BYTES_MAX: Final = 9
"""Bytes of the longest number accepted: 63 bits hold every instant and duration that an event may have."""

SYMBOLS_MAX: Final = 63
"""Symbols of an enum and branches of a union: their index stands in one byte."""

_MORE: Final = 0x80


# How the bytes of one step are walked. Plain integers, because an enum's members cost the hot path dear.
SIZED: Final = 0
NUMBER: Final = 1
INDEX: Final = 2
OPTIONAL: Final = 3
ARRAY: Final = 4
BOOLEAN: Final = 5


Step: TypeAlias = tuple[int, int, tuple["Step", ...]]
"""One value in the order of the bytes: how it is walked; twice the number of symbols (as zigzag has it); and
what is within, for an array's item or an optional value. A plain tuple, which unpacks fastest."""

Schema: TypeAlias = Any
"""A schema or a part of one as JSON has it: text, a list or an object."""

Walk: TypeAlias = tuple[Step, ...]
"""The steps of a whole record, nested records laid flat."""


class NotCanonical(ValueError):
    """The bytes are not what a writer of that schema writes."""


_PRIMITIVES: Final[dict[str, Step]] = {
    "string": (SIZED, 0, ()),
    "bytes": (SIZED, 0, ()),
    "int": (NUMBER, 0, ()),
    "long": (NUMBER, 0, ()),
    "boolean": (BOOLEAN, 0, ()),
}


def walk_of(schema: Mapping[str, Any]) -> Walk:
    """The steps of a record schema. Raises ValueError for what the guard does not know: maps, recursion,
    unions other than ``["null", …]``, floats, fixed, and enums above ``SYMBOLS_MAX``.
    """
    return tuple(_steps(schema, {}))


def _steps(schema: Schema, named: dict[str, Walk]) -> Iterator[Step]:
    if isinstance(schema, list):
        yield _optional(schema, named)
    elif isinstance(schema, str):
        yield from (_PRIMITIVES[schema],) if schema in _PRIMITIVES else _known(schema, named)
    elif schema["type"] == "record":
        walk = tuple(step for field in schema["fields"] for step in _steps(field["type"], named))
        yield from _name(schema, walk, named)
    elif schema["type"] == "enum":
        yield from _name(schema, (_index(schema["symbols"]),), named)
    elif schema["type"] == "array":
        yield _array(schema["items"], named)
    else:
        yield from _steps(schema["type"], named)


def _optional(branches: Sequence[Schema], named: dict[str, Walk]) -> Step:
    if len(branches) != 2 or branches[0] != "null":
        raise ValueError("a union must be null and one other type")
    return OPTIONAL, 0, tuple(_steps(branches[1], named))


def _array(items: Schema, named: dict[str, Walk]) -> Step:
    within = tuple(_steps(items, named))
    if not within:
        raise ValueError(
            "an array's item must take at least one byte, or five bytes could say a billion items"
        )
    return ARRAY, 0, within


def _index(symbols: Sequence[str]) -> Step:
    if len(symbols) > SYMBOLS_MAX:
        raise ValueError(f"an enum must have at most {SYMBOLS_MAX} symbols")
    return INDEX, 2 * len(symbols), ()


def _name(schema: Mapping[str, Any], walk: Walk, named: dict[str, Walk]) -> Walk:
    named[schema["name"]] = walk
    return walk


def _known(name: str, named: dict[str, Walk]) -> Walk:
    if name not in named:
        raise ValueError("a schema must not recurse, nor use types that the guard does not know")
    return named[name]


def check_canonical(data: bytes, start: int, walk: Walk) -> None:
    """Raise NotCanonical unless ``data`` from ``start`` to its end is one canonical record.

    Takes time in proportion to the bytes, whatever they say.
    """
    try:
        end = _walk(data, start, walk)
    except IndexError:
        raise NotCanonical("the bytes end before the record does") from None
    if end != len(data):
        raise NotCanonical("the record and the bytes do not end together")


def _walk(data: bytes, at: int, walk: Walk) -> int:  # noqa: C901, PLR0912 — one loop: it is the hot path.
    for kind, bound, within in walk:
        byte = data[at]
        at += 1
        if kind == SIZED:
            if byte >= _MORE:
                byte, at = _number(data, at - 1)
            if byte & 1:
                raise NotCanonical("a length is negative")
            at += byte >> 1
        elif kind == OPTIONAL:
            if byte == 2:
                at = _walk(data, at, within)
            elif byte:
                raise NotCanonical("a union names no branch of its own")
        elif kind == NUMBER:
            if byte >= _MORE:
                at = _number_end(data, at)
        elif kind == INDEX:
            if byte >= bound or byte & 1:
                raise NotCanonical("an enum names no symbol of its own")
        elif kind == ARRAY:
            if byte:
                at = _items(data, at - 1, within)
        elif byte > 1:
            raise NotCanonical("a boolean is neither 0 nor 1")
    return at


def _items(data: bytes, at: int, within: Walk) -> int:
    count, at = _number(data, at)
    if count & 1:
        raise NotCanonical("an array counts its items below zero")
    for _ in range(count >> 1):
        at = _walk(data, at, within)
    if data[at]:
        raise NotCanonical("an array is written in more than one block")
    return at + 1


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag number at ``at``, its sign in the lowest bit, and where it ends."""
    end = at + 1 if data[at] < _MORE else _number_end(data, at + 1)
    value = 0
    for byte in reversed(data[at:end]):
        value = value << 7 | byte & (_MORE - 1)
    return value, end


def _number_end(data: bytes, second: int) -> int:
    """Where the number ends whose second byte is at ``second``."""
    at = second
    while data[at] >= _MORE:
        at += 1
    if not data[at] or at - second > VARINT_BYTES_MAX - 2:
        raise NotCanonical("a number is too long, or is written in more than its shortest form")
    return at + 1
