"""The guard in front of the decoder: what it lets pass, at each limit and past it."""

import tracemalloc
from typing import Any

import pytest

from events.canonical_bytes import SYMBOLS_MAX, VARINT_BYTES_MAX, NotCanonical, check_canonical, walk_of

STRINGS = {"type": "array", "items": "string"}
PAIR = {
    "type": "record",
    "name": "Pair",
    "fields": [{"name": "left", "type": "boolean"}, {"name": "right", "type": ["null", "int"]}],
}


def walk(type_: Any) -> Any:
    return walk_of({"type": "record", "name": "One", "fields": [{"name": "value", "type": type_}]})


def enum_of(size: int) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": [f"s{number}" for number in range(size)]}


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("string", b"\x00"),
        ("string", b"\x02a"),
        ("string", b"\x80\x01" + b"a" * 64),
        ("bytes", b"\x04\xff\xfe"),
        ("int", b"\x01"),
        ("long", b"\x80\x01"),
        ("long", b"\xff" * (VARINT_BYTES_MAX - 1) + b"\x01"),
        ({"type": "long", "logicalType": "timestamp-micros"}, b"\x02"),
        ("boolean", b"\x00"),
        ("boolean", b"\x01"),
        (enum_of(2), b"\x02"),
        (enum_of(SYMBOLS_MAX), bytes([2 * SYMBOLS_MAX - 2])),
        (["null", "int"], b"\x00"),
        (["null", "int"], b"\x02\x05"),
        (STRINGS, b"\x00"),
        (STRINGS, b"\x04\x02a\x00\x00"),
        (STRINGS, b"\x80\x01" + b"\x00" * 64 + b"\x00"),
        ({"type": "array", "items": PAIR}, b"\x04\x00\x00\x01\x02\x07\x00"),
    ],
)
def test_what_a_writer_writes_passes(type_: Any, data: bytes) -> None:
    """The one canonical encoding of a value passes, wherever it begins."""
    check_canonical(data, 0, walk(type_))
    check_canonical(b"\xff\xff" + data, 2, walk(type_))


@pytest.mark.parametrize(
    ("type_", "data", "why"),
    [
        ("string", b"", "end before"),
        ("string", b"\x02", "end together"),
        ("string", b"\x01", "negative"),
        ("string", b"\x82\x00a", "shortest"),
        ("string", b"\x00\x00", "end together"),
        ("int", b"\x80", "end before"),
        ("long", b"\x80\x00", "shortest"),
        ("long", b"\xff" * VARINT_BYTES_MAX + b"\x01", "too long"),
        ("boolean", b"\x02", "boolean"),
        ("boolean", b"\xff", "boolean"),
        (enum_of(2), b"\x04", "symbol"),
        (enum_of(2), b"\x01", "symbol"),
        (enum_of(2), b"\x80\x01", "symbol"),
        (enum_of(SYMBOLS_MAX), bytes([2 * SYMBOLS_MAX]), "symbol"),
        (["null", "int"], b"\x01", "branch"),
        (["null", "int"], b"\x04\x00", "branch"),
        (["null", "int"], b"\x02", "end before"),
        (STRINGS, b"\x01\x02\x00\x00", "below zero"),
        (STRINGS, b"\x02\x00\x02\x00\x00", "more than one block"),
        (STRINGS, b"\x02\x00", "end before"),
        (STRINGS, b"\x80\x00", "shortest"),
        ({"type": "array", "items": PAIR}, b"\x02\x02\x00\x00", "boolean"),
    ],
)
def test_anything_else_is_refused(type_: Any, data: bytes, why: str) -> None:
    """Longer numbers, other branches, symbols and booleans, cut and left-over bytes are each refused."""
    with pytest.raises(NotCanonical, match=why):
        check_canonical(data, 0, walk(type_))


def test_five_bytes_do_not_become_items() -> None:
    """An array that counts billions of items is refused at its first missing byte, without memory."""
    bomb = b"\xfe\xff\xff\xff\x0f"
    tracemalloc.start()
    with pytest.raises(NotCanonical):
        check_canonical(bomb, 0, walk(STRINGS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(
    "type_",
    [
        {"type": "map", "values": "int"},
        ["int", "null"],
        ["null", "int", "string"],
        ["null"],
        "double",
        {"type": "fixed", "name": "F", "size": 2},
        "One",
        enum_of(SYMBOLS_MAX + 1),
        {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}},
    ],
)
def test_schemas_the_guard_does_not_know_are_refused(type_: Any) -> None:
    """A map, recursion, another union, a float, an item of no bytes or too many symbols is refused."""
    with pytest.raises(ValueError, match=r"."):
        walk(type_)


def test_a_named_type_is_walked_where_it_is_used_again() -> None:
    """A type that is named once may be used by its name after that."""
    fields = [{"name": "first", "type": PAIR}, {"name": "second", "type": "Pair"}]
    steps = walk_of({"type": "record", "name": "Two", "fields": fields})
    check_canonical(b"\x01\x00\x00\x02\x01", 0, steps)
    with pytest.raises(NotCanonical):
        check_canonical(b"\x01\x00\x02\x02\x01", 0, steps)
