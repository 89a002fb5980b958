"""Wounds that bytes take: what a disk, a wire, a careless program or an enemy does to a record."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

Wound: TypeAlias = Callable[[bytearray, Random], None]

TELLING_BYTES = (0x00, 0x01, 0x02, 0x03, 0x04, 0x7E, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
BOMBS = (
    b"\xfe\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80" * 40,
)
WOUNDS_MAX = 3


def flip_a_bit(value: bytearray, random: Random) -> None:
    value[random.randrange(len(value))] ^= 1 << random.randrange(8)


def set_a_byte(value: bytearray, random: Random) -> None:
    value[random.randrange(len(value))] = random.choice(TELLING_BYTES)


def cut(value: bytearray, random: Random) -> None:
    del value[random.randrange(len(value)) :]


def drop(value: bytearray, random: Random) -> None:
    at = random.randrange(len(value))
    del value[at : at + random.randint(1, 4)]


def repeat(value: bytearray, random: Random) -> None:
    at = random.randrange(len(value))
    value[at:at] = value[at : at + random.randint(1, 40)]


def insert(value: bytearray, random: Random) -> None:
    at = random.randrange(len(value) + 1)
    value[at:at] = random.randbytes(random.randint(1, 4))


def append(value: bytearray, random: Random) -> None:
    value += random.randbytes(random.randint(1, 9))


def bomb(value: bytearray, random: Random) -> None:
    at = random.randrange(len(value))
    value[at : at + 1] = random.choice(BOMBS)


WOUNDS: tuple[Wound, ...] = (flip_a_bit, set_a_byte, cut, drop, repeat, insert, append, bomb)


def wounded(value: bytes, random: Random, spared: int = 0) -> bytes:
    """The bytes after one to three wounds, the first `spared` bytes left whole."""
    head, rest = value[:spared], bytearray(value[spared:])
    for _ in range(random.randint(1, WOUNDS_MAX)):
        if rest:
            random.choice(WOUNDS)(rest, random)
    return head + bytes(rest)
